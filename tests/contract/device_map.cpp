// SPDX-License-Identifier: Apache-2.0
// device_map.h: each promise and each error of each function. What the GPU driver adds: tests/gpu.
#include "contract/machines.hpp"
#include "fakes/machines/devices.hpp"
#include "support/vm_machine.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>

using namespace nearpool_test;

namespace {

class Map {
public:
    explicit Map(const near_topology *topology = nullptr, uint32_t use_driver = 0) {
        const near_device_map_options options{sizeof options, use_driver};
        Error error;
        EXPECT_EQ(near_device_map_create(topology, &options, &map_, &error), NEAR_OK) << error.message;
    }
    ~Map() { near_device_map_destroy(map_); }
    Map(const Map &) = delete;
    Map &operator=(const Map &) = delete;
    operator near_device_map *() const { return map_; } // NOLINT(google-explicit-constructor)

    near_device find(const std::string &name) const {
        near_device device{};
        device.struct_size = sizeof device;
        Error error;
        EXPECT_EQ(near_device_map_find(map_, name.c_str(), &device, &error), NEAR_OK) << error.message;
        return device;
    }
    std::vector<near_device> all() const {
        std::vector<near_device> devices(near_device_map_count(map_));
        for (std::size_t i = 0; i < devices.size(); i++) {
            devices[i].struct_size = sizeof devices[i];
            EXPECT_EQ(near_device_map_get(map_, i, &devices[i]), NEAR_OK);
        }
        return devices;
    }
    std::string formatted(int32_t format) const {
        size_t needed = 0;
        EXPECT_EQ(near_device_map_format(map_, format, nullptr, 0, &needed, nullptr), NEAR_OK);
        std::vector<char> text(needed + 1, 'x');
        EXPECT_EQ(near_device_map_format(map_, format, text.data(), needed, &needed, nullptr), NEAR_OK);
        EXPECT_EQ(text[needed - 1], '\0');
        EXPECT_EQ(text[needed], 'x');
        return text.data();
    }

private:
    near_device_map *map_ = nullptr;
};

bool is_pci_address(const std::string &text) {
    unsigned domain = 0;
    unsigned bus = 0;
    unsigned device = 0;
    unsigned function = 0;
    int end = 0;
    const int read = std::sscanf(text.c_str(), "%8x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end);
    return read == 4 && static_cast<std::size_t>(end) == text.size();
}

// The devices of a folder of /sys, by name, with the PCI address that stands last in the place where each really is.
std::map<std::string, std::string> devices_in(const std::string &folder) {
    std::map<std::string, std::string> found;
    std::error_code absent;
    for (const auto &entry : std::filesystem::directory_iterator(folder, absent)) {
        std::string last;
        for (const std::filesystem::path &part : std::filesystem::canonical(entry.path()).parent_path()) {
            last = is_pci_address(part.string()) ? part.string() : last;
        }
        found[entry.path().filename().string()] = last;
    }
    return found;
}

void expect_as_sysfs_says(const Map &map, const std::string &name, const std::string &address) {
    const near_device device = map.find(name);
    EXPECT_STREQ(device.pci_address, address.c_str()) << name;
    int said = -1;
    std::ifstream("/sys/bus/pci/devices/" + address + "/numa_node") >> said;
    if (said >= 0) {
        EXPECT_EQ(device.attached_node, static_cast<uint32_t>(said)) << name;
        EXPECT_EQ(device.node_source, NEAR_NODE_SOURCE_SYSFS) << name;
    } else if (near_topology_node_count(nullptr) == 1) {
        EXPECT_EQ(device.attached_node, near_topology_node_at(nullptr, 0)) << name;
        EXPECT_EQ(device.node_source, NEAR_NODE_SOURCE_ONE_NODE) << name;
    } else {
        EXPECT_NE(device.node_source, NEAR_NODE_SOURCE_SYSFS) << name;
    }
}

TEST(DeviceMap, OfThisMachineHasWhatHangsOnPciWithTheNodeThatSysfsSays) {
    const Map map;
    for (const char *folder : {"/sys/class/net", "/sys/block", "/sys/class/infiniband"}) {
        for (const auto &[name, address] : devices_in(folder)) {
            if (!address.empty()) {
                expect_as_sysfs_says(map, name, address);
            }
        }
    }
}

TEST(DeviceMap, OfThisMachineHasNoDeviceThatIsSoftwareAlone) {
    const Map map;
    for (const char *folder : {"/sys/class/net", "/sys/block"}) {
        std::error_code absent;
        for (const auto &entry : std::filesystem::directory_iterator(folder, absent)) {
            const std::string name = entry.path().filename().string();
            const std::string place = std::filesystem::canonical(entry.path()).string();
            near_device device{};
            device.struct_size = sizeof device;
            if (place == "/sys/devices/virtual/net/" + name || place == "/sys/devices/virtual/block/" + name) {
                EXPECT_EQ(near_device_map_find(map, name.c_str(), &device, nullptr), NEAR_E_DEVICE) << name;
            }
        }
    }
}

TEST(DeviceMap, OfARootOfSysfsIsSortedAndHasEveryKind) {
    const SysfsMachine machine(nearpool::fakes::machine_with_devices());
    const Map map(machine);
    const std::vector<near_device> devices = map.all();
    ASSERT_EQ(devices.size(), 9U);
    const std::vector<int32_t> kinds = {NEAR_DEVICE_GPU,        NEAR_DEVICE_GPU,     NEAR_DEVICE_GPU,
                                        NEAR_DEVICE_NETWORK,    NEAR_DEVICE_NETWORK, NEAR_DEVICE_NETWORK,
                                        NEAR_DEVICE_INFINIBAND, NEAR_DEVICE_NVME,    NEAR_DEVICE_BLOCK};
    for (std::size_t i = 0; i < devices.size(); i++) {
        EXPECT_EQ(devices[i].kind, kinds[i]) << devices[i].name;
        EXPECT_EQ(devices[i].ordinal, -1);
        EXPECT_STREQ(devices[i].uuid_text, "");
        EXPECT_STREQ(devices[i].model, "");
    }
    EXPECT_STREQ(devices[3].name, "ens9");
    EXPECT_STREQ(devices[4].name, "ens10");
    const near_device beside = map.find("card1");
    EXPECT_EQ(beside.attached_node, 2U);
    EXPECT_EQ(beside.node, 8U) << "node 2 has no CPUs";
    const near_device unknown = map.find("eth0");
    EXPECT_EQ(unknown.node, NEAR_NODE_UNKNOWN);
    EXPECT_EQ(unknown.attached_node, NEAR_NODE_UNKNOWN);
    EXPECT_EQ(unknown.node_source, NEAR_NODE_SOURCE_NONE);
    for (const char *address : {"0000:3b:00.0", "3b:00.0", "00000000:3B:00.0"}) {
        EXPECT_STREQ(map.find(address).pci_address, "0000:3b:00.0") << address;
    }
    EXPECT_STREQ(map.find("10000:e1:00.0").name, "nvme0n1");
}

TEST(DeviceMap, OfXmlHasTheDevicesThatWereRecordedWithTheirUuid) {
    const XmlMachine machine(nearpool::fakes::xml_with_devices());
    const Map map(machine);
    EXPECT_EQ(near_device_map_count(map), 4U);
    const near_device gpu = map.find("GPU-00112233-4455-6677-8899-aabbccddeeff");
    EXPECT_STREQ(gpu.name, "card0");
    EXPECT_EQ(gpu.node, 2U);
    EXPECT_EQ(gpu.node_source, NEAR_NODE_SOURCE_PCI_ROOT);
    EXPECT_EQ(map.find("sda").node, NEAR_NODE_UNKNOWN);
}

std::vector<uint32_t> near_nodes(const near_device_map *map, size_t index) {
    size_t needed = 99;
    EXPECT_EQ(near_device_map_near_nodes(map, index, nullptr, 0, &needed), NEAR_OK);
    std::vector<uint32_t> nodes(needed);
    EXPECT_EQ(near_device_map_near_nodes(map, index, nodes.data(), nodes.size(), &needed), NEAR_OK);
    EXPECT_EQ(needed, nodes.size());
    return nodes;
}

// A GPU with memory of its own at node 9 and a network interface that is next to nodes 0 and 1 alike.
nearpool::fakes::SysfsTree machine_with_gpu_memory() {
    nearpool::fakes::SysfsTree tree({{0, {0, 1}, 4096, {10, 12, 20, 80}, 0},
                                     {1, {2, 3}, 4096, {12, 10, 20, 80}, 0},
                                     {2, {4, 5}, 4096, {20, 20, 10, 80}, 0},
                                     {9, {}, 4096, {80, 80, 80, 10}, 0}});
    nearpool::fakes::add_pci(tree, "0000:3b:00.0", "0x030200", 2);
    nearpool::fakes::add_gpu_memory(tree, "0000:3b:00.0", 9);
    nearpool::fakes::add_pci(tree, "0000:5e:00.0", "0x020000", -1);
    tree.set("/sys/bus/pci/devices/0000:5e:00.0/local_cpulist", "0-3\n");
    nearpool::fakes::add_link(tree, "/sys/class/net/eth0", "pci0000:5d/0000:5e:00.0/net/eth0");
    return tree;
}

TEST(DeviceMap, KnowsTheMemoryOfAGpuAndAllNodesThatAreNear) {
    const SysfsMachine machine(machine_with_gpu_memory());
    const Map map(machine);
    const std::vector<near_device> devices = map.all();
    ASSERT_EQ(devices.size(), 2U);
    EXPECT_EQ(devices[0].memory_node, 9U);
    EXPECT_EQ(devices[0].node, 2U);
    EXPECT_EQ(near_nodes(map, 0), std::vector<uint32_t>{2});
    EXPECT_EQ(devices[1].memory_node, NEAR_NODE_UNKNOWN) << "and not node 0";
    EXPECT_EQ(devices[1].node, NEAR_NODE_UNKNOWN);
    EXPECT_EQ(devices[1].node_source, NEAR_NODE_SOURCE_NONE);
    EXPECT_EQ(near_nodes(map, 1), (std::vector<uint32_t>{0, 1}));
}

TEST(DeviceMap, NearNodesChecksItsArguments) {
    const SysfsMachine machine(machine_with_gpu_memory());
    const Map map(machine);
    size_t needed = 99;
    uint32_t node = 77;
    EXPECT_EQ(near_device_map_near_nodes(nullptr, 0, &node, 1, &needed), NEAR_E_INVALID);
    EXPECT_EQ(near_device_map_near_nodes(map, 2, &node, 1, &needed), NEAR_E_INVALID);
    EXPECT_EQ(near_device_map_near_nodes(map, 0, &node, 1, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_device_map_near_nodes(map, 0, nullptr, 1, &needed), NEAR_E_INVALID);
    EXPECT_EQ(needed, 99U);
    EXPECT_EQ(near_device_map_near_nodes(map, 1, &node, 1, &needed), NEAR_E_CAPACITY);
    EXPECT_EQ(needed, 2U);
    EXPECT_EQ(node, 77U);
}

TEST(DeviceMap, OutlivesItsTopology) {
    near_device_map *map = nullptr;
    {
        const XmlMachine machine(nearpool::fakes::xml_with_devices());
        ASSERT_EQ(near_device_map_create(machine, nullptr, &map, nullptr), NEAR_OK);
    }
    near_device device{};
    device.struct_size = sizeof device;
    EXPECT_EQ(near_device_map_find(map, "eth0", &device, nullptr), NEAR_OK);
    EXPECT_EQ(device.node, 2U);
    near_device_map_destroy(map);
    near_device_map_destroy(nullptr);
}

TEST(DeviceMap, IsMadeWithoutADriverAndSaysWhyThereAreNoUuids) {
    const Map plain;
    EXPECT_NE(plain.formatted(NEAR_FORMAT_TEXT).find("UUIDs of GPUs: the driver was not asked"), std::string::npos);
    const Topology other("numa:2 pu:1");
    const Map asked(other, 1);
    EXPECT_EQ(asked.formatted(NEAR_FORMAT_TEXT),
              "0 devices\nUUIDs of GPUs: the driver knows this machine, and the topology is of another\n");
}

// The library is named by the environment, which is read once: in a process of its own.
ALONE_TEST(DeviceMapAlone, IsMadeWhereTheDriverIsMissing) {
    ASSERT_EQ(::setenv("NEARPOOL_CUDA_LIBRARY", "/nowhere/libcuda.so.1", 1), 0);
    const Map plain;
    const Map asked(nullptr, 1);
    EXPECT_EQ(near_device_map_count(asked), near_device_map_count(plain));
    const std::string text = asked.formatted(NEAR_FORMAT_TEXT);
    EXPECT_NE(text.find("/nowhere/libcuda.so.1"), std::string::npos) << text;
    const std::string json = asked.formatted(NEAR_FORMAT_JSON);
    EXPECT_EQ(json.rfind("{\n  \"driver_known\": false,\n  \"missing\": [\n    \"", 0), 0U) << json;
    near_device device{};
    device.struct_size = sizeof device;
    Error error;
    EXPECT_EQ(near_device_map_find(asked, "GPU-00112233-4455-6677-8899-aabbccddeeff", &device, &error), NEAR_E_DEVICE);
    EXPECT_TRUE(error.says("UUIDs are not all known: ")) << error.message;
}

TEST(DeviceMap, CreateChecksItsArguments) {
    near_device_map *map = nullptr;
    Error error;
    near_device_map_options options{sizeof options, 2};
    EXPECT_EQ(near_device_map_create(nullptr, &options, &map, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("near_device_map_create: use_driver is 2; it must be 0 or 1")) << error.message;
    options = {3, 0};
    EXPECT_EQ(near_device_map_create(nullptr, &options, &map, &error), NEAR_E_VERSION);
    EXPECT_EQ(near_device_map_create(nullptr, nullptr, nullptr, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("map is NULL")) << error.message;
    EXPECT_EQ(map, nullptr);
    EXPECT_EQ(near_device_map_count(nullptr), 0U);
}

TEST(DeviceMap, GetAndFindCheckTheirArgumentsAndWriteNothingOnAnError) {
    const XmlMachine machine(nearpool::fakes::xml_with_devices());
    const Map map(machine);
    near_device device{};
    device.struct_size = sizeof device;
    device.node = 77;
    EXPECT_EQ(near_device_map_get(nullptr, 0, &device), NEAR_E_INVALID);
    EXPECT_EQ(near_device_map_get(map, 4, &device), NEAR_E_INVALID);
    EXPECT_EQ(near_device_map_get(map, 0, nullptr), NEAR_E_INVALID);
    Error error;
    EXPECT_EQ(near_device_map_find(nullptr, "eth0", &device, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("near_device_map_find: map is NULL")) << error.message;
    EXPECT_EQ(near_device_map_find(map, nullptr, &device, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("name is NULL")) << error.message;
    EXPECT_EQ(near_device_map_find(map, "", &device, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("name is empty")) << error.message;
    EXPECT_EQ(near_device_map_find(map, "eth0", nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_device_map_find(map, "eth7", &device, &error), NEAR_E_DEVICE);
    EXPECT_TRUE(error.says("near_device_map_find: there is no device \"eth7\"; there are GPU card0, network eth0, "
                           "InfiniBand mlx5_0, block sda"))
        << error.message;
    EXPECT_EQ(near_device_map_find(map, std::string(5000, 'x').c_str(), &device, &error), NEAR_E_DEVICE);
    EXPECT_EQ(device.node, 77U);
    device.struct_size = 2;
    EXPECT_EQ(near_device_map_get(map, 0, &device), NEAR_E_VERSION);
    EXPECT_EQ(near_device_map_find(map, "eth0", &device, &error), NEAR_E_VERSION);
}

TEST(DeviceMap, AnOlderCallersStructIsNotWrittenPastItsEnd) {
    const XmlMachine machine(nearpool::fakes::xml_with_devices());
    const Map map(machine);
    near_device device{};
    device.struct_size = offsetof(near_device, name);
    std::memset(device.name, 'x', sizeof device.name);
    ASSERT_EQ(near_device_map_find(map, "eth0", &device, nullptr), NEAR_OK);
    EXPECT_EQ(device.node, 2U);
    EXPECT_EQ(std::count(device.name, device.name + sizeof device.name, 'x'),
              static_cast<std::ptrdiff_t>(sizeof device.name));
}

TEST(DeviceMap, FormatChecksItsArguments) {
    const Map map;
    size_t needed = 0;
    char text[4] = {};
    Error error;
    EXPECT_EQ(near_device_map_format(nullptr, NEAR_FORMAT_TEXT, nullptr, 0, &needed, &error), NEAR_E_INVALID);
    for (const int32_t format : {-1, NEAR_FORMAT_XML + 0, 3}) {
        EXPECT_EQ(near_device_map_format(map, format, nullptr, 0, &needed, &error), NEAR_E_INVALID);
        EXPECT_TRUE(error.says("is no format of a device map")) << error.message;
    }
    EXPECT_EQ(near_device_map_format(map, NEAR_FORMAT_TEXT, nullptr, 5, &needed, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_device_map_format(map, NEAR_FORMAT_TEXT, text, sizeof text, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(needed, 0U);
    EXPECT_EQ(near_device_map_format(map, NEAR_FORMAT_TEXT, text, sizeof text, &needed, &error), NEAR_E_CAPACITY);
    EXPECT_GT(needed, sizeof text);
    EXPECT_STREQ(text, "");
}

TEST(DeviceMap, NamesAreForEveryValue) {
    EXPECT_STREQ(near_device_kind_name(NEAR_DEVICE_INFINIBAND), "InfiniBand");
    EXPECT_STREQ(near_device_kind_name(0), "unknown");
    EXPECT_STREQ(near_device_kind_name(NEAR_DEVICE_BLOCK + 1), "unknown");
    EXPECT_STREQ(near_node_source_name(NEAR_NODE_SOURCE_SYSFS), "sysfs");
    EXPECT_STREQ(near_node_source_name(NEAR_NODE_SOURCE_ONE_NODE + 1), "unknown");
}

// The PCI devices of a class.
std::vector<std::string> addresses_of(unsigned wanted) {
    std::vector<std::string> found;
    for (const auto &entry : std::filesystem::directory_iterator("/sys/bus/pci/devices")) {
        unsigned kind = 0;
        std::ifstream(entry.path() / "class") >> std::hex >> kind;
        if (kind >> 8U == wanted) {
            found.push_back(entry.path().filename());
        }
    }
    return found;
}

// The machine's display controller hangs on node 3. It is emulated, and no GPU; what a driver says of GPUs at real
// devices of that machine: VmGpu.
TEST(VmDeviceMap, ADeviceHasTheNodeOfTheRootItHangsOn) {
    NEEDS_MACHINE("four-nodes");
    const std::vector<std::string> displays = addresses_of(0x0300);
    ASSERT_EQ(displays.size(), 1U);
    uint32_t node = 99;
    EXPECT_EQ(near_topology_pci_node(nullptr, displays[0].c_str(), &node, nullptr), NEAR_OK);
    EXPECT_EQ(node, 3U);
    for (const near_device &device : Map().all()) {
        EXPECT_NE(device.kind, NEAR_DEVICE_GPU) << device.name << ", " << device.pci_address;
    }
}

} // namespace
