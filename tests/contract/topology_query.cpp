// SPDX-License-Identifier: Apache-2.0
// topology_query.h: each promise and each error of each function.
#include "contract/machines.hpp"
#include "fakes/machines/four_nodes.hpp"
#include "fakes/machines/hmat.hpp"

#include <functional>
#include <sched.h>

using nearpool_test::Error;
using nearpool_test::Topology;
using nearpool_test::XmlMachine;

namespace {

// The rules of an output list (nearpool.h), for any function that has one; `count` is what it lists.
template <class T> void check_list_rules(size_t count, const std::function<near_status(T *, size_t, size_t *)> &ask) {
    ASSERT_GE(count, 1U);
    size_t needed = 99;
    EXPECT_EQ(ask(nullptr, 0, &needed), NEAR_OK);
    EXPECT_EQ(needed, count);
    std::vector<T> list(count + 1);
    EXPECT_EQ(ask(list.data(), count - 1, &needed), NEAR_E_CAPACITY);
    EXPECT_EQ(needed, count);
    needed = 0;
    EXPECT_EQ(ask(list.data(), count + 1, &needed), NEAR_OK);
    EXPECT_EQ(needed, count);
    EXPECT_EQ(ask(nullptr, 1, &needed), NEAR_E_INVALID);
    EXPECT_EQ(ask(list.data(), count, nullptr), NEAR_E_INVALID);
}

std::vector<uint32_t> cpus_of(const near_topology *topology, uint32_t node) {
    size_t needed = 0;
    EXPECT_EQ(near_topology_cpus(topology, node, nullptr, 0, &needed), NEAR_OK);
    std::vector<uint32_t> cpus(needed);
    EXPECT_EQ(near_topology_cpus(topology, node, cpus.data(), cpus.size(), &needed), NEAR_OK);
    return cpus;
}

TEST(NodesByDistance, ListsAllNodesNearestFirst) {
    const XmlMachine machine(nearpool::fakes::four_nodes_xml);
    std::vector<uint32_t> nodes(4);
    size_t needed = 0;
    ASSERT_EQ(near_topology_nodes_by_distance(machine, 1, nodes.data(), 4, &needed), NEAR_OK);
    EXPECT_EQ(nodes, (std::vector<uint32_t>{1, 0, 3, 2}));
    check_list_rules<uint32_t>(4, [&](uint32_t *list, size_t capacity, size_t *count) {
        return near_topology_nodes_by_distance(machine, 1, list, capacity, count);
    });
    EXPECT_EQ(near_topology_nodes_by_distance(machine, 4, nullptr, 0, &needed), NEAR_E_NO_NODE);
}

TEST(Nearest, IsTheNodeItselfOrTheNearestThatHas) {
    const XmlMachine machine(nearpool::fakes::hmat_xml);
    uint32_t node = 99;
    EXPECT_EQ(near_topology_nearest_with_cpus(machine, 1, &node), NEAR_OK);
    EXPECT_EQ(node, 1U);
    EXPECT_EQ(near_topology_nearest_with_cpus(machine, 3, &node), NEAR_OK);
    EXPECT_EQ(node, 1U);
    EXPECT_EQ(near_topology_nearest_with_memory(machine, 2, &node), NEAR_OK);
    EXPECT_EQ(node, 2U);
    EXPECT_EQ(near_topology_nearest_with_cpus(machine, 9, &node), NEAR_E_NO_NODE);
    EXPECT_EQ(near_topology_nearest_with_memory(machine, 9, &node), NEAR_E_NO_NODE);
    EXPECT_EQ(near_topology_nearest_with_cpus(machine, 1, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_topology_nearest_with_memory(machine, 1, nullptr), NEAR_E_INVALID);
}

TEST(Cpus, AreThoseOfANodeOrOfTheMachine) {
    const Topology topology("numa:2 core:2 pu:2");
    EXPECT_EQ(cpus_of(topology, 1), (std::vector<uint32_t>{4, 5, 6, 7}));
    EXPECT_EQ(cpus_of(topology, NEAR_NODE_UNKNOWN).size(), 8U);
    check_list_rules<uint32_t>(4, [&](uint32_t *list, size_t capacity, size_t *count) {
        return near_topology_cpus(topology, 0, list, capacity, count);
    });
    check_list_rules<uint32_t>(8, [&](uint32_t *list, size_t capacity, size_t *count) {
        return near_topology_cpus(topology, NEAR_NODE_UNKNOWN, list, capacity, count);
    });
    size_t needed = 0;
    EXPECT_EQ(near_topology_cpus(topology, 2, nullptr, 0, &needed), NEAR_E_NO_NODE);
}

// N31, acceptance 7: no limit of 1024 CPUs or 64 nodes on either side of the ABI.
TEST(Cpus, N31AreMoreThan1024OnMoreThan64Nodes) {
    const Topology topology("numa:130 core:8 pu:2");
    EXPECT_EQ(cpus_of(topology, NEAR_NODE_UNKNOWN).size(), 2080U);
    EXPECT_EQ(cpus_of(topology, 127).front(), 127U * 16);
    EXPECT_EQ(near_topology_node_at(topology, 64), 64U);
}

TEST(CpuInfo, HasTheFactsOfACpuOrNoCpu) {
    const Topology topology("pack:2 numa:1 l3:2 core:2 pu:2");
    near_cpu_info info{};
    info.struct_size = sizeof info;
    ASSERT_EQ(near_topology_cpu_info(topology, 15, &info), NEAR_OK);
    EXPECT_EQ(info.cpu, 15U);
    EXPECT_EQ(info.node, 1U);
    EXPECT_EQ(info.core, 7U);
    EXPECT_EQ(info.package, 1U);
    EXPECT_EQ(info.cache, 3U);
    EXPECT_EQ(info.smt, 1U);
    EXPECT_EQ(info.allowed, 1U);
    EXPECT_EQ(near_topology_cpu_info(topology, 16, &info), NEAR_E_NO_CPU);
    EXPECT_EQ(near_topology_cpu_info(topology, 0, nullptr), NEAR_E_INVALID);
    info.struct_size = 1;
    EXPECT_EQ(near_topology_cpu_info(topology, 0, &info), NEAR_E_VERSION);
}

TEST(Link, HasDistanceBandwidthAndLatency) {
    const XmlMachine machine(nearpool::fakes::hmat_xml);
    near_link link{};
    link.struct_size = sizeof link;
    ASSERT_EQ(near_topology_link(machine, 0, 2, &link), NEAR_OK);
    EXPECT_EQ(link.distance, 14U);
    EXPECT_EQ(link.bandwidth_mib_per_s, 102400U);
    EXPECT_EQ(link.latency_ns, 120U);
    EXPECT_EQ(near_topology_link(machine, 4, 0, &link), NEAR_E_NO_NODE);
    EXPECT_EQ(near_topology_link(machine, 0, 4, &link), NEAR_E_NO_NODE);
    EXPECT_EQ(near_topology_link(machine, 0, 0, nullptr), NEAR_E_INVALID);
    link.struct_size = 7;
    EXPECT_EQ(near_topology_link(machine, 0, 0, &link), NEAR_E_VERSION);
}

TEST(HugePools, AreListedSmallestPagesFirst) {
    const XmlMachine machine(nearpool::fakes::hmat_xml);
    std::vector<near_huge_pool> pools(2);
    size_t needed = 0;
    ASSERT_EQ(near_topology_huge_pools(machine, 0, pools.data(), 2, &needed), NEAR_OK);
    EXPECT_EQ(pools[0].page_bytes, UINT64_C(2) << 20);
    EXPECT_EQ(pools[1].page_bytes, UINT64_C(1) << 30);
    check_list_rules<near_huge_pool>(2, [&](near_huge_pool *list, size_t capacity, size_t *count) {
        return near_topology_huge_pools(machine, 0, list, capacity, count);
    });
    EXPECT_EQ(near_topology_huge_pools(machine, 8, nullptr, 0, &needed), NEAR_E_NO_NODE);
}

TEST(CurrentNode, IsTheNodeOfTheCpuOrUnknownOnAnotherMachine) {
    uint32_t node = 99;
    EXPECT_EQ(near_topology_current_node(nullptr, nullptr), NEAR_E_INVALID);
    ASSERT_EQ(near_topology_current_node(Topology("numa:2 pu:2"), &node), NEAR_OK);
    EXPECT_EQ(node, NEAR_NODE_UNKNOWN);
    const std::vector<uint32_t> all = cpus_of(nullptr, NEAR_NODE_UNKNOWN);
    for (const uint32_t cpu : all) { // pinned, so that the answer cannot change in between
        near_pin *pin = nullptr;
        const near_pin_options strict{sizeof strict, 1};
        if (near_pin_cpus(nullptr, &cpu, 1, &strict, &pin, nullptr) != NEAR_OK) {
            continue; // not allowed
        }
        near_cpu_info info{};
        info.struct_size = sizeof info;
        EXPECT_EQ(near_topology_cpu_info(nullptr, cpu, &info), NEAR_OK);
        EXPECT_EQ(near_topology_current_node(nullptr, &node), NEAR_OK);
        EXPECT_EQ(node, info.node);
        EXPECT_EQ(near_pin_release(pin, nullptr), NEAR_OK);
    }
}

// F11: the node of a device, and no node for one that is not known.
TEST(PciNode, AnswersAnyWayOfWritingTheAddress) {
    const XmlMachine machine(nearpool::fakes::four_nodes_xml);
    Error error;
    for (const char *address : {"0000:51:00.0", "51:00.0", "00000000:51:00.0"}) {
        uint32_t node = 99;
        EXPECT_EQ(near_topology_pci_node(machine, address, &node, &error), NEAR_OK) << error.message;
        EXPECT_EQ(node, 2U) << address;
    }
    uint32_t node = 99;
    EXPECT_EQ(near_topology_pci_node(machine, "0000:99:00.0", &node, &error), NEAR_OK);
    EXPECT_EQ(node, NEAR_NODE_UNKNOWN);
    EXPECT_EQ(near_topology_pci_node(machine, nullptr, &node, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_topology_pci_node(machine, "51:00.0", nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_topology_pci_node(machine, "eth0", &node, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("near_topology_pci_node: \"eth0\" is no PCI address")) << error.message;
}

std::string formatted(const near_topology *topology, int32_t format) {
    size_t needed = 0;
    Error error;
    EXPECT_EQ(near_topology_format(topology, format, nullptr, 0, &needed, &error), NEAR_OK) << error.message;
    std::vector<char> text(needed);
    EXPECT_EQ(near_topology_format(topology, format, text.data(), text.size(), &needed, &error), NEAR_OK);
    EXPECT_EQ(text.back(), '\0');
    return text.data();
}

TEST(Format, WritesTextJsonAndXml) {
    const Topology topology("pack:2 numa:1 pu:2");
    EXPECT_EQ(formatted(topology, NEAR_FORMAT_TEXT).rfind("another machine: 2 nodes", 0), 0U);
    EXPECT_EQ(formatted(topology, NEAR_FORMAT_JSON).rfind("{\n  \"this_machine\": false", 0), 0U);
    const std::string xml = formatted(topology, NEAR_FORMAT_XML);
    EXPECT_EQ(formatted(XmlMachine(xml.c_str()), NEAR_FORMAT_TEXT), formatted(topology, NEAR_FORMAT_TEXT));
    EXPECT_EQ(formatted(nullptr, NEAR_FORMAT_TEXT).rfind("this machine: ", 0), 0U);
}

TEST(Format, ChecksItsArguments) {
    Error error;
    size_t needed = 0;
    char text[8] = {};
    EXPECT_EQ(near_topology_format(nullptr, 3, nullptr, 0, &needed, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("3 is no format"));
    EXPECT_EQ(near_topology_format(nullptr, NEAR_FORMAT_TEXT, nullptr, 5, &needed, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_topology_format(nullptr, NEAR_FORMAT_TEXT, text, sizeof text, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_topology_format(nullptr, NEAR_FORMAT_TEXT, text, sizeof text, &needed, &error), NEAR_E_CAPACITY);
    EXPECT_GT(needed, sizeof text);
    EXPECT_STREQ(text, "");
}

} // namespace
