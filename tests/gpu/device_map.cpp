// SPDX-License-Identifier: Apache-2.0
// What the driver adds to a map of devices; without one: tests/contract/device_map.cpp.
#include "gpu/support.hpp"

using namespace nearpool_gpu;

namespace {

class DeviceMapGpu : public Gpu {};
class DeviceMapScript : public FakeGpu {};

class Map {
public:
    explicit Map(uint32_t use_driver) {
        const near_device_map_options options{sizeof options, use_driver};
        Error error;
        EXPECT_EQ(near_device_map_create(nullptr, &options, &map_, &error), NEAR_OK) << error.message;
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
    std::string text() const {
        char text[16384] = {};
        size_t needed = 0;
        EXPECT_EQ(near_device_map_format(map_, NEAR_FORMAT_TEXT, text, sizeof text, &needed, nullptr), NEAR_OK);
        return text;
    }

private:
    near_device_map *map_ = nullptr;
};

TEST_F(DeviceMapGpu, EveryDeviceOfAPoolIsFoundByItsUuidWithTheSameNode) {
    const Devices pool;
    const Map map(1);
    for (size_t i = 0; i < device_pool_count(pool); i++) {
        int32_t ordinal = -1;
        device_pool_facts facts{};
        facts.struct_size = sizeof facts;
        ASSERT_EQ(device_pool_at(pool, i, &ordinal), NEAR_OK);
        ASSERT_EQ(device_pool_get_facts(pool, ordinal, &facts), NEAR_OK);
        const near_device device = map.find(facts.uuid_text);
        EXPECT_EQ(device.kind, NEAR_DEVICE_GPU);
        EXPECT_EQ(device.ordinal, ordinal);
        EXPECT_STREQ(device.model, facts.name);
        EXPECT_EQ(device.node, facts.node);
        EXPECT_EQ(device.attached_node, facts.attached_node);
        EXPECT_EQ(device.node_source, facts.node_source);
        EXPECT_EQ(device.memory_node, facts.memory_node);
        EXPECT_STREQ(map.find(facts.pci_address).pci_address, device.pci_address);
    }
}

TEST_F(DeviceMapScript, IsMadeWithoutAskingTheDriver) {
    const uint64_t before = fake()->calls("*");
    const Map map(0);
    EXPECT_EQ(fake()->calls("*"), before);
    EXPECT_NE(map.text().find("the driver was not asked"), std::string::npos) << map.text();
}

// Node numbers of this machine, as the fake driver is told to say them; of a node that is not there, nothing is said.
TEST_F(DeviceMapScript, AGpuKnowsTheNodeOfItsOwnMemoryFromItsDriver) {
    const std::string node = std::to_string(near_topology_node_at(nullptr, 0));
    configure("{\"devices\":[{\"numa_id\":" + node + R"(},{"numa_id":65000},{}]})");
    const Map map(1);
    const Devices pool;
    int version = 0;
    ASSERT_EQ(driver()->driver_get_version(&version), cuda_success);
    const bool says = version >= 12020; // an older driver does not know the question
    const uint32_t first = says ? near_topology_node_at(nullptr, 0) : NEAR_NODE_UNKNOWN;
    const uint32_t expected[] = {first, NEAR_NODE_UNKNOWN, NEAR_NODE_UNKNOWN};
    for (int32_t ordinal = 0; ordinal < 3; ordinal++) {
        device_pool_facts facts{};
        facts.struct_size = sizeof facts;
        ASSERT_EQ(device_pool_get_facts(pool, ordinal, &facts), NEAR_OK);
        EXPECT_EQ(facts.memory_node, expected[ordinal]) << ordinal;
        EXPECT_EQ(map.find(facts.uuid_text).memory_node, expected[ordinal]) << ordinal;
    }
    EXPECT_EQ(map.text().find("its memory is node " + node) != std::string::npos, says) << map.text();
}

TEST_F(DeviceMapScript, ADeviceThatTheDriverCannotTellOfIsReported) {
    const Map all(1);
    ASSERT_EQ(all.find("GPU-fa4e0000-0000-4000-8000-000000000001").ordinal, 1);
    constexpr int unknown_error = 999;
    fake()->fail("cuDeviceGetName", 2, unknown_error, 0);
    const Map map(1);
    EXPECT_EQ(map.find("GPU-fa4e0000-0000-4000-8000-000000000002").ordinal, 2);
    near_device device{};
    device.struct_size = sizeof device;
    Error error;
    EXPECT_EQ(near_device_map_find(map, "GPU-fa4e0000-0000-4000-8000-000000000001", &device, &error), NEAR_E_DEVICE);
    EXPECT_TRUE(error.says("UUIDs are not all known: GPU 1: ")) << error.message;
    EXPECT_NE(map.text().find("UUIDs of GPUs: GPU 1: "), std::string::npos) << map.text();
}

TEST_F(DeviceMapScript, InstancesOfAPartitionedGpuHaveAnEntryEach) {
    configure(R"({"devices":[{"pci":"0000:81:00.0","mig":"MIG-00000000-0000-0000-0000-000000000001"},)"
              R"({"pci":"0000:81:00.0","mig":"MIG-00000000-0000-0000-0000-000000000002"}]})");
    const Map map(1);
    EXPECT_EQ(map.find("81:00.0").ordinal, 0) << map.text();
    std::vector<int32_t> ordinals;
    for (size_t i = 0; i < near_device_map_count(map); i++) {
        near_device device{};
        device.struct_size = sizeof device;
        ASSERT_EQ(near_device_map_get(map, i, &device), NEAR_OK);
        if (std::string(device.pci_address) == "0000:81:00.0") {
            ordinals.push_back(device.ordinal);
            EXPECT_EQ(map.find(device.uuid_text).ordinal, device.ordinal); // each has a UUID of its own
        }
    }
    EXPECT_EQ(ordinals, (std::vector<int32_t>{0, 1})) << map.text();
}

} // namespace
