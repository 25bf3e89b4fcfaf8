// SPDX-License-Identifier: Apache-2.0
// topology.h: each promise and each error of each function.
#include "contract/numa_pool_support.hpp"
#include "fakes/machines/hmat.hpp"
#include "fakes/machines/sysfs_tree.hpp"
#include "support/seccomp.hpp"

#include <cerrno>
#include <cstddef>
#include <sys/syscall.h>

using nearpool::fakes::TemporaryFolder;
using nearpool_test::Error;
using nearpool_test::Topology;

namespace {

near_topology_options options_of(int32_t source, const char *text) {
    near_topology_options options{};
    options.struct_size = sizeof options;
    options.source = source;
    options.text = text;
    return options;
}

// What creating answers; the topology, if any, is given back.
near_status created(int32_t source, const char *text, Error &error) {
    const near_topology_options options = options_of(source, text);
    near_topology *topology = nullptr;
    const near_status status = near_topology_create(&options, &topology, &error);
    EXPECT_EQ(topology != nullptr, status == NEAR_OK);
    near_topology_release(topology);
    return status;
}

near_topology_info info_of(const near_topology *topology) {
    near_topology_info info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(near_topology_get_info(topology, &info), NEAR_OK);
    return info;
}

// F3: discovered once, and shared.
TEST(TopologyCreate, GivesThisMachineWithoutOptionsAndAlwaysTheSame) {
    near_topology *first = nullptr;
    near_topology *second = nullptr;
    Error error;
    const near_topology_options options = options_of(NEAR_TOPOLOGY_THIS_MACHINE, nullptr);
    ASSERT_EQ(near_topology_create(nullptr, &first, &error), NEAR_OK) << error.message;
    ASSERT_EQ(near_topology_create(&options, &second, nullptr), NEAR_OK);
    EXPECT_EQ(first, second);
    EXPECT_EQ(info_of(first).this_machine, 1U);
    EXPECT_EQ(info_of(nullptr).node_count, info_of(first).node_count);
    near_topology_release(first);
    near_topology_release(second);
    EXPECT_GE(near_topology_node_count(nullptr), 1U);
}

TEST(TopologyCreate, ChecksItsArguments) {
    Error error;
    near_topology *topology = nullptr;
    EXPECT_EQ(near_topology_create(nullptr, nullptr, &error), NEAR_E_INVALID);
    EXPECT_STREQ(error.message, "near_topology_create: topology is NULL");
    EXPECT_EQ(created(7, nullptr, error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("7 is no source"));
    EXPECT_EQ(created(-1, "x", error), NEAR_E_INVALID);
    EXPECT_EQ(created(NEAR_TOPOLOGY_THIS_MACHINE, "text", error), NEAR_E_INVALID);
    for (const int32_t source : {NEAR_TOPOLOGY_XML, NEAR_TOPOLOGY_SYNTHETIC, NEAR_TOPOLOGY_SYSFS}) {
        EXPECT_EQ(created(source, nullptr, error), NEAR_E_INVALID);
        EXPECT_TRUE(error.says("text is NULL"));
        EXPECT_EQ(created(source, "", error), NEAR_E_INVALID);
    }
    near_topology_options options = options_of(NEAR_TOPOLOGY_SYNTHETIC, "pu:1");
    options.struct_size = 3;
    EXPECT_EQ(near_topology_create(&options, &topology, &error), NEAR_E_VERSION);
    struct {
        near_topology_options known;
        uint64_t later;
    } longer = {options_of(NEAR_TOPOLOGY_SYNTHETIC, "pu:1"), 1};
    longer.known.struct_size = sizeof longer;
    EXPECT_EQ(near_topology_create(&longer.known, &topology, &error), NEAR_E_VERSION);
    EXPECT_EQ(topology, nullptr);
}

TEST(TopologyCreate, SaysWhyHwlocRefusesAText) {
    Error error;
    EXPECT_EQ(created(NEAR_TOPOLOGY_SYNTHETIC, "pack:2 wolf:2 pu:1", error), NEAR_E_TOPOLOGY);
    EXPECT_TRUE(error.says("near_topology_create: hwloc refuses")) << error.message;
    EXPECT_TRUE(error.says("wolf:2")) << error.message;
    EXPECT_TRUE(error.says("Invalid argument")) << error.message;
    EXPECT_EQ(error.native_domain, NEAR_DOMAIN_ERRNO);
    const TemporaryFolder folder;
    EXPECT_EQ(created(NEAR_TOPOLOGY_XML, folder.write("bad.xml", "<no/>").c_str(), error), NEAR_E_TOPOLOGY);
    EXPECT_TRUE(error.says("bad.xml")) << error.message;
}

TEST(TopologyCreate, SaysWhichFileCannotBeRead) {
    Error error;
    EXPECT_EQ(created(NEAR_TOPOLOGY_XML, "/nowhere/a.xml", error), NEAR_E_SYSTEM);
    EXPECT_TRUE(error.says("/nowhere/a.xml")) << error.message;
    EXPECT_EQ(error.native_code, ENOENT);
    EXPECT_EQ(created(NEAR_TOPOLOGY_SYSFS, "/nowhere", error), NEAR_E_SYSTEM);
    EXPECT_TRUE(error.says("/nowhere/sys/devices/system/cpu/online")) << error.message;
}

// Acceptance 2 and N29, through the public door.
TEST(TopologyCreate, N29ReadsAnotherRootWithSparseNodes) {
    const TemporaryFolder folder;
    nearpool::fakes::sparse_machine().write(folder.path());
    const near_topology_options options = options_of(NEAR_TOPOLOGY_SYSFS, folder.path().c_str());
    near_topology *topology = nullptr;
    Error error;
    ASSERT_EQ(near_topology_create(&options, &topology, &error), NEAR_OK) << error.message;
    EXPECT_EQ(near_topology_node_count(topology), 2U);
    EXPECT_EQ(near_topology_node_at(topology, 1), 8U);
    EXPECT_EQ(near_topology_node_at(topology, 2), NEAR_NODE_UNKNOWN);
    EXPECT_EQ(info_of(topology).this_machine, 0U);
    near_topology_release(topology);
}

TEST(TopologyRetain, KeepsATopologyUntilTheLastRelease) {
    const near_topology_options options = options_of(NEAR_TOPOLOGY_SYNTHETIC, "numa:3 pu:1");
    near_topology *topology = nullptr;
    ASSERT_EQ(near_topology_create(&options, &topology, nullptr), NEAR_OK);
    EXPECT_EQ(near_topology_retain(topology), topology);
    near_topology_release(topology);
    EXPECT_EQ(near_topology_node_count(topology), 3U);
    near_topology_release(topology);
    EXPECT_EQ(near_topology_retain(nullptr), nullptr);
    near_topology_release(nullptr);
}

TEST(TopologyInfo, HasTheNumbersOfTheMachine) {
    const Topology topology("pack:2 numa:2 l3:1 core:4 pu:2");
    const near_topology_info info = info_of(topology);
    EXPECT_EQ(info.this_machine, 0U);
    EXPECT_EQ(info.synthetic_node, 0U);
    EXPECT_EQ(info.node_count, 4U);
    EXPECT_EQ(info.cpu_count, 32U);
    EXPECT_EQ(info.allowed_cpus, 32U);
    EXPECT_EQ(info.core_count, 16U);
    EXPECT_EQ(info.package_count, 2U);
    EXPECT_EQ(info.cache_count, 4U);
    EXPECT_GE(info.page_bytes, 4096U);
    EXPECT_GT(info.memory_bytes, 0U);
    EXPECT_EQ(info_of(Topology("core:2 pu:2")).synthetic_node, 1U);
}

TEST(TopologyInfo, ChecksItsArguments) {
    near_topology_info info{};
    EXPECT_EQ(near_topology_get_info(nullptr, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_topology_get_info(nullptr, &info), NEAR_E_VERSION);
}

TEST(NodeInfo, HasTheFactsOfANodeOrNoNode) {
    const TemporaryFolder folder;
    const std::string path = folder.write("hmat.xml", nearpool::fakes::hmat_xml);
    const near_topology_options options = options_of(NEAR_TOPOLOGY_XML, path.c_str());
    near_topology *topology = nullptr;
    Error error;
    ASSERT_EQ(near_topology_create(&options, &topology, &error), NEAR_OK) << error.message;
    near_node_info info{};
    info.struct_size = sizeof info;
    ASSERT_EQ(near_topology_node_info(topology, 3, &info), NEAR_OK);
    EXPECT_EQ(info.node, 3U);
    EXPECT_EQ(info.package, 1U);
    EXPECT_EQ(info.cpu_count, 0U);
    EXPECT_EQ(info.allowed_cpus, 0U);
    EXPECT_EQ(info.memory_allowed, 1U);
    EXPECT_GT(info.memory_bytes, 0U);
    EXPECT_EQ(near_topology_node_info(topology, 4, &info), NEAR_E_NO_NODE);
    EXPECT_EQ(near_topology_node_info(topology, NEAR_NODE_UNKNOWN, &info), NEAR_E_NO_NODE);
    EXPECT_EQ(info.node, 3U); // untouched
    EXPECT_EQ(near_topology_node_info(topology, 3, nullptr), NEAR_E_INVALID);
    info.struct_size = 0;
    EXPECT_EQ(near_topology_node_info(topology, 3, &info), NEAR_E_VERSION);
    near_topology_release(topology);
}

// N31: a machine of which nobody says a CPU is an error, never one made up. With the variable, hwloc would make one up.
ALONE_TEST(ThisMachine, N31ThatCannotBeReadIsTheErrorOfEveryCall) {
    setenv("HWLOC_SYNTHETIC", "numa:4 pu:4", 1);
    FORBID_OR_SKIP({SYS_openat, SYS_sched_getaffinity}, EACCES); // no file can be opened, and the affinity is silent
    near_topology *topology = nullptr;
    Error error;
    EXPECT_EQ(near_topology_create(nullptr, &topology, &error), NEAR_E_TOPOLOGY);
    EXPECT_TRUE(error.says("affinity")) << error.message;
    EXPECT_EQ(near_topology_node_count(nullptr), 0U);
    EXPECT_EQ(near_topology_node_at(nullptr, 0), NEAR_NODE_UNKNOWN);
    near_topology_info info{};
    info.struct_size = sizeof info;
    near_node_info node{};
    node.struct_size = sizeof node;
    near_cpu_info cpu{};
    cpu.struct_size = sizeof cpu;
    near_link link{};
    link.struct_size = sizeof link;
    size_t needed = 0;
    uint32_t number = 0;
    EXPECT_EQ(near_topology_get_info(nullptr, &info), NEAR_E_TOPOLOGY);
    EXPECT_EQ(near_topology_node_info(nullptr, 0, &node), NEAR_E_TOPOLOGY);
    EXPECT_EQ(near_topology_nodes_by_distance(nullptr, 0, nullptr, 0, &needed), NEAR_E_TOPOLOGY);
    EXPECT_EQ(near_topology_nearest_with_cpus(nullptr, 0, &number), NEAR_E_TOPOLOGY);
    EXPECT_EQ(near_topology_nearest_with_memory(nullptr, 0, &number), NEAR_E_TOPOLOGY);
    EXPECT_EQ(near_topology_cpus(nullptr, 0, nullptr, 0, &needed), NEAR_E_TOPOLOGY);
    EXPECT_EQ(near_topology_cpus(nullptr, NEAR_NODE_UNKNOWN, nullptr, 0, &needed), NEAR_E_TOPOLOGY);
    EXPECT_EQ(near_topology_cpu_info(nullptr, 0, &cpu), NEAR_E_TOPOLOGY);
    EXPECT_EQ(near_topology_link(nullptr, 0, 0, &link), NEAR_E_TOPOLOGY);
    EXPECT_EQ(near_topology_huge_pools(nullptr, 0, nullptr, 0, &needed), NEAR_E_TOPOLOGY);
    EXPECT_EQ(near_topology_current_node(nullptr, &number), NEAR_E_TOPOLOGY);
    EXPECT_EQ(near_topology_pci_node(nullptr, "00:00.0", &number, &error), NEAR_E_TOPOLOGY);
    EXPECT_EQ(near_topology_format(nullptr, NEAR_FORMAT_TEXT, nullptr, 0, &needed, &error), NEAR_E_TOPOLOGY);
    near_capabilities *capabilities = nullptr;
    EXPECT_EQ(near_capabilities_create(nullptr, &capabilities, &error), NEAR_E_TOPOLOGY);
    near_pin *pin = nullptr;
    const uint32_t zero = 0;
    EXPECT_EQ(near_pin_cpus(nullptr, &zero, 1, nullptr, &pin, &error), NEAR_E_TOPOLOGY);
    EXPECT_EQ(near_pin_node(nullptr, 0, nullptr, &pin, &error), NEAR_E_TOPOLOGY);
    EXPECT_EQ(near_pin_nearest(nullptr, 0, nullptr, &pin, &error), NEAR_E_TOPOLOGY);
    numa_pool *pool = nullptr;
    EXPECT_EQ(numa_pool_create(nullptr, &pool, &error), NEAR_E_TOPOLOGY);
    EXPECT_TRUE(error.says("numa_pool_create: ")) << error.message;
    EXPECT_EQ(numa_pool_default(&pool, &error), NEAR_E_TOPOLOGY);
    EXPECT_TRUE(error.says("numa_pool_default: ")) << error.message;
    EXPECT_EQ(pool, nullptr);
}

} // namespace
