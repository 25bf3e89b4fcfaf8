// SPDX-License-Identifier: Apache-2.0
// Who takes whose tasks: the three policies, and the rule that keeps locality. The same on a real machine: vm_pool.cpp.
#include "contract/numa_pool_steal.hpp"

#include <numeric>

using namespace nearpool_test;

namespace {

TEST(PoolSteal, NearestTakesInTheOrderOfTheDistances) { // peers N25, N29
    const Topology four = four_nodes();
    prove_steal_order(four, 1, {0, 3, 2});
    prove_steal_order(four, 2, {3, 0, 1});
}

TEST(PoolSteal, OfOneNodeOnlyWhenMoreTasksWaitThanItHasWorkers) {
    const Topology four = four_nodes();
    for (const int32_t policy : {NUMA_POOL_STEAL_NEAREST, NUMA_POOL_STEAL_ANY}) {
        BusyPool pool(four, policy);
        std::atomic<int> run{0};
        pool.let_go(1);
        pool.let_go(2);
        pool.let_go(3);
        ASSERT_EQ(submit(pool, 0, [&] { run++; }), NEAR_OK);
        give_it_time();
        EXPECT_EQ(run, 0) << "a stranger took the task of a worker that was about to be free";
        ASSERT_EQ(submit(pool, 0, [&] { run++; }), NEAR_OK);
        EXPECT_TRUE(eventually([&] { return run == 1; }));
        give_it_time();
        EXPECT_EQ(run, 1);
        pool.let_go(0);
        ASSERT_EQ(wait_idle(pool), NEAR_OK);
        EXPECT_EQ(counts_of(pool, 0).run_remote, 1U);
        EXPECT_EQ(counts_of(pool, 0).run_local, 2U);
        expect_counts_add_up(pool);
    }
}

TEST(PoolSteal, LocalOnlyNeverTakes) {
    const Topology four = four_nodes();
    BusyPool pool(four, NUMA_POOL_STEAL_LOCAL);
    std::atomic<int> elsewhere{0};
    std::atomic<int> run{0};
    for (int i = 0; i < 400; i++) {
        ASSERT_EQ(submit(pool, 0,
                         [&] {
                             run++;
                             elsewhere += current_node() == 0 ? 0 : 1;
                         }),
                  NEAR_OK);
    }
    pool.let_go(1);
    pool.let_go(2);
    pool.let_go(3);
    give_it_time();
    EXPECT_EQ(run, 0);
    pool.let_go(0);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(run, 400);
    EXPECT_EQ(elsewhere, 0);
    const std::vector<uint64_t> matrix = steals_of(pool);
    for (std::size_t i = 0; i < 16; i++) {
        EXPECT_TRUE(i / 4 == i % 4 || matrix[i] == 0) << i / 4 << " took from " << i % 4;
    }
}

TEST(PoolSteal, AnyTakesWhateverTheDistance) {
    const Topology four = four_nodes();
    BusyPool pool(four, NUMA_POOL_STEAL_ANY);
    std::atomic<int> run{0};
    for (int i = 0; i < 100; i++) {
        ASSERT_EQ(submit(pool, 0, [&] { run++; }), NEAR_OK);
    }
    pool.let_go(3); // the farthest
    EXPECT_TRUE(eventually([&] { return run == 99; }));
    pool.let_all_go();
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(steals_of(pool)[3 * 4 + 0], 99U);
    EXPECT_EQ(counts_of(pool, 3).taken, 99U);
    expect_counts_add_up(pool);
}

TEST(PoolSteal, ATaskThatWaitedLongerThanTheDelayMayBeTaken) {
    const Topology four = four_nodes();
    for (const int32_t policy : {NUMA_POOL_STEAL_NEAREST, NUMA_POOL_STEAL_ANY}) {
        Latch latch;
        numa_pool_options options = options_for(four, 1, policy);
        options.steal_delay_ns = NEAR_MS;
        const Pool pool(options);
        ASSERT_EQ(submit(pool, 0, [&] { latch.wait(); }), NEAR_OK);
        ASSERT_TRUE(latch.await_waiting(1));
        give_it_time(); // the others go to sleep
        std::atomic<bool> run{false};
        ASSERT_EQ(submit(pool, 0, [&] { run = true; }), NEAR_OK);
        EXPECT_TRUE(eventually([&] { return run.load(); })) << "it waits behind a task that does not end";
        latch.open();
        ASSERT_EQ(wait_idle(pool), NEAR_OK);
        EXPECT_EQ(counts_of(pool, 0).run_remote, 1U);
    }
}

TEST(PoolSteal, ByTheDefaultDelayNoTaskWaitsForEverBehindABlockedWorker) {
    Latch latch;
    const Topology four = four_nodes();
    const Pool pool(options_for(four, 1));
    ASSERT_EQ(submit(pool, 0, [&] { latch.wait(); }), NEAR_OK);
    ASSERT_TRUE(latch.await_waiting(1));
    std::atomic<bool> run{false};
    ASSERT_EQ(submit(pool, 0, [&] { run = true; }), NEAR_OK);
    EXPECT_TRUE(eventually([&] { return run.load(); }));
    latch.open();
}

// The thief that was woken for a task, and waits until it may take it, is called away: another waits instead.
TEST(PoolSteal, ATaskIsTakenAlsoWhenItsThiefIsCalledAway) {
    const Topology three("pack:3 numa:1 pu:1");
    for (int round = 0; round < 5; round++) {
        Latch latch;
        numa_pool_options options = options_for(three, 1);
        options.steal_delay_ns = 10 * NEAR_MS;
        const Pool pool(options);
        ASSERT_EQ(submit(pool, 0, [&] { latch.wait(); }), NEAR_OK);
        ASSERT_TRUE(latch.await_waiting(1));
        give_it_time(); // the others go to sleep
        std::atomic<bool> run{false};
        ASSERT_EQ(submit(pool, 0, [&] { run = true; }), NEAR_OK);
        ASSERT_EQ(submit(pool, 1, [&] { latch.wait(); }), NEAR_OK); // node 1's worker is the nearest thief
        EXPECT_TRUE(eventually([&] { return run.load(); })) << "node 2 sleeps, and nobody takes the task";
        latch.open();
    }
}

// A worker that goes on sending tasks to itself looks at what its blocked sibling has sent, too.
TEST(PoolSteal, ASiblingsTaskIsNotStarved) {
    const Topology one("numa:1 pu:2");
    const Pool pool(options_for(one, 2, NUMA_POOL_STEAL_LOCAL));
    std::atomic<bool> run{false};
    Latch busy;
    std::function<void()> again = [&] {
        if (!run) {
            ASSERT_EQ(submit(pool, 0, again), NEAR_OK);
        }
    };
    ASSERT_EQ(submit(pool, 0,
                     [&] {
                         busy.wait(); // the other worker turns by now
                         ASSERT_EQ(submit(pool, 0, [&] { run = true; }), NEAR_OK);
                         EXPECT_TRUE(eventually([&] { return run.load(); }));
                     }),
              NEAR_OK);
    ASSERT_TRUE(busy.await_waiting(1));
    ASSERT_EQ(submit(pool, 0, again), NEAR_OK);
    give_it_time();
    busy.open();
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_TRUE(run);
}

// Workers of one node are one team: whoever is free takes the node's tasks, also under local only.
TEST(PoolSteal, WorkersOfANodeShareItsTasks) {
    Latch latch;
    const Topology four = four_nodes();
    const Pool pool(options_for(four, 2, NUMA_POOL_STEAL_LOCAL));
    ASSERT_EQ(submit(pool, 0, [&] { latch.wait(); }), NEAR_OK);
    ASSERT_TRUE(latch.await_waiting(1));
    std::atomic<int> run{0};
    for (int i = 0; i < 100; i++) {
        ASSERT_EQ(submit(pool, 0, [&] { run++; }), NEAR_OK);
    }
    EXPECT_TRUE(eventually([&] { return run == 100; }));
    latch.open();
}

TEST(PoolSteal, WhatAWorkerSubmitsToItsOwnNodeIsSharedToo) {
    Latch latch;
    const Topology four = four_nodes();
    const Pool pool(options_for(four, 2, NUMA_POOL_STEAL_LOCAL));
    std::atomic<int> run{0};
    ASSERT_EQ(submit(pool, 0,
                     [&] {
                         for (int i = 0; i < 100; i++) {
                             EXPECT_EQ(submit(pool, NUMA_POOL_NODE_LOCAL, [&] { run++; }), NEAR_OK);
                         }
                         latch.wait();
                     }),
              NEAR_OK);
    EXPECT_TRUE(eventually([&] { return run == 100; })) << "the sibling slept while tasks waited";
    latch.open();
}

TEST(PoolSteal, TheMatrixAddsUpUnderLoad) { // acceptance 9
    const Topology four = four_nodes();
    const Pool pool(options_for(four, 1));
    const int count = 20000 / slowness();
    for (int i = 0; i < count; i++) {
        ASSERT_EQ(numa_pool_submit(pool, i % 10 == 0 ? 2 : 0, succeed, nullptr), NEAR_OK); // lopsided
    }
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    const std::vector<uint64_t> matrix = steals_of(pool);
    EXPECT_EQ(std::accumulate(matrix.begin(), matrix.end(), uint64_t{0}), static_cast<uint64_t>(count));
    expect_counts_add_up(pool);
}

TEST(PoolSteal, CountsStayAfterShutdown) {
    const Topology four = four_nodes();
    const Pool pool(options_for(four, 1));
    for (uint32_t node = 0; node < 4; node++) {
        ASSERT_EQ(numa_pool_submit(pool, node, succeed, nullptr), NEAR_OK);
    }
    ASSERT_EQ(numa_pool_shutdown(pool, long_enough_ns, nullptr, nullptr), NEAR_OK);
    EXPECT_EQ(counts_of(pool).accepted, 4U);
    EXPECT_EQ(info_of(pool).worker_count, 4U);
    EXPECT_EQ(nodes_of(pool).size(), 4U);
    expect_counts_add_up(pool);
}

} // namespace
