// SPDX-License-Identifier: Apache-2.0
// parallel_for: every index once, the same index on the same node, failures stop it.
#include "contract/numa_pool_support.hpp"

#include <algorithm>
#include <atomic>
#include <stdexcept>

using namespace nearpool_test;

namespace {

struct Loop {
    explicit Loop(std::size_t indices) : covered(indices), homes(indices) {}

    std::vector<std::atomic<uint8_t>> covered;
    std::vector<std::atomic<uint32_t>> homes; // the node that each index belongs to
    std::atomic<std::size_t> longest{0};
    std::size_t offset = 0;

    static near_status body(std::size_t begin, std::size_t end, uint32_t node, void *user_data) {
        auto *loop = static_cast<Loop *>(user_data);
        if (begin >= end || numa_pool_current(nullptr, nullptr, nullptr) != NEAR_OK) {
            return NEAR_E_INVALID;
        }
        for (std::size_t i = begin; i < end; i++) {
            loop->covered[i - loop->offset]++;
            loop->homes[i - loop->offset] = node;
        }
        std::size_t seen = loop->longest;
        while (end - begin > seen && !loop->longest.compare_exchange_weak(seen, end - begin)) {
        }
        return NEAR_OK;
    }

    std::vector<uint32_t> homes_seen() const { return {homes.begin(), homes.end()}; }

    void expect_each_once() const {
        for (std::size_t i = 0; i < covered.size(); i++) {
            ASSERT_EQ(covered[i], 1) << i;
        }
    }
};

class LoopOf : public testing::TestWithParam<std::pair<std::size_t, std::size_t>> {
protected:
    static const Topology &machine() {
        static const Topology four = four_nodes();
        return four;
    }
};

TEST_P(LoopOf, CoversEachIndexOnce) {
    const auto [indices, grain] = GetParam();
    const Pool pool(options_for(machine(), 2));
    Loop loop(indices);
    Error error;
    ASSERT_EQ(numa_pool_parallel_for(pool, 0, indices, grain, Loop::body, &loop, &error), NEAR_OK) << error.message;
    loop.expect_each_once();
    if (grain != 0) {
        EXPECT_LE(loop.longest, grain);
    }
}

INSTANTIATE_TEST_SUITE_P(PoolLoop, LoopOf,
                         testing::Values(std::pair{1, 0}, std::pair{2, 1}, std::pair{3, 0}, std::pair{7, 3},
                                         std::pair{64, 1}, std::pair{1000, 0}, std::pair{1000, 7},
                                         std::pair{1000, 100000}, std::pair{12345, 64}, std::pair{100000, 0}));

TEST(PoolLoop, AnEmptyRangeCallsNothing) {
    const Pool pool(1);
    EXPECT_EQ(numa_pool_parallel_for(pool, 5, 5, 0, Loop::body, nullptr, nullptr), NEAR_OK);
    EXPECT_EQ(numa_pool_parallel_for(pool, SIZE_MAX, SIZE_MAX, 1, Loop::body, nullptr, nullptr), NEAR_OK);
    EXPECT_EQ(counts_of(pool).accepted, 0U);
}

TEST(PoolLoop, MayEndAtTheLastNumber) {
    const Pool pool(2);
    Loop loop(1000);
    loop.offset = SIZE_MAX - 1000;
    ASSERT_EQ(numa_pool_parallel_for(pool, loop.offset, SIZE_MAX, 7, Loop::body, &loop, nullptr), NEAR_OK);
    loop.expect_each_once();
}

TEST(PoolLoop, GivesEachNodeOneBlockAndTheSameInTheNextLoop) {
    const Topology four = four_nodes();
    const Pool pool(options_for(four, 2));
    constexpr std::size_t indices = 10000;
    std::vector<uint32_t> before;
    for (int turn = 0; turn < 5; turn++) {
        Loop loop(indices);
        ASSERT_EQ(numa_pool_parallel_for(pool, 0, indices, 13, Loop::body, &loop, nullptr), NEAR_OK);
        const std::vector<uint32_t> homes = loop.homes_seen();
        EXPECT_TRUE(std::is_sorted(homes.begin(), homes.end())) << "blocks in the order of numa_pool_nodes()";
        for (uint32_t node = 0; node < 4; node++) {
            EXPECT_EQ(std::count(homes.begin(), homes.end(), node), static_cast<std::ptrdiff_t>(indices / 4)) << node;
        }
        EXPECT_TRUE(before.empty() || before == homes) << "turn " << turn;
        before = homes;
    }
}

TEST(PoolLoop, LocalOnlyRunsEachPartOnItsNode) {
    const Topology four = four_nodes();
    const Pool pool(options_for(four, 1, NUMA_POOL_STEAL_LOCAL));
    std::atomic<int> elsewhere{0};
    const numa_pool_range_fn body = [](std::size_t, std::size_t, uint32_t node, void *user_data) -> near_status {
        *static_cast<std::atomic<int> *>(user_data) += current_node() == node ? 0 : 1;
        return NEAR_OK;
    };
    ASSERT_EQ(numa_pool_parallel_for(pool, 0, 1000, 5, body, &elsewhere, nullptr), NEAR_OK);
    EXPECT_EQ(elsewhere, 0);
}

TEST(PoolLoop, BlocksFollowTheWorkers) {
    const Topology uneven({{0, 0, {0}}, {5, 1, {1, 2, 3}}}, {10, 20, 20, 10});
    const Pool pool(options_for(uneven, 0));
    const uint32_t workers[] = {node_info_of(pool, 0).worker_count, node_info_of(pool, 5).worker_count};
    const std::size_t indices = std::size_t{1000} * (workers[0] + workers[1]);
    Loop loop(indices);
    ASSERT_EQ(numa_pool_parallel_for(pool, 0, indices, 10, Loop::body, &loop, nullptr), NEAR_OK);
    const std::vector<uint32_t> homes = loop.homes_seen();
    EXPECT_EQ(std::count(homes.begin(), homes.end(), 0U), 1000 * static_cast<std::ptrdiff_t>(workers[0]));
    EXPECT_EQ(std::count(homes.begin(), homes.end(), 5U), 1000 * static_cast<std::ptrdiff_t>(workers[1]));
}

TEST(PoolLoop, AFailureIsReportedAndSkipsWhatHasNotStarted) {
    const Pool pool(options_for(nullptr, 1, NUMA_POOL_STEAL_LOCAL));
    std::atomic<int> calls{0};
    const numa_pool_range_fn body = [](std::size_t begin, std::size_t, uint32_t, void *user_data) -> near_status {
        (*static_cast<std::atomic<int> *>(user_data))++;
        return near_task_fail(("index " + std::to_string(begin)).c_str());
    };
    Error error;
    EXPECT_EQ(numa_pool_parallel_for(pool, 0, 100000, 1, body, &calls, &error), NEAR_E_TASK);
    EXPECT_TRUE(error.says("index ")) << error.message;
    EXPECT_LT(calls, 1000) << "the loop went on after its failure";
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    Loop loop(100);
    EXPECT_EQ(numa_pool_parallel_for(pool, 0, 100, 1, Loop::body, &loop, nullptr), NEAR_OK) << "the next is unharmed";
    loop.expect_each_once();
}

TEST(PoolLoop, AnExceptionIsAFailure) {
    const Pool pool(1);
    const numa_pool_range_fn body = [](std::size_t, std::size_t, uint32_t, void *) -> near_status {
        throw std::runtime_error("thrown in a loop");
    };
    Error error;
    EXPECT_EQ(numa_pool_parallel_for(pool, 0, 10, 0, body, nullptr, &error), NEAR_E_TASK);
    EXPECT_TRUE(error.says("thrown in a loop")) << error.message;
}

TEST(PoolLoop, InsideALoopInsideATaskOnOneWorkerEnds) {
    const Pool pool(1);
    struct Outer {
        numa_pool *pool;
        std::atomic<std::size_t> sum{0};
    } outer{pool, {}};
    const numa_pool_range_fn body = [](std::size_t begin, std::size_t end, uint32_t, void *user_data) -> near_status {
        auto *own = static_cast<Outer *>(user_data);
        for (std::size_t i = begin; i < end; i++) {
            Loop loop(100);
            if (numa_pool_parallel_for(own->pool, 0, 100, 9, Loop::body, &loop, nullptr) != NEAR_OK) {
                return near_task_fail("the inner loop failed");
            }
            for (const auto &covered : loop.covered) {
                own->sum += covered;
            }
        }
        return NEAR_OK;
    };
    near_status status = NEAR_E_INTERNAL;
    ASSERT_EQ(submit(pool, NUMA_POOL_NODE_LOCAL,
                     [&] { status = numa_pool_parallel_for(outer.pool, 0, 50, 1, body, &outer, nullptr); }),
              NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(status, NEAR_OK);
    EXPECT_EQ(outer.sum, 5000U);
}

TEST(PoolLoop, ManyThreadsMayLoopAtOnce) {
    const Topology four = four_nodes();
    const Pool pool(options_for(four, 1));
    std::atomic<int> good{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([&] {
            for (int turn = 0; turn < 20; turn++) {
                Loop loop(2000);
                const near_status status = numa_pool_parallel_for(pool, 0, 2000, 0, Loop::body, &loop, nullptr);
                const bool all = std::all_of(loop.covered.begin(), loop.covered.end(), [](auto &c) { return c == 1; });
                good += status == NEAR_OK && all ? 1 : 0;
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(good, 80);
}

// Its own tasks are few, one a worker at most: the bound is for what callers send.
TEST(PoolLoop, AFullQueueDoesNotStopIt) {
    Latch latch;
    numa_pool_options options = options_for(nullptr, 1, NUMA_POOL_STEAL_LOCAL);
    options.queue_capacity = 1;
    const Pool pool(options);
    const uint32_t node = nodes_of(pool)[0];
    ASSERT_EQ(submit(pool, node, [&] { latch.wait(); }), NEAR_OK);
    ASSERT_TRUE(latch.await_waiting(1));
    while (numa_pool_submit(pool, node, succeed, nullptr) == NEAR_OK) {
    }
    Loop loop(1000);
    near_status status = NEAR_E_INTERNAL;
    std::thread looper([&] { status = numa_pool_parallel_for(pool, 0, 1000, 1, Loop::body, &loop, nullptr); });
    give_it_time();
    latch.open();
    looper.join();
    EXPECT_EQ(status, NEAR_OK);
    loop.expect_each_once();
}

} // namespace
