// SPDX-License-Identifier: Apache-2.0
// How much page-locked memory a cache holds: its limit, what is given back to the system, and what it counts. Node by
// node.
#include "gpu/pinned_play.hpp"
#include "gpu/pinned_ways.hpp"
#include "support/limited_memory.hpp"

#include <cstring>
#include <thread>
#include <vector>

using namespace nearpool_gpu;
using nearpool_test::Pool;

namespace {

class PinnedLimit : public PinnedGpu {};
class PinnedLimitScript : public PinnedFakeGpu {};

near_status strict_alloc(numa_pool *pool, device_pool *devices, std::size_t bytes, Pinned *pinned, near_error *error) {
    near_pinned_options options = pinned_options();
    options.strict = 1;
    return numa_pool_alloc_pinned(pool, devices, 0, bytes, &options, pinned->out(), error);
}

TEST_F(PinnedLimit, BeyondItMemoryIsMadeAndGoesBackAtOnce) {
    const Devices devices;
    const Pool workers(limited(4 * mib));
    const Pinned live(workers, devices, 3 * mib);
    ASSERT_EQ(pinned_stats(workers, devices).held_bytes, 4 * mib);
    ASSERT_EQ(pinned_stats(workers, devices).limit_bytes % (4 * mib), 0U);
    for (uint64_t turn = 1; turn <= 2; turn++) {
        Pinned beyond(workers, devices, 3 * mib);
        beyond.fill('x');
        EXPECT_GT(pinned_stats(workers, devices).held_bytes, 6 * mib);
        beyond.free();
        EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 4 * mib) << "what is beyond was kept";
        EXPECT_EQ(pinned_stats(workers, devices).misses, 1 + turn) << "and given again";
    }
    const Pinned rest(workers, devices, mib);
    EXPECT_EQ(pinned_stats(workers, devices).hits, 1U) << "what is within is of use still";
}

TEST_F(PinnedLimit, StrictRequestsAreRefusedAndNothingIsKept) {
    const Devices devices;
    const Pool workers(limited(4 * mib));
    const Pool strict_workers(limited(4 * mib, 1));
    for (numa_pool *pool : {static_cast<numa_pool *>(workers), static_cast<numa_pool *>(strict_workers)}) {
        Pinned live;
        Error error;
        const near_status status = strict_alloc(pool, devices, 3 * mib, &live, &error);
        if (status == NEAR_E_STRICT) {
            GTEST_SKIP() << "[strict] " << error.message;
        }
        ASSERT_EQ(status, NEAR_OK) << error.message;
        Pinned beyond;
        const near_pinned_options soft = pinned_options();
        EXPECT_EQ(pool == workers ? strict_alloc(pool, devices, 3 * mib, &beyond, &error)
                                  : numa_pool_alloc_pinned(pool, devices, 0, 3 * mib, &soft, beyond.out(), &error),
                  NEAR_E_STRICT)
            << "a strict pool is strict without being told";
        EXPECT_TRUE(error.says("the limit of 4194304")) << error.message;
        EXPECT_EQ(static_cast<near_pinned *>(beyond), nullptr);
        EXPECT_EQ(pinned_stats(pool, devices).held_bytes, 4 * mib);
        EXPECT_EQ(pinned_stats(pool, devices).live_count, 1U);
        live.free();
        EXPECT_EQ(strict_alloc(pool, devices, 4 * mib, &beyond, &error), NEAR_OK) << error.message;
    }
}

// What is ordered and what is there are never counted both.
TEST_F(PinnedLimit, IsFullAndNoFuller) {
    const Devices devices;
    const Pool workers(limited(8 * mib));
    Pinned probe;
    Error refused;
    if (strict_alloc(workers, devices, 64 * kib, &probe, &refused) == NEAR_E_STRICT) {
        GTEST_SKIP() << "[strict] " << refused.message;
    }
    probe.free();
    trim_pinned(workers, devices);
    near_pinned_options options = pinned_options(0, NEAR_PINNED_NO_CACHE);
    options.strict = 1;
    const auto turns = [&] {
        for (int i = 0; i < 200 / nearpool_test::slowness(); i++) {
            Error error;
            near_pinned *pinned = nullptr;
            ASSERT_EQ(numa_pool_alloc_pinned(workers, devices, 0, 2 * mib, &options, &pinned, &error), NEAR_OK)
                << error.message;
            near_pinned_free(pinned);
        }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back(turns);
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
}

// A page less than all that is allowed is asked for: also when what is idle is of another kind.
TEST_F(PinnedLimit, IdleMemoryMakesRoom) {
    const Devices devices;
    const Pool workers(limited(6 * mib));
    Pinned(workers, devices, mib, base_pages()).free();
    Pinned(workers, devices, mib, pinned_options(0, NEAR_PINNED_FORK)).free();
    ASSERT_EQ(pinned_stats(workers, devices).idle_bytes, 4 * mib);
    Pinned whole(workers, devices, 6 * mib);
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 6 * mib);
    EXPECT_EQ(pinned_stats(workers, devices).idle_bytes, 0U);
    whole.free();
    EXPECT_EQ(pinned_stats(workers, devices).idle_bytes, 6 * mib) << "within the limit it is kept";
    Pinned small(workers, devices, mib, base_pages());
    EXPECT_LE(pinned_stats(workers, devices).held_bytes, 6 * mib);
    small.free();
    EXPECT_GT(pinned_stats(workers, devices).idle_bytes, 0U);
}

// Two who ask at the same time do not both get the last of it.
TEST_F(PinnedLimitScript, CountsWhatIsBeingMade) {
    const Devices devices;
    const Pool workers(limited(4 * mib));
    const Gate gate;
    const Request first(workers, devices, 3 * mib);
    ASSERT_TRUE(gate.await());
    Pinned second;
    Error error;
    EXPECT_EQ(strict_alloc(workers, devices, 3 * mib, &second, &error), NEAR_E_STRICT) << error.message;
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 0U) << "it is not page-locked yet";
    gate.open();
    Pinned pinned;
    EXPECT_EQ(first.wait(&pinned, nearpool_test::long_enough_ns, &error), NEAR_OK) << error.message;
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 4 * mib);
}

// Made in vain, it does not count for ever.
TEST_F(PinnedLimitScript, IsNotUsedUpByWhatFailed) {
    const Devices devices;
    const Pool workers(limited(4 * mib));
    near_pinned_options placed = pinned_options(only(NEAR_PINNED_PLACED) | only(NEAR_PINNED_TOUCHED));
    fake()->fail(registering, 1, 2, 1);
    for (int i = 0; i < 3; i++) {
        Pinned none;
        Error error;
        EXPECT_EQ(numa_pool_alloc_pinned(workers, devices, 0, 4 * mib, &placed, none.out(), &error), NEAR_E_CUDA);
    }
    fake()->fail(registering, 0, 0, 0);
    Pinned whole(workers, devices, 4 * mib, placed);
    whole.free();
    EXPECT_EQ(pinned_stats(workers, devices).idle_bytes, 4 * mib) << "it was taken for more than is allowed";
}

// The thread that makes memory has none left for itself once the region is there.
TEST_F(PinnedLimitScript, IsNotUsedUpByWhatThereWasNoMemoryFor) {
    const Devices devices;
    const Pool workers(limited(4 * mib));
    const auto run_out = [](int32_t, const char *message, void *) {
        if (std::strncmp(message, "region of", 9) == 0) {
            nearpool_test::limit_allocations(0);
        }
    };
    ASSERT_EQ(near_log_set_callback(run_out, nullptr, NEAR_LOG_DEBUG), NEAR_OK);
    Pinned none;
    Error error;
    EXPECT_EQ(strict_alloc(workers, devices, 4 * mib, &none, &error), NEAR_E_NOMEM) << error.message;
    ASSERT_EQ(near_log_set_callback(nullptr, nullptr, NEAR_LOG_NONE), NEAR_OK);
    near_pinned_options strict = pinned_options();
    strict.strict = 1;
    const auto another_thread_makes_it = [&] { // one of two at a time; the first thread never can again
        const Request first(workers, devices, 4 * mib, strict);
        const Request second(workers, devices, 4 * mib, strict);
        Pinned pinned;
        return first.wait(&pinned) == NEAR_OK || second.wait(&pinned) == NEAR_OK;
    };
    EXPECT_TRUE(nearpool_test::eventually(another_thread_makes_it));
}

TEST_F(PinnedLimit, TrimGivesBackAllButWhatIsToStay) {
    const Devices devices;
    const Pool workers(1);
    EXPECT_EQ(trim_pinned(workers, devices), 0U) << "nothing was asked for yet";
    std::vector<Pinned> parts;
    for (int i = 0; i < 4; i++) {
        parts.emplace_back(workers, devices, 2 * mib);
    }
    Pinned live(workers, devices, mib);
    stamp(live.data(), live.bytes(), 5);
    parts.clear();
    ASSERT_EQ(pinned_stats(workers, devices).idle_bytes, 9 * mib);
    EXPECT_EQ(trim_pinned(workers, devices, 9 * mib), 0U) << "so much may stay";
    EXPECT_EQ(trim_pinned(workers, devices, 6 * mib), 4 * mib);
    EXPECT_EQ(pinned_stats(workers, devices).idle_bytes, 5 * mib);
    EXPECT_EQ(trim_pinned(workers, devices, 5 * mib), 0U);
    EXPECT_EQ(trim_pinned(workers, devices), 4 * mib);
    EXPECT_EQ(pinned_stats(workers, devices).idle_bytes, mib) << "beside what is in use";
    EXPECT_TRUE(has_stamp(live.data(), live.bytes(), 5));
    live.free();
    EXPECT_EQ(trim_pinned(workers, devices), 2 * mib);
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 0U);
}

TEST_F(PinnedLimit, EachFigureIsRight) {
    const Devices devices;
    const Pool workers(1);
    const near_pinned_stats zero = pinned_stats(workers, devices);
    EXPECT_EQ(zero.held_bytes + zero.limit_bytes + zero.bookkeeping_bytes + zero.misses, 0U) << "there is no cache yet";
    Pinned first(workers, devices, 100 * kib + 1);
    const near_pinned_stats one = pinned_stats(workers, devices);
    EXPECT_EQ(one.misses, 1U);
    EXPECT_EQ(one.live_count, 1U);
    EXPECT_EQ(one.live_bytes, 100 * kib + 1) << "as asked for";
    EXPECT_EQ(one.peak_live_bytes, 100 * kib + 1);
    EXPECT_EQ(one.waiting_bytes, 0U);
    EXPECT_EQ(one.held_bytes, first.info().span_bytes);
    EXPECT_EQ(one.idle_bytes, one.held_bytes - (100 * kib + 64)) << "in units of 64";
    EXPECT_GT(one.pinning_ns, 0U);
    EXPECT_GT(one.limit_bytes, 64 * mib);
    Pinned second(workers, devices, 50);
    const near_pinned_stats two = pinned_stats(workers, devices);
    EXPECT_EQ(two.live_bytes, 100 * kib + 51);
    EXPECT_EQ(two.hits, 1U);
    EXPECT_EQ(two.pinning_ns, one.pinning_ns) << "nothing was made";
    second.free();
    first.free();
    const near_pinned_stats none = pinned_stats(workers, devices);
    EXPECT_EQ(none.live_count, 0U);
    EXPECT_EQ(none.live_bytes, 0U);
    EXPECT_EQ(none.peak_live_bytes, 100 * kib + 51);
    EXPECT_EQ(none.idle_bytes, none.held_bytes);
    Pinned third(workers, devices, 50);
    EXPECT_EQ(pinned_stats(workers, devices).peak_live_bytes, 100 * kib + 51) << "the most that there ever were";
}

TEST_F(PinnedLimit, ALiveBlockCostsAtMost128Bytes) {
    const Devices devices;
    const Pool workers(1);
    std::vector<Pinned> live;
    live.emplace_back(workers, devices, 64);
    const uint64_t before = pinned_stats(workers, devices).bookkeeping_bytes;
    constexpr uint64_t count = 5000;
    for (uint64_t i = 0; i < count; i++) {
        live.emplace_back(workers, devices, 64 + i % 200);
    }
    EXPECT_LE(pinned_stats(workers, devices).bookkeeping_bytes - before, 128 * count);
}

TEST_F(PinnedLimit, NoneAndTheUsualOne) {
    const Devices devices;
    const Pool without(limited(NEAR_NONE));
    const Pool usual(1);
    const Pinned one(without, devices, 64);
    const Pinned other(usual, devices, 64);
    EXPECT_EQ(pinned_stats(without, devices, home_node()).limit_bytes, NEAR_NONE);
    near_node_info node{};
    node.struct_size = sizeof node;
    ASSERT_EQ(near_topology_node_info(nullptr, home_node(), &node), NEAR_OK);
    EXPECT_EQ(pinned_stats(usual, devices, home_node()).limit_bytes, node.memory_bytes / 2);
}

// Two GPUs of one node, and one of another.
class PinnedNodesScript : public FakeGpu {
protected:
    void SetUp() override {
        if (near_topology_node_count(nullptr) < 2) {
            GTEST_SKIP() << "[numa] needs two nodes";
        }
        FakeGpu::SetUp();
        if (!IsSkipped()) {
            const std::string home = R"({"host_numa_id":)" + std::to_string(home_) + "}";
            configure("{\"devices\":[" + home + "," + home + "," + R"({"host_numa_id":)" + std::to_string(other_) +
                      "}]}");
        }
    }
    const uint32_t home_ = home_node();
    const uint32_t other_ = near_topology_node_at(nullptr, 0);
};

TEST_F(PinnedNodesScript, EachHasItsOwn) {
    const Devices devices;
    const Pool workers(limited(4 * mib));
    Pinned first(workers, devices, 3 * mib, 0);
    if (first.info().node == NEAR_NODE_UNKNOWN) {
        GTEST_SKIP() << "[host-numa] this driver does not name the nodes of GPUs";
    }
    Pinned second(workers, devices, 4 * mib, 2);
    EXPECT_EQ(pinned_stats(workers, devices, home_).live_bytes, 3 * mib);
    EXPECT_EQ(pinned_stats(workers, devices, other_).live_bytes, 4 * mib) << "the limit is each node's";
    EXPECT_EQ(pinned_stats(workers, devices).limit_bytes, 4 * mib * near_topology_node_count(nullptr));
    EXPECT_EQ(pinned_stats(workers, devices).peak_live_bytes, 7 * mib);
    second.free();
    EXPECT_EQ(pinned_stats(workers, devices, other_).idle_bytes, 4 * mib);
    const Pinned third(workers, devices, 512 * kib, 1);
    EXPECT_EQ(pinned_stats(workers, devices, home_).hits, 1U) << "of the other GPU of the node";
    EXPECT_EQ(pinned_stats(workers, devices, other_).hits, 0U);
    EXPECT_EQ(third.info().node, home_);
}

TEST_F(PinnedNodesScript, AreTrimmedOneByOneOrTogether) {
    const Devices devices;
    const Pool workers(1);
    Pinned first(workers, devices, 2 * mib, 0);
    if (first.info().node == NEAR_NODE_UNKNOWN) {
        GTEST_SKIP() << "[host-numa] this driver does not name the nodes of GPUs";
    }
    first.free();
    Pinned(workers, devices, 2 * mib, 2).free();
    std::size_t freed = 1;
    Error error;
    EXPECT_EQ(numa_pool_trim_pinned(workers, devices, other_, 0, &freed, &error), NEAR_OK) << error.message;
    EXPECT_EQ(freed, 2 * mib);
    EXPECT_EQ(pinned_stats(workers, devices, home_).idle_bytes, 2 * mib);
    EXPECT_EQ(numa_pool_trim_pinned(workers, devices, 77, 0, &freed, &error), NEAR_E_NO_NODE);
    EXPECT_TRUE(error.says("node 77 is not in this topology")) << error.message;
    Pinned(workers, devices, 2 * mib, 2).free();
    EXPECT_EQ(trim_pinned(workers, devices, 2 * mib), 0U) << "of each node so much stays";
    EXPECT_EQ(trim_pinned(workers, devices), 4 * mib);
}

// The driver may lock no more than so much, whatever it is that forbids it.
TEST_F(PinnedLimitScript, OfTheDriverIsMetByWhatIsIdle) {
    const Devices devices;
    const Pool workers(1);
    const std::pair<int32_t, const char *> ways[] = {{NEAR_PINNED_TOUCHED, registering},
                                                     {NEAR_PINNED_DRIVER, "cuMemHostAlloc"}};
    for (const auto &[way, symbol] : ways) {
        Pinned(workers, devices, mib, pinned_options(only(way))).free();
        ASSERT_GE(pinned_stats(workers, devices).idle_bytes, mib);
        fake()->fail(symbol, 1, 2, 0);
        const Pinned pinned(workers, devices, 2 * mib, pinned_options(only(way), NEAR_PINNED_NO_CACHE));
        EXPECT_EQ(pinned.info().method, way);
        EXPECT_EQ(pinned_stats(workers, devices).idle_bytes, 0U) << symbol;
        EXPECT_EQ(pinned.info().chunk_count, 1U);
    }
}

// ... but not where memory is not what it lacks.
TEST_F(PinnedLimitScript, OfADriverThatNeverLocksIsNoReasonToGiveBackWhatIsIdle) {
    const Devices devices;
    const Pool workers(1);
    Pinned(workers, devices, mib).free();
    const uint64_t idle = pinned_stats(workers, devices).idle_bytes;
    for (const int code : {801, 719, 1, 712, 214}) {
        fake()->fail(registering, 1, code, 1);
        Pinned none;
        EXPECT_NE(alloc_pinned(workers, devices, 4 * mib, pinned_options(only(NEAR_PINNED_TOUCHED)), &none, nullptr),
                  NEAR_OK);
        fake()->fail(registering, 0, 0, 0);
    }
    EXPECT_EQ(pinned_stats(workers, devices).idle_bytes, idle);
}

// Memory with room to spare may not be had where what was asked for can.
TEST_F(PinnedLimitScript, OfTheDriverIsMetByLessThanThereIsRoomFor) {
    const Devices devices;
    const Pool workers(1);
    for (const int code : {1, 2}) {
        fake()->fail(registering, 1, code, 0); // of the whole span of 2 MiB, which is not halved
        const Pinned pinned(workers, devices, mib, pinned_options(only(NEAR_PINNED_TOUCHED)));
        EXPECT_EQ(pinned.info().span_bytes, mib) << code;
    }
}

} // namespace
