// SPDX-License-Identifier: Apache-2.0
// What a map makes of the devices of a topology and of what the driver says.
#include "machine/device_map.hpp"

#include "support.hpp"

#include "fakes/machines/devices.hpp"

namespace nearpool::testing {
namespace {

DeviceMap map_of(const Topology &topology, const DriverGpus &driver = without_driver()) {
    Result<DeviceMap> made = DeviceMap::make(topology, driver);
    EXPECT_TRUE(made) << made.error().message;
    return made.take();
}

Ref<const Topology> other_machine(const fakes::SysfsTree &tree, const fakes::TemporaryFolder &folder) {
    tree.write(folder.path());
    Result<Ref<const Topology>> found = Topology::from_sysfs(real_ports(), folder.path());
    EXPECT_TRUE(found) << found.error().message;
    return found.take();
}

// Nodes 0 and 2, seen as this machine: with two GPUs in /sys, one of which does not say where it is.
class Driven {
public:
    Driven() : world(tree()) {}

    static fakes::SysfsTree tree() {
        fakes::SysfsTree made = MadeUpMachine::tree_of_four();
        fakes::add_pci(made, "0000:3b:00.0", "0x030200", 2);
        fakes::add_pci(made, "0000:81:00.0", "0x030000", -1);
        fakes::add_maker(made, "0000:81:00.0", "0x10de", "0x1b06");
        fakes::add_pci(made, "0000:5e:00.0", "0x020000", 8);
        fakes::add_link(made, "/sys/class/net/eth0", "pci0000:5d/0000:5e:00.0/net/eth0");
        return made;
    }

    const Topology &topology() { return world.topology(); }

    MadeUpMachine world;
    DriverGpus driver{true, {}, nullptr, {}};
};

cuda::Facts gpu(int32_t ordinal, const std::string &address) {
    cuda::Facts facts;
    facts.ordinal = ordinal;
    facts.name = "a model";
    facts.pci_address = address;
    facts.uuid.bytes[15] = static_cast<char>(ordinal + 1);
    return facts;
}

const MappedDevice &found(const DeviceMap &map, const std::string &name) {
    static const MappedDevice none;
    const Result<const MappedDevice *> device = map.find(name);
    if (!device) {
        ADD_FAILURE() << device.error().message;
        return none;
    }
    return *device.value();
}

TEST(DeviceMap, IsSortedByKindAndByNameAsPeopleCount) {
    const fakes::TemporaryFolder folder;
    const DeviceMap map = map_of(*other_machine(fakes::machine_with_devices(), folder));
    std::vector<std::string> names;
    for (const MappedDevice &device : map.devices()) {
        names.push_back(device.name);
    }
    EXPECT_EQ(names, (std::vector<std::string>{"0000:03:00.0", "0000:3b:00.0", "card1", "ens9", "ens10", "eth0",
                                               "mlx5_0", "nvme0n1", "sda"}));
}

TEST(DeviceMap, AnUnknownNodeStaysUnknownAndOneWithoutCpusIsReplacedByTheNearest) {
    const fakes::TemporaryFolder folder;
    const DeviceMap map = map_of(*other_machine(fakes::machine_with_devices(), folder));
    const DeviceNode &unknown = found(map, "eth0").node;
    EXPECT_EQ(unknown.node, NEAR_NODE_UNKNOWN);
    EXPECT_EQ(unknown.attached, NEAR_NODE_UNKNOWN);
    EXPECT_EQ(unknown.source, NEAR_NODE_SOURCE_NONE);
    const DeviceNode &beside = found(map, "card1").node;
    EXPECT_EQ(beside.node, 8U) << "distance 14, and not node 0 at 24";
    EXPECT_EQ(beside.attached, 2U);
    EXPECT_EQ(beside.source, NEAR_NODE_SOURCE_SYSFS);
    EXPECT_EQ(found(map, "nvme0n1").node.node, 0U);
}

TEST(DeviceMap, FindsByNameAddressAndUuidHoweverTheyAreWritten) {
    Driven machine;
    machine.driver.facts = {gpu(0, "0000:3b:00.0")};
    const DeviceMap map = map_of(machine.topology(), machine.driver);
    for (const char *name : {"0000:3b:00.0", "3b:00.0", "00000000:3B:00.0", "GPU-00000000-0000-0000-0000-000000000001",
                             "gpu-00000000-0000-0000-0000-000000000001"}) {
        EXPECT_EQ(found(map, name).ordinal, 0) << name;
    }
    EXPECT_EQ(found(map, "5e:00.0").name, "eth0");
}

TEST(DeviceMap, SaysWhatThereIsWhereANameIsUnknown) {
    Driven machine;
    const DeviceMap map = map_of(machine.topology());
    const auto none = map.find("eth7");
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().status, NEAR_E_DEVICE);
    EXPECT_EQ(none.error().message,
              "there is no device \"eth7\"; there are GPU 0000:3b:00.0, 0000:81:00.0, network eth0");
    const auto uuid = map.find("GPU-00000000-0000-0000-0000-000000000001");
    ASSERT_FALSE(uuid);
    EXPECT_NE(uuid.error().message.find("the driver was not asked (use_driver is 0)"), std::string::npos)
        << uuid.error().message;
    const auto nothing = DeviceMap().find("eth0");
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().message, "there is no device \"eth0\"; the map is empty");
}

TEST(DeviceMap, NamesADozenOfManyDevices) {
    fakes::SysfsTree tree = fakes::sparse_machine();
    for (int i = 0; i < 20; i++) {
        fakes::add_link(tree, "/sys/block/sd" + std::to_string(i), "platform/host/sd" + std::to_string(i));
    }
    const fakes::TemporaryFolder folder;
    const auto none = map_of(*other_machine(tree, folder)).find("sdz");
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().message.find("sd10, sd11 and 8 more"), std::string::npos) << none.error().message;
}

TEST(DeviceMap, TheDriversGpusAreThoseOfTheirPciDevices) {
    Driven machine;
    machine.driver.facts = {gpu(0, "00000000:81:00.0"), gpu(1, "0000:3b:00.0")};
    machine.driver.facts[0].host_node = 5;
    const DeviceMap map = map_of(machine.topology(), machine.driver);
    EXPECT_EQ(map.devices().size(), 3U);
    const MappedDevice &first = found(map, "81:00.0");
    EXPECT_EQ(first.ordinal, 0);
    EXPECT_EQ(first.model, "a model");
    EXPECT_EQ(first.uuid, "GPU-00000000-0000-0000-0000-000000000001");
    EXPECT_EQ(first.node.node, 5U);
    EXPECT_EQ(first.node.source, NEAR_NODE_SOURCE_DRIVER);
    const MappedDevice &second = found(map, "3b:00.0");
    EXPECT_EQ(second.ordinal, 1);
    EXPECT_EQ(second.node.attached, 2U);
    EXPECT_EQ(second.node.node, 5U) << "node 2 has no CPUs";
    EXPECT_EQ(second.node.source, NEAR_NODE_SOURCE_SYSFS);
    EXPECT_EQ(found(map, "eth0").ordinal, -1);
}

TEST(DeviceMap, NvmlIsAskedOfAGpuOfWhichNobodyElseKnows) {
    Driven machine;
    machine.driver.facts = {gpu(0, "0000:81:00.0"), gpu(1, "0000:3b:00.0")};
    int asked = 0;
    machine.driver.nvml = [&](const cuda::Facts &) {
        asked++;
        return std::vector<uint32_t>{8};
    };
    const DeviceMap map = map_of(machine.topology(), machine.driver);
    EXPECT_EQ(found(map, "81:00.0").node.source, NEAR_NODE_SOURCE_NVML);
    EXPECT_EQ(found(map, "81:00.0").node.node, 8U);
    EXPECT_EQ(asked, 1);
}

TEST(DeviceMap, InstancesOfOneGpuAndGpusThatSysfsHidesHaveEntries) {
    Driven machine;
    machine.driver.facts = {gpu(0, "0000:3b:00.0"), gpu(1, "0000:3b:00.0"), gpu(2, "0000:99:00.0")};
    machine.driver.facts[0].mig = true;
    machine.driver.facts[1].mig = true;
    const DeviceMap map = map_of(machine.topology(), machine.driver);
    EXPECT_EQ(map.devices().size(), 5U);
    EXPECT_EQ(found(map, "3b:00.0").ordinal, 0) << "the first";
    EXPECT_EQ(found(map, "MIG-00000000-0000-0000-0000-000000000002").ordinal, 1);
    EXPECT_EQ(found(map, "MIG-00000000-0000-0000-0000-000000000002").node.attached, 2U);
    EXPECT_EQ(found(map, "0000:99:00.0").ordinal, 2);
    EXPECT_EQ(found(map, "0000:99:00.0").node.node, NEAR_NODE_UNKNOWN);
}

TEST(DeviceMap, TheDriverIsNotAskedAboutAnotherMachine) {
    const auto topology = Topology::from_synthetic("numa:2 pu:1").take();
    cuda::Loader loader(real_ports());
    const DriverGpus driver = ask_driver(loader, *topology);
    EXPECT_FALSE(driver.known);
    ASSERT_EQ(driver.missing.size(), 1U);
    EXPECT_NE(driver.missing[0].find("the topology is of another"), std::string::npos) << driver.missing[0];
}

TEST(DeviceMap, IsWrittenForPeople) {
    Driven machine;
    machine.driver.facts = {gpu(0, "0000:3b:00.0")};
    machine.driver.missing = {"GPU 1: gone"};
    EXPECT_EQ(
        map_of(machine.topology(), machine.driver).text(),
        "3 devices\n"
        "GPU 0000:3b:00.0, 0 in the driver, a model, GPU-00000000-0000-0000-0000-000000000001: node 5, nearest to "
        "node 2 without CPUs (sysfs)\n"
        "GPU 0000:81:00.0: node unknown\n"
        "network eth0, 0000:5e:00.0: node 8 (sysfs)\n"
        "UUIDs of GPUs: GPU 1: gone\n");
    EXPECT_EQ(DeviceMap().text(), "0 devices\n");
}

// In words and for programs: the node of a GPU's memory, and the nodes that are near when one name is not enough.
TEST(DeviceMap, TellsTheMemoryOfAGpuAndTheNodesNearToADevice) {
    fakes::SysfsTree tree({{0, {0, 1}, 4096, {10, 12, 20, 80}, 0},
                           {1, {2, 3}, 4096, {12, 10, 20, 80}, 0},
                           {2, {4, 5}, 4096, {20, 20, 10, 80}, 0},
                           {9, {}, 4096, {80, 80, 80, 10}, 0}});
    fakes::add_pci(tree, "0000:3b:00.0", "0x030200", 2);
    fakes::add_gpu_memory(tree, "0000:3b:00.0", 9);
    fakes::add_pci(tree, "0000:5e:00.0", "0x020000", -1);
    tree.set("/sys/bus/pci/devices/0000:5e:00.0/local_cpulist", "0-3\n");
    fakes::add_link(tree, "/sys/class/net/eth0", "pci0000:5d/0000:5e:00.0/net/eth0");
    const fakes::TemporaryFolder folder;
    const DeviceMap map = map_of(*other_machine(tree, folder));
    EXPECT_EQ(found(map, "eth0").node.near, (NumberSet{0, 1}));
    const std::string text = map.text();
    EXPECT_NE(text.find("GPU 0000:3b:00.0: node 2 (sysfs), its memory is node 9\n"), std::string::npos) << text;
    EXPECT_NE(text.find("network eth0, 0000:5e:00.0: node unknown, one of 0-1\n"), std::string::npos) << text;
    const std::string json = map.json();
    EXPECT_NE(json.find("\"near_nodes\": [\n        2\n      ],\n      \"memory_node\": 9\n"), std::string::npos)
        << json;
    EXPECT_NE(json.find("\"near_nodes\": [\n        0,\n        1\n      ],\n      \"memory_node\": null\n"),
              std::string::npos)
        << json;
}

TEST(DeviceMap, TheDriverSaysTheMemoryOfEachInstance) {
    Driven machine;
    machine.driver.facts = {gpu(0, "0000:3b:00.0"), gpu(1, "0000:3b:00.0")};
    machine.driver.facts[1].memory_node = 2;
    const DeviceMap map = map_of(machine.topology(), machine.driver);
    EXPECT_EQ(found(map, "GPU-00000000-0000-0000-0000-000000000001").node.memory, NEAR_NODE_UNKNOWN);
    EXPECT_EQ(found(map, "GPU-00000000-0000-0000-0000-000000000002").node.memory, 2U);
}

constexpr const char *one_device_json = R"json({
  "driver_known": false,
  "missing": [
    "the driver was not asked (use_driver is 0)"
  ],
  "devices": [
    {
      "kind": "network",
      "name": "REPLACED",
      "pci_address": null,
      "uuid_text": null,
      "model": null,
      "ordinal": null,
      "node": null,
      "attached_node": null,
      "node_source": "unknown",
      "near_nodes": [],
      "memory_node": null
    }
  ]
}
)json";

TEST(DeviceMap, IsWrittenForPrograms) {
    fakes::SysfsTree tree = fakes::sparse_machine();
    fakes::add_link(tree, "/sys/class/net/e\xff", "platform/mac/net/e"); // the kernel takes any byte
    const fakes::TemporaryFolder folder;
    std::string expected = one_device_json;
    expected.replace(expected.find("REPLACED"), 8, "e\xef\xbf\xbd");
    EXPECT_EQ(map_of(*other_machine(tree, folder)).json(), expected);
}

TEST(DeviceMap, KindsHaveNames) {
    EXPECT_STREQ(device_kind_name(NEAR_DEVICE_GPU), "GPU");
    EXPECT_STREQ(device_kind_name(NEAR_DEVICE_NETWORK), "network");
    EXPECT_STREQ(device_kind_name(NEAR_DEVICE_INFINIBAND), "InfiniBand");
    EXPECT_STREQ(device_kind_name(NEAR_DEVICE_NVME), "NVMe");
    EXPECT_STREQ(device_kind_name(NEAR_DEVICE_BLOCK), "block");
    for (const int32_t none : {-1, 0, NEAR_DEVICE_BLOCK + 1}) {
        EXPECT_STREQ(device_kind_name(none), "unknown");
    }
}

} // namespace
} // namespace nearpool::testing
