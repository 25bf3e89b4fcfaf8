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

constexpr const char *pci_folder = "/sys/bus/pci/devices/";

// Four nodes: 0 and 8 with CPUs 0-1 and 2-3, and memory alone at 1 and 9.
fakes::SysfsTree two_with_memory_beside() {
    return fakes::SysfsTree({{0, {0, 1}, 4096, {10, 14, 21, 24}, 0},
                             {1, {}, 4096, {14, 10, 24, 26}, 0},
                             {8, {2, 3}, 4096, {21, 24, 10, 14}, 0},
                             {9, {}, 4096, {24, 26, 14, 10}, 0}});
}

NodeAnswer answer_in(const fakes::SysfsTree &tree, const std::string &address) {
    const fakes::TemporaryFolder folder;
    tree.write(folder.path());
    const Result<NodeAnswer> answer = taken(Topology::from_sysfs(real_ports(), folder.path()))->pci_node(address);
    EXPECT_TRUE(answer) << answer.error().message;
    return answer ? answer.value() : NodeAnswer{12345, -1, {}};
}

void expect_answer(const NodeAnswer &answer, uint32_t node, int32_t source, const NumberSet &nodes) {
    EXPECT_EQ(answer.node, node);
    EXPECT_EQ(answer.source, source);
    EXPECT_EQ(answer.nodes, nodes) << answer.nodes.text();
}

// The files are two views of one thing, and a kernel or a copy of its files may have either.
TEST(PciNode, IsThatOfTheNearCpusWhereTheKernelNamesNone) {
    struct Case {
        const char *file;
        const char *text;
    };
    for (const Case &one : {Case{"local_cpulist", "2-3\n"}, Case{"local_cpulist", "3\n"}, Case{"local_cpus", "c\n"},
                            Case{"local_cpus", "0000,00000000,0000000c\n"}}) {
        SCOPED_TRACE(std::string(one.file) + " " + one.text);
        fakes::SysfsTree tree = two_with_memory_beside();
        tree.set(std::string(pci_folder) + "0000:81:00.0/" + one.file, one.text);
        expect_answer(answer_in(tree, "0000:81:00.0"), 8, NEAR_NODE_SOURCE_SYSFS, {8});
        tree.set(std::string(pci_folder) + "0000:81:00.0/numa_node", "-1\n");
        expect_answer(answer_in(tree, "0000:81:00.0"), 8, NEAR_NODE_SOURCE_SYSFS, {8});
        tree.set(std::string(pci_folder) + "0000:81:00.0/numa_node", "0\n");
        expect_answer(answer_in(tree, "0000:81:00.0"), 0, NEAR_NODE_SOURCE_SYSFS, {0});
    }
}

TEST(PciNode, IsNotSaidByAllCpusNorByWhatIsNoSetOfThem) {
    for (const char *list : {"0-3\n", "0-63\n", "1-2\n", "", "\n", "64-70\n", "two\n"}) {
        fakes::SysfsTree tree = two_with_memory_beside();
        tree.set(std::string(pci_folder) + "0000:81:00.0/local_cpulist", list);
        expect_answer(answer_in(tree, "0000:81:00.0"), NEAR_NODE_UNKNOWN, NEAR_NODE_SOURCE_NONE, {});
    }
    for (const char *bitmap : {"f\n", "", "\n", ",\n", "c,\n", ",c\n", "0x0c\n", "000000000c\n"}) {
        fakes::SysfsTree tree = two_with_memory_beside();
        tree.set(std::string(pci_folder) + "0000:81:00.0/local_cpus", bitmap);
        expect_answer(answer_in(tree, "0000:81:00.0"), NEAR_NODE_UNKNOWN, NEAR_NODE_SOURCE_NONE, {});
    }
}

TEST(PciNode, OfADeviceNearSeveralNodesWithCpusIsUnknownAndTheyAreKnown) {
    fakes::SysfsTree tree(
        {{0, {0, 1}, 4096, {10, 12, 20}, 0}, {1, {2, 3}, 4096, {12, 10, 20}, 0}, {2, {4, 5}, 4096, {20, 20, 10}, 0}});
    tree.set(std::string(pci_folder) + "0000:81:00.0/local_cpulist", "0-3\n");
    expect_answer(answer_in(tree, "0000:81:00.0"), NEAR_NODE_UNKNOWN, NEAR_NODE_SOURCE_NONE, {0, 1});
}

// A device behind a switch, of which only what is above it is known.
class Behind {
public:
    fakes::SysfsTree tree = two_with_memory_beside();

    Behind() {
        const std::string root = "../../../devices/pci0000:80/";
        place("0000:80:01.0", root);
        place("0000:81:00.0", root + "0000:80:01.0/");
        place("0000:82:00.0", root + "0000:80:01.0/0000:81:00.0/");
    }

    NodeAnswer answer() const { return answer_in(tree, "0000:82:00.0"); }

    const std::string port = "0000:80:01.0";
    const std::string upstream = "0000:81:00.0";

    void set(const std::string &address, const std::string &file, const std::string &text) {
        const std::string folder = address == port ? port : port + "/" + upstream;
        tree.set("/sys/devices/pci0000:80/" + folder + "/" + file, text);
    }

private:
    void place(const std::string &address, const std::string &above) {
        tree.link(pci_folder + address, above + address);
        const std::string folder = "/sys/devices" + (above + address).substr(std::string("../../../devices").size());
        tree.set(folder + "/class", "0x060400\n");
        tree.set(folder + "/numa_node", "-1\n");
    }
};

TEST(PciNode, IsThatOfTheNearestBridgeAboveThatHasOne) {
    Behind device;
    expect_answer(device.answer(), NEAR_NODE_UNKNOWN, NEAR_NODE_SOURCE_NONE, {});
    device.set(device.port, "numa_node", "8\n");
    expect_answer(device.answer(), 8, NEAR_NODE_SOURCE_PCI_ROOT, {8});
    device.set(device.upstream, "local_cpulist", "0-1\n");
    expect_answer(device.answer(), 0, NEAR_NODE_SOURCE_PCI_ROOT, {0});
}

TEST(PciNode, IsThatOfItsBusesLast) {
    Behind device;
    device.tree.set("/sys/class/pci_bus/0000:80/cpulistaffinity", "2-3\n");
    expect_answer(device.answer(), 8, NEAR_NODE_SOURCE_PCI_ROOT, {8});
    device.tree.set("/sys/class/pci_bus/0000:82/cpuaffinity", "00000003\n");
    expect_answer(device.answer(), 0, NEAR_NODE_SOURCE_PCI_ROOT, {0});
    device.set(device.port, "numa_node", "9\n");
    expect_answer(device.answer(), 9, NEAR_NODE_SOURCE_PCI_ROOT, {9});
}

TEST(PciNode, OfAMachineOfWhichOneNodeHasCpusIsThatNode) {
    fakes::SysfsTree tree({{0, {}, 4096, {10, 14}, 0}, {3, {0, 1}, 4096, {14, 10}, 0}});
    tree.set(std::string(pci_folder) + "0000:01:00.0/numa_node", "-1\n");
    expect_answer(answer_in(tree, "0000:01:00.0"), 3, NEAR_NODE_SOURCE_ONE_NODE, {3});
    tree.set(std::string(pci_folder) + "0000:01:00.0/local_cpulist", "0-1\n");
    expect_answer(answer_in(tree, "0000:01:00.0"), 3, NEAR_NODE_SOURCE_ONE_NODE, {3});
    expect_answer(answer_in(tree, "0000:02:00.0"), NEAR_NODE_UNKNOWN, NEAR_NODE_SOURCE_NONE, {});
    tree.set(std::string(pci_folder) + "0000:01:00.0/numa_node", "0\n");
    expect_answer(answer_in(tree, "0000:01:00.0"), 0, NEAR_NODE_SOURCE_SYSFS, {0});
}

constexpr const char *two_packages_xml = R"xml(<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE topology SYSTEM "hwloc2.dtd">
<topology version="2.0">
<object type="Machine" os_index="0" cpuset="0x3" complete_cpuset="0x3" allowed_cpuset="0x3" nodeset="0xf" complete_nodeset="0xf" allowed_nodeset="0xf" gp_index="1">
 <object type="Package" os_index="0" cpuset="0x1" complete_cpuset="0x1" nodeset="0x5" complete_nodeset="0x5" gp_index="2">
  <object type="NUMANode" os_index="0" cpuset="0x1" complete_cpuset="0x1" nodeset="0x1" complete_nodeset="0x1" gp_index="3" local_memory="4096"/>
  <object type="NUMANode" os_index="2" cpuset="0x1" complete_cpuset="0x1" nodeset="0x4" complete_nodeset="0x4" gp_index="4" local_memory="4096" subtype="HBM"/>
  <object type="PU" os_index="0" cpuset="0x1" complete_cpuset="0x1" nodeset="0x5" complete_nodeset="0x5" gp_index="5"/>
  <object type="Bridge" gp_index="6" bridge_type="0-1" depth="0" bridge_pci="0000:[00-03]">
   <object type="PCIDev" gp_index="7" pci_busid="0000:01:00.0" pci_type="0302 [10de:2330] [10de:16c1] a1" pci_link_speed="0.0"/>
  </object>
 </object>
 <object type="Package" os_index="1" cpuset="0x2" complete_cpuset="0x2" nodeset="0xa" complete_nodeset="0xa" gp_index="8">
  <object type="NUMANode" os_index="1" cpuset="0x2" complete_cpuset="0x2" nodeset="0x2" complete_nodeset="0x2" gp_index="9" local_memory="4096"/>
  <object type="NUMANode" os_index="3" cpuset="0x2" complete_cpuset="0x2" nodeset="0x8" complete_nodeset="0x8" gp_index="10" local_memory="4096" subtype="HBM"/>
  <object type="PU" os_index="1" cpuset="0x2" complete_cpuset="0x2" nodeset="0xa" complete_nodeset="0xa" gp_index="11"/>
 </object>
</object>
</topology>
)xml";

TEST(PciNode, OfAPackageWithTwoKindsOfMemoryIsItsNodeWithCpus) {
    const Result<NodeAnswer> answer = xml(two_packages_xml)->pci_node("0000:01:00.0");
    ASSERT_TRUE(answer) << answer.error().message;
    expect_answer(answer.value(), 0, NEAR_NODE_SOURCE_PCI_ROOT, {0, 2});
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
