// SPDX-License-Identifier: Apache-2.0
// What the tests of device_pool and stream_pool share: the driver that the library uses, the fake's controls where it
// is the fake one, and handles that give themselves back. Through the public headers alone.
#pragma once

#include "contract/numa_pool_support.hpp"
#include "cuda/types.hpp"
#include "fakes/libcuda/control.h"

#include <nearpool/nearpool.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nearpool_gpu {

using nearpool_test::Error;
using namespace nearpool::cuda;

// The driver's entry points, from the library that nearpool opens. Loaded when first asked for.
struct Driver {
#define NEARPOOL_CUDA(member, symbol, name, version, need, parameters) CUresult(*member) parameters = nullptr;
#include "cuda/entry_points.inc"
#undef NEARPOOL_CUDA
    CUresult (*begin_capture)(CUstream stream, CUstreamCaptureMode mode) = nullptr;
    CUresult (*end_capture)(CUstream stream, void **graph) = nullptr;
    CUresult (*graph_destroy)(void *graph) = nullptr;
};
const Driver *driver(); // nullptr: there is none

// The controls of the fake driver.
struct Fake {
    decltype(&fakeCudaReset) reset = nullptr;
    decltype(&fakeCudaFail) fail = nullptr;
    decltype(&fakeCudaNull) null = nullptr;
    decltype(&fakeCudaGate) gate = nullptr;
    decltype(&fakeCudaGateWaiting) gate_waiting = nullptr;
    decltype(&fakeCudaCalls) calls = nullptr;
    decltype(&fakeCudaStepCount) steps = nullptr;
    decltype(&fakeCudaLog) log = nullptr;
    decltype(&fakeCudaLogText) log_text = nullptr;
    decltype(&fakeCudaLogClear) log_clear = nullptr;
    decltype(&fakeCudaLose) lose = nullptr;
    decltype(&fakeCudaTeardown) teardown = nullptr;
    decltype(&fakeCudaBusy) busy = nullptr;
    decltype(&fakeCudaHold) hold = nullptr;
    decltype(&fakeCudaLetGo) let_go = nullptr;
    decltype(&fakeCudaHeld) held = nullptr;
    decltype(&fakeCudaConfig) config = nullptr;
};
const Fake *fake(); // nullptr: the driver is a real one

// A test that needs any driver with a device; on the fake one, it begins and ends with nothing held.
class Gpu : public testing::Test {
protected:
    void SetUp() override;
    void TearDown() override;
};

// A test that scripts the driver. Begins with three devices, or what configure() says.
class FakeGpu : public testing::Test {
protected:
    void SetUp() override;
    void TearDown() override;
    static void configure(const std::string &json);
};

// "{"devices": [...]}" of so many devices with all defaults, and `more` fields.
std::string devices_json(int count, const std::string &more = "");

// The first line of the fake's log that ends with this answer; "" without one.
std::string refused_call(CUresult answer);

// As cuThreadExchangeStreamCaptureMode says: global, 0, is the driver's default.
CUstreamCaptureMode capture_mode();

// The contexts of the calling thread's stack, from the top. Restores it.
std::vector<CUcontext> context_stack();

class Devices {
public:
    Devices() : Devices(nullptr) {}
    explicit Devices(const device_pool_options *options);
    explicit Devices(const std::vector<int32_t> &ordinals);
    ~Devices() { destroy(); }
    Devices(const Devices &) = delete;
    Devices &operator=(const Devices &) = delete;
    operator device_pool *() const { return pool_; } // NOLINT(google-explicit-constructor)
    void destroy() { device_pool_destroy(std::exchange(pool_, nullptr)); }

    CUcontext context(int32_t ordinal) const;

private:
    device_pool *pool_ = nullptr;
};

inline device_pool_options device_options() {
    device_pool_options options{};
    options.struct_size = sizeof options;
    return options;
}

inline stream_pool_options stream_options(uint32_t max_streams = 0, int32_t mode = STREAM_POOL_EXCLUSIVE) {
    stream_pool_options options{};
    options.struct_size = sizeof options;
    options.max_streams = max_streams;
    options.mode = mode;
    return options;
}

class Streams {
public:
    explicit Streams(device_pool *devices, const stream_pool_options &options = stream_options(), int32_t ordinal = 0);
    ~Streams() { destroy(); }
    Streams(const Streams &) = delete;
    Streams &operator=(const Streams &) = delete;
    operator stream_pool *() const { return pool_; } // NOLINT(google-explicit-constructor)
    void destroy() { stream_pool_destroy(std::exchange(pool_, nullptr)); }
    stream_pool *detach() { return std::exchange(pool_, nullptr); }

    uint64_t acquire() const; // must succeed
    CUstream at(uint64_t id) const;
    stream_pool_info info() const;

private:
    stream_pool *pool_ = nullptr;
};

// The context of a device is current as long as this lives.
class Pushed {
public:
    Pushed(device_pool *pool, int32_t ordinal) { EXPECT_EQ(device_pool_push(pool, ordinal, nullptr), NEAR_OK); }
    ~Pushed() { EXPECT_EQ(device_pool_pop(nullptr), NEAR_OK); }
    Pushed(const Pushed &) = delete;
    Pushed &operator=(const Pushed &) = delete;
};

} // namespace nearpool_gpu
