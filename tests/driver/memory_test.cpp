// SPDX-License-Identifier: Apache-2.0
#include "driver/driver.hpp"

#include <numeric>
#include <sys/mman.h>
#include <vector>

namespace driver_tests {

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t block = 16 * page;

class Memory : public ContextTest {
protected:
    void SetUp() override {
        ContextTest::SetUp();
        mapped_ = mmap(nullptr, block, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    void TearDown() override {
        munmap(mapped_, block);
        ContextTest::TearDown();
    }
    char *mapped(std::size_t offset = 0) const { return static_cast<char *>(mapped_) + offset; }

    static CUresult register_host(void *start, std::size_t bytes, unsigned flags = host_register_portable) {
        return CU(cuMemHostRegister_v2)(start, bytes, flags | host_register_device_map);
    }
    static CUresult unregister(void *start) { return CU(cuMemHostUnregister)(start); }

    void *mapped_ = nullptr;
};

TEST_F(Memory, is_registered_once) {
    EXPECT_EQ(register_host(mapped(), block), cuda_success);
    EXPECT_EQ(register_host(mapped(), block), cuda_error_host_memory_already_registered);
    EXPECT_EQ(unregister(mapped()), cuda_success);
    EXPECT_EQ(unregister(mapped()), cuda_error_host_memory_not_registered);
}

TEST_F(Memory, that_overlaps_a_registered_range_is_refused) {
    NEEDS_FAKE();
    ASSERT_EQ(register_host(mapped(4 * page), 4 * page), cuda_success);
    EXPECT_EQ(register_host(mapped(6 * page), 4 * page), cuda_error_host_memory_already_registered);
    EXPECT_EQ(register_host(mapped(2 * page), 4 * page), cuda_error_host_memory_already_registered);
    EXPECT_EQ(register_host(mapped(5 * page), page), cuda_error_host_memory_already_registered);
    EXPECT_EQ(register_host(mapped(), 4 * page), cuda_success); // its neighbour
    EXPECT_EQ(unregister(mapped(5 * page)), cuda_error_host_memory_not_registered);
    EXPECT_EQ(unregister(mapped(4 * page)), cuda_success);
    EXPECT_EQ(unregister(mapped()), cuda_success);
}

TEST_F(Memory, need_not_begin_at_a_page) {
    NEEDS_FAKE();
    ASSERT_EQ(register_host(mapped(100), page), cuda_success);
    EXPECT_EQ(register_host(mapped(page + 200), 8), cuda_error_host_memory_already_registered); // its last page
    EXPECT_EQ(unregister(mapped(100)), cuda_success);
}

TEST_F(Memory, that_is_not_there_cannot_be_registered) {
    NEEDS_FAKE();
    void *hole = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(static_cast<char *>(hole) + page, page);
    EXPECT_EQ(register_host(hole, 2 * page), cuda_error_invalid_value);
    EXPECT_EQ(register_host(hole, page), cuda_success);
    EXPECT_EQ(unregister(hole), cuda_success);
    munmap(hole, page);
    EXPECT_EQ(register_host(nullptr, page), cuda_error_invalid_value);
    EXPECT_EQ(register_host(mapped(), 0), cuda_error_invalid_value);
    EXPECT_EQ(register_host(mapped(), page, 0x100), cuda_error_invalid_value);
}

TEST_F(Memory, has_a_limit_for_one_call) {
    NEEDS_FAKE();
    EXPECT_EQ(register_host(mapped(), std::size_t{513} << 30), cuda_error_out_of_memory);
}

TEST_F(Memory, registered_without_portable_is_of_one_context) {
    NEEDS_FAKE();
    ASSERT_EQ(register_host(mapped(), page, 0), cuda_success);
    ASSERT_EQ(register_host(mapped(page), page, host_register_portable), cuda_success);
    CUdeviceptr pointer = 0;
    EXPECT_EQ(CU(cuMemHostGetDevicePointer_v2)(&pointer, mapped(), 0), cuda_success);
    EXPECT_EQ(pointer, reinterpret_cast<std::uintptr_t>(mapped()));
    CUcontext own = nullptr;
    ASSERT_EQ(CU(cuCtxCreate_v2)(&own, 0, 0), cuda_success);
    EXPECT_EQ(CU(cuMemHostGetDevicePointer_v2)(&pointer, mapped(), 0), cuda_error_invalid_value);
    EXPECT_EQ(CU(cuMemHostGetDevicePointer_v2)(&pointer, mapped(page), 0), cuda_success);
    EXPECT_EQ(CU(cuCtxDestroy_v2)(own), cuda_success);
    EXPECT_EQ(unregister(mapped()), cuda_success);
    EXPECT_EQ(unregister(mapped(page)), cuda_success);
}

TEST_F(Memory, allocated_page_locked_is_freed_as_such) {
    void *memory = nullptr;
    ASSERT_EQ(CU(cuMemHostAlloc)(&memory, block, host_alloc_portable | host_alloc_device_map), cuda_success);
    static_cast<char *>(memory)[block - 1] = 1;
    unsigned flags = 0;
    EXPECT_EQ(CU(cuMemHostGetFlags)(&flags, memory), cuda_success);
    EXPECT_NE(flags & host_alloc_portable, 0U);
    EXPECT_EQ(CU(cuMemFreeHost)(memory), cuda_success);
    ASSERT_EQ(register_host(mapped(), page), cuda_success);
    EXPECT_EQ(CU(cuMemFreeHost)(mapped()), cuda_error_invalid_value);
    EXPECT_EQ(unregister(mapped()), cuda_success);
    EXPECT_EQ(CU(cuMemHostAlloc)(&memory, 0, 0), cuda_error_invalid_value);
}

TEST_F(Memory, page_locked_is_really_locked_where_the_kernel_allows_it) {
    NEEDS_FAKE();
    if (!control().pinned()) {
        GTEST_SKIP() << "[io-uring] the kernel locks no pages for us";
    }
    ASSERT_EQ(register_host(mapped(), block), cuda_success);
    EXPECT_TRUE(control().pinned());
    // A locked page stays where it is: the kernel cannot give a copy's place to a discarded one.
    EXPECT_EQ(madvise(mapped(), block, MADV_PAGEOUT), 0);
    std::vector<unsigned char> there(block / page);
    ASSERT_EQ(mincore(mapped(), block, there.data()), 0);
    for (const unsigned char state : there) {
        EXPECT_EQ(state & 1, 1);
    }
    EXPECT_EQ(unregister(mapped()), cuda_success);
}

TEST_F(Memory, device_pointers_can_differ_from_host_pointers) {
    NEEDS_FAKE();
    start_again(R"({"host_pointer_offset": 4096})");
    int same = -1;
    EXPECT_EQ(CU(cuDeviceGetAttribute)(&same, attribute_can_use_host_pointer_for_registered_mem, 0), cuda_success);
    EXPECT_EQ(same, 0);
    ASSERT_EQ(register_host(mapped(), 2 * page), cuda_success);
    CUdeviceptr pointer = 0;
    EXPECT_EQ(CU(cuMemHostGetDevicePointer_v2)(&pointer, mapped(), 0), cuda_success);
    EXPECT_EQ(pointer, reinterpret_cast<std::uintptr_t>(mapped()) + 4096);
    EXPECT_EQ(CU(cuMemHostGetDevicePointer_v2)(&pointer, mapped(page + 5), 0), cuda_success);
    EXPECT_EQ(pointer, reinterpret_cast<std::uintptr_t>(mapped(page + 5)) + 4096);
    EXPECT_EQ(CU(cuMemHostGetDevicePointer_v2)(&pointer, mapped(2 * page), 0), cuda_error_invalid_value);
    EXPECT_EQ(unregister(mapped()), cuda_success);
}

int attribute(CUdevice_attribute which, CUdevice device) {
    int value = -1;
    EXPECT_EQ(CU(cuDeviceGetAttribute)(&value, which, device), cuda_success);
    return value;
}

TEST_F(Memory, cannot_be_registered_on_some_devices) {
    NEEDS_FAKE();
    start_again(R"({"devices": [{"host_register": false}, {"pageable_by_host_tables": true}]})");
    EXPECT_EQ(attribute(attribute_host_register_supported, 0), 0);
    EXPECT_EQ(attribute(attribute_host_register_supported, 1), 1);
    EXPECT_EQ(attribute(attribute_can_use_host_pointer_for_registered_mem, 0), 1);
    EXPECT_EQ(attribute(attribute_pageable_memory_access_uses_host_page_tables, 0), 0);
    EXPECT_EQ(attribute(attribute_pageable_memory_access_uses_host_page_tables, 1), 1);
    EXPECT_EQ(register_host(mapped(), 0), cuda_error_invalid_value);
    EXPECT_EQ(register_host(mapped(), page), cuda_error_not_supported);
    EXPECT_EQ(unregister(mapped()), cuda_error_host_memory_not_registered);
    void *memory = nullptr;
    ASSERT_EQ(CU(cuMemHostAlloc)(&memory, page, 0), cuda_success);
    EXPECT_EQ(CU(cuMemFreeHost)(memory), cuda_success);
}

TEST_F(Memory, data_arrive_on_the_device_and_back) {
    std::vector<int> out(5000), back(out.size());
    std::iota(out.begin(), out.end(), 1);
    const std::size_t bytes = out.size() * sizeof(int);
    CUdeviceptr device = 0;
    ASSERT_EQ(CU(cuMemAlloc_v2)(&device, bytes), cuda_success);
    EXPECT_EQ(CU(cuMemcpyHtoD_v2)(device, out.data(), bytes), cuda_success);
    EXPECT_EQ(CU(cuMemcpyDtoH_v2)(back.data(), device, bytes), cuda_success);
    EXPECT_EQ(out, back);
    EXPECT_EQ(CU(cuMemcpyDtoH_v2)(back.data(), 0x1000, bytes), cuda_error_invalid_value);
    EXPECT_EQ(CU(cuMemFree_v2)(device), cuda_success);
}

TEST_F(Memory, page_locked_is_read_when_the_stream_gets_there) {
    NEEDS_FAKE();
    const CUstream stream = make_stream();
    CUdeviceptr device = 0;
    ASSERT_EQ(register_host(mapped(), page), cuda_success);
    ASSERT_EQ(CU(cuMemAlloc_v2)(&device, page), cuda_success);
    mapped()[0] = 1;
    std::vector<char> pageable(page, 1);
    ASSERT_EQ(control().hold(stream), cuda_success);
    EXPECT_EQ(CU(cuMemcpyHtoDAsync_v2)(device, mapped(), 1, stream), cuda_success);
    EXPECT_EQ(CU(cuMemcpyHtoDAsync_v2)(device + 1, pageable.data(), 1, stream), cuda_success);
    mapped()[0] = 2;
    pageable[0] = 2;
    control().let_go(stream);
    char back[2] = {};
    EXPECT_EQ(CU(cuMemcpyDtoHAsync_v2)(back, device, 2, stream), cuda_success);
    EXPECT_EQ(back[0], 2);
    EXPECT_EQ(back[1], 1);
    EXPECT_EQ(CU(cuMemFree_v2)(device), cuda_success);
    EXPECT_EQ(unregister(mapped()), cuda_success);
    destroy(stream);
}

TEST_F(Memory, pointers_are_known) {
    int type = 0, ordinal = -1;
    CUdeviceptr device = 0, base = 0;
    std::size_t bytes = 0;
    ASSERT_EQ(CU(cuMemAlloc_v2)(&device, block), cuda_success);
    EXPECT_EQ(CU(cuPointerGetAttribute)(&type, 2, device + 5), cuda_success);
    EXPECT_EQ(type, memory_type_device);
    EXPECT_EQ(CU(cuPointerGetAttribute)(&ordinal, 9, device), cuda_success);
    EXPECT_EQ(ordinal, 0);
    EXPECT_EQ(CU(cuMemGetAddressRange_v2)(&base, &bytes, device + 5), cuda_success);
    EXPECT_EQ(base, device);
    EXPECT_EQ(bytes, block);
    EXPECT_EQ(CU(cuMemFree_v2)(device), cuda_success);
    ASSERT_EQ(register_host(mapped(), page), cuda_success);
    EXPECT_EQ(CU(cuPointerGetAttribute)(&type, 2, reinterpret_cast<std::uintptr_t>(mapped())), cuda_success);
    EXPECT_EQ(type, memory_type_host);
    EXPECT_EQ(unregister(mapped()), cuda_success);
    int on_stack = 0;
    EXPECT_EQ(CU(cuPointerGetAttribute)(&type, 2, reinterpret_cast<std::uintptr_t>(&on_stack)),
              cuda_error_invalid_value);
}

TEST_F(Memory, of_the_device_ends) {
    NEEDS_FAKE();
    CUdeviceptr device = 0;
    std::size_t free = 0, after = 0, total = 0;
    ASSERT_EQ(CU(cuMemGetInfo_v2)(&free, &total), cuda_success);
    EXPECT_EQ(CU(cuMemAlloc_v2)(&device, free + 1), cuda_error_out_of_memory);
    ASSERT_EQ(CU(cuMemAlloc_v2)(&device, free / 2), cuda_success);
    ASSERT_EQ(CU(cuMemGetInfo_v2)(&after, &total), cuda_success);
    EXPECT_LE(after, free - free / 2);
    EXPECT_EQ(CU(cuMemFree_v2)(device), cuda_success);
    EXPECT_EQ(CU(cuMemFree_v2)(device), cuda_error_invalid_value);
}

} // namespace

} // namespace driver_tests
