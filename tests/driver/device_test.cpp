// SPDX-License-Identifier: Apache-2.0
#include "driver/driver.hpp"

#include <cstring>

namespace driver_tests {

namespace {

using Device = DriverTest;

TEST_F(Device, ordinals_outside_the_list_are_refused) {
    int count = 0, value = 0;
    CUdevice device = -1;
    ASSERT_EQ(CU(cuDeviceGetCount)(&count), cuda_success);
    EXPECT_EQ(CU(cuDeviceGet)(&device, count), cuda_error_invalid_device);
    EXPECT_EQ(CU(cuDeviceGet)(&device, -1), cuda_error_invalid_device);
    EXPECT_EQ(CU(cuDeviceGet)(&device, count - 1), cuda_success);
    EXPECT_EQ(CU(cuDeviceGetAttribute)(&value, attribute_compute_mode, count), cuda_error_invalid_device);
    CUcontext context = nullptr;
    EXPECT_EQ(CU(cuDevicePrimaryCtxRetain)(&context, count), cuda_error_invalid_device);
}

TEST_F(Device, facts_are_there) {
    char name[100] = "";
    std::size_t bytes = 0;
    int major = 0;
    EXPECT_EQ(CU(cuDeviceGetName)(name, sizeof name, 0), cuda_success);
    EXPECT_NE(name[0], '\0');
    EXPECT_EQ(CU(cuDeviceTotalMem_v2)(&bytes, 0), cuda_success);
    EXPECT_GT(bytes, std::size_t{1} << 20);
    EXPECT_EQ(CU(cuDeviceGetAttribute)(&major, attribute_compute_capability_major, 0), cuda_success);
    EXPECT_GT(major, 0);
    CUuuid uuid{};
    EXPECT_EQ(CU(cuDeviceGetUuid)(&uuid, 0), cuda_success);
}

TEST_F(Device, is_found_by_its_pci_address) {
    char address[20] = "";
    CUdevice device = -1;
    ASSERT_EQ(CU(cuDeviceGetPCIBusId)(address, sizeof address, 0), cuda_success);
    EXPECT_EQ(CU(cuDeviceGetByPCIBusId)(&device, address), cuda_success);
    EXPECT_EQ(device, 0);
    EXPECT_EQ(CU(cuDeviceGetByPCIBusId)(&device, "ffff:ff:1f.0"), cuda_error_invalid_device);
}

TEST_F(Device, the_host_node_is_known_since_12_2) {
    int node = -2;
    const CUresult result = CU(cuDeviceGetAttribute)(&node, attribute_host_numa_id, 0);
    EXPECT_EQ(result, version() >= 12020 ? cuda_success : cuda_error_invalid_value);
}

TEST_F(Device, the_node_of_its_memory_is_known_since_12_2) {
    NEEDS_FAKE();
    start(R"({"devices": [{"numa_id": 5}, {}]})");
    const bool known = version() >= 12020;
    for (const int ordinal : {0, 1}) {
        int kind = -2;
        int node = -2;
        EXPECT_EQ(CU(cuDeviceGetAttribute)(&kind, attribute_numa_config, ordinal),
                  known ? cuda_success : cuda_error_invalid_value);
        EXPECT_EQ(CU(cuDeviceGetAttribute)(&node, attribute_numa_id, ordinal),
                  known ? cuda_success : cuda_error_invalid_value);
        if (known) {
            EXPECT_EQ(kind, ordinal == 0 ? numa_config_node : 0);
            EXPECT_EQ(node, ordinal == 0 ? 5 : -1);
        }
    }
}

TEST_F(Device, attributes_of_a_later_version_are_refused) {
    NEEDS_FAKE();
    int value = 0;
    const CUresult result = CU(cuDeviceGetAttribute)(&value, 141, 0);
    EXPECT_EQ(result, version() >= 12090 ? cuda_success : cuda_error_invalid_value);
    EXPECT_EQ(CU(cuDeviceGetAttribute)(&value, 9999, 0), cuda_error_invalid_value);
}

TEST_F(Device, is_what_the_configuration_says) {
    NEEDS_FAKE();
    start(R"({"devices": [
        {"name": "A", "uuid": "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f", "pci": "0001:0a:1f.0", "domain_width": 8,
         "compute_capability": "8.6", "memory_bytes": 1048576000, "mig": "MIG-ff010203-0405-0607-0809-0a0b0c0d0e0f"},
        {"name": "B", "compute_mode": 2}],
        "peers": [[{}, {"access": true, "rank": 3}], [{}, {}]]})");
    char address[20] = "";
    EXPECT_EQ(CU(cuDeviceGetPCIBusId)(address, sizeof address, 0), cuda_success);
    EXPECT_STREQ(address, "00000001:0A:1F.0");
    CUuuid uuid{}, part{};
    EXPECT_EQ(CU(cuDeviceGetUuid)(&uuid, 0), cuda_success);
    EXPECT_EQ(std::memcmp(uuid.bytes, "\0\1\2\3", 4), 0);
    if (has("cuDeviceGetUuid_v2")) {
        EXPECT_EQ(CU(cuDeviceGetUuid_v2)(&part, 0), cuda_success);
        EXPECT_EQ(std::memcmp(part.bytes, "\xff\1\2\3", 4), 0);
    }
    int minor = 0, can = -1, rank = -1;
    EXPECT_EQ(CU(cuDeviceGetAttribute)(&minor, attribute_compute_capability_minor, 0), cuda_success);
    EXPECT_EQ(minor, 6);
    EXPECT_EQ(CU(cuDeviceCanAccessPeer)(&can, 0, 1), cuda_success);
    EXPECT_EQ(can, 1);
    EXPECT_EQ(CU(cuDeviceCanAccessPeer)(&can, 1, 0), cuda_success);
    EXPECT_EQ(can, 0);
    EXPECT_EQ(CU(cuDeviceGetP2PAttribute)(&rank, peer_performance_rank, 0, 1), cuda_success);
    EXPECT_EQ(rank, 3);
    EXPECT_EQ(CU(cuDeviceGetP2PAttribute)(&rank, peer_performance_rank, 0, 0), cuda_error_invalid_device);
    CUcontext context = nullptr;
    EXPECT_EQ(CU(cuDevicePrimaryCtxRetain)(&context, 1), 46); // prohibited
}

} // namespace

} // namespace driver_tests
