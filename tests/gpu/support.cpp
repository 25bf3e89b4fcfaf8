// SPDX-License-Identifier: Apache-2.0
#include "gpu/support.hpp"

#include <algorithm>
#include <cstdlib>
#include <dlfcn.h>
#include <sstream>

namespace nearpool_gpu {
namespace {

void *library() {
    static void *const only = [] {
        const char *chosen = std::getenv("NEARPOOL_CUDA_LIBRARY");
        return dlopen(chosen != nullptr ? chosen : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    }();
    return only;
}

template <class Function> void find(Function *&function, const char *symbol) {
    function = reinterpret_cast<Function *>(dlsym(library(), symbol));
}

Driver found_driver() {
    Driver driver;
#define NEARPOOL_CUDA(member, symbol, name, version, need, parameters) find(driver.member, #symbol);
#include "cuda/entry_points.inc"
#undef NEARPOOL_CUDA
    find(driver.begin_capture, "cuStreamBeginCapture_v2");
    find(driver.end_capture, "cuStreamEndCapture");
    find(driver.graph_destroy, "cuGraphDestroy");
    return driver;
}

Fake found_fake() {
    Fake fake;
    find(fake.reset, "fakeCudaReset");
    find(fake.fail, "fakeCudaFail");
    find(fake.null, "fakeCudaNull");
    find(fake.gate, "fakeCudaGate");
    find(fake.gate_waiting, "fakeCudaGateWaiting");
    find(fake.calls, "fakeCudaCalls");
    find(fake.steps, "fakeCudaStepCount");
    find(fake.log, "fakeCudaLog");
    find(fake.log_text, "fakeCudaLogText");
    find(fake.log_clear, "fakeCudaLogClear");
    find(fake.lose, "fakeCudaLose");
    find(fake.teardown, "fakeCudaTeardown");
    find(fake.busy, "fakeCudaBusy");
    find(fake.hold, "fakeCudaHold");
    find(fake.let_go, "fakeCudaLetGo");
    find(fake.held, "fakeCudaHeld");
    find(fake.config, "fakeCudaConfig");
    return fake;
}

} // namespace

const Driver *driver() {
    static const Driver only = library() != nullptr ? found_driver() : Driver();
    return only.init != nullptr ? &only : nullptr;
}

const Fake *fake() {
    static const Fake only = library() != nullptr ? found_fake() : Fake();
    return only.reset != nullptr ? &only : nullptr;
}

std::string devices_json(int count, const std::string &more) {
    std::string list;
    for (int i = 0; i < count; i++) {
        list += i == 0 ? "{}" : ",{}";
    }
    return "{\"devices\":[" + list + "]" + (more.empty() ? "" : "," + more) + "}";
}

void Gpu::SetUp() {
    int count = 0;
    if (driver() == nullptr || driver()->init(0) != cuda_success ||
        driver()->device_get_count(&count) != cuda_success || count == 0) {
        GTEST_SKIP() << "[cuda] needs a driver with a device";
    }
    if (fake() != nullptr) {
        const char *held = fake()->reset(nullptr, 0);
        ASSERT_EQ(held, nullptr) << "held before the test: " << held;
        ASSERT_EQ(driver()->init(0), cuda_success);
    }
}

void Gpu::TearDown() {
    if (fake() != nullptr) {
        EXPECT_STREQ(fake()->held(), "");
    }
}

void FakeGpu::SetUp() {
    if (fake() == nullptr) {
        GTEST_SKIP() << "[fake-driver] needs the fake driver";
    }
    configure(devices_json(3));
}

void FakeGpu::TearDown() {
    if (fake() != nullptr) {
        fake()->fail("*", 0, 0, 0);
        EXPECT_STREQ(fake()->held(), "");
        EXPECT_EQ(fake()->reset("", 1), nullptr);
    }
}

void FakeGpu::configure(const std::string &json) {
    const char *held = fake()->reset(json.c_str(), 0);
    ASSERT_EQ(held, nullptr) << "held before: " << held;
    fake()->log("");
    driver()->init(0); // fails where it is to fail
}

std::string refused_call(CUresult answer) {
    const std::string end = " = " + std::to_string(answer);
    std::istringstream log(fake()->log_text());
    for (std::string line; std::getline(log, line);) {
        if (line.size() > end.size() && line.compare(line.size() - end.size(), end.size(), end) == 0) {
            return line;
        }
    }
    return "";
}

CUstreamCaptureMode capture_mode() {
    CUstreamCaptureMode mode = 0;
    EXPECT_EQ(driver()->thread_exchange_capture_mode(&mode), cuda_success);
    const CUstreamCaptureMode found = mode;
    EXPECT_EQ(driver()->thread_exchange_capture_mode(&mode), cuda_success);
    return found;
}

std::vector<CUcontext> context_stack() {
    std::vector<CUcontext> stack;
    CUcontext context = nullptr;
    while (driver()->ctx_get_current(&context) == cuda_success && context != nullptr) {
        stack.push_back(context);
        EXPECT_EQ(driver()->ctx_pop_current(&context), cuda_success);
    }
    for (auto it = stack.rbegin(); it != stack.rend(); ++it) {
        EXPECT_EQ(driver()->ctx_push_current(*it), cuda_success);
    }
    return stack;
}

Devices::Devices(const device_pool_options *options) {
    Error error;
    EXPECT_EQ(device_pool_create(options, &pool_, &error), NEAR_OK) << error.message;
}

Devices::Devices(const std::vector<int32_t> &ordinals) {
    device_pool_options options = device_options();
    options.ordinals = ordinals.data();
    options.ordinal_count = ordinals.size();
    Error error;
    EXPECT_EQ(device_pool_create(&options, &pool_, &error), NEAR_OK) << error.message;
}

CUcontext Devices::context(int32_t ordinal) const {
    void *context = nullptr;
    Error error;
    EXPECT_EQ(device_pool_context(pool_, ordinal, &context, &error), NEAR_OK) << error.message;
    return static_cast<CUcontext>(context);
}

Streams::Streams(device_pool *devices, const stream_pool_options &options, int32_t ordinal) {
    Error error;
    EXPECT_EQ(stream_pool_create(devices, ordinal, &options, &pool_, &error), NEAR_OK) << error.message;
}

uint64_t Streams::acquire() const {
    uint64_t id = 0;
    EXPECT_EQ(stream_pool_acquire(pool_, &id), NEAR_OK);
    return id;
}

CUstream Streams::at(uint64_t id) const {
    void *stream = nullptr;
    EXPECT_EQ(stream_pool_resolve(pool_, id, &stream), NEAR_OK);
    return static_cast<CUstream>(stream);
}

stream_pool_info Streams::info() const {
    stream_pool_info info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(stream_pool_get_info(pool_, &info), NEAR_OK);
    return info;
}

} // namespace nearpool_gpu
