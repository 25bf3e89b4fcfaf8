// SPDX-License-Identifier: Apache-2.0
// Without a driver: what the functions for GPUs say, that nothing is made up, and that the rest works as before. Each
// test chooses its environment, and so has a process of its own.
#include "contract/numa_pool_support.hpp"

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <unistd.h>

using namespace nearpool_test;

namespace {

constexpr const char *missing_library = "/does/not/exist.so";

void without_a_driver(const char *library = missing_library) {
    ASSERT_EQ(::setenv("NEARPOOL_CUDA_LIBRARY", library, 1), 0);
}

// What no function may write to where it fails.
template <class Handle> Handle *untouched() {
    static char somewhere;
    return reinterpret_cast<Handle *>(&somewhere);
}

// Calls something that needs a driver with outputs that are already set.
template <class Handle, class Call> void expect_no_driver(const char *function, Call &&call) {
    Handle *made = untouched<Handle>();
    Error error;
    EXPECT_EQ(call(&made, &error), NEAR_E_NO_DRIVER) << function;
    EXPECT_EQ(made, untouched<Handle>()) << function << " wrote its output";
    EXPECT_EQ(error.status, NEAR_E_NO_DRIVER);
    EXPECT_TRUE(error.says(function)) << error.message;
    EXPECT_TRUE(error.says(missing_library)) << error.message;
    EXPECT_TRUE(error.says("cannot open shared object file")) << error.message;
    EXPECT_TRUE(error.says("NEARPOOL_CUDA_LIBRARY")) << "who chose that file: " << error.message;
    EXPECT_EQ(call(&made, nullptr), NEAR_E_NO_DRIVER) << function << " without a place for the sentence";
}

device_pool_options device_options() {
    device_pool_options options{};
    options.struct_size = sizeof options;
    return options;
}

ALONE_TEST(NoGpu, WhatNeedsADriverSaysThatThereIsNone) {
    without_a_driver();
    expect_no_driver<device_pool>("device_pool_create", [](device_pool **pool, near_error *error) {
        return device_pool_create(nullptr, pool, error);
    });
    expect_no_driver<device_pool>(
        "device_pool_default", [](device_pool **pool, near_error *error) { return device_pool_default(pool, error); });
    expect_no_driver<stream_pool>("stream_pool_create", [](stream_pool **pool, near_error *error) {
        return stream_pool_create(nullptr, 0, nullptr, pool, error);
    });
    expect_no_driver<near_pin>("near_pin_device", [](near_pin **pin, near_error *error) {
        return near_pin_device(nullptr, 0, nullptr, pin, error);
    });
    const Pool workers(1);
    EXPECT_EQ(numa_pool_submit_near(workers, nullptr, 0, succeed, nullptr), NEAR_E_NO_DRIVER);
    EXPECT_EQ(counts_of(workers).accepted, 0U) << "nothing was queued";
}

ALONE_TEST(NoGpu, PageLockedMemoryNeedsADriver) {
    without_a_driver();
    const Pool workers(1);
    char own[64];
    expect_no_driver<near_pinned>("numa_pool_alloc_pinned", [&](near_pinned **pinned, near_error *error) {
        return numa_pool_alloc_pinned(workers, nullptr, 0, 4096, nullptr, pinned, error);
    });
    expect_no_driver<near_pinned_request>(
        "numa_pool_request_pinned", [&](near_pinned_request **made, near_error *error) {
            return numa_pool_request_pinned(workers, nullptr, 0, 4096, nullptr, made, error);
        });
    expect_no_driver<near_pinned>("numa_pool_adopt_pinned", [&](near_pinned **pinned, near_error *error) {
        return numa_pool_adopt_pinned(workers, nullptr, 0, own, sizeof own, nullptr, pinned, error);
    });
    size_t freed = 7;
    near_pinned_stats stats{};
    stats.struct_size = sizeof stats;
    stats.hits = 7;
    Error error;
    EXPECT_EQ(numa_pool_trim_pinned(workers, nullptr, NEAR_NODE_UNKNOWN, 0, &freed, &error), NEAR_E_NO_DRIVER);
    EXPECT_TRUE(error.says("numa_pool_trim_pinned") && error.says(missing_library)) << error.message;
    EXPECT_EQ(numa_pool_pinned_stats(workers, nullptr, NEAR_NODE_UNKNOWN, &stats, &error), NEAR_E_NO_DRIVER);
    EXPECT_TRUE(error.says("numa_pool_pinned_stats") && error.says(missing_library)) << error.message;
    EXPECT_EQ(freed, 7U);
    EXPECT_EQ(stats.hits, 7U);
}

ALONE_TEST(NoGpu, PageLockedMemoryOfNoBytesIsInvalidBeforeAnythingElse) {
    without_a_driver();
    const Pool workers(1);
    near_pinned_options unknown{};
    unknown.struct_size = 1;
    near_pinned *pinned = untouched<near_pinned>();
    near_pinned_request *request = untouched<near_pinned_request>();
    char own[64];
    Error error;
    EXPECT_EQ(numa_pool_alloc_pinned(workers, nullptr, 0, 0, &unknown, &pinned, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("numa_pool_alloc_pinned: 0 bytes were asked for")) << error.message;
    EXPECT_EQ(numa_pool_request_pinned(workers, nullptr, 0, 0, &unknown, &request, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("numa_pool_request_pinned: 0 bytes were asked for")) << error.message;
    EXPECT_EQ(numa_pool_adopt_pinned(workers, nullptr, 0, own, 0, &unknown, &pinned, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("numa_pool_adopt_pinned: 0 bytes were asked for")) << error.message;
    EXPECT_EQ(numa_pool_alloc_pinned(workers, nullptr, 0, 1, &unknown, &pinned, &error), NEAR_E_VERSION);
    EXPECT_EQ(numa_pool_alloc_pinned(workers, nullptr, 0, SIZE_MAX, nullptr, &pinned, &error), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_alloc_pinned(workers, nullptr, 0, 1, nullptr, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_trim_pinned(nullptr, nullptr, NEAR_NODE_UNKNOWN, 0, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_pinned_stats(workers, nullptr, NEAR_NODE_UNKNOWN, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(pinned, untouched<near_pinned>());
    EXPECT_EQ(request, untouched<near_pinned_request>());
}

ALONE_TEST(NoGpu, StrictAndAListOfDevicesSayTheSame) {
    without_a_driver();
    const int32_t ordinals[] = {0, 1};
    device_pool_options options = device_options();
    options.ordinals = ordinals;
    options.ordinal_count = 2;
    for (const uint32_t strict : {0U, 1U}) {
        options.strict = strict;
        expect_no_driver<device_pool>("device_pool_create", [&](device_pool **pool, near_error *error) {
            return device_pool_create(&options, pool, error);
        });
    }
}

void refuses(const device_pool_options &options, near_status status) {
    device_pool *pool = untouched<device_pool>();
    Error error;
    EXPECT_EQ(device_pool_create(&options, &pool, &error), status) << error.message;
    EXPECT_EQ(pool, untouched<device_pool>());
}

ALONE_TEST(NoGpu, DeviceArgumentsAreCheckedFirst) {
    without_a_driver();
    const int32_t twice[] = {0, 0};
    device_pool_options options = device_options();
    options.ordinals = twice;
    refuses(options, NEAR_E_EMPTY_SET);
    options.ordinal_count = 2;
    refuses(options, NEAR_E_INVALID);
    options = device_options();
    options.strict = 2;
    refuses(options, NEAR_E_INVALID);
    options = device_options();
    options.own_contexts = 2;
    refuses(options, NEAR_E_INVALID);
    options = device_options();
    options.struct_size = 1;
    refuses(options, NEAR_E_VERSION);
    EXPECT_EQ(device_pool_create(nullptr, nullptr, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_default(nullptr, nullptr), NEAR_E_INVALID);
}

ALONE_TEST(NoGpu, StreamAndPinArgumentsAreCheckedFirst) {
    without_a_driver();
    stream_pool_options options{};
    options.struct_size = sizeof options;
    options.mode = 3;
    stream_pool *streams = untouched<stream_pool>();
    Error error;
    EXPECT_EQ(stream_pool_create(nullptr, 0, &options, &streams, &error), NEAR_E_INVALID) << error.message;
    options.mode = STREAM_POOL_EXCLUSIVE;
    options.max_streams = 65537;
    EXPECT_EQ(stream_pool_create(nullptr, 0, &options, &streams, &error), NEAR_E_INVALID) << error.message;
    options.struct_size = 1;
    EXPECT_EQ(stream_pool_create(nullptr, 0, &options, &streams, &error), NEAR_E_VERSION) << error.message;
    EXPECT_EQ(streams, untouched<stream_pool>());
    EXPECT_EQ(stream_pool_create(nullptr, 0, nullptr, nullptr, nullptr), NEAR_E_INVALID);

    const near_pin_options neither{sizeof neither, 2};
    near_pin *pin = untouched<near_pin>();
    EXPECT_EQ(near_pin_device(nullptr, 0, &neither, &pin, &error), NEAR_E_INVALID) << error.message;
    EXPECT_EQ(pin, untouched<near_pin>());
    EXPECT_EQ(near_pin_device(nullptr, 0, nullptr, nullptr, nullptr), NEAR_E_INVALID);
    const Pool workers(1);
    EXPECT_EQ(numa_pool_submit_near(nullptr, nullptr, 0, succeed, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_submit_near(workers, nullptr, 0, nullptr, nullptr), NEAR_E_INVALID);
}

ALONE_TEST(NoGpu, NoPoolOfDevicesHasNoDeviceAndNoContext) {
    without_a_driver();
    int32_t ordinal = 7;
    uint32_t node = 7;
    size_t count = 7;
    void *context = untouched<void>();
    device_pool_facts facts{};
    facts.struct_size = sizeof facts;
    device_pool_memory memory{};
    memory.struct_size = sizeof memory;
    device_pool_skipped skipped{};
    skipped.struct_size = sizeof skipped;
    EXPECT_EQ(device_pool_count(nullptr), 0U);
    EXPECT_EQ(device_pool_at(nullptr, 0, &ordinal), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_next(nullptr, &ordinal), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_best(nullptr, DEVICE_POOL_BEST_TOTAL_MEMORY, 0, &ordinal, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_context(nullptr, 0, &context, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_context_at(nullptr, 0, &context, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_push(nullptr, 0, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_pop(nullptr), NEAR_E_WRONG_THREAD) << "nothing was pushed";
    EXPECT_EQ(device_pool_get_facts(nullptr, 0, &facts), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_node(nullptr, 0, &node), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_get_memory(nullptr, 0, &memory, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_get_peers(nullptr, nullptr, 0, &count, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_get_skipped(nullptr, 0, &skipped, &count), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_describe(nullptr, nullptr, 0, &count, nullptr), NEAR_E_INVALID);
    device_pool_destroy(nullptr);
    EXPECT_EQ(ordinal, 7);
    EXPECT_EQ(node, 7U);
    EXPECT_EQ(count, 7U);
    EXPECT_EQ(context, untouched<void>());
    EXPECT_EQ(facts.total_bytes + memory.total_bytes, 0U);
}

ALONE_TEST(NoGpu, NoPoolOfStreamsLendsNothing) {
    without_a_driver();
    uint64_t id = 7;
    uint32_t done = 7;
    void *stream = untouched<void>();
    stream_pool_info info{};
    info.struct_size = sizeof info;
    const near_task task{succeed, nullptr, nullptr};
    EXPECT_EQ(stream_pool_acquire(nullptr, &id), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_release(nullptr, 1), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_resolve(nullptr, STREAM_POOL_DEFAULT, &stream), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_adopt(nullptr, &id, &id, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_get_info(nullptr, &info), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_query(nullptr, 1, &done, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_synchronize(nullptr, 1, 0, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_wait_on(nullptr, 1, nullptr, 1, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_then(nullptr, 1, nullptr, succeed, nullptr, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_then_task(nullptr, 1, nullptr, &task, nullptr, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_reserve(nullptr, 1, 1), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_unreserve(nullptr, 1, 1), NEAR_E_INVALID);
    stream_pool_destroy(nullptr);
    EXPECT_EQ(id, 7U);
    EXPECT_EQ(done, 7U);
    EXPECT_EQ(stream, untouched<void>());
    EXPECT_EQ(info.max_streams, 0U);
}

// A file that is there now, and is no library: the sentence changes with it.
ALONE_TEST(NoGpu, EveryCallLooksForTheDriverAgain) {
    without_a_driver();
    device_pool *pool = nullptr;
    Error error;
    EXPECT_EQ(device_pool_default(&pool, &error), NEAR_E_NO_DRIVER);
    EXPECT_TRUE(error.says(missing_library)) << error.message;
    const std::string path = testing::TempDir() + "no-library-" + std::to_string(::getpid());
    std::ofstream(path) << "This is no library, and long enough for the linker to see that at its first glance.\n";
    without_a_driver(path.c_str());
    EXPECT_EQ(device_pool_default(&pool, &error), NEAR_E_NO_DRIVER);
    EXPECT_TRUE(error.says(path.c_str()) && error.says("invalid ELF header")) << error.message;
    without_a_driver("libc.so.6"); // a library, and not of a driver
    EXPECT_EQ(device_pool_create(nullptr, &pool, &error), NEAR_E_NO_DRIVER);
    EXPECT_TRUE(error.says("libc.so.6")) << error.message;
    EXPECT_EQ(pool, nullptr);
    ::unlink(path.c_str());
}

ALONE_TEST(NoGpu, TheNumaSideWorksAsBefore) {
    without_a_driver();
    device_pool *devices = nullptr;
    ASSERT_EQ(device_pool_default(&devices, nullptr), NEAR_E_NO_DRIVER);
    const Pool pool(1);
    std::atomic<uint64_t> ran{0};
    for (const uint32_t node : nodes_of(pool)) {
        for (int i = 0; i < 100; i++) {
            EXPECT_EQ(submit(pool, node, [&] { ran++; }), NEAR_OK);
        }
        EXPECT_EQ(numa_pool_submit_near(pool, nullptr, 0, succeed, nullptr), NEAR_E_NO_DRIVER);
    }
    EXPECT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(ran, 100 * nodes_of(pool).size());
    expect_counts_add_up(pool);
    near_region *region = nullptr;
    Error error;
    ASSERT_EQ(numa_pool_alloc(pool, NUMA_POOL_NODE_LOCAL, 1 << 16, nullptr, &region, &error), NEAR_OK) << error.message;
    std::memset(near_region_data(region), 1, 1 << 16);
    near_region_destroy(region);
    near_pin *pin = nullptr;
    ASSERT_EQ(near_pin_nearest(nullptr, nodes_of(pool)[0], nullptr, &pin, &error), NEAR_OK) << error.message;
    EXPECT_EQ(near_pin_release(pin, &error), NEAR_OK) << error.message;
}

// The warnings of a process, each a line.
struct Warnings {
    std::vector<std::string> lines;
    Warnings() { EXPECT_EQ(near_log_set_callback(take, this, NEAR_LOG_WARN), NEAR_OK); }
    ~Warnings() { EXPECT_EQ(near_log_set_callback(nullptr, nullptr, NEAR_LOG_NONE), NEAR_OK); }
    Warnings(const Warnings &) = delete;
    Warnings &operator=(const Warnings &) = delete;
    static void take(int32_t, const char *message, void *user_data) {
        static_cast<Warnings *>(user_data)->lines.emplace_back(message);
    }
};

constexpr uint64_t mebibyte = UINT64_C(1) << 20U;

ALONE_TEST(StreamBudget, IsPlannedWithoutAGpuAndSaturates) {
    without_a_driver();
    ASSERT_EQ(::unsetenv("NEARPOOL_STREAM_MB"), 0);
    EXPECT_EQ(stream_pool_planned_budget(4, 4), UINT64_C(4294967296));
    EXPECT_EQ(stream_pool_planned_budget(1, 1), 256 * mebibyte);
    EXPECT_EQ(stream_pool_planned_budget(0, 4), 0U);
    EXPECT_EQ(stream_pool_planned_budget(0, UINT64_MAX), 0U);
    EXPECT_EQ(stream_pool_planned_budget(UINT64_MAX, 0), 0U);
    EXPECT_EQ(stream_pool_planned_budget(UINT64_MAX, UINT64_MAX), UINT64_MAX);
    EXPECT_EQ(stream_pool_planned_budget(UINT64_C(1) << 32U, UINT64_C(1) << 32U), UINT64_MAX);
    EXPECT_EQ(stream_pool_planned_budget(UINT64_C(1) << 36U, 1), UINT64_MAX) << "2^36 times 2^28 is one too many";
    EXPECT_EQ(stream_pool_planned_budget((UINT64_C(1) << 36U) - 1, 1), UINT64_MAX - 256 * mebibyte + 1);
}

ALONE_TEST(StreamBudget, FollowsTheEnvironment) {
    const Warnings warnings;
    for (const char *value : {"64", " 64", "64 ", "\t 64 \n", "0064"}) {
        ASSERT_EQ(::setenv("NEARPOOL_STREAM_MB", value, 1), 0);
        EXPECT_EQ(stream_pool_planned_budget(2, 3), 6 * 64 * mebibyte) << "\"" << value << "\"";
    }
    ASSERT_EQ(::setenv("NEARPOOL_STREAM_MB", "17592186044415", 1), 0);
    EXPECT_EQ(stream_pool_planned_budget(1, 1), UINT64_MAX - mebibyte + 1) << "the most that 64 bits hold";
    EXPECT_EQ(stream_pool_planned_budget(1, 2), UINT64_MAX);
    EXPECT_TRUE(warnings.lines.empty()) << warnings.lines[0];
}

ALONE_TEST(StreamBudget, ABadValueIsReportedOnceAndIgnored) {
    const Warnings warnings;
    for (const char *value : {"plenty", "0", "-1", "256MB", "2 56", "1e3", "0x10", "  ", "17592186044416",
                              "99999999999999999999", "+5", "2.5"}) {
        ASSERT_EQ(::setenv("NEARPOOL_STREAM_MB", value, 1), 0);
        EXPECT_EQ(stream_pool_planned_budget(1, 1), 256 * mebibyte) << "\"" << value << "\"";
    }
    ASSERT_EQ(warnings.lines.size(), 1U);
    EXPECT_NE(warnings.lines[0].find("NEARPOOL_STREAM_MB=plenty"), std::string::npos) << warnings.lines[0];
    ASSERT_EQ(::setenv("NEARPOOL_STREAM_MB", "8", 1), 0);
    EXPECT_EQ(stream_pool_planned_budget(1, 1), 8 * mebibyte) << "a good value after bad ones";
}

} // namespace
