// SPDX-License-Identifier: Apache-2.0
// What becomes of tasks: run once or discarded once, in order, failing, counted, refused when there is no room.
#include "contract/numa_pool_support.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>

using namespace nearpool_test;

namespace {

constexpr uint32_t local = NUMA_POOL_NODE_LOCAL;

// F7.
TEST(PoolTasks, EachRunsOnce) {
    const std::size_t count = 20000 / static_cast<std::size_t>(slowness());
    const Topology four = four_nodes();
    const Pool pool(options_for(four, 2));
    std::vector<std::atomic<uint8_t>> runs(count);
    const numa_pool_task_fn mark = [](void *user_data) -> near_status {
        static_cast<std::atomic<uint8_t> *>(user_data)->fetch_add(1);
        return NEAR_OK;
    };
    for (std::size_t i = 0; i < count; i++) {
        ASSERT_EQ(numa_pool_submit(pool, static_cast<uint32_t>(i % 4), mark, &runs[i]), NEAR_OK);
    }
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    for (std::size_t i = 0; i < count; i++) {
        ASSERT_EQ(runs[i], 1) << i;
    }
    EXPECT_EQ(counts_of(pool).accepted, count);
    expect_counts_add_up(pool);
}

TEST(PoolTasks, WhatWasWrittenBeforeTheSubmitIsSeenByTheTaskAndItsResultByTheWait) {
    const Pool pool(1);
    int value = 1; // not atomic on purpose
    for (int i = 0; i < 100; i++) {
        value++;
        ASSERT_EQ(submit(pool, local, [&value] { value++; }), NEAR_OK);
        ASSERT_EQ(wait_idle(pool), NEAR_OK);
    }
    EXPECT_EQ(value, 201);
}

TEST(PoolTasks, KnowWhereTheyRun) {
    const Topology four = four_nodes();
    const Pool pool(options_for(four, 2, NUMA_POOL_STEAL_LOCAL));
    numa_pool *seen = nullptr;
    uint32_t node = 0;
    uint32_t worker = 9;
    ASSERT_EQ(submit(pool, 3, [&] { EXPECT_EQ(numa_pool_current(&seen, &node, &worker), NEAR_OK); }), NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(seen, static_cast<numa_pool *>(pool));
    EXPECT_EQ(node, 3U);
    EXPECT_LT(worker, 2U);
}

// Peers N18: the queue of node 0 was always taken.
// The workers are on node 1, which is not in the pool: it is named, tasks cannot be sent to it, and what its workers
// ran is in the row of the first node that they serve.
TEST(PoolTasks, OfNodesWithoutCpusAloneKnowThatTheyRunOutsideThePool) {
    const Topology expander({{0, 0, {0, 1}}, {1, 1, {2, 3}}, {2, 1, {}}, {3, 1, {}}},
                            {10, 20, 24, 24, 20, 10, 14, 14, 24, 14, 10, 14, 24, 14, 14, 10});
    const uint32_t nodes[] = {3, 2};
    numa_pool_options options = options_for(expander, 2);
    options.nodes = nodes;
    options.node_count = 2;
    const Pool pool(options);
    ASSERT_EQ(submit(pool, 2,
                     [&] {
                         EXPECT_EQ(current_node(), 1U);
                         EXPECT_EQ(numa_pool_submit(pool, 1, succeed, nullptr), NEAR_E_NO_NODE);
                         EXPECT_EQ(numa_pool_submit(pool, local, succeed, nullptr), NEAR_OK);
                     }),
              NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(counts_of(pool, 3).run_local, 1U) << "the local node is the first that they serve";
    EXPECT_EQ(steals_of(pool), (std::vector<uint64_t>{1, 1, 0, 0}));
}

TEST(PoolTasks, SentToTheLocalNodeFromATaskStayThere) {
    const Topology four = four_nodes();
    const Pool pool(options_for(four, 1, NUMA_POOL_STEAL_LOCAL));
    uint32_t node = 0;
    ASSERT_EQ(submit(pool, 2, [&] { EXPECT_EQ(submit(pool, local, [&] { node = current_node(); }), NEAR_OK); }),
              NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(node, 2U);
}

// Peers N26: the order was reversed, and the oldest task starved.
TEST(PoolTasks, OfANodeStartOldestFirst) {
    const Pool pool(options_for(nullptr, 1, NUMA_POOL_STEAL_LOCAL));
    Latch latch;
    std::vector<int> order;
    ASSERT_EQ(submit(pool, nodes_of(pool)[0], [&] { latch.wait(); }), NEAR_OK);
    for (int i = 0; i < 1000; i++) {
        ASSERT_EQ(submit(pool, nodes_of(pool)[0], [&order, i] { order.push_back(i); }), NEAR_OK);
    }
    latch.open();
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    ASSERT_EQ(order.size(), 1000U);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(PoolTasks, FromOutsideAreNotStarvedByATaskThatKeepsSubmitting) {
    const Pool pool(1);
    std::atomic<bool> stop{false};
    std::function<void()> again = [&] {
        if (!stop) {
            EXPECT_EQ(submit(pool, local, again), NEAR_OK);
        }
    };
    ASSERT_EQ(submit(pool, local, again), NEAR_OK);
    std::atomic<bool> ran{false};
    ASSERT_EQ(submit(pool, nodes_of(pool)[0], [&] { ran = true; }), NEAR_OK);
    EXPECT_TRUE(eventually([&] { return ran.load(); }));
    stop = true;
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
}

// Peers N28b: failures were printed and forgotten.
TEST(PoolTasks, ThatFailAreCountedAndEndNoWorker) {
    const Pool pool(1);
    const uint32_t node = nodes_of(pool)[0];
    std::atomic<int> run{0};
    const auto count = [&run] { run++; };
    ASSERT_EQ(submit_job(pool, node, nullptr, [] { return near_task_fail("told"); }), NEAR_OK);
    ASSERT_EQ(submit_job(pool, node, nullptr, [] { return near_status{NEAR_E_NOMEM}; }), NEAR_OK);
    ASSERT_EQ(submit_job(pool, node, nullptr, [] { return near_status{42}; }), NEAR_OK);
    ASSERT_EQ(submit_job(pool, node, nullptr, []() -> near_status { throw std::runtime_error("thrown"); }), NEAR_OK);
    ASSERT_EQ(submit_job(pool, node, nullptr, []() -> near_status { throw 5; }), NEAR_OK);
    ASSERT_EQ(submit(pool, node, count), NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(run, 1);
    EXPECT_EQ(counts_of(pool).failed, 5U);
    EXPECT_EQ(counts_of(pool).run_local + counts_of(pool).run_remote, 6U) << "those that failed did run";
}

TEST(PoolTasks, ThatCalledFailButReturnOkHaveNotFailed) {
    const Pool pool(1);
    ASSERT_EQ(submit(pool, local, [] { EXPECT_EQ(near_task_fail("changed my mind"), NEAR_E_TASK); }), NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(counts_of(pool).failed, 0U);
}

std::atomic<int> discards{0};

void count_discard(void *) {
    discards++;
}

TEST(PoolTasks, AnArrayIsRunWholeAndDiscardIsNotCalledForWhatRuns) {
    const Pool pool(1);
    std::atomic<int> runs{0};
    const numa_pool_task_fn count = [](void *user_data) -> near_status {
        (*static_cast<std::atomic<int> *>(user_data))++;
        return NEAR_OK;
    };
    discards = 0;
    std::vector<near_task> tasks(500, near_task{count, count_discard, &runs});
    ASSERT_EQ(numa_pool_submit_tasks(pool, local, tasks.data(), tasks.size(), nullptr), NEAR_OK);
    tasks.assign(tasks.size(), near_task{nullptr, nullptr, nullptr}); // they were copied
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(runs, 500);
    EXPECT_EQ(discards, 0);
}

class Bounded : public testing::Test {
protected:
    static numa_pool_options options() {
        numa_pool_options options = options_for(nullptr, 1, NUMA_POOL_STEAL_LOCAL);
        options.queue_capacity = 4;
        return options;
    }
    void SetUp() override {
        node_ = nodes_of(pool_)[0];
        ASSERT_EQ(submit(pool_, node_, [this] { latch_.wait(); }), NEAR_OK);
        ASSERT_TRUE(latch_.await_waiting(1));
    }
    void TearDown() override { latch_.open(); }

    Latch latch_; // outlives the pool
    Pool pool_{options()};
    uint32_t node_ = 0;
};

TEST_F(Bounded, AFullQueueRefusesAndTakesAgainWhenTasksHaveRun) {
    discards = 0;
    const near_task task{succeed, count_discard, nullptr};
    for (int i = 0; i < 4; i++) {
        ASSERT_EQ(numa_pool_submit(pool_, node_, succeed, nullptr), NEAR_OK) << i;
    }
    EXPECT_EQ(numa_pool_submit(pool_, node_, succeed, nullptr), NEAR_E_AGAIN);
    EXPECT_EQ(numa_pool_submit_tasks(pool_, node_, &task, 1, nullptr), NEAR_E_AGAIN);
    EXPECT_EQ(counts_of(pool_, node_).queued, 4U);
    latch_.open();
    ASSERT_EQ(wait_idle(pool_), NEAR_OK);
    EXPECT_EQ(counts_of(pool_).accepted, 5U);
    EXPECT_EQ(discards, 0) << "discard was called for a task that was refused";
    EXPECT_EQ(numa_pool_submit(pool_, node_, succeed, nullptr), NEAR_OK);
}

TEST_F(Bounded, AnArrayIsTakenWholeOrNotAtAll) {
    const std::vector<near_task> tasks(5, near_task{succeed, nullptr, nullptr});
    EXPECT_EQ(numa_pool_submit_tasks(pool_, node_, tasks.data(), 5, nullptr), NEAR_E_AGAIN) << "more than fit at all";
    EXPECT_EQ(counts_of(pool_, node_).queued, 0U);
    ASSERT_EQ(numa_pool_submit_tasks(pool_, node_, tasks.data(), 3, nullptr), NEAR_OK);
    EXPECT_EQ(numa_pool_submit_tasks(pool_, node_, tasks.data(), 2, nullptr), NEAR_E_AGAIN);
    EXPECT_EQ(counts_of(pool_, node_).queued, 3U);
    EXPECT_EQ(numa_pool_submit_tasks(pool_, node_, tasks.data(), 1, nullptr), NEAR_OK);
    latch_.open();
    ASSERT_EQ(wait_idle(pool_), NEAR_OK);
    EXPECT_EQ(counts_of(pool_).accepted, 5U);
}

TEST_F(Bounded, AGroupIsRefusedTooAndStaysUsable) {
    const Group group(pool_);
    for (int i = 0; i < 4; i++) {
        ASSERT_EQ(numa_pool_group_submit(group, node_, succeed, nullptr), NEAR_OK);
    }
    EXPECT_EQ(numa_pool_group_submit(group, node_, succeed, nullptr), NEAR_E_AGAIN);
    latch_.open();
    ASSERT_EQ(wait_group(group), NEAR_OK);
    EXPECT_EQ(counts_of_group(group).accepted, 4U);
}

// The bound is for tasks from outside: a task that submits while the queue is full must not deadlock with itself.
TEST_F(Bounded, TasksOfANodesOwnWorkersAreNotBounded) {
    std::atomic<int> run{0};
    ASSERT_EQ(submit(pool_, node_,
                     [&] {
                         for (int i = 0; i < 100; i++) {
                             EXPECT_EQ(submit(pool_, local, [&] { run++; }), NEAR_OK);
                         }
                     }),
              NEAR_OK);
    latch_.open();
    ASSERT_EQ(wait_idle(pool_), NEAR_OK);
    EXPECT_EQ(run, 100);
}

TEST(PoolWaitIdle, TimesOutWhileATaskRunsAndThenSucceeds) {
    Latch latch;
    const Pool pool(1);
    EXPECT_EQ(numa_pool_wait_idle(pool, 0, nullptr), NEAR_OK) << "nothing was ever submitted";
    ASSERT_EQ(submit(pool, local, [&] { latch.wait(); }), NEAR_OK);
    Error error;
    EXPECT_EQ(numa_pool_wait_idle(pool, 0, &error), NEAR_E_TIMEOUT);
    EXPECT_TRUE(error.says("numa_pool_wait_idle: ")) << error.message;
    const Stopwatch watch;
    EXPECT_EQ(numa_pool_wait_idle(pool, 2 * NEAR_MS, nullptr), NEAR_E_TIMEOUT);
    EXPECT_GE(watch.ns(), 2 * NEAR_MS) << "it did not wait";
    latch.open();
    EXPECT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(numa_pool_wait_idle(pool, 0, nullptr), NEAR_OK);
}

TEST(PoolWaitIdle, WaitsForWhatTasksSubmit) {
    const Pool pool(2);
    std::atomic<int> run{0};
    std::function<void(int)> spread = [&](int depth) {
        run++;
        for (int i = 0; i < 2 && depth > 0; i++) {
            EXPECT_EQ(submit(pool, local, [&spread, depth] { spread(depth - 1); }), NEAR_OK);
        }
    };
    ASSERT_EQ(submit(pool, local, [&] { spread(9); }), NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(run, 1023);
}

TEST(PoolWaitIdle, FromATaskOfThePoolIsBusyAndOfAnotherPoolIsNot) {
    const Pool pool(1);
    const Pool other(1);
    near_status own = NEAR_OK;
    near_status foreign = NEAR_E_INTERNAL;
    ASSERT_EQ(submit(pool, local,
                     [&] {
                         own = numa_pool_wait_idle(pool, NEAR_FOREVER, nullptr);
                         foreign = numa_pool_wait_idle(other, NEAR_FOREVER, nullptr);
                     }),
              NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(own, NEAR_E_BUSY);
    EXPECT_EQ(foreign, NEAR_OK);
}

TEST(PoolWaitIdle, ManyThreadsMayWait) {
    Latch latch;
    const Pool pool(1);
    ASSERT_EQ(submit(pool, local, [&] { latch.wait(); }), NEAR_OK);
    std::atomic<int> idle{0};
    std::vector<std::thread> waiters;
    for (int i = 0; i < 4; i++) {
        waiters.emplace_back([&] { idle += wait_idle(pool) == NEAR_OK ? 1 : 0; });
    }
    give_it_time();
    EXPECT_EQ(idle, 0);
    latch.open();
    for (std::thread &waiter : waiters) {
        waiter.join();
    }
    EXPECT_EQ(idle, 4);
}

// F12, peers' test of pending tasks (peers.md 1.4), acceptance 9: the queue's depth is live.
TEST(PoolTasks, ThatWaitAreCountedAsQueued) {
    Latch latch;
    const Pool pool(options_for(nullptr, 1, NUMA_POOL_STEAL_LOCAL));
    const uint32_t node = nodes_of(pool)[0];
    ASSERT_EQ(submit(pool, node, [&] { latch.wait(); }), NEAR_OK);
    ASSERT_TRUE(latch.await_waiting(1));
    for (int i = 0; i < 5; i++) {
        ASSERT_EQ(numa_pool_submit(pool, node, succeed, nullptr), NEAR_OK);
    }
    EXPECT_EQ(counts_of(pool, node).queued, 5U);
    EXPECT_EQ(counts_of(pool, node).accepted, 6U);
    latch.open();
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(counts_of(pool, node).queued, 0U);
    EXPECT_EQ(counts_of(pool, node).run_local, 6U);
    EXPECT_GT(counts_of(pool, node).busy_ns, 0U);
}

TEST(PoolAlloc, MakesMemoryThatCanBeUsedOnEveryNodeAndOutlivesThePool) {
    auto pool = std::make_unique<Pool>(1);
    std::vector<near_region *> regions;
    for (const uint32_t node : nodes_of(*pool)) {
        near_region *region = nullptr;
        Error error;
        ASSERT_EQ(numa_pool_alloc(*pool, node, 100000, nullptr, &region, &error), NEAR_OK) << error.message;
        regions.push_back(region);
    }
    pool.reset();
    for (near_region *region : regions) {
        ASSERT_EQ(near_region_bytes(region), 100000U);
        std::memset(near_region_data(region), 1, 100000);
        near_region_destroy(region);
    }
}

TEST(PoolAlloc, FromATaskOnAPoolOfOneWorkerDoesNotWaitForItself) { // design.md section 3: the crew
    const Pool pool(1);
    near_status status = NEAR_E_INTERNAL;
    near_region *region = nullptr;
    ASSERT_EQ(submit(pool, local, [&] { status = numa_pool_alloc(pool, local, 100000, nullptr, &region, nullptr); }),
              NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(status, NEAR_OK);
    near_region_destroy(region);
}

// Nobody waits for such a task, so that nobody would hear of it.
TEST(PoolTasks, OfNoGroupThatFailAreToldByTheInfoAndTheLog) {
    const Pool pool(1);
    EXPECT_EQ(info_of(pool).loose_failures, 0U);
    EXPECT_STREQ(info_of(pool).first_failure, "");
    const auto began = std::chrono::steady_clock::now();
    std::vector<std::string> heard;
    const near_log_fn keep = [](int32_t, const char *message, void *user_data) {
        static_cast<std::vector<std::string> *>(user_data)->emplace_back(message);
    };
    ASSERT_EQ(near_log_set_callback(keep, &heard, NEAR_LOG_WARN), NEAR_OK);
    const Group group(pool);
    ASSERT_EQ(submit_job(pool, NUMA_POOL_NODE_LOCAL, group, [] { return near_task_fail("of a group"); }), NEAR_OK);
    for (const char *why : {"the disk is on fire", "so is the other", "and the third"}) {
        ASSERT_EQ(submit_job(pool, NUMA_POOL_NODE_LOCAL, nullptr, [why] { return near_task_fail(why); }), NEAR_OK);
        ASSERT_EQ(wait_idle(pool), NEAR_OK);
    }
    ASSERT_EQ(near_log_set_callback(nullptr, nullptr, NEAR_LOG_NONE), NEAR_OK);
    EXPECT_EQ(info_of(pool).loose_failures, 3U);
    EXPECT_STREQ(info_of(pool).first_failure, "the disk is on fire");
    EXPECT_STREQ(info_of(pool).last_failure, "and the third");
    ASSERT_FALSE(heard.empty());
    EXPECT_NE(heard[0].find("a task of no group failed: the disk is on fire"), std::string::npos) << heard[0];
    EXPECT_EQ(wait_group(group), NEAR_E_TASK);
    // Once the second is over, the next one is logged with how many there were; so there are no more lines than
    // seconds.
    EXPECT_EQ(near_log_set_callback(keep, &heard, NEAR_LOG_WARN), NEAR_OK);
    EXPECT_TRUE(eventually([&] {
        EXPECT_EQ(submit_job(pool, NUMA_POOL_NODE_LOCAL, nullptr, [] { return near_status{NEAR_E_NOMEM}; }), NEAR_OK);
        EXPECT_EQ(wait_idle(pool), NEAR_OK);
        return heard.back().find("tasks of no group have failed, the last: a task returned NEAR_E_NOMEM") !=
               std::string::npos;
    }));
    ASSERT_EQ(near_log_set_callback(nullptr, nullptr, NEAR_LOG_NONE), NEAR_OK);
    const auto lasted = std::chrono::steady_clock::now() - began;
    EXPECT_LE(heard.size(), 2U + std::chrono::duration_cast<std::chrono::seconds>(lasted).count()) << "each is logged";
}

} // namespace
