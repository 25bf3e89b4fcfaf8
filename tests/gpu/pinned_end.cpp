// SPDX-License-Identifier: Apache-2.0
// The end of the pools that page-locked memory was asked for with: what is idle goes, what is in use stays usable, what
// waits is waited for, and what comes later is given back.
#include "gpu/pinned_play.hpp"

#include <atomic>
#include <thread>
#include <unistd.h>

using namespace nearpool_gpu;
using nearpool_test::eventually;
using nearpool_test::Latch;
using nearpool_test::Pool;
using nearpool_test::submit;

namespace {

constexpr uint32_t local = NUMA_POOL_NODE_LOCAL;

class PinnedEnd : public PinnedGpu {};
class PinnedEndTaskScript : public PinnedFakeGpu {};

// Each test once for each of the pools that goes first.
class PinnedEndScript : public PinnedFakeGpu, public testing::WithParamInterface<const char *> {
protected:
    static bool workers_first() { return std::string(GetParam()) == "workers"; }
    static void destroy_first(Pool &workers, Devices &devices) {
        workers_first() ? workers.destroy() : devices.destroy();
    }
    static void destroy_second(Pool &workers, Devices &devices) {
        workers_first() ? devices.destroy() : workers.destroy();
    }
};
INSTANTIATE_TEST_SUITE_P(First, PinnedEndScript, testing::Values("workers", "devices"),
                         [](const auto &which) { return std::string(which.param); });

TEST_P(PinnedEndScript, IdleMemoryGoesWithTheFirst) {
    Devices devices;
    Pool workers(1);
    Pinned(workers, devices, 3 * mib).free();
    Pinned(workers, devices, mib, pinned_options(0, NEAR_PINNED_FORK), 1).free();
    EXPECT_GT(std::string(fake()->held()).size(), 0U);
    destroy_first(workers, devices);
    EXPECT_EQ(std::string(fake()->held()).find("memory"), std::string::npos) << fake()->held();
    destroy_second(workers, devices);
    EXPECT_STREQ(fake()->held(), "") << "contexts too";
}

TEST_P(PinnedEndScript, MemoryInUseStaysUsable) {
    Devices devices;
    Pool workers(1);
    Pinned first(workers, devices, mib);
    Pinned second(workers, devices, 4 * mib);
    Pinned alone(workers, devices, mib, pinned_options(0, NEAR_PINNED_NO_CACHE));
    stamp(first.data(), first.bytes(), 1);
    destroy_first(workers, devices);
    stamp(second.data(), second.bytes(), 2);
    destroy_second(workers, devices);
    EXPECT_TRUE(has_stamp(first.data(), first.bytes(), 1));
    EXPECT_EQ(second.info().bytes, 4 * mib);
    const near_placement placement = second.placement();
    EXPECT_EQ(placement.present_pages, placement.page_count);
    first.free();
    EXPECT_TRUE(has_stamp(second.data(), second.bytes(), 2));
    EXPECT_NE(std::string(fake()->held()), "") << "the context is the memory's still";
    alone.free();
    second.free();
    EXPECT_STREQ(fake()->held(), "") << "with the last of it all is given back";
}

TEST_P(PinnedEndScript, AdoptedMemoryOutlivesThemToo) {
    Devices devices;
    Pool workers(1);
    std::vector<char> own(64 * kib);
    Pinned adopted;
    ASSERT_EQ(numa_pool_adopt_pinned(workers, devices, 0, own.data(), own.size(), nullptr, adopted.out(), nullptr),
              NEAR_OK);
    destroy_first(workers, devices);
    destroy_second(workers, devices);
    adopted.free();
    EXPECT_STREQ(fake()->held(), "");
}

TEST_P(PinnedEndScript, MemoryThatWaitsForAStreamIsWaitedFor) {
    Devices devices;
    const Devices mine;
    Pool workers(1);
    const Streams streams(mine);
    const uint64_t id = streams.acquire();
    Held held(streams.at(id));
    ASSERT_EQ(near_pinned_free_after(Pinned(workers, devices, mib).detach(), streams, id), NEAR_OK);
    std::atomic<bool> destroyed{false};
    std::thread destroyer([&] {
        destroy_first(workers, devices);
        EXPECT_EQ(std::string(fake()->held()).find("memory"), std::string::npos) << fake()->held();
        destroyed = true;
    });
    nearpool_test::give_it_time();
    EXPECT_FALSE(destroyed) << "a stream still uses memory of it";
    EXPECT_NE(std::string(fake()->held()).find("registered memory"), std::string::npos);
    held.let_go();
    destroyer.join();
}

// Freed after the end, it cannot wait for somebody who comes by: who frees it waits.
TEST_P(PinnedEndScript, MemoryThatIsFreedLaterWaitsForItsStream) {
    Devices devices;
    const Devices mine;
    Pool workers(1);
    const Streams streams(mine);
    const uint64_t id = streams.acquire();
    Pinned used(workers, devices, mib);
    destroy_first(workers, devices);
    Held held(streams.at(id));
    ASSERT_EQ(near_pinned_used_on(used, streams, id), NEAR_OK);
    std::atomic<bool> freed{false};
    std::thread freer([&] {
        used.free();
        freed = true;
    });
    nearpool_test::give_it_time();
    EXPECT_FALSE(freed);
    held.let_go();
    freer.join();
    EXPECT_EQ(std::string(fake()->held()).find("registered"), std::string::npos) << fake()->held();
}

// A stream of the very pool that is being destroyed, whose context is lost: it does not wait for ever.
TEST_P(PinnedEndScript, ALostContextHoldsNobodyUp) {
    Devices devices;
    Pool workers(1);
    Streams streams(devices);
    const uint64_t id = streams.acquire();
    const Held held(streams.at(id));
    ASSERT_EQ(near_pinned_free_after(Pinned(workers, devices, mib).detach(), streams, id), NEAR_OK);
    ASSERT_EQ(fake()->lose(devices.context(0), 719), 0);
    destroy_first(workers, devices);
    streams.destroy();
}

TEST_P(PinnedEndScript, RequestsInFlightEndAndWhatComesLaterGoesBack) {
    Devices devices;
    Pool workers(1);
    Gate gate;
    const Request at_work(workers, devices, mib);
    ASSERT_TRUE(gate.await());
    std::vector<std::unique_ptr<Request>> others;
    for (int i = 0; i < 6; i++) {
        others.push_back(std::make_unique<Request>(workers, devices, mib));
    }
    std::atomic<int> told{0};
    std::vector<std::thread> waiters;
    for (int i = 0; i < 2; i++) {
        waiters.emplace_back([&, i] {
            Pinned pinned;
            Error error;
            EXPECT_EQ((i == 0 ? at_work : *others.back()).wait(&pinned, NEAR_FOREVER, &error), NEAR_E_SHUTDOWN);
            EXPECT_TRUE(error.says("the pool is being destroyed")) << error.message;
            told++;
        });
    }
    std::thread destroyer([&] { destroy_first(workers, devices); });
    for (std::thread &waiter : waiters) {
        waiter.join();
    }
    EXPECT_EQ(told, 2) << "while the driver is at work";
    gate.open();
    destroyer.join();
    EXPECT_EQ(std::string(fake()->held()).find("memory"), std::string::npos) << fake()->held();
    for (const auto &request : others) {
        Pinned pinned;
        EXPECT_EQ(request->wait(&pinned, 0), NEAR_E_SHUTDOWN);
        EXPECT_EQ(request->progress().state, NEAR_PINNED_STATE_FAILED);
    }
}

TEST_P(PinnedEndScript, WhatNobodyTookYetCanBeTakenLater) {
    Devices devices;
    Pool workers(1);
    Request taken(workers, devices, mib);
    const Request left(workers, devices, mib);
    ASSERT_TRUE(eventually([&] {
        return taken.progress().state == NEAR_PINNED_STATE_DONE && left.progress().state == NEAR_PINNED_STATE_DONE;
    }));
    destroy_first(workers, devices);
    destroy_second(workers, devices);
    Pinned pinned;
    ASSERT_EQ(taken.wait(&pinned, 0), NEAR_OK);
    taken.destroy();
    pinned.fill('x');
}

TEST_F(PinnedEnd, ATaskDestroysItsOwnPool) {
    const Devices devices;
    Pool workers(1);
    numa_pool *pool = workers.detach();
    Latch begun;
    std::atomic<bool> done{false};
    Pinned live(pool, devices, mib);
    stamp(live.data(), live.bytes(), 9);
    ASSERT_EQ(submit(pool, local,
                     [&, pool] {
                         Pinned(pool, devices, 300 * kib).free();
                         numa_pool_destroy(pool);
                         done = true;
                     }),
              NEAR_OK);
    ASSERT_TRUE(eventually([&] { return done.load(); }));
    EXPECT_TRUE(has_stamp(live.data(), live.bytes(), 9));
    live.free();
    ASSERT_TRUE(nearpool_test::no_worker_is_left());
}

// The stream may wait for what a later task of the pool does.
TEST_F(PinnedEndTaskScript, ATaskThatDestroysItsPoolWaitsForNoStream) {
    Devices devices;
    Streams streams(devices);
    const uint64_t id = streams.acquire();
    Held held(streams.at(id));
    Pool workers(1);
    numa_pool *pool = workers.detach();
    std::atomic<bool> done{false};
    ASSERT_EQ(submit(pool, local,
                     [&, pool] {
                         Pinned used(pool, devices, mib);
                         EXPECT_EQ(near_pinned_free_after(used.detach(), streams, id), NEAR_OK);
                         numa_pool_destroy(pool);
                         done = true;
                     }),
              NEAR_OK);
    ASSERT_TRUE(eventually([&] { return done.load(); }));
    held.let_go();
    streams.destroy();
    devices.destroy();
    ASSERT_TRUE(nearpool_test::no_worker_is_left());
    EXPECT_TRUE(eventually([] { return std::string(fake()->held()).empty(); })) << fake()->held();
}

TEST_F(PinnedEnd, AfterAShutdownNothingIsMade) {
    const Devices devices;
    const Pool workers(1);
    Pinned idle(workers, devices, mib);
    idle.free();
    const Pinned live(workers, devices, 64 * kib);
    ASSERT_EQ(numa_pool_shutdown(workers, NEAR_FOREVER, nullptr, nullptr), NEAR_OK);
    Pinned none;
    near_pinned_request *request = nullptr;
    Error error;
    EXPECT_EQ(numa_pool_alloc_pinned(workers, devices, 0, mib, nullptr, none.out(), &error), NEAR_E_SHUTDOWN);
    EXPECT_TRUE(error.says("the pool is being shut down")) << error.message;
    EXPECT_EQ(numa_pool_request_pinned(workers, devices, 0, mib, nullptr, &request, &error), NEAR_E_SHUTDOWN);
    std::vector<char> own(8 * kib);
    EXPECT_EQ(numa_pool_adopt_pinned(workers, devices, 0, own.data(), own.size(), nullptr, none.out(), &error),
              NEAR_E_SHUTDOWN);
    EXPECT_EQ(pinned_stats(workers, devices).live_count, 1U) << "what it has counted can be read";
}

// Tasks that are run to the end while the pool is destroyed are told, and do not hang; what they have is theirs.
TEST_F(PinnedEnd, ATaskThatIsDrainedIsToldSo) {
    const Devices devices;
    Latch latch;
    std::atomic<int> refused{0};
    std::atomic<int> others{0};
    {
        Pool workers(nearpool_test::options_for(nullptr, 1, NUMA_POOL_STEAL_LOCAL)); // so that the tasks wait
        numa_pool *pool = workers;
        const uint32_t node = nearpool_test::nodes_of(pool)[0];
        ASSERT_EQ(submit(pool, node,
                         [&, pool] {
                             Pinned own(pool, devices, mib);
                             latch.wait();
                             own.fill('x');
                         }),
                  NEAR_OK);
        for (int i = 0; i < 3; i++) {
            ASSERT_EQ(submit(pool, node,
                             [&, pool] {
                                 Pinned none;
                                 const near_status status =
                                     numa_pool_alloc_pinned(pool, devices, 0, mib, nullptr, none.out(), nullptr);
                                 (status == NEAR_E_SHUTDOWN ? refused : others)++;
                             }),
                      NEAR_OK);
        }
        ASSERT_TRUE(latch.await_waiting(1));
        std::thread destroyer([&] { workers.destroy(); });
        EXPECT_TRUE(eventually([&] {
            Pinned none;
            return numa_pool_alloc_pinned(pool, devices, 0, 64, nullptr, none.out(), nullptr) == NEAR_E_SHUTDOWN;
        })) << "a task holds the pool until then";
        latch.open();
        destroyer.join();
    }
    EXPECT_EQ(refused, 3);
    EXPECT_EQ(others, 0);
}

// Addresses are used again, caches are not.
TEST_F(PinnedEnd, ANewPoolHasANewCache) {
    for (int turn = 0; turn < 20; turn++) {
        Devices devices;
        Pool workers(1);
        EXPECT_EQ(pinned_stats(workers, devices).misses, 0U) << turn;
        Pinned(workers, devices, mib).free();
        EXPECT_EQ(pinned_stats(workers, devices).misses, 1U) << turn;
        turn % 2 == 0 ? workers.destroy() : devices.destroy();
    }
}

// Destroyed by two threads at once, while a third frees: all is given back.
TEST_F(PinnedEnd, BothAtOnceWhileMemoryIsFreed) {
    for (int turn = 0; turn < 30; turn++) {
        Devices devices;
        Pool workers(1);
        std::vector<Pinned> live;
        for (int i = 0; i < 8; i++) {
            live.emplace_back(workers, devices, 200 * kib, base_pages());
        }
        std::thread first([&] { workers.destroy(); });
        std::thread second([&] { devices.destroy(); });
        live.clear();
        first.join();
        second.join();
    }
}

// The process's own pools are never destroyed, nor is their cache: in a process of its own.
ALONE_TEST(PinnedDefault, PoolsHaveACacheToo) {
    numa_pool *workers = nullptr;
    device_pool *devices = nullptr;
    Error error;
    if (device_pool_default(&devices, &error) != NEAR_OK) {
        GTEST_SKIP() << "[cuda] " << error.message;
    }
    ASSERT_EQ(numa_pool_default(&workers, nullptr), NEAR_OK);
    near_pin *pin = nullptr; // near a GPU of unknown node memory is on the caller's
    ASSERT_EQ(near_pin_node(nullptr, home_node(), nullptr, &pin, nullptr), NEAR_OK);
    Pinned pinned(workers, nullptr, mib);
    pinned.fill('x');
    EXPECT_EQ(pinned_stats(workers, devices).live_bytes, mib) << "NULL is the process's own";
    pinned.free();
    numa_pool_destroy(workers);
    device_pool_destroy(devices);
    const Pinned again(workers, devices, mib);
    EXPECT_EQ(pinned_stats(workers, nullptr).hits, 1U);
    EXPECT_EQ(near_pin_release(pin, nullptr), NEAR_OK);
    if (fake() != nullptr) {
        std::fflush(nullptr);
        ::_exit(HasFailure() ? 1 : 0); // the fake driver asks for all of it back at the end of a process
    }
}

} // namespace
