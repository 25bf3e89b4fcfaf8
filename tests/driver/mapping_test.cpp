// SPDX-License-Identifier: Apache-2.0
// Memory that is made on a device or a node of the host, given an address, and opened.
#include "driver/driver.hpp"

#include <cstring>
#include <unistd.h>

namespace driver_tests {

namespace {

constexpr std::size_t bytes = std::size_t{2} << 20;

class Mappings : public ContextTest {
protected:
    static CUmemAllocationProp on(int type, int id, int handles = 0) {
        CUmemAllocationProp properties{};
        properties.type = allocation_pinned;
        properties.location = {type, id};
        properties.requested_handle_types = handles;
        return properties;
    }

    static CUresult create(const CUmemAllocationProp &properties, CUmemGenericAllocationHandle *handle,
                           std::size_t size = bytes) {
        return CU(cuMemCreate)(handle, size, &properties, 0);
    }

    void SetUp() override {
        ContextTest::SetUp();
        if (!IsSkipped()) {
            NEEDS_MEM_CREATE();
            ASSERT_EQ(CU(cuMemAddressReserve)(&address_, bytes, 0, 0, 0), cuda_success);
        }
    }

    void TearDown() override {
        if (address_ != 0) {
            EXPECT_EQ(CU(cuMemAddressFree)(address_, bytes), cuda_success);
        }
        ContextTest::TearDown();
    }

    /// Maps an allocation that only the mapping keeps.
    void map(CUmemGenericAllocationHandle handle) {
        ASSERT_EQ(CU(cuMemMap)(address_, bytes, 0, handle, 0), cuda_success);
        ASSERT_EQ(CU(cuMemRelease)(handle), cuda_success);
    }

    void unmap() { EXPECT_EQ(CU(cuMemUnmap)(address_, bytes), cuda_success); }

    CUresult open_to(int type, int id) {
        const CUmemAccessDesc access{{type, id}, access_read_write};
        return CU(cuMemSetAccess)(address_, bytes, &access, 1);
    }

    CUdeviceptr address_ = 0;
};

TEST_F(Mappings, of_a_device_are_copied_to_once_they_are_open) {
    CUmemGenericAllocationHandle handle = 0;
    ASSERT_EQ(create(on(location_device, 0), &handle), cuda_success);
    map(handle);
    const char out[] = "there and back";
    char back[sizeof out] = "";
    if (control().available()) {
        EXPECT_EQ(CU(cuMemcpyHtoD_v2)(address_, out, sizeof out), cuda_error_invalid_value);
    }
    EXPECT_EQ(open_to(location_device, 0), cuda_success);
    EXPECT_EQ(CU(cuMemcpyHtoD_v2)(address_, out, sizeof out), cuda_success);
    EXPECT_EQ(CU(cuMemcpyDtoH_v2)(back, address_, sizeof back), cuda_success);
    EXPECT_STREQ(back, out);
    EXPECT_NE(open_to(location_host_numa, 0), cuda_success); // the CPU cannot have a device's memory
    unmap();
}

TEST_F(Mappings, of_a_host_node_are_for_the_cpu_too) {
    CUmemGenericAllocationHandle handle = 0;
    const CUresult result = create(on(location_host_numa, 0), &handle);
    if (version() < 12020) {
        EXPECT_EQ(result, cuda_error_invalid_value);
        return;
    }
    ASSERT_EQ(result, cuda_success);
    map(handle);
    EXPECT_EQ(open_to(location_device, 0), cuda_success);
    EXPECT_EQ(open_to(location_host_numa, 0), cuda_success);
    auto *start = reinterpret_cast<char *>(address_);
    std::memset(start, 7, bytes);
    CUdeviceptr device = 0;
    ASSERT_EQ(CU(cuMemAlloc_v2)(&device, bytes), cuda_success);
    EXPECT_EQ(CU(cuMemcpyHtoD_v2)(device, start, bytes), cuda_success);
    std::memset(start, 0, bytes);
    EXPECT_EQ(CU(cuMemcpyDtoH_v2)(start, device, bytes), cuda_success);
    EXPECT_EQ(start[bytes - 1], 7);
    EXPECT_EQ(CU(cuMemFree_v2)(device), cuda_success);
    unmap();
}

TEST_F(Mappings, need_a_place_that_there_is) {
    NEEDS_FAKE();
    CUmemGenericAllocationHandle handle = 0;
    EXPECT_EQ(create(on(location_device, 99), &handle), cuda_error_invalid_device);
    EXPECT_EQ(create(on(location_host_numa, 4000), &handle), cuda_error_invalid_value);
    EXPECT_EQ(create(on(4, 0), &handle), cuda_error_invalid_value);                // the calling thread's node
    EXPECT_EQ(create(on(location_host, 0, 1), &handle), cuda_error_invalid_value); // cannot be shared
    EXPECT_EQ(create(on(location_device, 0), &handle, bytes + 4096), cuda_error_invalid_value);
    EXPECT_EQ(create(on(location_device, 0), &handle, 0), cuda_error_invalid_value);
    EXPECT_EQ(create(on(location_device, 0), &handle, std::size_t{1} << 50), cuda_error_out_of_memory);
    std::size_t grain = 0;
    const CUmemAllocationProp properties = on(location_device, 0);
    EXPECT_EQ(CU(cuMemGetAllocationGranularity)(&grain, &properties, granularity_minimum), cuda_success);
    EXPECT_EQ(grain, bytes);
}

TEST_F(Mappings, need_room_on_the_node_and_a_driver_that_can_place_them) {
    NEEDS_FAKE();
    if (version() < 12020) {
        GTEST_SKIP() << "[cuda-12.2] memory of a host node came with it";
    }
    ASSERT_EQ(CU(cuMemAddressFree)(address_, bytes), cuda_success);
    address_ = 0;
    CUmemGenericAllocationHandle handle = 0;
    start_again(R"({"host_nodes": [0, 1, 2], "full_nodes": [1]})");
    EXPECT_EQ(create(on(location_host_numa, 1), &handle), cuda_error_out_of_memory);
    EXPECT_EQ(create(on(location_host_numa, 3), &handle), cuda_error_invalid_value);
    for (const int node : {0, 2}) {
        ASSERT_EQ(create(on(location_host_numa, node), &handle), cuda_success) << node;
        EXPECT_EQ(CU(cuMemRelease)(handle), cuda_success);
    }
    start_again(R"({"host_numa": false})");
    EXPECT_EQ(create(on(location_host_numa, 0), &handle), cuda_error_not_supported);
    ASSERT_EQ(create(on(location_device, 0), &handle), cuda_success);
    EXPECT_EQ(CU(cuMemRelease)(handle), cuda_success);
}

TEST_F(Mappings, do_not_overlap_and_keep_their_addresses) {
    NEEDS_FAKE();
    CUmemGenericAllocationHandle handle = 0;
    ASSERT_EQ(create(on(location_device, 0), &handle), cuda_success);
    EXPECT_EQ(CU(cuMemMap)(address_ + bytes, bytes, 0, handle, 0), cuda_error_invalid_value);
    ASSERT_EQ(CU(cuMemMap)(address_, bytes, 0, handle, 0), cuda_success);
    EXPECT_EQ(CU(cuMemMap)(address_, bytes, 0, handle, 0), cuda_error_invalid_value);
    EXPECT_EQ(CU(cuMemAddressFree)(address_, bytes), cuda_error_invalid_value);
    CUmemGenericAllocationHandle second = 0;
    EXPECT_EQ(CU(cuMemRetainAllocationHandle)(&second, reinterpret_cast<void *>(address_)), cuda_success);
    EXPECT_EQ(CU(cuMemRelease)(handle), cuda_success);
    CUmemAllocationProp properties{};
    EXPECT_EQ(CU(cuMemGetAllocationPropertiesFromHandle)(&properties, second), cuda_success);
    EXPECT_EQ(properties.location.type, location_device);
    EXPECT_EQ(CU(cuMemRelease)(second), cuda_success);
    EXPECT_EQ(CU(cuMemRelease)(second), cuda_error_invalid_value);
    unmap();
    EXPECT_EQ(CU(cuMemUnmap)(address_, bytes), cuda_error_invalid_value);
    EXPECT_EQ(control().device_used(0), uint64_t{300} << 20);
}

TEST_F(Mappings, can_be_shared_through_a_file) {
    CUmemGenericAllocationHandle handle = 0, shared = 0;
    int file = -1;
    ASSERT_EQ(create(on(location_device, 0, 1), &handle), cuda_success);
    ASSERT_EQ(CU(cuMemExportToShareableHandle)(&file, handle, 1, 0), cuda_success);
    ASSERT_EQ(CU(cuMemImportFromShareableHandle)(&shared, reinterpret_cast<void *>(std::intptr_t{file}), 1),
              cuda_success);
    close(file);
    EXPECT_EQ(CU(cuMemRelease)(handle), cuda_success);
    map(shared);
    EXPECT_EQ(open_to(location_device, 0), cuda_success);
    unmap();
}

} // namespace

} // namespace driver_tests
