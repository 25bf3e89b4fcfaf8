// SPDX-License-Identifier: Apache-2.0
// Many threads at once, each with streams and events of its own, one of them capturing.
#include "driver/driver.hpp"

#include <atomic>
#include <vector>

namespace driver_tests {

namespace {

class Threads : public ContextTest {
protected:
    /// A round of what a stream pool does.
    void use_streams(std::atomic<int> &ran) {
        CUstreamCaptureMode mode = capture_mode_relaxed;
        EXPECT_EQ(CU(cuThreadExchangeStreamCaptureMode)(&mode), cuda_success);
        const CUstream first = make_stream(), second = make_stream();
        const CUevent event = make_event();
        const auto count = [](void *to) { static_cast<std::atomic<int> *>(to)->fetch_add(1); };
        EXPECT_EQ(CU(cuLaunchHostFunc)(first, count, &ran), cuda_success);
        EXPECT_EQ(CU(cuEventRecord)(event, first), cuda_success);
        EXPECT_EQ(CU(cuStreamWaitEvent)(second, event, 0), cuda_success);
        EXPECT_EQ(CU(cuLaunchHostFunc)(second, count, &ran), cuda_success);
        while (CU(cuEventQuery)(event) == cuda_error_not_ready) {
            std::this_thread::yield();
        }
        EXPECT_EQ(CU(cuStreamSynchronize)(second), cuda_success);
        EXPECT_EQ(CU(cuStreamQuery)(first), cuda_success);
        destroy(event);
        destroy(first);
        destroy(second);
        EXPECT_EQ(CU(cuThreadExchangeStreamCaptureMode)(&mode), cuda_success);
    }

    void capture_once() {
        const CUstream stream = make_stream();
        CUgraph graph = nullptr;
        EXPECT_EQ(CU(cuStreamBeginCapture_v2)(stream, capture_mode_relaxed), cuda_success);
        EXPECT_EQ(CU(cuStreamEndCapture)(stream, &graph), cuda_success);
        EXPECT_EQ(CU(cuGraphDestroy)(graph), cuda_success);
        destroy(stream);
    }
};

TEST_F(Threads, do_not_get_in_each_others_way) {
    constexpr int thread_count = 4, rounds = 25;
    std::atomic<int> ran{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < thread_count; i++) {
        threads.emplace_back([this, i, &ran] {
            EXPECT_EQ(CU(cuCtxPushCurrent_v2)(context_), cuda_success);
            for (int round = 0; round < rounds; round++) {
                use_streams(ran);
                if (i == 0) {
                    capture_once();
                }
            }
            EXPECT_EQ(CU(cuCtxPopCurrent_v2)(nullptr), cuda_success);
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(ran, 2 * thread_count * rounds);
}

TEST_F(Threads, make_and_end_contexts_at_once) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([this] {
            for (int round = 0; round < 10; round++) {
                CUcontext primary = nullptr, own = nullptr;
                EXPECT_EQ(CU(cuDevicePrimaryCtxRetain)(&primary, 0), cuda_success);
                EXPECT_EQ(primary, context_);
                EXPECT_EQ(CU(cuCtxCreate_v2)(&own, 0, 0), cuda_success);
                destroy(make_stream());
                EXPECT_EQ(CU(cuCtxDestroy_v2)(own), cuda_success);
                EXPECT_EQ(CU(cuDevicePrimaryCtxRelease_v2)(0), cuda_success);
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
}

} // namespace

} // namespace driver_tests
