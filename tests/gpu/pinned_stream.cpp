// SPDX-License-Identifier: Apache-2.0
// Memory that streams use when it is freed: it is nobody's until they have come so far, and nobody waits for that.
#include "gpu/pinned_play.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <thread>

using namespace nearpool_gpu;
using nearpool_test::eventually;
using nearpool_test::Pool;

namespace {

class PinnedStream : public PinnedGpu {};
class PinnedStreamScript : public PinnedFakeGpu {};

uint64_t waiting(numa_pool *pool, device_pool *devices) {
    return pinned_stats(pool, devices).waiting_bytes;
}

TEST_F(PinnedStream, WhatNoStreamUsesAnyMoreIsGivenAgain) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    for (const uint64_t id : {streams.acquire(), STREAM_POOL_DEFAULT}) {
        Pinned used(workers, devices, mib);
        const char *data = used.data();
        ASSERT_EQ(near_pinned_used_on(used, streams, id), NEAR_OK);
        used.free();
        ASSERT_TRUE(eventually([&] { return waiting(workers, devices) == 0; }));
        Pinned after(workers, devices, mib);
        EXPECT_EQ(after.data(), data);
        ASSERT_EQ(near_pinned_free_after(after.detach(), streams, id), NEAR_OK);
        ASSERT_TRUE(eventually([&] { return waiting(workers, devices) == 0; }));
    }
}

TEST_F(PinnedStreamScript, HeldByOneStreamItIsNobodys) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    const uint64_t id = streams.acquire();
    Pinned used(workers, devices, 2 * mib);
    const char *data = used.data();
    Held held(streams.at(id));
    ASSERT_EQ(near_pinned_used_on(used, streams, id), NEAR_OK);
    EXPECT_EQ(waiting(workers, devices), 0U) << "it is not free yet";
    used.free();
    const near_pinned_stats stats = pinned_stats(workers, devices);
    EXPECT_EQ(stats.waiting_bytes, 2 * mib);
    EXPECT_EQ(stats.live_bytes, 2 * mib) << "of these";
    EXPECT_EQ(stats.idle_bytes, 0U);
    EXPECT_EQ(trim_pinned(workers, devices), 0U);
    const Pinned other(workers, devices, 2 * mib);
    EXPECT_NE(other.data(), data);
    EXPECT_EQ(pinned_stats(workers, devices).hits, 0U);
    held.let_go();
    ASSERT_TRUE(eventually([&] { return waiting(workers, devices) == 0; }));
    EXPECT_EQ(pinned_stats(workers, devices).idle_bytes, 2 * mib);
    const Pinned after(workers, devices, 2 * mib);
    EXPECT_EQ(after.data(), data);
}

// Asked for as the cache is next: nobody calls for figures in between.
TEST_F(PinnedStreamScript, WhatHasPassedIsFoundByWhoNeedsIt) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    const uint64_t id = streams.acquire();
    Pinned used(workers, devices, 2 * mib);
    const char *data = used.data();
    Held held(streams.at(id));
    ASSERT_EQ(near_pinned_free_after(used.detach(), streams, id), NEAR_OK);
    held.let_go();
    ASSERT_EQ(stream_pool_synchronize(streams, id, NEAR_FOREVER, nullptr), NEAR_OK);
    const Pinned after(workers, devices, 2 * mib);
    EXPECT_EQ(after.data(), data);
    EXPECT_EQ(pinned_stats(workers, devices).misses, 1U);
}

// In whichever order they come so far.
TEST_F(PinnedStreamScript, HeldBySeveralStreamsItWaitsForTheLast) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    const Streams others(devices, stream_options(), 1);
    struct Use {
        stream_pool *pool;
        uint64_t id;
    };
    const std::array<Use, 3> uses{
        {{streams, streams.acquire()}, {streams, streams.acquire()}, {others, others.acquire()}}};
    std::array<std::size_t, 3> order{0, 1, 2};
    do {
        std::array<std::unique_ptr<Held>, 3> held;
        Pinned used(workers, devices, mib);
        for (std::size_t i = 0; i < uses.size(); i++) {
            held[i] = std::make_unique<Held>((uses[i].pool == others ? others : streams).at(uses[i].id));
            ASSERT_EQ(near_pinned_used_on(used, uses[i].pool, uses[i].id), NEAR_OK);
        }
        used.free();
        for (const std::size_t i : order) {
            EXPECT_EQ(waiting(workers, devices), mib);
            held[i].reset();
            ASSERT_EQ(stream_pool_synchronize(uses[i].pool, uses[i].id, NEAR_FOREVER, nullptr), NEAR_OK);
        }
        EXPECT_EQ(waiting(workers, devices), 0U);
    } while (std::next_permutation(order.begin(), order.end()));
    EXPECT_EQ(pinned_stats(workers, devices).live_count, 0U);
}

// The work that is put in later is not waited for.
TEST_F(PinnedStreamScript, OnlyTheWorkUpToNowCounts) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    const uint64_t id = streams.acquire();
    Pinned used(workers, devices, mib);
    ASSERT_EQ(near_pinned_used_on(used, streams, id), NEAR_OK);
    const Held later(streams.at(id));
    used.free();
    EXPECT_TRUE(eventually([&] { return waiting(workers, devices) == 0; }));
}

TEST_F(PinnedStreamScript, TheLeaseMayEndAtOnce) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    const uint64_t id = streams.acquire();
    Held held(streams.at(id));
    ASSERT_EQ(near_pinned_free_after(Pinned(workers, devices, mib).detach(), streams, id), NEAR_OK);
    EXPECT_EQ(stream_pool_release(streams, id), NEAR_OK);
    EXPECT_EQ(waiting(workers, devices), mib);
    held.let_go();
    EXPECT_TRUE(eventually([&] { return waiting(workers, devices) == 0; }));
}

// The default stream comes after what is in streams that are not of a pool.
TEST_F(PinnedStreamScript, TheDefaultStreamIsOneToo) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    const Pushed pushed(devices, 0);
    CUstream blocking = nullptr;
    ASSERT_EQ(driver()->stream_create(&blocking, 0, 0), cuda_success);
    Held held(blocking);
    ASSERT_EQ(near_pinned_free_after(Pinned(workers, devices, mib).detach(), streams, STREAM_POOL_DEFAULT), NEAR_OK);
    EXPECT_EQ(waiting(workers, devices), mib);
    held.let_go();
    EXPECT_TRUE(eventually([&] { return waiting(workers, devices) == 0; }));
    EXPECT_EQ(driver()->stream_destroy(blocking), cuda_success);
}

TEST_F(PinnedStream, BadIdsAreRefusedAndTheMemoryStays) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    const Streams others(devices);
    const uint64_t stale = streams.acquire();
    ASSERT_EQ(stream_pool_release(streams, stale), NEAR_OK);
    Pinned pinned(workers, devices, 4 * kib);
    stamp(pinned.data(), pinned.bytes(), 3);
    for (const auto call : {near_pinned_used_on, near_pinned_free_after}) {
        EXPECT_EQ(call(nullptr, streams, STREAM_POOL_DEFAULT), NEAR_E_INVALID);
        EXPECT_EQ(call(pinned, nullptr, STREAM_POOL_DEFAULT), NEAR_E_INVALID);
        EXPECT_EQ(call(pinned, streams, stale), NEAR_E_STALE);
        EXPECT_EQ(call(pinned, streams, others.acquire()), NEAR_E_STALE);
        EXPECT_EQ(call(pinned, streams, 12345), NEAR_E_STALE);
    }
    const near_pinned_stats stats = pinned_stats(workers, devices);
    EXPECT_EQ(stats.live_count, 1U);
    EXPECT_EQ(stats.waiting_bytes, 0U);
    EXPECT_TRUE(has_stamp(pinned.data(), pinned.bytes(), 3));
    pinned.free();
    EXPECT_EQ(pinned_stats(workers, devices).live_count, 0U) << "and waits for nobody";
}

TEST_F(PinnedStream, AdoptedMemoryWaitsForNobody) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    std::vector<char> own(64 * kib);
    Pinned adopted;
    Error error;
    const near_status status =
        numa_pool_adopt_pinned(workers, devices, 0, own.data(), own.size(), nullptr, adopted.out(), &error);
    ASSERT_EQ(status, NEAR_OK) << error.message;
    EXPECT_EQ(near_pinned_used_on(adopted, streams, STREAM_POOL_DEFAULT), NEAR_E_UNSUPPORTED);
    EXPECT_EQ(near_pinned_free_after(adopted, streams, STREAM_POOL_DEFAULT), NEAR_E_UNSUPPORTED);
    EXPECT_EQ(pinned_stats(workers, devices).live_bytes, own.size());
    adopted.free();
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 0U);
}

// Every call of it that may fail: the memory is the caller's still, and no event is left.
TEST_F(PinnedStreamScript, WhatTheDriverRefusesChangesNothing) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    const uint64_t id = streams.acquire();
    Pinned pinned(workers, devices, mib);
    for (const char *symbol : {"cuCtxPushCurrent_v2", "cuStreamIsCapturing", "cuEventCreate", "cuEventRecord"}) {
        fake()->fail(symbol, 1, 2, 0);
        EXPECT_EQ(near_pinned_free_after(pinned, streams, id), NEAR_E_CUDA) << symbol;
        fake()->fail("*", 0, 0, 0);
        EXPECT_EQ(pinned_stats(workers, devices).live_count, 1U) << symbol;
    }
    fake()->null("cuEventCreate", 1);
    EXPECT_EQ(near_pinned_free_after(pinned, streams, id), NEAR_E_CUDA);
    EXPECT_EQ(near_pinned_free_after(pinned.detach(), streams, id), NEAR_OK);
}

TEST_F(PinnedStreamScript, ALostContextHasPassed) {
    const Devices devices;
    const Devices mine(std::vector<int32_t>{1});
    const Pool workers(1);
    const Streams streams(mine, stream_options(), 1);
    const uint64_t id = streams.acquire();
    const Held held(streams.at(id));
    Pinned used(workers, devices, mib);
    ASSERT_EQ(near_pinned_free_after(used.detach(), streams, id), NEAR_OK);
    EXPECT_EQ(waiting(workers, devices), mib);
    ASSERT_EQ(fake()->lose(mine.context(1), 719), 0);
    EXPECT_TRUE(eventually([&] { return waiting(workers, devices) == 0; }));
    EXPECT_EQ(pinned_stats(workers, devices).idle_bytes, 2 * mib);
}

// As at the end of a process, when the driver goes first.
TEST_F(PinnedStreamScript, ADriverThatIsGoneHasPassed) {
    {
        const Devices devices;
        const Pool workers(1);
        Streams streams(devices);
        const uint64_t id = streams.acquire();
        Held held(streams.at(id));
        ASSERT_EQ(near_pinned_free_after(Pinned(workers, devices, mib).detach(), streams, id), NEAR_OK);
        EXPECT_EQ(waiting(workers, devices), mib);
        held.let_go();
        fake()->teardown();
        EXPECT_EQ(waiting(workers, devices), 0U);
    }
    EXPECT_EQ(fake()->reset("", 1), nullptr);
}

TEST_F(PinnedStreamScript, TheStreamsPoolsMayGoBefore) {
    const Devices devices;
    const Pool workers(1);
    Devices mine(std::vector<int32_t>{1});
    Streams streams(mine, stream_options(), 1);
    const uint64_t id = streams.acquire();
    Pinned used(workers, devices, mib);
    Held held(streams.at(id));
    ASSERT_EQ(near_pinned_free_after(used.detach(), streams, id), NEAR_OK);
    streams.destroy();
    mine.destroy();
    EXPECT_EQ(waiting(workers, devices), mib);
    held.let_go();
    EXPECT_TRUE(eventually([&] { return waiting(workers, devices) == 0; }));
    EXPECT_EQ(pinned_stats(workers, devices).live_count, 0U);
}

// What is held up holds up nobody: others take, give and ask meanwhile, also through the same lists.
TEST_F(PinnedStreamScript, WaitingMemoryIsInNobodysWay) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    const uint64_t id = streams.acquire();
    Held held(streams.at(id));
    for (int i = 0; i < 20; i++) {
        ASSERT_EQ(near_pinned_free_after(Pinned(workers, devices, 64 * kib).detach(), streams, id), NEAR_OK);
    }
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++) {
        threads.emplace_back([&] {
            for (int i = 0; i < 200; i++) {
                Pinned(workers, devices, 64 * kib).free();
                EXPECT_EQ(waiting(workers, devices), 20 * 64 * kib);
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    held.let_go();
    EXPECT_TRUE(eventually([&] { return waiting(workers, devices) == 0; }));
    EXPECT_EQ(pinned_stats(workers, devices).live_count, 0U);
}

} // namespace
