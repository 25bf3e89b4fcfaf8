// SPDX-License-Identifier: Apache-2.0
// Every error that the headers numa_pool*.h and task.h list, where no other test of theirs is the better place. Forked
// pools are in fork.cpp, strict mode and what a kernel refuses in seccomp.cpp.
#include "contract/numa_pool_support.hpp"

#include <array>

using namespace nearpool_test;

namespace {

near_status part(std::size_t, std::size_t, uint32_t, void *) {
    return NEAR_OK;
}

class PoolErrors : public testing::Test {
protected:
    PoolErrors() : machine_(four_nodes()), pool_(options_for(machine_)), group_(pool_) {}
    ~PoolErrors() override { EXPECT_EQ(counts_of(pool_).accepted, 0U) << "a refused task was accepted"; }

    Topology machine_;
    Pool pool_;
    Group group_;
};

TEST_F(PoolErrors, Submit) {
    EXPECT_EQ(numa_pool_submit(nullptr, 0, succeed, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_submit(pool_, 0, nullptr, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_submit(pool_, 4, succeed, nullptr), NEAR_E_NO_NODE);
    EXPECT_EQ(numa_pool_submit(pool_, NEAR_NODE_UNKNOWN, succeed, nullptr), NEAR_E_NO_NODE);
    EXPECT_EQ(numa_pool_submit(pool_, 4, nullptr, nullptr), NEAR_E_INVALID) << "arguments come first";
}

TEST_F(PoolErrors, SubmitTasks) {
    const near_task good{succeed, nullptr, nullptr};
    const near_task bad{nullptr, nullptr, nullptr};
    const std::array<near_task, 2> mixed{good, bad};
    EXPECT_EQ(numa_pool_submit_tasks(nullptr, 0, &good, 1, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_submit_tasks(pool_, 0, nullptr, 1, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_submit_tasks(pool_, 0, mixed.data(), mixed.size(), nullptr), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_submit_tasks(pool_, 0, &good, 0, nullptr), NEAR_OK);
    EXPECT_EQ(numa_pool_submit_tasks(pool_, 0, nullptr, 0, nullptr), NEAR_OK);
    EXPECT_EQ(numa_pool_submit_tasks(pool_, 4, nullptr, 0, nullptr), NEAR_E_NO_NODE);
    EXPECT_EQ(counts_of(pool_).accepted, 0U);
    EXPECT_EQ(numa_pool_submit_tasks(pool_, 4, &good, 1, nullptr), NEAR_E_NO_NODE);
    EXPECT_EQ(numa_pool_submit_tasks(pool_, 0, &good, SIZE_MAX, nullptr), NEAR_E_INVALID) << "no array is so long";
    EXPECT_EQ(numa_pool_submit_tasks(pool_, 0, &good, SIZE_MAX / sizeof good, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_submit_tasks(pool_, 0, &good, PTRDIFF_MAX / sizeof good, nullptr), NEAR_E_NOMEM);
    const Pool other(1);
    const Group foreign(other);
    EXPECT_EQ(numa_pool_submit_tasks(pool_, 0, &good, 1, foreign), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_submit_tasks(pool_, 0, &good, 0, foreign), NEAR_E_INVALID);
    EXPECT_EQ(counts_of(other).accepted, 0U);
}

TEST_F(PoolErrors, ParallelFor) {
    Error error;
    EXPECT_EQ(numa_pool_parallel_for(nullptr, 0, 1, 0, part, nullptr, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("numa_pool_parallel_for: pool is NULL")) << error.message;
    EXPECT_EQ(numa_pool_parallel_for(pool_, 0, 1, 0, nullptr, nullptr, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("body")) << error.message;
    EXPECT_EQ(numa_pool_parallel_for(pool_, 5, 4, 0, part, nullptr, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("5") && error.says("4")) << error.message;
}

TEST_F(PoolErrors, WaitIdleAndShutdown) {
    Error error;
    EXPECT_EQ(numa_pool_wait_idle(nullptr, 0, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("numa_pool_wait_idle: pool is NULL")) << error.message;
    EXPECT_EQ(numa_pool_shutdown(nullptr, 0, nullptr, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("numa_pool_shutdown: pool is NULL")) << error.message;
    numa_pool_destroy(nullptr);
}

TEST_F(PoolErrors, GroupCreate) {
    Error error;
    numa_pool_group *made = nullptr;
    EXPECT_EQ(numa_pool_group_create(nullptr, &made, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("numa_pool_group_create: pool is NULL")) << error.message;
    EXPECT_EQ(numa_pool_group_create(pool_, nullptr, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("group is NULL")) << error.message;
    EXPECT_EQ(made, nullptr);
    numa_pool_group_destroy(nullptr);
}

TEST_F(PoolErrors, GroupSubmit) {
    EXPECT_EQ(numa_pool_group_submit(nullptr, 0, succeed, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_group_submit(group_, 0, nullptr, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_group_submit(group_, 4, succeed, nullptr), NEAR_E_NO_NODE);
    ASSERT_EQ(numa_pool_group_cancel(group_), NEAR_OK);
    EXPECT_EQ(numa_pool_group_submit(group_, 0, succeed, nullptr), NEAR_E_BUSY);
    const near_task task{succeed, nullptr, nullptr};
    EXPECT_EQ(numa_pool_submit_tasks(pool_, 0, &task, 1, group_), NEAR_E_BUSY);
    ASSERT_EQ(wait_group(group_), NEAR_OK);
}

TEST_F(PoolErrors, GroupWaitCancelAndCounts) {
    Error error;
    EXPECT_EQ(numa_pool_group_wait(nullptr, 0, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("numa_pool_group_wait: group is NULL")) << error.message;
    EXPECT_EQ(numa_pool_group_cancel(nullptr), NEAR_E_INVALID);
    numa_pool_group_counts counts{};
    counts.struct_size = sizeof counts;
    EXPECT_EQ(numa_pool_group_get_counts(nullptr, &counts), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_group_get_counts(group_, nullptr), NEAR_E_INVALID);
    counts.struct_size = 6;
    EXPECT_EQ(numa_pool_group_get_counts(group_, &counts), NEAR_E_VERSION);
    EXPECT_EQ(counts.struct_size, 6U);
}

TEST_F(PoolErrors, GetInfo) {
    numa_pool_info info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(numa_pool_get_info(nullptr, &info), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_get_info(pool_, nullptr), NEAR_E_INVALID);
    info.struct_size = 0;
    EXPECT_EQ(numa_pool_get_info(pool_, &info), NEAR_E_VERSION);
}

TEST_F(PoolErrors, GetNodeInfo) {
    numa_pool_node_info info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(numa_pool_get_node_info(nullptr, 0, &info), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_get_node_info(pool_, 0, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_get_node_info(pool_, 4, &info), NEAR_E_NO_NODE);
    EXPECT_EQ(numa_pool_get_node_info(pool_, NEAR_NODE_UNKNOWN, &info), NEAR_E_NO_NODE);
    info.struct_size = 5;
    EXPECT_EQ(numa_pool_get_node_info(pool_, 0, &info), NEAR_E_VERSION);
}

TEST_F(PoolErrors, GetCounts) {
    numa_pool_counts counts{};
    counts.struct_size = sizeof counts;
    EXPECT_EQ(numa_pool_get_counts(nullptr, 0, &counts), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_get_counts(pool_, 0, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_get_counts(pool_, 4, &counts), NEAR_E_NO_NODE);
    counts.struct_size = 1U << 20U;
    EXPECT_EQ(numa_pool_get_counts(pool_, 0, &counts), NEAR_E_VERSION);
}

TEST_F(PoolErrors, Nodes) {
    std::array<uint32_t, 4> nodes{9, 9, 9, 9};
    std::size_t needed = 0;
    EXPECT_EQ(numa_pool_nodes(nullptr, nodes.data(), 4, &needed), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_nodes(pool_, nodes.data(), 4, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_nodes(pool_, nullptr, 4, &needed), NEAR_E_INVALID);
    EXPECT_EQ(needed, 0U);
    EXPECT_EQ(numa_pool_nodes(pool_, nodes.data(), 3, &needed), NEAR_E_CAPACITY);
    EXPECT_EQ(needed, 4U);
    EXPECT_EQ(nodes[0], 9U) << "a list that does not fit was written";
}

TEST_F(PoolErrors, GetSteals) {
    std::array<uint64_t, 16> matrix{};
    std::size_t needed = 0;
    EXPECT_EQ(numa_pool_get_steals(nullptr, matrix.data(), 16, &needed), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_get_steals(pool_, matrix.data(), 16, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_get_steals(pool_, nullptr, 16, &needed), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_get_steals(pool_, matrix.data(), 15, &needed), NEAR_E_CAPACITY);
    EXPECT_EQ(needed, 16U);
    EXPECT_EQ(numa_pool_get_steals(pool_, matrix.data(), 16, &needed), NEAR_OK);
}

TEST_F(PoolErrors, CurrentOutsideATask) {
    numa_pool *pool = nullptr;
    uint32_t node = 7;
    uint32_t worker = 7;
    EXPECT_EQ(numa_pool_current(&pool, &node, &worker), NEAR_E_WRONG_THREAD);
    EXPECT_EQ(pool, nullptr);
    EXPECT_EQ(node, 7U);
    EXPECT_EQ(worker, 7U);
}

TEST_F(PoolErrors, Alloc) {
    Error error;
    near_region *region = nullptr;
    EXPECT_EQ(numa_pool_alloc(nullptr, 0, 4096, nullptr, &region, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("numa_pool_alloc: pool is NULL")) << error.message;
    EXPECT_EQ(numa_pool_alloc(pool_, 4, 4096, nullptr, &region, &error), NEAR_E_NO_NODE);
    EXPECT_EQ(numa_pool_alloc(pool_, 0, 0, nullptr, &region, &error), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_alloc(pool_, 0, 4096, nullptr, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_alloc(pool_, 0, SIZE_MAX, nullptr, &region, &error), NEAR_E_INVALID);
    near_region_options options{};
    options.struct_size = sizeof options;
    options.policy = NEAR_POLICY_BIND;
    EXPECT_EQ(numa_pool_alloc(pool_, 0, 4096, &options, &region, &error), NEAR_E_INVALID);
    const uint32_t nodes[] = {0};
    options.policy = 0;
    options.nodes = nodes;
    options.node_count = 1;
    EXPECT_EQ(numa_pool_alloc(pool_, 0, 4096, &options, &region, &error), NEAR_E_INVALID);
    options.struct_size = 2;
    EXPECT_EQ(numa_pool_alloc(pool_, 0, 4096, &options, &region, &error), NEAR_E_VERSION);
    EXPECT_EQ(region, nullptr);
}

TEST_F(PoolErrors, TaskFailOutsideATaskIsHarmless) {
    EXPECT_EQ(near_task_fail("nobody listens"), NEAR_E_TASK);
    EXPECT_EQ(near_task_fail(nullptr), NEAR_E_TASK);
}

// F7, F8: the policy can be printed.
TEST(PoolNames, StealPoliciesHaveNames) {
    EXPECT_STREQ(numa_pool_steal_policy_name(NUMA_POOL_STEAL_NEAREST), "nearest first");
    EXPECT_STREQ(numa_pool_steal_policy_name(NUMA_POOL_STEAL_LOCAL), "local only");
    EXPECT_STREQ(numa_pool_steal_policy_name(NUMA_POOL_STEAL_ANY), "any");
    EXPECT_STREQ(numa_pool_steal_policy_name(-1), "unknown");
    EXPECT_STREQ(numa_pool_steal_policy_name(3), "unknown");
}

} // namespace
