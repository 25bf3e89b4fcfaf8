// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include "fakes/machines/four_nodes.hpp"

#include <fstream>

namespace nearpool::testing {
namespace {

uint32_t node_of(const Topology &topology, const std::string &address) {
    const Result<NodeAnswer> answer = topology.pci_node(address);
    EXPECT_TRUE(answer) << answer.error().message;
    return answer ? answer.value().node : 12345;
}

Ref<const Topology> with_devices(const fakes::TemporaryFolder &folder) {
    fakes::SysfsTree tree = fakes::sparse_machine();
    tree.set("/sys/bus/pci/devices/0000:3b:00.0/numa_node", "8\n");
    tree.set("/sys/bus/pci/devices/0000:3c:00.1/numa_node", "-1\n");
    tree.set("/sys/bus/pci/devices/10000:e1:00.0/numa_node", "0\n");
    tree.set("/sys/bus/pci/devices/0000:3d:00.0/numa_node", "3\n"); // a node that is not online
    tree.write(folder.path());
    return taken(Topology::from_sysfs(real_ports(), folder.path()));
}

TEST(PciNode, IsWhatTheKernelSaysHoweverTheAddressIsWritten) {
    const fakes::TemporaryFolder folder;
    const auto topology = with_devices(folder);
    for (const char *address : {"0000:3b:00.0", "3b:00.0", "00000000:3B:00.0", "0000:3B:00.0"}) {
        EXPECT_EQ(node_of(*topology, address), 8U) << address;
    }
    for (const char *address : {"00010000:e1:00.0", "10000:e1:00.0"}) { // /sys writes the second
        EXPECT_EQ(node_of(*topology, address), 0U) << address;
    }
}

TEST(PciNode, IsUnknownWhereTheMachineDoesNotSayAndNeverNode0) {
    const fakes::TemporaryFolder folder;
    const auto topology = with_devices(folder);
    EXPECT_EQ(node_of(*topology, "3c:00.1"), NEAR_NODE_UNKNOWN);
    EXPECT_EQ(node_of(*topology, "3d:00.0"), NEAR_NODE_UNKNOWN);
    EXPECT_EQ(node_of(*topology, "77:00.0"), NEAR_NODE_UNKNOWN); // no such device
    EXPECT_EQ(node_of(*synthetic("numa:2 pu:1"), "3b:00.0"), NEAR_NODE_UNKNOWN);
}

TEST(PciNode, OfTheOnlyNodeIsThatNode) {
    const fakes::TemporaryFolder folder;
    fakes::SysfsTree tree({{4, {0}, 4096, {10}, 0}});
    tree.set("/sys/bus/pci/devices/0000:3c:00.1/numa_node", "-1\n");
    tree.write(folder.path());
    const auto topology = taken(Topology::from_sysfs(real_ports(), folder.path()));
    EXPECT_EQ(node_of(*topology, "3c:00.1"), 4U);
    EXPECT_EQ(node_of(*topology, "3c:00.2"), NEAR_NODE_UNKNOWN);
}

TEST(PciNode, IsFoundInXmlThatHasTheDevices) {
    const auto topology = xml(fakes::four_nodes_xml);
    EXPECT_EQ(node_of(*topology, "0000:51:00.0"), 2U);
    EXPECT_EQ(node_of(*topology, "00:1f.2"), NEAR_NODE_UNKNOWN); // attached to the whole machine
}

TEST(PciNode, OfADeviceOfThisMachineIsAsSysfsSays) {
    const auto topology = taken(Topology::discover(real_ports()));
    std::vector<std::string> devices;
    real_ports().files.list("/sys/bus/pci/devices", &devices);
    for (const std::string &device : devices) {
        int said = -1;
        std::ifstream("/sys/bus/pci/devices/" + device + "/numa_node") >> said;
        const uint32_t node = node_of(*topology, device);
        if (said >= 0) {
            EXPECT_EQ(node, static_cast<uint32_t>(said)) << device;
        } else {
            EXPECT_TRUE(node == NEAR_NODE_UNKNOWN || topology->node(node) != nullptr) << device;
        }
    }
}

TEST(PciNode, TextsThatAreNoAddressAreInvalid) {
    const auto topology = synthetic("numa:2 pu:1");
    for (const char *text : {"",
                             ":",
                             ".",
                             "3b",
                             "3b:00",
                             "3b:00.",
                             "3b:00.8",
                             "3b:20.0",
                             "3b:00.0x",
                             "x3b:00.0",
                             "03b:00.0",
                             "000:3b:00.0",
                             "0000:3b:00:0",
                             ":3b:00.0",
                             "0000:3b:0.0",
                             "3b:00.00",
                             "-b:00.0",
                             "eth0",
                             "0000:0000:3b:00.0",
                             "000010000:e1:00.0"}) {
        const Result<NodeAnswer> answer = topology->pci_node(text);
        ASSERT_FALSE(answer) << text;
        EXPECT_EQ(answer.error().status, NEAR_E_INVALID) << text;
    }
}

} // namespace
} // namespace nearpool::testing
