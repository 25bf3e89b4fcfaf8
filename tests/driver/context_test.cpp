// SPDX-License-Identifier: Apache-2.0
#include "driver/driver.hpp"

#include <atomic>

namespace driver_tests {

namespace {

using ContextCalls = DriverTest;
using CurrentContext = ContextTest;

CUcontext current() {
    CUcontext context = nullptr;
    EXPECT_EQ(CU(cuCtxGetCurrent)(&context), cuda_success);
    return context;
}

TEST_F(ContextCalls, the_primary_context_is_the_same_for_all_and_counted) {
    unsigned flags = 0;
    int active = -1;
    EXPECT_EQ(CU(cuDevicePrimaryCtxGetState)(0, &flags, &active), cuda_success);
    EXPECT_EQ(active, 0); // asking does not make one
    CUcontext first = nullptr, second = nullptr;
    ASSERT_EQ(CU(cuDevicePrimaryCtxRetain)(&first, 0), cuda_success);
    on_new_thread([&] { EXPECT_EQ(CU(cuDevicePrimaryCtxRetain)(&second, 0), cuda_success); });
    EXPECT_EQ(first, second);
    EXPECT_EQ(current(), nullptr); // retaining does not make it current
    EXPECT_EQ(CU(cuDevicePrimaryCtxRelease_v2)(0), cuda_success);
    EXPECT_EQ(CU(cuDevicePrimaryCtxGetState)(0, &flags, &active), cuda_success);
    EXPECT_EQ(active, 1);
    EXPECT_EQ(CU(cuDevicePrimaryCtxRelease_v2)(0), cuda_success);
    EXPECT_EQ(CU(cuDevicePrimaryCtxGetState)(0, &flags, &active), cuda_success);
    EXPECT_EQ(active, 0);
    EXPECT_EQ(CU(cuDevicePrimaryCtxRelease_v2)(0), cuda_error_invalid_context);
}

// "Resetting the primary context does not release it", and it is safe to release it afterwards.
TEST_F(ContextCalls, a_primary_context_that_was_reset_is_still_to_be_released) {
    unsigned flags = 0;
    int active = -1;
    CUcontext first = nullptr, second = nullptr;
    ASSERT_EQ(CU(cuDevicePrimaryCtxRetain)(&first, 0), cuda_success);
    EXPECT_EQ(CU(cuDevicePrimaryCtxReset_v2)(0), cuda_success);
    EXPECT_EQ(CU(cuDevicePrimaryCtxGetState)(0, &flags, &active), cuda_success);
    EXPECT_EQ(active, 0);
    EXPECT_EQ(CU(cuCtxPushCurrent_v2)(first), cuda_error_context_is_destroyed);
    ASSERT_EQ(CU(cuDevicePrimaryCtxRetain)(&second, 0), cuda_success);
    EXPECT_EQ(CU(cuDevicePrimaryCtxRelease_v2)(0), cuda_success) << "the one from before";
    EXPECT_EQ(CU(cuCtxPushCurrent_v2)(second), cuda_success);
    EXPECT_EQ(CU(cuCtxPopCurrent_v2)(&second), cuda_success);
    EXPECT_EQ(CU(cuDevicePrimaryCtxRelease_v2)(0), cuda_success);
    EXPECT_EQ(CU(cuDevicePrimaryCtxRelease_v2)(0), cuda_error_invalid_context);
}

TEST_F(ContextCalls, creating_pushes_and_destroying_pops) {
    CUcontext own = nullptr;
    ASSERT_EQ(CU(cuCtxCreate_v2)(&own, 0, 0), cuda_success);
    EXPECT_EQ(current(), own);
    EXPECT_EQ(CU(cuCtxDestroy_v2)(own), cuda_success);
    EXPECT_EQ(current(), nullptr);
}

TEST_F(ContextCalls, a_thread_has_a_stack_of_its_own) {
    CUcontext own = nullptr, popped = nullptr;
    EXPECT_EQ(CU(cuCtxPopCurrent_v2)(&popped), cuda_error_invalid_context);
    ASSERT_EQ(CU(cuCtxCreate_v2)(&own, 0, 0), cuda_success);
    on_new_thread([&] {
        EXPECT_EQ(current(), nullptr);
        EXPECT_EQ(CU(cuCtxSetCurrent)(own), cuda_success);
        EXPECT_EQ(current(), own);
        EXPECT_EQ(CU(cuCtxSetCurrent)(nullptr), cuda_success);
        EXPECT_EQ(current(), nullptr);
    });
    EXPECT_EQ(CU(cuCtxPushCurrent_v2)(own), cuda_success);
    EXPECT_EQ(CU(cuCtxPopCurrent_v2)(&popped), cuda_success);
    EXPECT_EQ(popped, own);
    EXPECT_EQ(current(), own);
    EXPECT_EQ(CU(cuCtxDestroy_v2)(own), cuda_success);
}

TEST_F(ContextCalls, without_one_calls_are_refused) {
    CUstream stream = nullptr;
    CUevent event = nullptr;
    void *memory = nullptr;
    std::size_t free = 0, total = 0;
    EXPECT_EQ(CU(cuStreamCreateWithPriority)(&stream, stream_non_blocking, 0), cuda_error_invalid_context);
    EXPECT_EQ(CU(cuEventCreate)(&event, 0), cuda_error_invalid_context);
    EXPECT_EQ(CU(cuMemHostAlloc)(&memory, 4096, 0), cuda_error_invalid_context);
    EXPECT_EQ(CU(cuMemGetInfo_v2)(&free, &total), cuda_error_invalid_context);
}

TEST_F(ContextCalls, a_destroyed_one_is_told_from_none) {
    NEEDS_FAKE();
    CUcontext own = nullptr;
    ASSERT_EQ(CU(cuCtxCreate_v2)(&own, 0, 0), cuda_success);
    std::thread destroyer([&] { EXPECT_EQ(CU(cuCtxDestroy_v2)(own), cuda_success); });
    destroyer.join();
    CUevent event = nullptr;
    EXPECT_EQ(CU(cuEventCreate)(&event, 0), cuda_error_context_is_destroyed); // it is still current here
    EXPECT_EQ(CU(cuCtxPushCurrent_v2)(own), cuda_error_context_is_destroyed);
    EXPECT_EQ(CU(cuCtxPopCurrent_v2)(nullptr), cuda_success);
    EXPECT_EQ(CU(cuCtxPushCurrent_v2)(reinterpret_cast<CUcontext>(0x1234)), cuda_error_invalid_context);
}

TEST_F(CurrentContext, takes_memory_of_its_device) {
    NEEDS_FAKE();
    std::size_t before = 0, after = 0, total = 0;
    ASSERT_EQ(CU(cuMemGetInfo_v2)(&before, &total), cuda_success);
    EXPECT_EQ(total - before, std::size_t{300} << 20);
    CUcontext own = nullptr;
    ASSERT_EQ(CU(cuCtxCreate_v2)(&own, 0, 0), cuda_success);
    ASSERT_EQ(CU(cuMemGetInfo_v2)(&after, &total), cuda_success);
    EXPECT_EQ(before - after, std::size_t{300} << 20);
    EXPECT_EQ(CU(cuCtxDestroy_v2)(own), cuda_success);
    EXPECT_EQ(control().device_used(0), uint64_t{300} << 20);
}

TEST_F(CurrentContext, has_a_range_of_priorities) {
    int least = 1, greatest = 1;
    EXPECT_EQ(CU(cuCtxGetStreamPriorityRange)(&least, &greatest), cuda_success);
    EXPECT_EQ(least, 0);
    EXPECT_LE(greatest, least);
}

TEST_F(CurrentContext, a_lost_one_answers_its_error_and_can_be_released) {
    NEEDS_FAKE();
    if (!has("cuStreamAddCallback")) {
        GTEST_SKIP() << "[cuda-callback] the library has none";
    }
    const CUstream stream = make_stream();
    const CUevent event = make_event();
    static std::atomic<CUresult> told{-1};
    static std::atomic<int> ran{0};
    told = -1;
    ran = 0;
    ASSERT_EQ(control().hold(stream), cuda_success);
    ASSERT_EQ(CU(cuStreamAddCallback)(
                  stream, [](CUstream, CUresult status, void *) { told = status; }, nullptr, 0),
              cuda_success);
    ASSERT_EQ(CU(cuLaunchHostFunc)(
                  stream, [](void *) { ran++; }, nullptr),
              cuda_success);
    ASSERT_EQ(control().lose(context_, 719), cuda_success);
    EXPECT_EQ(CU(cuStreamQuery)(stream), 719);
    EXPECT_EQ(CU(cuEventQuery)(event), 719);
    EXPECT_EQ(CU(cuStreamSynchronize)(stream), 719);
    std::size_t free = 0, total = 0;
    EXPECT_EQ(CU(cuMemGetInfo_v2)(&free, &total), 719);
    while (told == -1) {
        std::this_thread::yield();
    }
    EXPECT_EQ(told, 719);
    EXPECT_EQ(ran, 0);
    EXPECT_EQ(CU(cuStreamDestroy_v2)(stream), 719);
}

TEST_F(CurrentContext, resources_go_with_the_context) {
    NEEDS_FAKE();
    CUcontext own = nullptr;
    ASSERT_EQ(CU(cuCtxCreate_v2)(&own, 0, 0), cuda_success);
    const CUstream stream = make_stream();
    const CUevent event = make_event();
    ASSERT_EQ(control().hold(stream), cuda_success);
    EXPECT_EQ(CU(cuCtxDestroy_v2)(own), cuda_success); // does not wait for what may never end
    EXPECT_EQ(CU(cuStreamQuery)(stream), cuda_error_invalid_handle);
    EXPECT_EQ(CU(cuEventQuery)(event), cuda_error_invalid_handle);
}

} // namespace

} // namespace driver_tests
