// SPDX-License-Identifier: Apache-2.0
#include "driver/driver.hpp"

#include <atomic>
#include <chrono>
#include <set>
#include <vector>

namespace driver_tests {

namespace {

using Streams = ContextTest;

void append(void *to) {
    auto *numbers = static_cast<std::vector<int> *>(to);
    numbers->push_back(static_cast<int>(numbers->size()));
}

TEST_F(Streams, run_their_work_in_order) {
    const CUstream stream = make_stream();
    std::vector<int> numbers;
    for (int i = 0; i < 100; i++) {
        ASSERT_EQ(CU(cuLaunchHostFunc)(stream, append, &numbers), cuda_success);
    }
    EXPECT_EQ(CU(cuStreamSynchronize)(stream), cuda_success);
    EXPECT_EQ(numbers.size(), 100U);
    EXPECT_EQ(CU(cuStreamQuery)(stream), cuda_success);
    destroy(stream);
}

TEST_F(Streams, know_what_they_are) {
    const CUstream stream = make_stream();
    unsigned flags = 0;
    int priority = 1;
    CUcontext context = nullptr;
    CUstreamCaptureStatus status = -1;
    EXPECT_EQ(CU(cuStreamGetFlags)(stream, &flags), cuda_success);
    EXPECT_EQ(flags, stream_non_blocking);
    EXPECT_EQ(CU(cuStreamGetPriority)(stream, &priority), cuda_success);
    EXPECT_EQ(priority, 0);
    EXPECT_EQ(CU(cuStreamGetCtx)(stream, &context), cuda_success);
    EXPECT_EQ(context, context_);
    if (has("cuStreamIsCapturing")) {
        EXPECT_EQ(CU(cuStreamIsCapturing)(stream, &status), cuda_success);
        EXPECT_EQ(status, capture_status_none);
    }
    destroy(stream);
}

TEST_F(Streams, a_priority_outside_the_range_is_clamped) {
    int least = 0, greatest = 0, priority = 0;
    CUstream stream = nullptr;
    ASSERT_EQ(CU(cuCtxGetStreamPriorityRange)(&least, &greatest), cuda_success);
    ASSERT_EQ(CU(cuStreamCreateWithPriority)(&stream, stream_non_blocking, greatest - 100), cuda_success);
    EXPECT_EQ(CU(cuStreamGetPriority)(stream, &priority), cuda_success);
    EXPECT_EQ(priority, greatest);
    destroy(stream);
}

TEST_F(Streams, have_ids_that_are_never_used_again) {
    if (!has("cuStreamGetId")) {
        GTEST_SKIP() << "[cuda-12] cuStreamGetId came with 12.0";
    }
    std::set<unsigned long long> ids;
    for (int i = 0; i < 100; i++) {
        const CUstream stream = make_stream();
        unsigned long long id = 0;
        EXPECT_EQ(CU(cuStreamGetId)(stream, &id), cuda_success);
        EXPECT_TRUE(ids.insert(id).second) << id;
        destroy(stream);
    }
}

TEST_F(Streams, wrong_handles_and_flags_are_refused) {
    NEEDS_FAKE();
    CUstream stream = nullptr;
    EXPECT_EQ(CU(cuStreamCreateWithPriority)(&stream, 6, 0), cuda_error_invalid_value);
    stream = make_stream();
    destroy(stream);
    EXPECT_EQ(CU(cuStreamDestroy_v2)(stream), cuda_error_invalid_handle);
    EXPECT_EQ(CU(cuStreamQuery)(stream), cuda_error_invalid_handle);
    EXPECT_EQ(CU(cuStreamQuery)(reinterpret_cast<CUstream>(0x12345)), cuda_error_invalid_handle);
}

TEST_F(Streams, default_streams_have_handles_of_their_own) {
    for (const std::uintptr_t handle : {std::uintptr_t{0}, stream_legacy, stream_per_thread}) {
        const auto stream = reinterpret_cast<CUstream>(handle);
        std::vector<int> numbers;
        EXPECT_EQ(CU(cuLaunchHostFunc)(stream, append, &numbers), cuda_success);
        EXPECT_EQ(CU(cuStreamSynchronize)(stream), cuda_success);
        EXPECT_EQ(numbers.size(), 1U);
        EXPECT_EQ(CU(cuStreamQuery)(stream), cuda_success);
    }
}

TEST_F(Streams, the_legacy_default_stream_waits_for_blocking_streams_only) {
    NEEDS_FAKE();
    const CUstream blocking = make_stream(0), free = make_stream();
    ASSERT_EQ(control().hold(free), cuda_success);
    std::vector<int> numbers;
    ASSERT_EQ(CU(cuLaunchHostFunc)(nullptr, append, &numbers), cuda_success);
    EXPECT_EQ(CU(cuStreamSynchronize)(nullptr), cuda_success);
    ASSERT_EQ(control().hold(blocking), cuda_success);
    ASSERT_EQ(CU(cuLaunchHostFunc)(nullptr, append, &numbers), cuda_success);
    EXPECT_EQ(CU(cuStreamQuery)(nullptr), cuda_error_not_ready);
    control().let_go(blocking);
    EXPECT_EQ(CU(cuStreamSynchronize)(nullptr), cuda_success);
    EXPECT_EQ(numbers.size(), 2U);
    EXPECT_EQ(CU(cuStreamQuery)(free), cuda_error_not_ready);
    control().let_go(free);
    destroy(blocking);
    destroy(free);
}

TEST_F(Streams, are_busy_until_their_work_is_done) {
    NEEDS_FAKE();
    const CUstream stream = make_stream();
    ASSERT_EQ(control().hold(stream), cuda_success);
    EXPECT_EQ(CU(cuStreamQuery)(stream), cuda_error_not_ready);
    control().let_go(stream);
    EXPECT_EQ(CU(cuStreamSynchronize)(stream), cuda_success);
    const auto start = std::chrono::steady_clock::now();
    ASSERT_EQ(control().busy(stream, 20000000), cuda_success);
    EXPECT_EQ(CU(cuStreamSynchronize)(stream), cuda_success);
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(20));
    destroy(stream);
}

TEST_F(Streams, destroying_a_busy_one_does_not_wait_and_its_work_is_done) {
    const CUstream stream = make_stream(), other = make_stream();
    const CUevent event = make_event();
    std::atomic<int> ran{0};
    const auto slow = [](void *to) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        static_cast<std::atomic<int> *>(to)->fetch_add(1);
    };
    ASSERT_EQ(CU(cuLaunchHostFunc)(stream, slow, &ran), cuda_success);
    ASSERT_EQ(CU(cuEventRecord)(event, stream), cuda_success);
    destroy(stream);
    EXPECT_EQ(CU(cuEventSynchronize)(event), cuda_success);
    EXPECT_EQ(ran, 1);
    destroy(event);
    destroy(other);
}

TEST_F(Streams, a_callback_is_told_that_all_is_well) {
    if (!has("cuStreamAddCallback")) {
        GTEST_SKIP() << "[cuda-callback] the library has none";
    }
    const CUstream stream = make_stream();
    std::atomic<CUresult> told{-1};
    const auto tell = [](CUstream, CUresult status, void *to) { *static_cast<std::atomic<CUresult> *>(to) = status; };
    ASSERT_EQ(CU(cuStreamAddCallback)(stream, tell, &told, 0), cuda_success);
    EXPECT_EQ(CU(cuStreamSynchronize)(stream), cuda_success);
    EXPECT_EQ(told, cuda_success);
    EXPECT_EQ(CU(cuStreamAddCallback)(stream, tell, &told, 1), cuda_error_invalid_value);
    destroy(stream);
}

TEST_F(Streams, a_callback_may_not_call_the_driver) {
    NEEDS_FAKE();
    const CUstream stream = make_stream();
    static std::atomic<CUresult> got{-1};
    const auto call = [](void *) {
        int count = 0;
        got = CU(cuDeviceGetCount)(&count);
    };
    ASSERT_EQ(CU(cuLaunchHostFunc)(stream, call, nullptr), cuda_success);
    EXPECT_EQ(CU(cuStreamSynchronize)(stream), cuda_success);
    EXPECT_EQ(got, cuda_error_not_permitted);
    destroy(stream);
}

TEST_F(Streams, there_are_only_so_many) {
    NEEDS_FAKE();
    TearDown();
    context_ = nullptr;
    start(R"({"stream_limit": 2})");
    ASSERT_EQ(CU(cuDevicePrimaryCtxRetain)(&context_, 0), cuda_success);
    ASSERT_EQ(CU(cuCtxPushCurrent_v2)(context_), cuda_success);
    const CUstream first = make_stream(), second = make_stream();
    CUstream third = nullptr;
    EXPECT_EQ(CU(cuStreamCreateWithPriority)(&third, 0, 0), cuda_error_out_of_memory);
    destroy(first);
    third = make_stream();
    destroy(second);
    destroy(third);
}

TEST_F(Streams, end_their_threads_when_destroyed) {
    NEEDS_FAKE();
    const CUstream stream = make_stream();
    EXPECT_EQ(control().threads(), 0);
    std::vector<int> numbers;
    ASSERT_EQ(CU(cuLaunchHostFunc)(stream, append, &numbers), cuda_success);
    EXPECT_EQ(control().threads(), 1);
    EXPECT_EQ(CU(cuStreamSynchronize)(stream), cuda_success);
    destroy(stream);
    while (control().threads() != 0) {
        std::this_thread::yield();
    }
}

} // namespace

} // namespace driver_tests
