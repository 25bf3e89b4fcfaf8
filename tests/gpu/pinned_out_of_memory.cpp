// SPDX-License-Identifier: Apache-2.0
// Memory that runs out at each allocation in turn, for the thread that asks: every call says so, keeps nothing, and
// works when there is enough.
#include "gpu/pinned_ways.hpp"
#include "support/limited_memory.hpp"

using namespace nearpool_gpu;
using nearpool_test::call_until_memory_suffices;
using nearpool_test::Pool;

namespace {

// On the fake driver alone, whose own memory does not run out.
class PinnedOutOfMemory : public FakeGpu {};

// The cache of both pools is there, and no thread yet: so memory also runs out where one is started.
void make_cache(numa_pool *workers, device_pool *devices) {
    alignas(4096) static char own[4096];
    Pinned pinned;
    ASSERT_EQ(numa_pool_adopt_pinned(workers, devices, 0, own, sizeof own, nullptr, pinned.out(), nullptr), NEAR_OK);
}

TEST_F(PinnedOutOfMemory, MemoryIsMadeOrNot) {
    for (const bool with_cache : {false, true}) {
        const Devices devices;
        const Pool workers(1);
        if (with_cache) {
            make_cache(workers, devices);
        }
        const near_pinned_options options = pinned_options();
        Pinned pinned;
        EXPECT_GT(call_until_memory_suffices([&] {
                      return numa_pool_alloc_pinned(workers, devices, 0, mib, &options, pinned.out(), nullptr);
                  }),
                  0U);
        pinned.free();
        const near_pinned_stats stats = pinned_stats(workers, devices);
        EXPECT_EQ(stats.live_count, 0U) << "nothing was made for those who were told no";
        EXPECT_EQ(stats.held_bytes, stats.idle_bytes);
        EXPECT_EQ(trim_pinned(workers, devices), stats.idle_bytes);
        EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 0U);
    }
}

TEST_F(PinnedOutOfMemory, ARequestIsMadeOrNot) {
    const Devices devices;
    const Pool workers(1);
    make_cache(workers, devices);
    const near_pinned_options options = pinned_options();
    near_pinned_request *request = nullptr;
    EXPECT_GT(call_until_memory_suffices(
                  [&] { return numa_pool_request_pinned(workers, devices, 0, mib, &options, &request, nullptr); }),
              0U);
    Pinned pinned;
    EXPECT_EQ(near_pinned_request_wait(request, NEAR_FOREVER, pinned.out(), nullptr), NEAR_OK);
    near_pinned_request_destroy(request);
    EXPECT_EQ(pinned_stats(workers, devices).live_count, 1U);
    pinned.free();
    trim_pinned(workers, devices);
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 0U);
}

TEST_F(PinnedOutOfMemory, AStreamIsMarkedOrNot) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    const uint64_t id = streams.acquire();
    Pinned pinned(workers, devices, mib);
    EXPECT_GT(call_until_memory_suffices([&] { return near_pinned_used_on(pinned, streams, id); }), 0U);
    EXPECT_EQ(pinned_stats(workers, devices).live_count, 1U);
    ASSERT_EQ(stream_pool_synchronize(streams, id, NEAR_FOREVER, nullptr), NEAR_OK);
    Pinned other(workers, devices, mib);
    EXPECT_GT(call_until_memory_suffices([&] { return near_pinned_free_after(other, streams, id); }), 0U);
    other.detach();
    EXPECT_EQ(pinned_stats(workers, devices).live_count, 1U) << "freed once";
}

TEST_F(PinnedOutOfMemory, MemoryIsAdoptedOrNot) {
    const Devices devices;
    const Pool workers(1);
    alignas(4096) static char own[4 * 4096];
    Pinned pinned;
    EXPECT_GT(call_until_memory_suffices([&] {
                  return numa_pool_adopt_pinned(workers, devices, 0, own, sizeof own, nullptr, pinned.out(), nullptr);
              }),
              0U);
    EXPECT_EQ(pinned_stats(workers, devices).live_count, 1U);
    pinned.free();
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 0U);
}

TEST_F(PinnedOutOfMemory, WhatIsAskedOfMemoryIsAnsweredOrNot) {
    const Devices devices;
    const Pool workers(1);
    const Pinned pinned(workers, devices, mib, pinned_options(only(NEAR_PINNED_DRIVER)));
    near_pinned_info info{};
    info.struct_size = sizeof info;
    near_placement placement{};
    placement.struct_size = sizeof placement;
    std::size_t needed = 0;
    call_until_memory_suffices([&] { return near_pinned_get_info(pinned, &info, nullptr); });
    EXPECT_GT(call_until_memory_suffices([&] { return near_pinned_placement(pinned, &placement, nullptr); }), 0U);
    EXPECT_GT(call_until_memory_suffices([&] { return near_pinned_nodes(pinned, nullptr, 0, &needed, nullptr); }), 0U);
    const auto look = [&] { return near_pinned_look(pinned, &placement, nullptr, 0, &needed, nullptr); };
    EXPECT_GT(call_until_memory_suffices(look), 0U);
    EXPECT_EQ(info.bytes, mib);
    EXPECT_EQ(placement.page_count, mib / page_bytes());
}

} // namespace
