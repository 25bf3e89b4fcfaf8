// SPDX-License-Identifier: Apache-2.0
#include "driver/driver.hpp"

#include <atomic>

namespace driver_tests {

namespace {

using Events = ContextTest;

TEST_F(Events, one_never_recorded_is_done) {
    const CUevent event = make_event();
    EXPECT_EQ(CU(cuEventQuery)(event), cuda_success);
    EXPECT_EQ(CU(cuEventSynchronize)(event), cuda_success);
    destroy(event);
}

TEST_F(Events, stand_for_the_work_before_them) {
    NEEDS_FAKE();
    const CUstream stream = make_stream();
    const CUevent before = make_event(), after = make_event();
    ASSERT_EQ(CU(cuEventRecord)(before, stream), cuda_success);
    ASSERT_EQ(control().hold(stream), cuda_success);
    ASSERT_EQ(CU(cuEventRecord)(after, stream), cuda_success);
    EXPECT_EQ(CU(cuEventQuery)(before), cuda_success);
    EXPECT_EQ(CU(cuEventQuery)(after), cuda_error_not_ready);
    control().let_go(stream);
    EXPECT_EQ(CU(cuEventSynchronize)(after), cuda_success);
    EXPECT_EQ(CU(cuEventQuery)(after), cuda_success);
    destroy(before);
    destroy(after);
    destroy(stream);
}

TEST_F(Events, one_stream_waits_for_another) {
    NEEDS_FAKE();
    const CUstream first = make_stream(), second = make_stream();
    const CUevent event = make_event();
    ASSERT_EQ(control().hold(first), cuda_success);
    ASSERT_EQ(CU(cuEventRecord)(event, first), cuda_success);
    ASSERT_EQ(CU(cuStreamWaitEvent)(second, event, 0), cuda_success);
    destroy(event); // what was asked for stays
    std::atomic<int> ran{0};
    const auto count = [](void *to) { static_cast<std::atomic<int> *>(to)->fetch_add(1); };
    ASSERT_EQ(CU(cuLaunchHostFunc)(second, count, &ran), cuda_success);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_EQ(ran, 0);
    EXPECT_EQ(CU(cuStreamQuery)(second), cuda_error_not_ready);
    control().let_go(first);
    EXPECT_EQ(CU(cuStreamSynchronize)(second), cuda_success);
    EXPECT_EQ(ran, 1);
    destroy(first);
    destroy(second);
}

TEST_F(Events, of_another_device_can_be_waited_for_and_not_recorded) {
    int count = 0;
    ASSERT_EQ(CU(cuDeviceGetCount)(&count), cuda_success);
    if (count < 2) {
        GTEST_SKIP() << "[two-devices] there is one";
    }
    const CUevent event = make_event();
    CUcontext other = nullptr;
    ASSERT_EQ(CU(cuDevicePrimaryCtxRetain)(&other, 1), cuda_success);
    ASSERT_EQ(CU(cuCtxPushCurrent_v2)(other), cuda_success);
    const CUstream stream = make_stream();
    EXPECT_EQ(CU(cuStreamWaitEvent)(stream, event, 0), cuda_success);
    EXPECT_EQ(CU(cuEventRecord)(event, stream), cuda_error_invalid_handle);
    destroy(stream);
    EXPECT_EQ(CU(cuCtxPopCurrent_v2)(nullptr), cuda_success);
    EXPECT_EQ(CU(cuDevicePrimaryCtxRelease_v2)(1), cuda_success);
    destroy(event);
}

TEST_F(Events, wrong_handles_and_flags_are_refused) {
    NEEDS_FAKE();
    CUevent event = nullptr;
    EXPECT_EQ(CU(cuEventCreate)(&event, 64), cuda_error_invalid_value);
    event = make_event();
    destroy(event);
    EXPECT_EQ(CU(cuEventDestroy_v2)(event), cuda_error_invalid_handle);
    EXPECT_EQ(CU(cuEventQuery)(event), cuda_error_invalid_handle);
    EXPECT_EQ(CU(cuEventRecord)(event, nullptr), cuda_error_invalid_handle);
    EXPECT_EQ(CU(cuStreamWaitEvent)(nullptr, event, 0), cuda_error_invalid_handle);
}

} // namespace

} // namespace driver_tests
