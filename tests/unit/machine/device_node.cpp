// SPDX-License-Identifier: Apache-2.0
// Next to which node a GPU is: who is asked, in which order, and what is no answer. With several real nodes: VmGpu.
#include "machine/device_node.hpp"

#include "fakes/machines/four_nodes.hpp"
#include "fakes/machines/sysfs_tree.hpp"
#include "fakes/ports.hpp"

#include <gtest/gtest.h>

namespace nearpool::testing {
namespace {

cuda::Facts device_at(const std::string &address, std::optional<int> driver_says = std::nullopt) {
    cuda::Facts facts;
    facts.pci_address = address;
    facts.host_node = driver_says;
    return facts;
}

NearNodes says(std::vector<uint32_t> nodes) {
    return [nodes = std::move(nodes)](const cuda::Facts &) { return nodes; };
}

Ref<const Topology> this_machine() {
    return Topology::discover(real_ports()).take();
}

TEST(DeviceNode, IsWhatTheDriverSaysFirst) {
    const auto machine = this_machine();
    const uint32_t node = machine->nodes()[0].number;
    const DeviceNode answer = device_node(*machine, device_at("0000:ff:1f.7", static_cast<int>(node)), says({12345}));
    EXPECT_EQ(answer.source, NEAR_NODE_SOURCE_DRIVER);
    EXPECT_EQ(answer.attached, node);
    EXPECT_EQ(answer.node, machine->nearest_with_cpus(node));
}

TEST(DeviceNode, OfADriverThatNamesNoNodeOfTheMachineIsNvmls) {
    const auto machine = this_machine();
    const uint32_t node = machine->nodes()[0].number;
    const DeviceNode answer = device_node(*machine, device_at("0000:ff:1f.7", 4000), says({node}));
    EXPECT_EQ(answer.source, NEAR_NODE_SOURCE_NVML);
    EXPECT_EQ(answer.attached, node);
}

TEST(DeviceNode, OfSeveralNodesOrOneThatDoesNotExistIsNoAnswerOfNvml) {
    const auto machine = this_machine();
    const uint32_t node = machine->nodes()[0].number;
    for (const std::vector<uint32_t> &near : {std::vector<uint32_t>{node, node + 1}, std::vector<uint32_t>{4000}}) {
        const DeviceNode answer = device_node(*machine, device_at("0000:ff:1f.7"), says(near));
        const bool one = machine->nodes().size() == 1;
        EXPECT_EQ(answer.source, one ? NEAR_NODE_SOURCE_ONE_NODE : NEAR_NODE_SOURCE_NONE);
        EXPECT_EQ(answer.node, one ? node : NEAR_NODE_UNKNOWN);
    }
}

TEST(DeviceNode, OfAnotherMachineIsNotWhatTheDriversHereSay) {
    const auto machine = Topology::from_synthetic("numa:2 pu:1").take();
    const DeviceNode answer = device_node(*machine, device_at("0000:51:00.0", 1), says({1}));
    EXPECT_EQ(answer.source, NEAR_NODE_SOURCE_NONE);
    EXPECT_EQ(answer.node, NEAR_NODE_UNKNOWN);
    EXPECT_EQ(answer.attached, NEAR_NODE_UNKNOWN);
}

TEST(DeviceNode, IsTheKernelsWordThenThePciRootsThenTheOnlyNode) {
    const fakes::TemporaryFolder folder;
    fakes::SysfsTree tree = fakes::sparse_machine();
    tree.set("/sys/bus/pci/devices/0000:3b:00.0/numa_node", "8\n");
    tree.set("/sys/bus/pci/devices/0000:3c:00.0/numa_node", "-1\n");
    tree.write(folder.path());
    const auto sparse = Topology::from_sysfs(real_ports(), folder.path()).take();
    EXPECT_EQ(device_node(*sparse, device_at("00000000:3b:00.0"), nullptr).source, NEAR_NODE_SOURCE_SYSFS);
    EXPECT_EQ(device_node(*sparse, device_at("00000000:3b:00.0"), nullptr).node, 8U);
    EXPECT_EQ(device_node(*sparse, device_at("0000:3c:00.0"), nullptr).source, NEAR_NODE_SOURCE_NONE)
        << "-1 is unknown";
    const std::string file = folder.write("machine.xml", fakes::four_nodes_xml);
    const auto four = Topology::from_xml(real_ports(), file).take();
    EXPECT_EQ(device_node(*four, device_at("0000:51:00.0"), nullptr).source, NEAR_NODE_SOURCE_PCI_ROOT);
    EXPECT_EQ(device_node(*four, device_at("0000:51:00.0"), nullptr).node, 2U);
    const auto one = Topology::from_synthetic("numa:1 pu:2").take();
    EXPECT_EQ(device_node(*one, device_at("0000:3b:00.0"), nullptr).source, NEAR_NODE_SOURCE_ONE_NODE);
    EXPECT_EQ(device_node(*one, device_at("0000:3b:00.0"), nullptr).node, one->nodes()[0].number);
}

TEST(DeviceNode, WithoutCpusIsReplacedByTheNearestWith) {
    const fakes::TemporaryFolder folder;
    fakes::SysfsTree tree(
        {{0, {0}, 4096, {10, 20, 40}, 0}, {1, {1}, 4096, {20, 10, 15}, 0}, {2, {}, 4096, {40, 15, 10}, 0}});
    tree.set("/sys/bus/pci/devices/0000:3b:00.0/numa_node", "2\n");
    tree.write(folder.path());
    const auto machine = Topology::from_sysfs(real_ports(), folder.path()).take();
    const DeviceNode answer = device_node(*machine, device_at("0000:3b:00.0"), nullptr);
    EXPECT_EQ(answer.attached, 2U);
    EXPECT_EQ(answer.node, 1U);
    EXPECT_EQ(answer.source, NEAR_NODE_SOURCE_SYSFS);
}

TEST(DeviceNode, SourcesHaveNames) {
    EXPECT_STREQ(node_source_name(NEAR_NODE_SOURCE_SYSFS), "sysfs");
    EXPECT_STREQ(node_source_name(NEAR_NODE_SOURCE_ONE_NODE), "one node");
    EXPECT_STREQ(node_source_name(NEAR_NODE_SOURCE_NONE), "unknown");
    EXPECT_STREQ(node_source_name(6), "unknown");
    EXPECT_STREQ(node_source_name(-1), "unknown");
}

} // namespace
} // namespace nearpool::testing
