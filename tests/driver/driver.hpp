// SPDX-License-Identifier: Apache-2.0
// The driver's interface as a program without its library sees it: names looked up in what dlopen gives. Where no
// driver is, or no device, tests skip with [cuda]; where it is a real one and a test needs a fake, with [fake-driver].
#pragma once

#include "fakes/libcuda/abi.hpp"
#include "fakes/libcuda/calls.hpp"
#include "fakes/libcuda/control.hpp"

#include <gtest/gtest.h>
#include <string>
#include <thread>

namespace driver_tests {

using namespace fakes::cuda;

inline const Control &control() {
    static const Control &loaded = *new Control;
    return loaded;
}

/// An entry point that has the type of the fake's own declaration.
template <typename Function> Function *look_up(const char *symbol) {
    auto *found = control().find<Function>(symbol);
    if (found == nullptr) {
        ADD_FAILURE() << symbol << " is not there";
        std::abort();
    }
    return found;
}
#define CU(symbol) (::driver_tests::look_up<decltype(::fakes::cuda::calls::symbol)>(#symbol))

inline bool has(const char *symbol) {
    return control().find<void()>(symbol) != nullptr;
}

#define NEEDS_MEM_CREATE()                                                                                             \
    if (!::driver_tests::has("cuMemCreate")) {                                                                         \
        GTEST_SKIP() << "[cuMemCreate] this variant has none";                                                         \
    }

/// Runs on a thread that the driver has not seen yet.
template <typename Body> void on_new_thread(Body body) {
    std::thread(body).join();
}

inline int version() {
    int found = 0;
    CU(cuDriverGetVersion)(&found);
    return found;
}

/// Has a driver, initialised, with a device. A fake starts anew with a configuration, and holds nothing at the end.
class DriverTest : public testing::Test {
protected:
    void SetUp() override { start(nullptr); }

    void TearDown() override {
        if (control().available()) {
            control().fail("*", 0, 0);
            EXPECT_EQ(control().held(), "");
            control().reset(nullptr, true);
        }
    }

    void start(const char *config) {
        if (!control().loaded()) {
            GTEST_SKIP() << "[cuda] " << control().reason();
        }
        if (control().available()) {
            control().reset(config != nullptr ? config : environment(), true);
        }
        if (const CUresult result = CU(cuInit)(0); result != cuda_success) {
            GTEST_SKIP() << "[cuda] cuInit: " << result;
        }
    }

    static const char *environment() {
        const char *text = std::getenv("NEARPOOL_FAKE_CUDA");
        return text == nullptr ? "" : text;
    }
};

/// Has the first device's primary context, current.
class ContextTest : public DriverTest {
protected:
    void SetUp() override {
        DriverTest::SetUp();
        if (IsSkipped()) {
            return;
        }
        ASSERT_EQ(CU(cuDevicePrimaryCtxRetain)(&context_, 0), cuda_success);
        ASSERT_EQ(CU(cuCtxPushCurrent_v2)(context_), cuda_success);
    }

    void TearDown() override {
        if (context_ != nullptr) {
            CUcontext popped = nullptr;
            EXPECT_EQ(CU(cuCtxPopCurrent_v2)(&popped), cuda_success);
            EXPECT_EQ(popped, context_);
            EXPECT_EQ(CU(cuDevicePrimaryCtxRelease_v2)(0), cuda_success);
        }
        DriverTest::TearDown();
    }

    /// With another configuration.
    void start_again(const char *config) {
        ContextTest::TearDown();
        context_ = nullptr;
        start(config);
        ASSERT_EQ(CU(cuDevicePrimaryCtxRetain)(&context_, 0), cuda_success);
        ASSERT_EQ(CU(cuCtxPushCurrent_v2)(context_), cuda_success);
    }

    CUstream make_stream(unsigned flags = stream_non_blocking) {
        CUstream stream = nullptr;
        EXPECT_EQ(CU(cuStreamCreateWithPriority)(&stream, flags, 0), cuda_success);
        return stream;
    }

    CUevent make_event() {
        CUevent event = nullptr;
        EXPECT_EQ(CU(cuEventCreate)(&event, event_disable_timing), cuda_success);
        return event;
    }

    void destroy(CUstream stream) { EXPECT_EQ(CU(cuStreamDestroy_v2)(stream), cuda_success); }
    void destroy(CUevent event) { EXPECT_EQ(CU(cuEventDestroy_v2)(event), cuda_success); }

    CUcontext context_ = nullptr;
};

#define NEEDS_FAKE()                                                                                                   \
    if (IsSkipped()) {                                                                                                 \
        return;                                                                                                        \
    }                                                                                                                  \
    if (!::driver_tests::control().available()) {                                                                      \
        GTEST_SKIP() << "[fake-driver] this is a real one";                                                            \
    }

} // namespace driver_tests
