// SPDX-License-Identifier: Apache-2.0
// Memory in the order of streams, and memory of both sides.
#include "driver/driver.hpp"

#include <cstring>

namespace driver_tests {

namespace {

using Pools = ContextTest;

constexpr std::size_t bytes = 1 << 16;

TEST_F(Pools, give_and_take_in_the_order_of_a_stream) {
    const CUstream stream = make_stream();
    CUdeviceptr start = 0;
    const char out[] = "through a pool";
    char back[sizeof out] = "";
    ASSERT_EQ(CU(cuMemAllocAsync)(&start, bytes, stream), cuda_success);
    EXPECT_EQ(CU(cuMemcpyHtoDAsync_v2)(start, out, sizeof out, stream), cuda_success);
    EXPECT_EQ(CU(cuMemcpyDtoHAsync_v2)(back, start, sizeof out, stream), cuda_success);
    EXPECT_EQ(CU(cuMemFreeAsync)(start, stream), cuda_success);
    EXPECT_EQ(CU(cuStreamSynchronize)(stream), cuda_success);
    EXPECT_STREQ(back, out);
    EXPECT_EQ(CU(cuMemAllocAsync)(&start, 0, stream), cuda_error_invalid_value);
    destroy(stream);
}

TEST_F(Pools, have_a_place_and_attributes) {
    CUmemoryPool pool = nullptr, standard = nullptr;
    CUmemPoolProps properties{};
    properties.type = allocation_pinned;
    properties.location = {location_device, 0};
    ASSERT_EQ(CU(cuMemPoolCreate)(&pool, &properties), cuda_success);
    uint64_t threshold = 123, got = 0;
    EXPECT_EQ(CU(cuMemPoolSetAttribute)(pool, 4, &threshold), cuda_success);
    EXPECT_EQ(CU(cuMemPoolGetAttribute)(pool, 4, &got), cuda_success);
    EXPECT_EQ(got, threshold);
    const CUstream stream = make_stream();
    CUdeviceptr start = 0;
    ASSERT_EQ(CU(cuMemAllocFromPoolAsync)(&start, bytes, pool, stream), cuda_success);
    EXPECT_EQ(CU(cuMemPoolGetAttribute)(pool, 7, &got), cuda_success);
    EXPECT_EQ(got, bytes);
    EXPECT_EQ(CU(cuMemFreeAsync)(start, stream), cuda_success);
    EXPECT_EQ(CU(cuStreamSynchronize)(stream), cuda_success);
    EXPECT_EQ(CU(cuMemPoolTrimTo)(pool, 0), cuda_success);
    EXPECT_EQ(CU(cuMemPoolDestroy)(pool), cuda_success);
    EXPECT_EQ(CU(cuDeviceGetDefaultMemPool)(&standard, 0), cuda_success);
    EXPECT_NE(standard, nullptr);
    EXPECT_EQ(CU(cuMemPoolDestroy)(standard), cuda_error_invalid_value);
    properties.location = {4, 0}; // the calling thread's node
    EXPECT_EQ(CU(cuMemPoolCreate)(&pool, &properties), cuda_error_invalid_value);
    destroy(stream);
}

TEST_F(Pools, managed_memory_is_of_both_sides) {
    NEEDS_FAKE();
    CUdeviceptr start = 0;
    int managed = 0;
    ASSERT_EQ(CU(cuMemAllocManaged)(&start, bytes, 1), cuda_success);
    std::memset(reinterpret_cast<void *>(start), 5, bytes);
    char back = 0;
    EXPECT_EQ(CU(cuMemcpyDtoH_v2)(&back, start + bytes - 1, 1), cuda_success);
    EXPECT_EQ(back, 5);
    EXPECT_EQ(CU(cuPointerGetAttribute)(&managed, 8, start), cuda_success);
    EXPECT_EQ(managed, 1);
    if (has("cuMemPrefetchAsync_v2")) {
        EXPECT_EQ(CU(cuMemAdvise_v2)(start, bytes, 3, {location_device, 0}), cuda_success);
        EXPECT_EQ(CU(cuMemPrefetchAsync_v2)(start, bytes, {location_device, 0}, 0, nullptr), cuda_success);
        EXPECT_EQ(CU(cuMemAdvise_v2)(start, 2 * bytes, 3, {location_device, 0}), cuda_error_invalid_value);
    }
    EXPECT_EQ(CU(cuMemFree_v2)(start), cuda_success);
}

} // namespace

} // namespace driver_tests
