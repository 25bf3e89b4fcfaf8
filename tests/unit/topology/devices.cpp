// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include "fakes/machines/devices.hpp"

#include <map>

namespace nearpool::testing {
namespace {

std::map<std::string, IoDevice> by_name(const Topology &topology) {
    std::map<std::string, IoDevice> named;
    Result<std::vector<IoDevice>> found = topology.devices();
    if (!found) {
        ADD_FAILURE() << found.error().message;
        return named;
    }
    for (const IoDevice &device : found.value()) {
        EXPECT_TRUE(named.emplace(device.name, device).second) << device.name << " is there twice";
    }
    return named;
}

std::map<std::string, IoDevice> devices_of(const fakes::SysfsTree &tree) {
    const fakes::TemporaryFolder folder;
    tree.write(folder.path());
    return by_name(*taken(Topology::from_sysfs(real_ports(), folder.path())));
}

void expect_device(const std::map<std::string, IoDevice> &devices, const std::string &name, int32_t kind,
                   const std::string &address, uint32_t node) {
    const auto found = devices.find(name);
    ASSERT_NE(found, devices.end()) << name;
    const IoDevice &device = found->second;
    EXPECT_EQ(device.kind, kind) << name;
    EXPECT_EQ(device.pci_address, address) << name;
    EXPECT_EQ(device.node.node, node) << name;
    EXPECT_EQ(device.node.source == NEAR_NODE_SOURCE_NONE, node == NEAR_NODE_UNKNOWN) << name;
}

TEST(Devices, OfSysfsAreThoseOnHardwareWithTheNodeOfTheirPciDevice) {
    const auto devices = devices_of(fakes::machine_with_devices());
    EXPECT_EQ(devices.size(), 9U);
    expect_device(devices, "0000:03:00.0", NEAR_DEVICE_GPU, "0000:03:00.0", NEAR_NODE_UNKNOWN);
    expect_device(devices, "0000:3b:00.0", NEAR_DEVICE_GPU, "0000:3b:00.0", 8);
    expect_device(devices, "card1", NEAR_DEVICE_GPU, "0000:3c:00.0", 2);
    expect_device(devices, "ens9", NEAR_DEVICE_NETWORK, "0000:5e:00.0", 8);
    expect_device(devices, "ens10", NEAR_DEVICE_NETWORK, "0000:5e:00.0", 8);
    expect_device(devices, "eth0", NEAR_DEVICE_NETWORK, "0000:00:03.0", NEAR_NODE_UNKNOWN);
    expect_device(devices, "mlx5_0", NEAR_DEVICE_INFINIBAND, "0000:5e:00.0", 8);
    expect_device(devices, "nvme0n1", NEAR_DEVICE_NVME, "10000:e1:00.0", 0);
    expect_device(devices, "sda", NEAR_DEVICE_BLOCK, "0000:00:17.0", 0);
    EXPECT_EQ(devices.at("sda").node.source, NEAR_NODE_SOURCE_SYSFS);
}

TEST(Devices, OnNoPciBusHaveTheNodeOfWhatTheyHangOn) {
    fakes::SysfsTree tree = fakes::sparse_machine();
    fakes::add_link(tree, "/sys/block/pmem0", "LNXSYSTM:00/ndbus0/region1/namespace1.0/block/pmem0");
    tree.set("/sys/devices/LNXSYSTM:00/ndbus0/region1/numa_node", "8\n");
    fakes::add_link(tree, "/sys/class/net/eth0", "platform/mac/net/eth0");
    tree.set("/sys/devices/platform/mac/numa_node", "-1\n");
    const auto devices = devices_of(tree);
    expect_device(devices, "pmem0", NEAR_DEVICE_BLOCK, "", 8);
    expect_device(devices, "eth0", NEAR_DEVICE_NETWORK, "", NEAR_NODE_UNKNOWN);
}

TEST(Devices, OfAMachineWithOneNodeAreNextToIt) {
    fakes::SysfsTree tree({{4, {0}, 4096, {10}, 0}});
    fakes::add_link(tree, "/sys/class/net/eth0", "platform/mac/net/eth0");
    fakes::add_pci(tree, "0000:03:00.0", "0x030200", -1);
    const auto devices = devices_of(tree);
    expect_device(devices, "eth0", NEAR_DEVICE_NETWORK, "", 4);
    expect_device(devices, "0000:03:00.0", NEAR_DEVICE_GPU, "0000:03:00.0", 4);
    EXPECT_EQ(devices.at("eth0").node.source, NEAR_NODE_SOURCE_ONE_NODE);
    EXPECT_EQ(devices.at("0000:03:00.0").node.source, NEAR_NODE_SOURCE_ONE_NODE);
}

// With native multipath, the kernel puts a namespace beside its controllers and not under one.
TEST(Devices, AnNvmeNamespaceIsNextToItsControllers) {
    fakes::SysfsTree tree = fakes::sparse_machine();
    fakes::add_pci(tree, "0000:61:00.0", "0x010802", 8);
    fakes::add_pci(tree, "0000:62:00.0", "0x010802", 8);
    fakes::add_pci(tree, "0000:11:00.0", "0x010802", 0);
    const std::string subsystems = "/sys/devices/virtual/nvme-subsystem/nvme-subsys";
    const auto controller = [&](const std::string &subsystem, const std::string &name, const std::string &address) {
        const std::string folder = subsystems + subsystem;
        tree.link(folder + "/" + name, "../../../../devices/pci0000:00/" + address + "/nvme/" + name);
        tree.set(folder + "/nvme" + subsystem + "n1/size", "1\n");
        tree.set(folder + "/model", "a drive\n");
    };
    controller("0", "nvme0", "0000:61:00.0");
    controller("1", "nvme1", "0000:61:00.0");
    controller("1", "nvme2", "0000:62:00.0");
    controller("2", "nvme3", "0000:61:00.0");
    controller("2", "nvme4", "0000:11:00.0");
    tree.link(subsystems + "3/nvme5", "../../nvme-fabrics/ctl/nvme5");
    for (const std::string number : {"0", "1", "2", "3"}) {
        const std::string name = "nvme" + number + "n1";
        fakes::add_link(tree, "/sys/block/" + name, "virtual/nvme-subsystem/nvme-subsys" + number + "/" + name);
    }
    const auto devices = devices_of(tree);
    expect_device(devices, "nvme0n1", NEAR_DEVICE_NVME, "0000:61:00.0", 8);
    expect_device(devices, "nvme1n1", NEAR_DEVICE_NVME, "", 8);
    expect_device(devices, "nvme2n1", NEAR_DEVICE_NVME, "", NEAR_NODE_UNKNOWN);
    EXPECT_EQ(devices.at("nvme2n1").node.nodes, (NumberSet{0, 8}));
    EXPECT_EQ(devices.count("nvme3n1"), 0U); // reached over a network
}

TEST(Devices, OfXmlAreThoseThatWereRecorded) {
    const auto devices = by_name(*xml(fakes::xml_with_devices()));
    EXPECT_EQ(devices.size(), 4U);
    expect_device(devices, "card0", NEAR_DEVICE_GPU, "0000:51:00.0", 2);
    expect_device(devices, "eth0", NEAR_DEVICE_NETWORK, "0000:51:00.0", 2);
    expect_device(devices, "mlx5_0", NEAR_DEVICE_INFINIBAND, "0000:51:00.0", 2);
    expect_device(devices, "sda", NEAR_DEVICE_BLOCK, "0000:00:1f.2", NEAR_NODE_UNKNOWN);
    EXPECT_EQ(devices.at("card0").uuid, "GPU-00112233-4455-6677-8899-aabbccddeeff");
    EXPECT_EQ(devices.at("card0").node.source, NEAR_NODE_SOURCE_PCI_ROOT);
}

// Vendor and driver are files and a link beside the class.
TEST(Devices, AGpuIsToldFromADisplayByItsMakerOrItsDriver) {
    fakes::SysfsTree tree = fakes::sparse_machine();
    fakes::add_pci(tree, "0000:c1:00.0", "0x038000", 8); // without a screen
    fakes::add_maker(tree, "0000:c1:00.0", "0x1002", "0x740f");
    fakes::add_pci(tree, "0000:c6:00.0", "0x120000", 8);
    fakes::add_maker(tree, "0000:c6:00.0", "0x1002", "0x74a1", "amdgpu");
    fakes::add_pci(tree, "0000:c7:00.0", "0x120000", 8); // made by nobody that is known, and driven
    fakes::add_maker(tree, "0000:c7:00.0", "0xfffe", "0x0001", "habanalabs");
    fakes::add_pci(tree, "0000:d8:00.0", "0x120000", 8); // an FPGA
    fakes::add_maker(tree, "0000:d8:00.0", "0x10ee", "0x5000", "xclmgmt");
    fakes::add_pci(tree, "0000:02:00.0", "0x030000", 0); // a console
    fakes::add_maker(tree, "0000:02:00.0", "0x102b", "0x0536", "mgag200");
    fakes::add_pci(tree, "0000:04:00.0", "0x030000", 0); // a class, and no more, in a copy of /sys of few files
    fakes::add_pci(tree, "0004:04:00.0", "0x030000", 0); // so too, but its driver's module shows it
    fakes::add_gpu_memory(tree, "0004:04:00.0", -1);
    const auto devices = devices_of(tree);
    EXPECT_EQ(devices.size(), 4U);
    for (const char *gpu : {"0000:c1:00.0", "0000:c6:00.0", "0000:c7:00.0", "0004:04:00.0"}) {
        EXPECT_EQ(devices.count(gpu), 1U) << gpu;
    }
}

TEST(Devices, AGpuKnowsTheNodeOfItsMemoryWithoutItsDriver) {
    fakes::SysfsTree tree(
        {{0, {0, 1}, 4096, {10, 40, 80}, 0}, {1, {2, 3}, 4096, {40, 10, 80}, 0}, {255, {}, 4096, {80, 80, 10}, 0}});
    for (const char *address : {"0004:04:00.0", "0004:05:00.0", "0035:03:00.0"}) {
        fakes::add_pci(tree, address, "0x030200", 0);
    }
    fakes::add_gpu_memory(tree, "0004:04:00.0", 255);
    fakes::add_gpu_memory(tree, "0004:05:00.0", 254); // not online
    fakes::add_gpu_memory(tree, "0035:03:00.0", -1);
    const auto devices = devices_of(tree);
    EXPECT_EQ(devices.at("0004:04:00.0").memory_node, 255U);
    EXPECT_EQ(devices.at("0004:05:00.0").memory_node, NEAR_NODE_UNKNOWN);
    EXPECT_EQ(devices.at("0035:03:00.0").memory_node, NEAR_NODE_UNKNOWN);
}

TEST(Devices, TheScifOfAXeonPhiCardIsNoInfiniband) {
    fakes::SysfsTree tree = fakes::sparse_machine();
    fakes::add_link(tree, "/sys/class/infiniband/scif0", "platform/mic/infiniband/scif0");
    fakes::add_link(tree, "/sys/class/infiniband/mlx4_0", "platform/card/infiniband/mlx4_0");
    const auto devices = devices_of(tree);
    EXPECT_EQ(devices.size(), 1U);
    EXPECT_EQ(devices.count("mlx4_0"), 1U);
}

// xml_with_devices() with the objects under its GPU replaced.
std::map<std::string, IoDevice> with_objects(const std::string &objects) {
    std::string text = fakes::xml_with_devices();
    const std::size_t begin = text.find("<object type=\"OSDev\" gp_index=\"60\"");
    const std::string last = "name=\"mlx5_0\" osdev_type=\"3\"/>";
    text.replace(begin, text.find(last) + last.size() - begin, objects);
    return by_name(*xml(text));
}

// What hwloc records on machines with persistent or CXL memory, and with a Xeon Phi card.
TEST(Devices, OfXmlAreNotMemoryNorTheScifOfAXeonPhiCard) {
    const auto devices =
        with_objects("<object type=\"OSDev\" gp_index=\"60\" name=\"mem0\" subtype=\"CXLMem\" osdev_type=\"0\"/>"
                     "<object type=\"OSDev\" gp_index=\"61\" name=\"dax0.0\" osdev_type=\"0\"/>"
                     "<object type=\"OSDev\" gp_index=\"62\" name=\"scif0\" osdev_type=\"3\"/>"
                     "<object type=\"OSDev\" gp_index=\"63\" name=\"memory\" osdev_type=\"0\"/>");
    EXPECT_EQ(devices.size(), 3U);
    for (const char *there : {"0000:51:00.0", "memory", "sda"}) {
        EXPECT_EQ(devices.count(there), 1U) << there;
    }
}

// Later versions of hwloc have a type 6. The sanitizers see a value that the enumeration does not have, if it is read
// as one. What no version has is refused (XmlCheck).
TEST(Devices, OfXmlWithATypeThatHwlocDoesNotKnowAreLeftOut) {
    const auto devices = with_objects("<object type=\"OSDev\" gp_index=\"62\" name=\"eth0\" osdev_type=\"6\"/>");
    EXPECT_EQ(devices.count("eth0"), 0U);
    EXPECT_EQ(devices.size(), 2U);
}

TEST(Devices, OfXmlAreNoDisplaysOfConsoles) {
    std::string text = fakes::xml_with_devices();
    const std::string gpu = "0302 [10de:2335]";
    text.replace(text.find(gpu), gpu.size(), "0300 [102b:0534]");
    EXPECT_EQ(by_name(*xml(text)).count("card0"), 1U) << "NVML saw it work";
    const std::string nvml = "name=\"nvml0\"";
    ASSERT_NE(text.find(nvml), std::string::npos);
    text.erase(text.find(" subtype=\"NVML\""), 15);
    EXPECT_EQ(by_name(*xml(text)).count("card0"), 0U);
}

TEST(Devices, OfXmlWithoutANameAreNone) {
    const std::size_t all = by_name(*xml(fakes::xml_with_devices())).size();
    for (const char *instead : {"name=\"\"", ""}) {
        std::string text = fakes::xml_with_devices();
        const std::string name = "name=\"eth0\"";
        ASSERT_NE(text.find(name), std::string::npos);
        EXPECT_EQ(by_name(*xml(text.replace(text.find(name), name.size(), instead))).size(), all - 1);
    }
}

TEST(Devices, OfXmlAGpuKnowsTheNodeOfItsMemory) {
    std::string text = fakes::xml_with_devices();
    const std::string node = "<object type=\"NUMANode\" os_index=\"3\"";
    const std::size_t begin = text.find(node);
    ASSERT_NE(begin, std::string::npos);
    text.insert(begin + node.size(), " subtype=\"GPUMemory\"");
    const std::size_t end = text.find('>', begin);
    ASSERT_NE(text[end - 1], '/') << "the node has its pages inside";
    text.insert(end + 1, "<info name=\"PCIBusID\" value=\"00000000:51:00.0\"/>");
    EXPECT_EQ(by_name(*xml(text)).at("card0").memory_node, 3U);
    EXPECT_EQ(by_name(*xml(fakes::xml_with_devices())).at("card0").memory_node, NEAR_NODE_UNKNOWN);
}

TEST(Devices, OfAMachineThatShowsNoneAreNone) {
    EXPECT_TRUE(by_name(*synthetic("numa:2 pu:1")).empty());
    EXPECT_TRUE(devices_of(fakes::sparse_machine()).empty());
    EXPECT_TRUE(by_name(*xml(fakes::four_nodes_xml)).empty()); // devices, and none of these kinds
}

} // namespace
} // namespace nearpool::testing
