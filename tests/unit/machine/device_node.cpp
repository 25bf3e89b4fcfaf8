// SPDX-License-Identifier: Apache-2.0
// Next to which node a GPU is: who is asked, in which order, and what is no answer. With several real nodes: VmGpu.
#include "machine/device_node.hpp"

#include "fakes/machines/devices.hpp"
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

// Two packages as on GB200: node 0 and 1 with CPUs, the memory of a GPU of each at 2 and 10.
fakes::SysfsTree tree_with_gpu_memory() {
    return fakes::SysfsTree({{0, {0, 1}, 1U << 20, {10, 40, 80, 120}, 0},
                             {1, {2, 3}, 1U << 20, {40, 10, 120, 80}, 0},
                             {2, {}, 1U << 20, {80, 120, 10, 160}, 0},
                             {10, {}, 1U << 20, {120, 80, 160, 10}, 0}});
}

class GpuMemoryMachine {
public:
    GpuMemoryMachine() : machine({{0, {0, 1}}, {1, {2, 3}}, {2, {}}, {10, {}}}) {}

    const Topology &topology(const fakes::SysfsTree &tree = tree_with_gpu_memory()) {
        tree.fill(machine.files());
        Result<Ref<const Topology>> found = Topology::discover(machine.ports());
        EXPECT_TRUE(found) << found.error().message;
        topology_ = found.take();
        return *topology_;
    }

    fakes::FakeMachine machine;

private:
    Ref<const Topology> topology_;
};

TEST(DeviceNode, OfNvmlIsNotTheGpusOwnMemory) {
    GpuMemoryMachine machine;
    cuda::Facts gpu = device_at("0018:01:00.0");
    gpu.memory_node = 10;
    const DeviceNode own = device_node(machine.topology(), gpu, says({10}));
    EXPECT_EQ(own.source, NEAR_NODE_SOURCE_NONE) << "node " << own.node;
    EXPECT_EQ(own.memory, 10U);
    const DeviceNode both = device_node(machine.topology(), gpu, says({1, 10}));
    EXPECT_EQ(both.source, NEAR_NODE_SOURCE_NVML);
    EXPECT_EQ(both.node, 1U);
    EXPECT_EQ(both.near, (NumberSet{1}));
    EXPECT_EQ(both.memory, 10U);
}

TEST(DeviceNode, OfNvmlIsNotAnotherGpusMemoryThatTheKernelShows) {
    GpuMemoryMachine machine;
    fakes::SysfsTree tree = tree_with_gpu_memory();
    fakes::add_gpu_memory(tree, "0008:01:00.0", 2);
    const DeviceNode other = device_node(machine.topology(tree), device_at("0018:01:00.0"), says({2}));
    EXPECT_EQ(other.source, NEAR_NODE_SOURCE_NONE) << "node " << other.node;
    EXPECT_EQ(other.memory, NEAR_NODE_UNKNOWN);
    const DeviceNode shown = device_node(machine.topology(tree), device_at("00000008:01:00.0"), nullptr);
    EXPECT_EQ(shown.memory, 2U) << "without a word of the driver's";
}

TEST(DeviceNode, ItsMemoryIsTheDriversWordWhereTheMachineHasThatNode) {
    GpuMemoryMachine machine;
    fakes::SysfsTree tree = tree_with_gpu_memory();
    fakes::add_gpu_memory(tree, "0008:01:00.0", 2);
    cuda::Facts gpu = device_at("0008:01:00.0", 0);
    gpu.memory_node = 10;
    EXPECT_EQ(device_node(machine.topology(tree), gpu, nullptr).memory, 10U);
    EXPECT_EQ(device_node(machine.topology(tree), gpu, nullptr).node, 0U);
    gpu.memory_node = 4000;
    EXPECT_EQ(device_node(machine.topology(tree), gpu, nullptr).memory, NEAR_NODE_UNKNOWN);
    gpu.memory_node = 1; // says the driver here, and the topology is of another machine
    const auto elsewhere = Topology::from_synthetic("numa:2 pu:1").take();
    EXPECT_EQ(device_node(*elsewhere, gpu, nullptr).memory, NEAR_NODE_UNKNOWN);
}

TEST(DeviceNode, OfSeveralNodesOfNvmlIsTheOneThatHasCpus) {
    GpuMemoryMachine machine;
    const DeviceNode one = device_node(machine.topology(), device_at("0000:ff:1f.7"), says({1, 2}));
    EXPECT_EQ(one.source, NEAR_NODE_SOURCE_NVML);
    EXPECT_EQ(one.node, 1U);
    EXPECT_EQ(one.near, (NumberSet{1, 2}));
    EXPECT_EQ(device_node(machine.topology(), device_at("0000:ff:1f.7"), says({0, 1})).source, NEAR_NODE_SOURCE_NONE);
}

TEST(DeviceNode, OfAMachineOfWhichOneNodeHasCpusIsThatNode) {
    const fakes::TemporaryFolder folder;
    fakes::SysfsTree({{0, {0}, 4096, {10, 14}, 0}, {1, {}, 4096, {14, 10}, 0}}).write(folder.path());
    const auto machine = Topology::from_sysfs(real_ports(), folder.path()).take();
    const DeviceNode answer = device_node(*machine, device_at("0000:3b:00.0"), nullptr); // /sys does not show it
    EXPECT_EQ(answer.source, NEAR_NODE_SOURCE_ONE_NODE);
    EXPECT_EQ(answer.node, 0U);
    EXPECT_EQ(answer.near, (NumberSet{0}));
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
