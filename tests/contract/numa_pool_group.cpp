// SPDX-License-Identifier: Apache-2.0
// Groups: waiting, cancelling, failures, counts, and waits inside of workers.
#include "contract/numa_pool_support.hpp"

#include <atomic>
#include <stdexcept>

using namespace nearpool_test;

namespace {

constexpr uint32_t local = NUMA_POOL_NODE_LOCAL;

TEST(PoolGroup, WithoutTasksIsWaitedForAtOnce) {
    const Pool pool(1);
    const Group group(pool);
    EXPECT_EQ(numa_pool_group_wait(group, 0, nullptr), NEAR_OK);
    const numa_pool_group_counts counts = counts_of_group(group);
    EXPECT_EQ(counts.accepted + counts.run + counts.failed + counts.discarded + counts.cancelled, 0U);
}

TEST(PoolGroup, AWaitReturnsWhenItsTasksHaveRunAndOthersStillRun) {
    Latch latch;
    const Pool pool(2);
    ASSERT_EQ(submit(pool, local, [&] { latch.wait(); }), NEAR_OK);
    const Group group(pool);
    std::atomic<int> run{0};
    for (int i = 0; i < 100; i++) {
        ASSERT_EQ(submit(
                      pool, local, [&] { run++; }, group),
                  NEAR_OK);
    }
    EXPECT_EQ(wait_group(group), NEAR_OK);
    EXPECT_EQ(run, 100);
    EXPECT_EQ(counts_of_group(group).accepted, 100U);
    EXPECT_EQ(counts_of_group(group).run, 100U);
    EXPECT_EQ(numa_pool_wait_idle(pool, 0, nullptr), NEAR_E_TIMEOUT);
    latch.open();
}

TEST(PoolGroup, AWaitTimesOutAndThenSucceeds) {
    Latch latch;
    const Pool pool(1);
    const Group group(pool);
    ASSERT_EQ(submit(
                  pool, local, [&] { latch.wait(); }, group),
              NEAR_OK);
    Error error;
    EXPECT_EQ(numa_pool_group_wait(group, 0, &error), NEAR_E_TIMEOUT);
    EXPECT_TRUE(error.says("numa_pool_group_wait: ")) << error.message;
    const Stopwatch watch;
    EXPECT_EQ(numa_pool_group_wait(group, 2 * NEAR_MS, nullptr), NEAR_E_TIMEOUT);
    EXPECT_GE(watch.ns(), 2 * NEAR_MS) << "it did not wait";
    latch.open();
    EXPECT_EQ(wait_group(group), NEAR_OK);
}

TEST(PoolGroup, TheFirstFailureIsReportedOnceAndTheGroupIsUsedAgain) {
    const Pool pool(1);
    const Group group(pool);
    const uint32_t node = nodes_of(pool)[0];
    ASSERT_EQ(submit(
                  pool, node, [] {}, group),
              NEAR_OK);
    ASSERT_EQ(submit_job(pool, node, group, [] { return near_task_fail("the first reason"); }), NEAR_OK);
    ASSERT_EQ(submit_job(pool, node, group, [] { return near_task_fail("the second reason"); }), NEAR_OK);
    Error error;
    EXPECT_EQ(wait_group(group, &error), NEAR_E_TASK);
    EXPECT_TRUE(error.says("the first reason")) << error.message;
    EXPECT_FALSE(error.says("the second reason")) << error.message;
    EXPECT_EQ(error.status, NEAR_E_TASK);
    EXPECT_EQ(wait_group(group), NEAR_OK) << "a failure was reported twice";
    ASSERT_EQ(submit_job(pool, node, group, [] { return near_task_fail("a later reason"); }), NEAR_OK);
    EXPECT_EQ(wait_group(group, &error), NEAR_E_TASK);
    EXPECT_TRUE(error.says("a later reason")) << error.message;
    const numa_pool_group_counts counts = counts_of_group(group);
    EXPECT_EQ(counts.accepted, 4U);
    EXPECT_EQ(counts.run, 4U);
    EXPECT_EQ(counts.failed, 3U);
}

TEST(PoolGroup, AnExceptionIsAFailureWithItsText) {
    const Pool pool(1);
    const Group group(pool);
    Error error;
    ASSERT_EQ(submit_job(pool, local, group, []() -> near_status { throw std::runtime_error("it was thrown"); }),
              NEAR_OK);
    EXPECT_EQ(wait_group(group, &error), NEAR_E_TASK);
    EXPECT_TRUE(error.says("it was thrown")) << error.message;
    ASSERT_EQ(submit_job(pool, local, group, []() -> near_status { throw 5; }), NEAR_OK);
    EXPECT_EQ(wait_group(group, &error), NEAR_E_TASK);
}

TEST(PoolGroup, AnyOtherStatusIsAFailureToo) {
    const Pool pool(1);
    const Group group(pool);
    ASSERT_EQ(submit_job(pool, local, group, [] { return near_status{NEAR_E_NO_NODE}; }), NEAR_OK);
    Error error;
    EXPECT_EQ(wait_group(group, &error), NEAR_E_TASK);
    EXPECT_TRUE(error.says("a task returned NEAR_E_NO_NODE: there is no such NUMA node")) << error.message;
    EXPECT_EQ(counts_of_group(group).failed, 1U);
    ASSERT_EQ(submit_job(pool, local, group, [] { return near_status{5}; }), NEAR_OK);
    EXPECT_EQ(wait_group(group, &error), NEAR_E_TASK);
    EXPECT_TRUE(error.says("a task returned 5, which is no near_status")) << error.message;
}

TEST(PoolGroup, AFailureTextIsCutAndNotOverrun) {
    const Pool pool(1);
    const Group group(pool);
    const std::string text(1000, 'x');
    ASSERT_EQ(submit_job(pool, local, group, [&] { return near_task_fail(text.c_str()); }), NEAR_OK);
    Error error;
    EXPECT_EQ(wait_group(group, &error), NEAR_E_TASK);
    EXPECT_TRUE(error.says(std::string(239, 'x').c_str())) << error.message;
    EXPECT_FALSE(error.says(std::string(240, 'x').c_str())) << error.message;
}

TEST(PoolGroup, DestroyedEarlyItsTasksStillRun) {
    Latch latch;
    const Pool pool(1);
    std::atomic<int> run{0};
    {
        const Group group(pool);
        ASSERT_EQ(submit(
                      pool, local, [&] { latch.wait(); }, group),
                  NEAR_OK);
        for (int i = 0; i < 10; i++) {
            ASSERT_EQ(submit(
                          pool, local, [&] { run++; }, group),
                      NEAR_OK);
        }
    }
    latch.open();
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(run, 10);
}

// Relaxed, so that nothing but the group itself orders its last task and its end: ThreadSanitizer sees the rest.
TEST(PoolGroup, IsDestroyedAtTheMomentThatItsLastTaskEnds) {
    const Pool pool(1);
    std::atomic<int> run{0};
    const int turns = 20000 / slowness();
    for (int turn = 0; turn < turns; turn++) {
        const Group group(pool);
        ASSERT_EQ(submit(
                      pool, local, [&] { run.fetch_add(1, std::memory_order_relaxed); }, group),
                  NEAR_OK);
        while (run.load(std::memory_order_relaxed) == turn) {
        }
    }
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(run, turns);
}

TEST(PoolGroup, OutlivesItsPool) {
    auto pool = std::make_unique<Pool>(1);
    const Group group(*pool);
    ASSERT_EQ(submit(
                  *pool, local, [] {}, group),
              NEAR_OK);
    pool.reset();
    EXPECT_EQ(wait_group(group), NEAR_OK);
    EXPECT_EQ(counts_of_group(group).run, 1U);
    EXPECT_EQ(numa_pool_group_submit(group, local, succeed, nullptr), NEAR_E_SHUTDOWN);
}

TEST(PoolGroup, AWaitByATaskOfTheGroupIsBusy) {
    const Pool pool(1);
    const Group group(pool);
    near_status inner = NEAR_OK;
    ASSERT_EQ(submit(
                  pool, local, [&] { inner = numa_pool_group_wait(group, NEAR_FOREVER, nullptr); }, group),
              NEAR_OK);
    EXPECT_EQ(wait_group(group), NEAR_OK);
    EXPECT_EQ(inner, NEAR_E_BUSY);
}

TEST(PoolGroup, ATaskCanSubmitIntoItsGroupBeforeTheWaitReturns) {
    const Pool pool(2);
    const Group group(pool);
    std::atomic<int> run{0};
    std::function<void(int)> spread = [&](int depth) {
        run++;
        for (int i = 0; i < 2 && depth > 0; i++) {
            EXPECT_EQ(submit(
                          pool, local, [&spread, depth] { spread(depth - 1); }, group),
                      NEAR_OK);
        }
    };
    ASSERT_EQ(submit(
                  pool, local, [&] { spread(8); }, group),
              NEAR_OK);
    ASSERT_EQ(wait_group(group), NEAR_OK);
    EXPECT_EQ(run, 511);
}

// A task that waits for a group of its own, inside a task that does, and so on; the pool has one worker.
class Nest {
public:
    explicit Nest(numa_pool *pool) : pool_(pool) {}

    void go_down(int depth) {
        run++;
        if (depth == 0) {
            return;
        }
        const Group group(pool_);
        for (int i = 0; i < 2; i++) {
            EXPECT_EQ(submit(
                          pool_, local, [this, depth] { go_down(depth - 1); }, group),
                      NEAR_OK);
        }
        EXPECT_EQ(wait_group(group), NEAR_OK);
    }

    std::atomic<int> run{0};

private:
    numa_pool *pool_;
};

TEST(PoolGroup, NestedWaitsOnOneWorkerDoNotDeadlock) {
    const Pool pool(1);
    Nest nest(pool);
    ASSERT_EQ(submit(pool, local, [&] { nest.go_down(8); }), NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(nest.run, 511);
}

TEST(PoolGroup, NestedWaitsOnFourNodesDoNotDeadlock) {
    const Topology four = four_nodes();
    const Pool pool(options_for(four, 1));
    Nest nest(pool);
    for (uint32_t node = 0; node < 4; node++) {
        ASSERT_EQ(submit(pool, node, [&] { nest.go_down(7); }), NEAR_OK);
    }
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(nest.run, 4 * 255);
    expect_counts_add_up(pool);
}

// One chain deeper than any bound on how many waits a worker stacks: the bound may not become a deadlock.
TEST(PoolGroup, AChainOfAThousandWaitsEnds) {
    const Pool pool(1);
    std::atomic<int> run{0};
    std::function<void(int)> link = [&](int depth) {
        run++;
        if (depth > 0) {
            const Group group(pool);
            EXPECT_EQ(submit(
                          pool, local, [&link, depth] { link(depth - 1); }, group),
                      NEAR_OK);
            EXPECT_EQ(wait_group(group), NEAR_OK);
        }
    };
    ASSERT_EQ(submit(pool, local, [&] { link(1000 / NEARPOOL_TEST_SLOW); }), NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(run, 1000 / NEARPOOL_TEST_SLOW + 1);
}

// What a bounded depth must not do: with many unrelated tasks waiting, a waiting worker that runs one after another on
// its stack may need them all to end before it can go on.
TEST(PoolGroup, ManyTasksThatEachWaitForTheirOwnGroupEndOnOneWorker) {
    const Pool pool(1);
    std::atomic<int> run{0};
    for (int i = 0; i < 500; i++) {
        ASSERT_EQ(submit(pool, nodes_of(pool)[0],
                         [&] {
                             const Group group(pool);
                             EXPECT_EQ(submit(
                                           pool, local, [&] { run++; }, group),
                                       NEAR_OK);
                             EXPECT_EQ(wait_group(group), NEAR_OK);
                         }),
                  NEAR_OK);
    }
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(run, 500);
}

TEST(PoolGroup, ATimedWaitInAWorkerEnds) {
    Latch latch;
    const Pool pool(2);
    const Group group(pool);
    near_status inner = NEAR_OK;
    ASSERT_EQ(submit(
                  pool, local, [&] { latch.wait(); }, group),
              NEAR_OK);
    ASSERT_TRUE(latch.await_waiting(1));
    ASSERT_EQ(submit(pool, local,
                     [&] {
                         const Stopwatch watch;
                         inner = numa_pool_group_wait(group, 2 * NEAR_MS, nullptr);
                         EXPECT_GE(watch.ns(), 2 * NEAR_MS) << "it did not wait";
                         latch.open();
                     }),
              NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(inner, NEAR_E_TIMEOUT);
}

TEST(PoolGroup, ManyThreadsMayWaitForIt) {
    Latch latch;
    const Pool pool(1);
    const Group group(pool);
    ASSERT_EQ(submit(
                  pool, local, [&] { latch.wait(); }, group),
              NEAR_OK);
    std::atomic<int> done{0};
    std::vector<std::thread> waiters;
    for (int i = 0; i < 4; i++) {
        waiters.emplace_back([&] { done += wait_group(group) == NEAR_OK ? 1 : 0; });
    }
    give_it_time();
    EXPECT_EQ(done, 0);
    latch.open();
    for (std::thread &waiter : waiters) {
        waiter.join();
    }
    EXPECT_EQ(done, 4);
}

} // namespace
