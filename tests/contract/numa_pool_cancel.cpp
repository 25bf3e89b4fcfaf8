// SPDX-License-Identifier: Apache-2.0
// The cancel of a group: what it discards, and what the next wait says of it.
#include "contract/numa_pool_support.hpp"

#include <atomic>

using namespace nearpool_test;

namespace {

constexpr uint32_t local = NUMA_POOL_NODE_LOCAL;

TEST(PoolCancel, ACancelDiscardsWhatHasNotStartedAndNothingElse) {
    Latch latch;
    const Pool pool(options_for(nullptr, 1, NUMA_POOL_STEAL_LOCAL));
    const uint32_t node = nodes_of(pool)[0];
    const Group group(pool);
    std::atomic<int> run{0};
    std::atomic<int> discarded{0};
    std::atomic<int> others{0};
    ASSERT_EQ(submit(
                  pool, node, [&] { latch.wait(); }, group),
              NEAR_OK);
    ASSERT_TRUE(latch.await_waiting(1));
    for (int i = 0; i < 50; i++) {
        ASSERT_EQ(submit_job(
                      pool, node, group,
                      [&] {
                          run++;
                          return near_status{NEAR_OK};
                      },
                      [&] { discarded++; }),
                  NEAR_OK);
        ASSERT_EQ(submit(pool, node, [&] { others++; }), NEAR_OK);
    }
    ASSERT_EQ(numa_pool_group_cancel(group), NEAR_OK);
    EXPECT_EQ(counts_of_group(group).cancelled, 1U);
    latch.open();
    Error error;
    EXPECT_EQ(wait_group(group, &error), NEAR_E_CANCELLED) << "its tasks have not all run";
    EXPECT_TRUE(error.says("50 tasks of the group were discarded")) << error.message;
    EXPECT_EQ(wait_group(group), NEAR_OK) << "told twice";
    EXPECT_EQ(run, 0);
    EXPECT_EQ(discarded, 50);
    const numa_pool_group_counts counts = counts_of_group(group);
    EXPECT_EQ(counts.accepted, 51U);
    EXPECT_EQ(counts.run, 1U);
    EXPECT_EQ(counts.discarded, 50U);
    EXPECT_EQ(counts.cancelled, 0U) << "after the wait the group is as new";
    ASSERT_EQ(submit(
                  pool, node, [&] { run++; }, group),
              NEAR_OK);
    EXPECT_EQ(wait_group(group), NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(run, 1);
    EXPECT_EQ(others, 50);
    EXPECT_EQ(counts_of(pool).discarded, 50U);
    expect_counts_add_up(pool);
}

TEST(PoolCancel, ATaskMayCancelItsOwnGroup) {
    const Pool pool(options_for(nullptr, 1, NUMA_POOL_STEAL_LOCAL));
    const uint32_t node = nodes_of(pool)[0];
    const Group group(pool);
    Latch latch;
    std::atomic<int> run{0};
    ASSERT_EQ(submit(
                  pool, node,
                  [&] {
                      latch.wait();
                      EXPECT_EQ(numa_pool_group_cancel(group), NEAR_OK);
                      EXPECT_EQ(numa_pool_group_submit(group, local, succeed, nullptr), NEAR_E_BUSY);
                  },
                  group),
              NEAR_OK);
    for (int i = 0; i < 10; i++) {
        ASSERT_EQ(
            submit_job(pool, node, group, [&] { return run++ < 0 ? near_status{NEAR_E_TASK} : near_status{NEAR_OK}; }),
            NEAR_OK);
    }
    latch.open();
    EXPECT_EQ(wait_group(group), NEAR_E_CANCELLED);
    EXPECT_EQ(run, 0);
    EXPECT_EQ(counts_of_group(group).discarded, 10U);
}

TEST(PoolCancel, AFailureBesideACancelIsTheStatusAndBothAreCounted) {
    const Pool pool(options_for(nullptr, 1, NUMA_POOL_STEAL_LOCAL));
    const uint32_t node = nodes_of(pool)[0];
    const Group group(pool);
    Latch latch;
    ASSERT_EQ(submit_job(pool, node, group,
                         [&] {
                             latch.wait();
                             return near_task_fail("the disk is on fire");
                         }),
              NEAR_OK);
    ASSERT_TRUE(latch.await_waiting(1));
    for (int i = 0; i < 3; i++) {
        ASSERT_EQ(numa_pool_group_submit(group, node, succeed, nullptr), NEAR_OK);
    }
    ASSERT_EQ(numa_pool_group_cancel(group), NEAR_OK);
    latch.open();
    Error error;
    EXPECT_EQ(wait_group(group, &error), NEAR_E_TASK);
    EXPECT_TRUE(error.says("the disk is on fire (3 were discarded")) << error.message;
    EXPECT_EQ(wait_group(group), NEAR_OK);
}

} // namespace
