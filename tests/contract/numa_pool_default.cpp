// SPDX-License-Identifier: Apache-2.0
// The process's own pool. Each test looks at it in a process of its own, made by fork(): it cannot be shut down.
#include "contract/numa_pool_support.hpp"

#include <atomic>

using namespace nearpool_test;

namespace {

numa_pool *default_pool() {
    numa_pool *pool = nullptr;
    Error error;
    EXPECT_EQ(numa_pool_default(&pool, &error), NEAR_OK) << error.message;
    return pool;
}

ALONE_TEST(DefaultPool, IsTheSameForEveryThreadAndStartsNoneBeforeTheFirstTask) {
    numa_pool *pool = default_pool();
    numa_pool *other = nullptr;
    std::thread([&] { other = default_pool(); }).join();
    EXPECT_EQ(pool, other);
    EXPECT_EQ(count_threads("numa-w"), 0U) << "threads before the first task";
    const numa_pool_info info = info_of(pool);
    EXPECT_GE(info.worker_count, 1U);
    EXPECT_EQ(info.level, NEAR_LEVEL_NONE);
    EXPECT_EQ(info.reason_code, NEAR_REASON_NOT_STARTED) << info.reason;
    std::atomic<bool> run{false};
    ASSERT_EQ(submit(pool, NUMA_POOL_NODE_LOCAL, [&] { run = true; }), NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_TRUE(run);
    EXPECT_NE(info_of(pool).reason_code, NEAR_REASON_NOT_STARTED);
    EXPECT_EQ(count_threads("numa-w"), info.worker_count);
}

ALONE_TEST(DefaultPool, CannotBeShutDownOrDestroyed) {
    numa_pool *pool = default_pool();
    Error error;
    EXPECT_EQ(numa_pool_shutdown(pool, NEAR_FOREVER, nullptr, &error), NEAR_E_NOT_ALLOWED);
    EXPECT_TRUE(error.says("numa_pool_shutdown: ")) << error.message;
    numa_pool_destroy(pool);
    EXPECT_EQ(default_pool(), pool);
    EXPECT_EQ(numa_pool_submit(pool, NUMA_POOL_NODE_LOCAL, succeed, nullptr), NEAR_OK);
    EXPECT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(counts_of(pool).accepted, 1U);
}

ALONE_TEST(DefaultPool, ServesALoopAsItsFirstWork) {
    const numa_pool_range_fn body = [](std::size_t begin, std::size_t end, uint32_t, void *user_data) -> near_status {
        *static_cast<std::atomic<std::size_t> *>(user_data) += end - begin;
        return NEAR_OK;
    };
    std::atomic<std::size_t> sum{0};
    EXPECT_EQ(numa_pool_parallel_for(default_pool(), 0, 1000, 0, body, &sum, nullptr), NEAR_OK);
    EXPECT_EQ(sum, 1000U);
}

ALONE_TEST(DefaultPool, ServesAGroupAsItsFirstWork) {
    const Group group(default_pool());
    EXPECT_EQ(numa_pool_group_submit(group, NUMA_POOL_NODE_LOCAL, succeed, nullptr), NEAR_OK);
    EXPECT_EQ(wait_group(group), NEAR_OK);
}

ALONE_TEST(DefaultPool, IsFirstAskedForByManyThreadsAtOnce) {
    std::vector<numa_pool *> pools(8);
    std::vector<std::thread> threads;
    for (numa_pool *&pool : pools) {
        threads.emplace_back([&pool] {
            pool = default_pool();
            EXPECT_EQ(numa_pool_submit(pool, NUMA_POOL_NODE_LOCAL, succeed, nullptr), NEAR_OK);
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(std::vector<numa_pool *>(8, pools[0]), pools);
    ASSERT_EQ(wait_idle(pools[0]), NEAR_OK);
    EXPECT_EQ(counts_of(pools[0]).accepted, 8U);
}

TEST(DefaultPool, AsksForAPlaceToBeWrittenTo) {
    Error error;
    EXPECT_EQ(numa_pool_default(nullptr, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("numa_pool_default: pool is NULL")) << error.message;
}

ALONE_TEST(DefaultPool, IsFreshInAChild) {
    NEEDS_THREADS_IN_A_CHILD();
    numa_pool *pool = default_pool();
    ASSERT_EQ(numa_pool_submit(pool, NUMA_POOL_NODE_LOCAL, succeed, nullptr), NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(in_child([pool] {
                  EXPECT_EQ(numa_pool_submit(pool, NUMA_POOL_NODE_LOCAL, succeed, nullptr), NEAR_E_FORKED);
                  numa_pool *fresh = default_pool();
                  EXPECT_NE(fresh, pool);
                  EXPECT_EQ(counts_of(fresh).accepted, 0U);
                  EXPECT_EQ(numa_pool_submit(fresh, NUMA_POOL_NODE_LOCAL, succeed, nullptr), NEAR_OK);
                  EXPECT_EQ(wait_idle(fresh), NEAR_OK);
                  EXPECT_EQ(counts_of(fresh).accepted, 1U);
                  // Whoever still has the parent's handle: it is the library's, and was not freed.
                  EXPECT_EQ(numa_pool_submit(pool, NUMA_POOL_NODE_LOCAL, succeed, nullptr), NEAR_E_FORKED);
                  EXPECT_EQ(numa_pool_wait_idle(pool, NEAR_FOREVER, nullptr), NEAR_E_FORKED);
                  EXPECT_EQ(counts_of(pool).accepted, 1U);
                  numa_pool_destroy(pool);
                  EXPECT_EQ(default_pool(), fresh);
                  EXPECT_EQ(
                      in_child([&] { // both are a parent's now
                          EXPECT_NE(default_pool(), fresh);
                          EXPECT_EQ(numa_pool_submit(pool, NUMA_POOL_NODE_LOCAL, succeed, nullptr), NEAR_E_FORKED);
                          EXPECT_EQ(numa_pool_submit(fresh, NUMA_POOL_NODE_LOCAL, succeed, nullptr), NEAR_E_FORKED);
                      }),
                      0);
              }),
              0);
    EXPECT_EQ(default_pool(), pool);
    EXPECT_EQ(numa_pool_submit(pool, NUMA_POOL_NODE_LOCAL, succeed, nullptr), NEAR_OK);
    EXPECT_EQ(wait_idle(pool), NEAR_OK);
}

// The process ends while the pool's threads are there: nothing of ours may hang or crash.
ALONE_TEST(DefaultPool, DoesNotDisturbTheExitOfTheProcess) {
    EXPECT_EQ(numa_pool_submit(default_pool(), NUMA_POOL_NODE_LOCAL, succeed, nullptr), NEAR_OK);
}

ALONE_TEST(DefaultPool, IsBoundedByACallBeforeItsFirstUse) {
    Error error;
    EXPECT_EQ(numa_pool_limit_default(65536, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("numa_pool_limit_default: 65536 workers")) << error.message;
    ASSERT_EQ(::setenv("NEARPOOL_WORKERS", "2", 1), 0);
    ASSERT_EQ(numa_pool_limit_default(1, &error), NEAR_OK) << error.message;
    EXPECT_EQ(info_of(default_pool()).worker_count, 1U);
    EXPECT_EQ(numa_pool_limit_default(2, &error), NEAR_E_BUSY);
    EXPECT_TRUE(error.says("before its first use")) << error.message;
    const Pool other(3);
    EXPECT_GE(info_of(other).worker_count, 3U) << "no other is";
    for (const uint32_t node : nodes_of(default_pool())) {
        EXPECT_EQ(numa_pool_submit(default_pool(), node, succeed, nullptr), NEAR_OK);
    }
    EXPECT_EQ(wait_idle(default_pool()), NEAR_OK);
}

ALONE_TEST(DefaultPool, IsBoundedByTheEnvironment) {
    ASSERT_EQ(::setenv("NEARPOOL_WORKERS", "1", 1), 0);
    EXPECT_EQ(info_of(default_pool()).worker_count, 1U);
}

ALONE_TEST(DefaultPool, IgnoresABoundThatIsNoneAndSaysSo) {
    const uint32_t usual = info_of(Pool(0)).worker_count;
    std::string logged;
    const near_log_fn keep = [](int32_t, const char *message, void *user_data) {
        *static_cast<std::string *>(user_data) += message;
    };
    ASSERT_EQ(near_log_set_callback(keep, &logged, NEAR_LOG_WARN), NEAR_OK);
    ASSERT_EQ(::setenv("NEARPOOL_WORKERS", "two", 1), 0);
    EXPECT_EQ(info_of(default_pool()).worker_count, usual);
    ASSERT_EQ(near_log_set_callback(nullptr, nullptr, NEAR_LOG_NONE), NEAR_OK);
    EXPECT_NE(logged.find("NEARPOOL_WORKERS=two is no number from 1 to 65535"), std::string::npos) << logged;
}

ALONE_TEST(DefaultPool, TakesItsMemoryPolicyFromTheEnvironment) {
    ASSERT_EQ(::setenv("NEARPOOL_WORKER_POLICY", "inherit", 1), 0);
    EXPECT_EQ(info_of(default_pool()).memory_policy, NUMA_POOL_MEMORY_INHERIT);
}

ALONE_TEST(DefaultPool, IgnoresAMemoryPolicyThatIsNoneAndSaysSo) {
    ASSERT_EQ(::setenv("NEARPOOL_WORKER_POLICY", "interleave", 1), 0);
    std::string logged;
    const near_log_fn keep = [](int32_t, const char *message, void *user_data) {
        *static_cast<std::string *>(user_data) += message;
    };
    ASSERT_EQ(near_log_set_callback(keep, &logged, NEAR_LOG_WARN), NEAR_OK);
    EXPECT_EQ(info_of(default_pool()).memory_policy, NUMA_POOL_MEMORY_LOCAL);
    ASSERT_EQ(near_log_set_callback(nullptr, nullptr, NEAR_LOG_NONE), NEAR_OK);
    EXPECT_NE(logged.find("NEARPOOL_WORKER_POLICY=interleave is neither local nor inherit"), std::string::npos)
        << logged;
}

} // namespace
