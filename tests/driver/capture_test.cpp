// SPDX-License-Identifier: Apache-2.0
#include "driver/driver.hpp"

#include <atomic>

namespace driver_tests {

namespace {

class Captures : public ContextTest {
protected:
    void SetUp() override {
        ContextTest::SetUp();
        if (!IsSkipped() && !has("cuStreamIsCapturing")) {
            GTEST_SKIP() << "[cuda-capture] the library cannot tell";
        }
    }

    void begin(CUstream stream, CUstreamCaptureMode mode = capture_mode_global) {
        ASSERT_EQ(CU(cuStreamBeginCapture_v2)(stream, mode), cuda_success);
    }

    CUresult end(CUstream stream) {
        CUgraph graph = nullptr;
        const CUresult result = CU(cuStreamEndCapture)(stream, &graph);
        EXPECT_EQ(graph != nullptr, result == cuda_success);
        if (graph != nullptr) {
            EXPECT_EQ(CU(cuGraphDestroy)(graph), cuda_success);
        }
        return result;
    }

    CUstreamCaptureStatus status_of(CUstream stream) {
        CUstreamCaptureStatus status = -1;
        EXPECT_EQ(CU(cuStreamIsCapturing)(stream, &status), cuda_success);
        return status;
    }
};

TEST_F(Captures, record_work_instead_of_running_it) {
    const CUstream stream = make_stream();
    std::atomic<int> ran{0};
    begin(stream);
    EXPECT_EQ(status_of(stream), capture_status_active);
    const auto count = [](void *to) { static_cast<std::atomic<int> *>(to)->fetch_add(1); };
    EXPECT_EQ(CU(cuLaunchHostFunc)(stream, count, &ran), cuda_success);
    EXPECT_EQ(end(stream), cuda_success);
    EXPECT_EQ(status_of(stream), capture_status_none);
    EXPECT_EQ(CU(cuStreamSynchronize)(stream), cuda_success);
    EXPECT_EQ(ran, 0);
    destroy(stream);
}

TEST_F(Captures, a_query_of_the_stream_ends_them) {
    const CUstream stream = make_stream();
    begin(stream, capture_mode_relaxed);
    EXPECT_EQ(CU(cuStreamQuery)(stream), cuda_error_capture_unsupported);
    EXPECT_EQ(status_of(stream), capture_status_invalidated);
    EXPECT_EQ(end(stream), cuda_error_capture_invalidated);
    destroy(stream);
}

TEST_F(Captures, an_unsafe_call_of_another_thread_ends_a_global_one) {
    NEEDS_FAKE();
    const CUstream stream = make_stream();
    begin(stream);
    on_new_thread([&] {
        EXPECT_EQ(CU(cuCtxPushCurrent_v2)(context_), cuda_success);
        CUevent event = nullptr;
        EXPECT_EQ(CU(cuEventCreate)(&event, 0), cuda_error_capture_unsupported);
    });
    EXPECT_EQ(end(stream), cuda_error_capture_invalidated);
    destroy(stream);
}

TEST_F(Captures, a_relaxed_thread_does_them_no_harm) {
    const CUstream stream = make_stream();
    const CUstream other = make_stream();
    begin(stream);
    on_new_thread([&] {
        CUstreamCaptureMode mode = capture_mode_relaxed;
        EXPECT_EQ(CU(cuCtxPushCurrent_v2)(context_), cuda_success);
        EXPECT_EQ(CU(cuThreadExchangeStreamCaptureMode)(&mode), cuda_success);
        EXPECT_EQ(mode, capture_mode_global);
        const CUstream made = make_stream();
        const CUevent event = make_event();
        EXPECT_EQ(CU(cuEventRecord)(event, made), cuda_success);
        EXPECT_EQ(CU(cuEventQuery)(event), cuda_success);
        EXPECT_EQ(CU(cuStreamQuery)(other), cuda_success);
        destroy(made);
        destroy(event);
        EXPECT_EQ(CU(cuThreadExchangeStreamCaptureMode)(&mode), cuda_success);
        EXPECT_EQ(mode, capture_mode_relaxed);
    });
    EXPECT_EQ(end(stream), cuda_success);
    destroy(stream);
    destroy(other);
}

TEST_F(Captures, of_the_thread_alone_do_not_mind_others) {
    const CUstream stream = make_stream();
    begin(stream, capture_mode_thread_local);
    on_new_thread([&] {
        EXPECT_EQ(CU(cuCtxPushCurrent_v2)(context_), cuda_success);
        destroy(make_event());
    });
    EXPECT_EQ(end(stream), cuda_success);
    begin(stream, capture_mode_thread_local);
    CUevent event = nullptr;
    EXPECT_EQ(CU(cuEventCreate)(&event, 0), control().available() ? cuda_error_capture_unsupported : cuda_success);
    if (event != nullptr) {
        destroy(event);
    }
    (void)end(stream);
    destroy(stream);
}

TEST_F(Captures, the_id_of_a_captured_stream_cannot_be_asked_for) {
    NEEDS_FAKE();
    if (!has("cuStreamGetId")) {
        GTEST_SKIP() << "[cuda-12] cuStreamGetId came with 12.0";
    }
    const CUstream stream = make_stream();
    begin(stream);
    unsigned long long id = 0;
    EXPECT_EQ(CU(cuStreamGetId)(stream, &id), cuda_error_capture_unsupported);
    EXPECT_EQ(end(stream), cuda_error_capture_invalidated);
    destroy(stream);
}

TEST_F(Captures, an_event_of_one_cannot_be_asked_and_brings_streams_in) {
    const CUstream stream = make_stream(), other = make_stream();
    const CUevent event = make_event(), back = make_event();
    begin(stream, capture_mode_relaxed);
    EXPECT_EQ(CU(cuEventRecord)(event, stream), cuda_success);
    EXPECT_EQ(CU(cuStreamWaitEvent)(other, event, 0), cuda_success);
    EXPECT_EQ(status_of(other), capture_status_active);
    EXPECT_EQ(CU(cuEventRecord)(back, other), cuda_success);
    EXPECT_EQ(CU(cuStreamWaitEvent)(stream, back, 0), cuda_success);
    EXPECT_EQ(end(stream), cuda_success);
    EXPECT_EQ(status_of(other), capture_status_none);
    EXPECT_EQ(CU(cuEventQuery)(event), cuda_error_captured_event);
    destroy(event);
    destroy(back);
    destroy(stream);
    destroy(other);
}

TEST_F(Captures, have_one_origin_one_thread_and_an_end) {
    const CUstream stream = make_stream(), other = make_stream();
    CUgraph graph = nullptr;
    EXPECT_EQ(CU(cuStreamBeginCapture_v2)(nullptr, capture_mode_global), cuda_error_capture_unsupported);
    EXPECT_EQ(CU(cuStreamEndCapture)(stream, &graph), cuda_error_illegal_state);
    begin(stream);
    EXPECT_EQ(CU(cuStreamBeginCapture_v2)(stream, capture_mode_global), cuda_error_illegal_state);
    on_new_thread([&] {
        EXPECT_EQ(CU(cuCtxPushCurrent_v2)(context_), cuda_success);
        EXPECT_EQ(CU(cuStreamEndCapture)(stream, &graph), cuda_error_capture_wrong_thread);
    });
    (void)end(stream);
    destroy(stream);
    destroy(other);
}

} // namespace

} // namespace driver_tests
