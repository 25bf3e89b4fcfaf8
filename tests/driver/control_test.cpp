// SPDX-License-Identifier: Apache-2.0
// What the fake driver offers to tests.
#include "driver/driver.hpp"

#include <array>
#include <chrono>
#include <functional>

namespace driver_tests {

namespace {

using ControlCalls = ContextTest;

TEST_F(ControlCalls, the_nth_call_fails_once_or_from_then_on) {
    NEEDS_FAKE();
    int count = 0;
    control().fail("cuDeviceGetCount", 2, 999);
    EXPECT_EQ(CU(cuDeviceGetCount)(&count), cuda_success);
    EXPECT_EQ(CU(cuDeviceGetCount)(&count), 999);
    EXPECT_EQ(CU(cuDeviceGetCount)(&count), cuda_success);
    control().fail("cuDeviceGetCount", 1, 2, true);
    EXPECT_EQ(CU(cuDeviceGetCount)(&count), 2);
    EXPECT_EQ(CU(cuDeviceGetCount)(&count), 2);
    control().fail("cuDeviceGetCount", 0, 0);
    EXPECT_EQ(CU(cuDeviceGetCount)(&count), cuda_success);
}

TEST_F(ControlCalls, any_call_can_be_the_one_that_fails) {
    NEEDS_FAKE();
    const auto steps = [this]() -> CUresult {
        CUevent event = nullptr;
        CUresult result = CU(cuEventCreate)(&event, 0);
        if (result == cuda_success) {
            result = CU(cuEventRecord)(event, nullptr);
            EXPECT_EQ(CU(cuEventDestroy_v2)(event), cuda_success);
        }
        return result;
    };
    const uint64_t before = control().step_count();
    EXPECT_EQ(steps(), cuda_success);
    const uint64_t step_count = control().step_count() - before;
    EXPECT_EQ(step_count, 3U);
    for (uint64_t n = 1; n < step_count; n++) {
        control().fail("*", n, 304);
        EXPECT_EQ(steps(), 304) << n;
    }
    control().fail("*", 0, 0);
}

/// Calls give it what they make; a call that gives nothing leaves zeros.
struct Given {
    uint64_t word = 0x5a5a5a5a5a5a5a5a;
    template <typename T> T *as() { return reinterpret_cast<T *>(&word); }
};

TEST_F(ControlCalls, can_succeed_without_a_result) {
    NEEDS_FAKE();
    NEEDS_MEM_CREATE();
    constexpr int memory_bytes = 2 << 20;
    CUmemAllocationProp properties{};
    properties.type = allocation_pinned;
    properties.location = {location_device, 0};
    const std::pair<const char *, std::function<CUresult(Given &)>> makers[] = {
        {"cuDevicePrimaryCtxRetain", [](Given &to) { return CU(cuDevicePrimaryCtxRetain)(to.as<CUcontext>(), 1); }},
        {"cuStreamCreateWithPriority",
         [](Given &to) { return CU(cuStreamCreateWithPriority)(to.as<CUstream>(), stream_non_blocking, 0); }},
        {"cuEventCreate", [](Given &to) { return CU(cuEventCreate)(to.as<CUevent>(), 0); }},
        {"cuMemHostAlloc", [](Given &to) { return CU(cuMemHostAlloc)(to.as<void *>(), memory_bytes, 0); }},
        {"cuMemHostGetDevicePointer_v2",
         [](Given &to) { return CU(cuMemHostGetDevicePointer_v2)(to.as<CUdeviceptr>(), &to, 0); }},
        {"cuMemAddressReserve",
         [](Given &to) { return CU(cuMemAddressReserve)(to.as<CUdeviceptr>(), memory_bytes, 0, 0, 0); }},
        {"cuMemCreate",
         [&](Given &to) {
             return CU(cuMemCreate)(to.as<CUmemGenericAllocationHandle>(), memory_bytes, &properties, 0);
         }},
    };
    const std::string held = control().held();
    for (const auto &[symbol, make] : makers) {
        Given given;
        control().null(symbol, 1);
        EXPECT_EQ(make(given), cuda_success) << symbol;
        EXPECT_EQ(given.word, 0U) << symbol;
        EXPECT_EQ(control().held(), held) << symbol;
    }
}

TEST_F(ControlCalls, the_nth_call_gives_nothing_and_the_others_do) {
    NEEDS_FAKE();
    start_again(R"({"fail": [{"symbol": "cuEventCreate", "nth": 2, "null": true}]})");
    std::array<CUevent, 3> events{};
    for (CUevent &event : events) {
        EXPECT_EQ(CU(cuEventCreate)(&event, 0), cuda_success);
    }
    EXPECT_EQ(events[1], nullptr);
    destroy(events[0]);
    destroy(events[2]);
    // Of a call that makes nothing, there is nothing to give; the memory stays.
    void *memory = nullptr;
    ASSERT_EQ(CU(cuMemHostAlloc)(&memory, 4096, 0), cuda_success);
    control().null("cuMemFreeHost", 1);
    EXPECT_EQ(CU(cuMemFreeHost)(memory), cuda_success);
    *static_cast<char *>(memory) = 1;
    EXPECT_EQ(CU(cuMemFreeHost)(memory), cuda_success);
    control().null("cuMemFreeHost", 1);
    control().null("cuMemFreeHost", 0);
    EXPECT_EQ(CU(cuMemFreeHost)(memory), cuda_error_invalid_value);
}

TEST_F(ControlCalls, calls_are_counted_and_logged) {
    NEEDS_FAKE();
    const uint64_t before = control().calls("cuStreamQuery");
    EXPECT_EQ(CU(cuStreamQuery)(nullptr), cuda_success);
    on_new_thread([] { EXPECT_EQ(CU(cuStreamQuery)(nullptr), cuda_error_invalid_context); });
    EXPECT_EQ(control().calls("cuStreamQuery"), before + 2);
    EXPECT_EQ(control().log_text(), "");
    control().log("memory");
    const CUstream stream = make_stream();
    destroy(stream);
    const std::string text = control().log_text();
    EXPECT_NE(text.find(" cuStreamCreateWithPriority("), std::string::npos) << text;
    EXPECT_NE(text.find(" cuStreamDestroy_v2("), std::string::npos) << text;
    EXPECT_NE(text.find(") = 0\n"), std::string::npos) << text;
    EXPECT_NE(text.find("tid="), std::string::npos) << text;
    control().clear_log();
    EXPECT_EQ(control().log_text(), "");
    control().log("");
}

TEST_F(ControlCalls, what_is_held_is_listed_and_forbids_a_reset) {
    NEEDS_FAKE();
    const CUstream stream = make_stream();
    const std::string held = control().held();
    EXPECT_NE(held.find("primary context of device 0, retained 1 times\n"), std::string::npos) << held;
    EXPECT_NE(held.find("stream "), std::string::npos) << held;
    EXPECT_EQ(control().reset(), held);
    destroy(stream);
}

TEST_F(ControlCalls, memory_and_events_are_listed_by_what_they_are) {
    NEEDS_FAKE();
    NEEDS_MEM_CREATE();
    constexpr std::size_t bytes = 2 << 20;
    const CUevent event = make_event();
    void *allocated = nullptr;
    alignas(4096) static char registered[4096];
    CUdeviceptr address = 0;
    CUmemGenericAllocationHandle handle = 0;
    CUmemAllocationProp properties{};
    properties.type = allocation_pinned;
    properties.location = {location_device, 0};
    ASSERT_EQ(CU(cuMemHostAlloc)(&allocated, 4096, 0), cuda_success);
    ASSERT_EQ(CU(cuMemHostRegister_v2)(registered, sizeof registered, 0), cuda_success);
    ASSERT_EQ(CU(cuMemCreate)(&handle, bytes, &properties, 0), cuda_success);
    ASSERT_EQ(CU(cuMemAddressReserve)(&address, bytes, 0, 0, 0), cuda_success);
    ASSERT_EQ(CU(cuMemMap)(address, bytes, 0, handle, 0), cuda_success);
    const std::string held = control().held();
    for (const char *kind : {"event ", "host memory ", "registered memory ", "1 allocation handles\n",
                             "1 address reservations\n", "1 mappings\n"}) {
        EXPECT_NE(held.find(kind), std::string::npos) << kind << "is not in " << held;
    }
    EXPECT_EQ(CU(cuMemUnmap)(address, bytes), cuda_success);
    EXPECT_EQ(CU(cuMemAddressFree)(address, bytes), cuda_success);
    EXPECT_EQ(CU(cuMemRelease)(handle), cuda_success);
    EXPECT_EQ(CU(cuMemHostUnregister)(registered), cuda_success);
    EXPECT_EQ(CU(cuMemFreeHost)(allocated), cuda_success);
    destroy(event);
}

TEST_F(ControlCalls, a_forced_reset_ends_everything) {
    NEEDS_FAKE();
    const CUstream stream = make_stream();
    ASSERT_EQ(control().hold(stream), cuda_success);
    void *memory = nullptr;
    ASSERT_EQ(CU(cuMemHostAlloc)(&memory, 4096, 0), cuda_success);
    EXPECT_EQ(control().reset(nullptr, true), "");
    EXPECT_EQ(control().held(), "");
    EXPECT_EQ(control().threads(), 0);
    EXPECT_EQ(CU(cuInit)(0), cuda_success);
    CUcontext context = nullptr;
    EXPECT_EQ(CU(cuCtxGetCurrent)(&context), cuda_success);
    EXPECT_EQ(context, nullptr);
    context_ = nullptr;
}

TEST_F(ControlCalls, calls_can_take_their_time) {
    NEEDS_FAKE();
    ContextTest::TearDown();
    context_ = nullptr;
    start(R"({"latency_ns": {"cuDeviceGetCount": 10000000}})");
    int count = 0;
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(CU(cuDeviceGetCount)(&count), cuda_success);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(10));
}

} // namespace

} // namespace driver_tests
