// SPDX-License-Identifier: Apache-2.0
// What the functions of page-locked memory answer to bad input: each its own error, and nothing written. Zero bytes
// come first, and the ordinal last, for that needs a driver.
#include "gpu/pinned_ways.hpp"

#include <functional>
#include <nearpool/pinned_request.h>

using namespace nearpool_gpu;
using nearpool_test::Pool;

namespace {

class PinnedArguments : public Gpu {};
class PinnedArgumentsScript : public FakeGpu {};

// The three calls that make memory, in one form.
struct Maker {
    const char *name;
    std::function<near_status(numa_pool *, device_pool *, int32_t, std::size_t, const near_pinned_options *, bool out,
                              near_error *)>
        call;
};

alignas(4096) char own_memory[2 * 4096];

std::vector<Maker> makers() {
    static near_pinned *const untouched = reinterpret_cast<near_pinned *>(own_memory);
    return {
        {"numa_pool_alloc_pinned",
         [](numa_pool *pool, device_pool *devices, int32_t ordinal, std::size_t bytes,
            const near_pinned_options *options, bool out, near_error *error) {
             near_pinned *pinned = untouched;
             const near_status status =
                 numa_pool_alloc_pinned(pool, devices, ordinal, bytes, options, out ? &pinned : nullptr, error);
             EXPECT_TRUE(status == NEAR_OK || pinned == untouched);
             return status;
         }},
        {"numa_pool_request_pinned",
         [](numa_pool *pool, device_pool *devices, int32_t ordinal, std::size_t bytes,
            const near_pinned_options *options, bool out, near_error *error) {
             auto *const before = reinterpret_cast<near_pinned_request *>(own_memory);
             near_pinned_request *request = before;
             const near_status status =
                 numa_pool_request_pinned(pool, devices, ordinal, bytes, options, out ? &request : nullptr, error);
             EXPECT_TRUE(status == NEAR_OK || request == before);
             return status;
         }},
        {"numa_pool_adopt_pinned",
         [](numa_pool *pool, device_pool *devices, int32_t ordinal, std::size_t bytes,
            const near_pinned_options *options, bool out, near_error *error) {
             near_pinned *pinned = untouched;
             const near_status status = numa_pool_adopt_pinned(pool, devices, ordinal, own_memory, bytes, options,
                                                               out ? &pinned : nullptr, error);
             EXPECT_TRUE(status == NEAR_OK || pinned == untouched);
             return status;
         }},
    };
}

// Each wrong argument is answered for though all that come after it are wrong too.
TEST_F(PinnedArguments, AreLookedAtInTheirOrder) {
    const Devices devices;
    const Pool workers(1);
    near_pinned_options unknown = pinned_options();
    unknown.struct_size = 1;
    near_pinned_options wrong = pinned_options();
    wrong.strict = 2;
    const near_pinned_options fine = pinned_options();
    for (const Maker &maker : makers()) {
        SCOPED_TRACE(maker.name);
        Error error;
        EXPECT_EQ(maker.call(nullptr, devices, 4095, 0, &unknown, false, &error), NEAR_E_INVALID);
        EXPECT_TRUE(error.says("pool is NULL") && error.says(maker.name)) << error.message;
        EXPECT_EQ(maker.call(workers, devices, 4095, 0, &unknown, false, &error), NEAR_E_INVALID);
        EXPECT_TRUE(error.says("0 bytes were asked for")) << error.message;
        EXPECT_EQ(maker.call(workers, devices, 4095, 1, &unknown, false, &error), NEAR_E_VERSION) << error.message;
        EXPECT_EQ(maker.call(workers, devices, 4095, 1, &wrong, false, &error), NEAR_E_INVALID);
        EXPECT_TRUE(error.says("strict is 2")) << error.message;
        EXPECT_EQ(maker.call(workers, devices, 4095, 1, &fine, false, &error), NEAR_E_INVALID);
        EXPECT_TRUE(error.says("is NULL")) << error.message;
        EXPECT_EQ(maker.call(workers, devices, 4095, 1, &fine, true, &error), NEAR_E_DEVICE);
        EXPECT_TRUE(error.says("4095")) << error.message;
        EXPECT_EQ(maker.call(workers, devices, -1, 1, nullptr, true, nullptr), NEAR_E_DEVICE);
        EXPECT_EQ(maker.call(workers, devices, 0, SIZE_MAX, &fine, true, &error), NEAR_E_INVALID);
        EXPECT_TRUE(error.says("overflow")) << error.message;
    }
    Error error;
    Pinned pinned;
    EXPECT_EQ(numa_pool_adopt_pinned(workers, devices, 0, nullptr, 0, &unknown, nullptr, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("data is NULL")) << error.message;
    EXPECT_EQ(numa_pool_adopt_pinned(workers, devices, 0, reinterpret_cast<void *>(UINTPTR_MAX - 10), 100, nullptr,
                                     pinned.out(), &error),
              NEAR_E_INVALID);
    EXPECT_TRUE(error.says("past the end of the address space")) << error.message;
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 0U);
}

TEST_F(PinnedArguments, OptionsWithValuesThatTheyCannotHave) {
    const Devices devices;
    const Pool workers(1);
    const std::vector<std::function<void(near_pinned_options *)>> wrong{
        [](near_pinned_options *o) { o->strict = 2; },
        [](near_pinned_options *o) { o->pages = NEAR_PAGES_HUGE + 1; },
        [](near_pinned_options *o) { o->pages = -1; },
        [](near_pinned_options *o) { o->flags = 16; },
        [](near_pinned_options *o) { o->methods = 1; },
        [](near_pinned_options *o) { o->methods = only(NEAR_PINNED_ADOPTED); },
        [](near_pinned_options *o) { o->alignment = 3; },
        [](near_pinned_options *o) { o->alignment = 2 * gib; },
    };
    for (std::size_t i = 0; i < wrong.size(); i++) {
        near_pinned_options options = pinned_options();
        wrong[i](&options);
        for (const Maker &maker : makers()) {
            EXPECT_EQ(maker.call(workers, devices, 0, 4096, &options, true, nullptr), NEAR_E_INVALID)
                << maker.name << ", case " << i;
        }
    }
    near_pinned_options options = pinned_options(0, NEAR_PINNED_SHARED);
    options.alignment = 2 * page_bytes();
    for (const Maker &maker : makers()) {
        EXPECT_EQ(maker.call(workers, devices, 0, 4096, &options, true, nullptr), NEAR_E_INVALID) << maker.name;
    }
    options = pinned_options();
    options.reserved = 1;
    for (const Maker &maker : makers()) {
        EXPECT_EQ(maker.call(workers, devices, 0, 4096, &options, true, nullptr), NEAR_E_VERSION) << maker.name;
    }
}

// What is there already is where it is, and as it is.
TEST_F(PinnedArguments, AdoptionTakesOnlyTheOptionsThatMeanSomething) {
    const Devices devices;
    const Pool workers(1);
    const std::vector<std::function<void(near_pinned_options *)>> meaningless{
        [](near_pinned_options *o) { o->pages = NEAR_PAGES_BASE; },
        [](near_pinned_options *o) { o->flags = NEAR_PINNED_NO_CACHE; },
        [](near_pinned_options *o) { o->methods = only(NEAR_PINNED_DRIVER); },
        [](near_pinned_options *o) { o->alignment = 64; },
        [](near_pinned_options *o) { o->timeout_ns = NEAR_FOREVER; },
    };
    for (std::size_t i = 0; i < meaningless.size(); i++) {
        near_pinned_options options = pinned_options();
        meaningless[i](&options);
        Pinned pinned;
        Error error;
        EXPECT_EQ(
            numa_pool_adopt_pinned(workers, devices, 0, own_memory, sizeof own_memory, &options, pinned.out(), &error),
            NEAR_E_INVALID)
            << i;
        EXPECT_TRUE(error.says("only strict and chunk_bytes have a meaning")) << error.message;
    }
}

TEST_F(PinnedArguments, OfWhatAsksAboutMemory) {
    const Devices devices;
    const Pool workers(1);
    const Pinned pinned(workers, devices, 64 * kib);
    near_pinned_info info{};
    near_placement placement{};
    near_node_pages nodes[1];
    std::size_t needed = 77;
    int32_t number = 77;
    char text[8] = "before";
    EXPECT_EQ(near_pinned_get_info(nullptr, &info, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_get_info(pinned, nullptr, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_get_info(pinned, &info, nullptr), NEAR_E_VERSION) << "a size of 0";
    EXPECT_EQ(near_pinned_placement(nullptr, &placement, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_placement(pinned, nullptr, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_placement(pinned, &placement, nullptr), NEAR_E_VERSION);
    EXPECT_EQ(near_pinned_nodes(nullptr, nodes, 1, &needed, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_nodes(pinned, nullptr, 1, &needed, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_nodes(pinned, nodes, 1, nullptr, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_look(pinned, &placement, nodes, 1, &needed, nullptr), NEAR_E_VERSION);
    near_placement sized{};
    sized.struct_size = sizeof sized;
    EXPECT_EQ(near_pinned_look(nullptr, &sized, nodes, 1, &needed, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_look(pinned, nullptr, nodes, 1, &needed, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_look(pinned, &sized, nullptr, 1, &needed, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_look(pinned, &sized, nodes, 1, nullptr, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_reason(nullptr, NEAR_PINNED_PLACED, &number, text, sizeof text), NEAR_E_INVALID);
    for (const int32_t method : {0, NEAR_PINNED_ADOPTED + 1, -1}) {
        EXPECT_EQ(near_pinned_reason(pinned, method, &number, text, sizeof text), NEAR_E_INVALID) << method;
    }
    EXPECT_EQ(near_pinned_reason(pinned, NEAR_PINNED_PLACED, nullptr, text, sizeof text), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_reason(pinned, NEAR_PINNED_PLACED, &number, nullptr, 1), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_descriptor(nullptr, &number), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_descriptor(pinned, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(needed, 77U);
    EXPECT_EQ(number, 77);
    EXPECT_STREQ(text, "before");
    EXPECT_EQ(near_pinned_data(nullptr), nullptr);
    EXPECT_EQ(near_pinned_bytes(nullptr), 0U);
    near_pinned_free(nullptr);
    EXPECT_STREQ(near_pinned_method_name(0), "unknown");
}

TEST_F(PinnedArguments, OfReasonsACutSentenceStillEnds) {
    const Devices devices;
    const Pool workers(1);
    const Pinned pinned(workers, devices, 64 * kib, pinned_options(only(NEAR_PINNED_DRIVER)));
    char text[16];
    int32_t reason = 77;
    std::memset(text, '?', sizeof text);
    ASSERT_EQ(near_pinned_reason(pinned, NEAR_PINNED_PLACED, &reason, text, 12), NEAR_OK);
    EXPECT_STREQ(text, "the options");
    EXPECT_EQ(text[12], '?');
    EXPECT_EQ(near_pinned_reason(pinned, NEAR_PINNED_PLACED, &reason, nullptr, 0), NEAR_OK);
    EXPECT_EQ(reason, NEAR_REASON_NOT_ASKED);
    EXPECT_EQ(near_pinned_reason(pinned, NEAR_PINNED_PLACED, &reason, text, 0), NEAR_OK) << "room for nothing";
    EXPECT_STREQ(text, "the options");
}

TEST_F(PinnedArguments, OfStreamsAndTheCache) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    Pinned pinned(workers, devices, 64 * kib);
    const uint64_t id = streams.acquire();
    ASSERT_EQ(stream_pool_release(streams, id), NEAR_OK);
    EXPECT_EQ(near_pinned_used_on(nullptr, streams, STREAM_POOL_DEFAULT), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_used_on(pinned, nullptr, STREAM_POOL_DEFAULT), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_used_on(pinned, streams, id), NEAR_E_STALE);
    EXPECT_EQ(near_pinned_free_after(nullptr, streams, STREAM_POOL_DEFAULT), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_free_after(pinned, nullptr, STREAM_POOL_DEFAULT), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_free_after(pinned, streams, id), NEAR_E_STALE);
    EXPECT_EQ(pinned_stats(workers, devices).live_count, 1U) << "what failed freed nothing";
    std::size_t freed = 77;
    Error error;
    near_pinned_stats stats{};
    EXPECT_EQ(numa_pool_trim_pinned(nullptr, devices, 4094, 0, &freed, &error), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_trim_pinned(workers, devices, 4094, 0, &freed, &error), NEAR_E_NO_NODE);
    EXPECT_TRUE(error.says("node 4094 is not in this topology")) << error.message;
    EXPECT_EQ(freed, 77U);
    EXPECT_EQ(numa_pool_pinned_stats(nullptr, devices, 4094, &stats, &error), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_pinned_stats(workers, devices, 4094, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_pinned_stats(workers, devices, 4094, &stats, &error), NEAR_E_VERSION);
    stats.struct_size = sizeof stats;
    EXPECT_EQ(numa_pool_pinned_stats(workers, devices, 4094, &stats, &error), NEAR_E_NO_NODE);
    EXPECT_EQ(numa_pool_trim_pinned(workers, devices, NEAR_NODE_UNKNOWN, 0, nullptr, nullptr), NEAR_OK);
}

TEST_F(PinnedArguments, OfRequests) {
    const Devices devices;
    const Pool workers(1);
    const Request request(workers, devices, 64 * kib);
    near_pinned_progress progress{};
    const near_task task{nearpool_test::succeed, nullptr, nullptr};
    const near_task idle{nullptr, nullptr, nullptr};
    near_pinned *pinned = nullptr;
    EXPECT_EQ(near_pinned_request_wait(nullptr, 0, &pinned, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_request_wait(request, 0, nullptr, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_request_then(nullptr, workers, 0, &task, nullptr, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_request_then(request, workers, 0, nullptr, nullptr, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_request_then(request, workers, 0, &idle, nullptr, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_request_then(request, workers, 4094, &task, nullptr, nullptr), NEAR_E_NO_NODE);
    EXPECT_EQ(near_pinned_request_progress(nullptr, &progress), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_request_progress(request, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_request_progress(request, &progress), NEAR_E_VERSION);
    EXPECT_EQ(near_pinned_request_cancel(nullptr), NEAR_E_INVALID);
    near_pinned_request_destroy(nullptr);
    Pinned taken;
    EXPECT_EQ(request.wait(&taken), NEAR_OK) << "and all that changed nothing";
}

// Of its own: the process's default pool stays once it is made.
ALONE_TEST(PinnedWithoutADevice, AnswersThatThereIsNone) {
    if (fake() == nullptr) {
        GTEST_SKIP() << "[fake-driver] needs the fake driver";
    }
    ASSERT_EQ(fake()->reset(R"({"mode":"no-device"})", 0), nullptr);
    const Pool workers(1);
    const near_pinned_options options = pinned_options();
    for (const Maker &maker : makers()) {
        Error error;
        EXPECT_EQ(maker.call(workers, nullptr, 0, 0, &options, true, &error), NEAR_E_INVALID) << maker.name;
        EXPECT_TRUE(error.says("0 bytes were asked for")) << error.message;
        EXPECT_EQ(maker.call(workers, nullptr, 0, 4096, &options, true, &error), NEAR_E_NO_DEVICE) << error.message;
    }
    std::size_t freed = 77;
    near_pinned_stats stats{};
    stats.struct_size = sizeof stats;
    EXPECT_EQ(numa_pool_trim_pinned(workers, nullptr, NEAR_NODE_UNKNOWN, 0, &freed, nullptr), NEAR_E_NO_DEVICE);
    EXPECT_EQ(numa_pool_pinned_stats(workers, nullptr, NEAR_NODE_UNKNOWN, &stats, nullptr), NEAR_E_NO_DEVICE);
    EXPECT_EQ(freed, 77U);
}

} // namespace
