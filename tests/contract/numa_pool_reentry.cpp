// SPDX-License-Identifier: Apache-2.0
// A pool called from places that are not quite outside it: the callbacks of its threads and of the log, a task that
// forks, a task that destroys it, tasks that wait within tasks.
#include "contract/numa_pool_support.hpp"

#include <atomic>
#include <sys/wait.h>
#include <unistd.h>

using namespace nearpool_test;

namespace {

constexpr uint32_t local = NUMA_POOL_NODE_LOCAL;

// What the callbacks of one pool have seen.
struct Callbacks {
    Latch created; // opened when the test has its handle
    std::atomic<numa_pool *> pool{nullptr};
    std::atomic<uint32_t> started{0};
    std::atomic<uint32_t> stopped{0};
    std::atomic<uint32_t> run{0};

    static near_status count(void *user_data) {
        static_cast<Callbacks *>(user_data)->run++;
        return NEAR_OK;
    }

    static void start(uint32_t, uint32_t, void *user_data) {
        auto &own = *static_cast<Callbacks *>(user_data);
        own.started++;
        EXPECT_EQ(numa_pool_current(nullptr, nullptr, nullptr), NEAR_E_WRONG_THREAD) << "it runs no task";
        own.created.wait();
        EXPECT_EQ(numa_pool_submit(own.pool, local, count, &own), NEAR_OK);
        expect_no_wait_for_itself(own.pool);
    }

    static void stop(uint32_t, uint32_t, void *user_data) {
        auto &own = *static_cast<Callbacks *>(user_data);
        own.stopped++;
        EXPECT_EQ(numa_pool_submit(own.pool, local, count, &own), NEAR_E_SHUTDOWN);
        expect_no_wait_for_itself(own.pool);
    }

    static void expect_no_wait_for_itself(numa_pool *pool) {
        EXPECT_EQ(numa_pool_wait_idle(pool, NEAR_FOREVER, nullptr), NEAR_E_BUSY);
        EXPECT_EQ(numa_pool_shutdown(pool, NEAR_FOREVER, nullptr, nullptr), NEAR_E_BUSY);
    }
};

TEST(PoolReentry, FromTheCallbacksOfItsThreads) {
    Callbacks seen;
    numa_pool_options options = options_for(nullptr, 2);
    options.thread_start = Callbacks::start;
    options.thread_stop = Callbacks::stop;
    options.user_data = &seen;
    const Pool pool(options);
    const uint32_t workers = info_of(pool).worker_count;
    seen.pool = pool;
    seen.created.open();
    EXPECT_TRUE(eventually([&] { return seen.run == workers; }));
    EXPECT_EQ(numa_pool_shutdown(pool, long_enough_ns, nullptr, nullptr), NEAR_OK);
    EXPECT_EQ(seen.started, workers) << "a thread was started twice";
    EXPECT_EQ(seen.stopped, workers);
    EXPECT_EQ(seen.run, workers) << "a task was taken after the end";
    EXPECT_EQ(counts_of(pool).accepted, workers);
    EXPECT_EQ(counts_of(pool).queued, 0U);
}

// design.md section 2: the log's callback is called with nothing held.
ALONE_TEST(PoolReentry, FromTheLogsCallback) {
    static std::atomic<int> calls{0};
    const auto submit_elsewhere = [](int32_t, const char *, void *) {
        if (calls++ == 0) {
            std::thread([] {
                numa_pool *pool = nullptr;
                EXPECT_EQ(numa_pool_default(&pool, nullptr), NEAR_OK);
                EXPECT_EQ(numa_pool_submit(pool, local, succeed, nullptr), NEAR_OK);
            }).join();
        }
    };
    numa_pool *pool = nullptr;
    ASSERT_EQ(numa_pool_default(&pool, nullptr), NEAR_OK);
    ASSERT_EQ(near_log_set_callback(submit_elsewhere, nullptr, NEAR_LOG_INFO), NEAR_OK);
    ASSERT_EQ(numa_pool_submit(pool, local, succeed, nullptr), NEAR_OK); // starts the threads, which is told
    EXPECT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_GE(calls, 1);
    ASSERT_EQ(near_log_set_callback(nullptr, nullptr, NEAR_LOG_NONE), NEAR_OK);
}

// The task can be over, and the pool with it, before the submit that sent it has returned.
TEST(PoolReentry, ATaskDestroysThePoolWhileItIsBeingSubmitted) {
    numa_pool_options options = options_for(nullptr, 2);
    options.spin_ns = 20 * NEAR_MS; // the workers are awake
    for (int round = 0; round < 500 / slowness(); round++) {
        numa_pool *pool = Pool(options).detach();
        const auto destroy = [](void *own) {
            numa_pool_destroy(static_cast<numa_pool *>(own));
            return near_status{NEAR_OK};
        };
        ASSERT_EQ(numa_pool_submit(pool, nodes_of(pool)[0], destroy, pool), NEAR_OK);
    }
    EXPECT_TRUE(no_worker_is_left());
}

TEST(PoolReentry, ATaskForksAndTheChildDestroysThePool) {
    NEEDS_THREADS_IN_A_CHILD();
    Pool own(1);
    int status = 255;
    ASSERT_EQ(submit(own, local,
                     [&] {
                         status = in_child([&] {
                             own.destroy();
                             const Pool fresh(1);
                             EXPECT_EQ(numa_pool_submit(fresh, local, succeed, nullptr), NEAR_OK);
                             EXPECT_EQ(wait_idle(fresh), NEAR_OK);
                             EXPECT_EQ(counts_of(fresh).accepted, 1U);
                         });
                     }),
              NEAR_OK);
    ASSERT_EQ(wait_idle(own), NEAR_OK);
    EXPECT_EQ(status, 0);
}

// A child ends without a look for leaks: what only the parent's other threads knew is lost to it.
pid_t fork_to_return() {
    const pid_t child = fork();
    if (child == 0) {
        limit_this_process();
        std::atexit([] { _exit(0); });
    }
    return child;
}

// A child that has run what is the parent's has ended with 99. ThreadSanitizer does not survive that a child's only
// thread ends.
void expect_that_it_ran_nothing(pid_t child) {
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << status;
#if defined(__SANITIZE_THREAD__)
    EXPECT_NE(WEXITSTATUS(status), 99);
#else
    EXPECT_EQ(WEXITSTATUS(status), 0);
#endif
}

// The child's only thread ends as a thread does, and the process with it. It must not go on as a worker: the tasks that
// wait are the parent's.
ALONE_TEST(PoolReentry, ATaskForksAndReturnsInTheChild) {
    static pid_t child = 0;
    static std::atomic<int> run{0};
    const pid_t parent = getpid();
    const Pool pool(options_for(nullptr, 1, NUMA_POOL_STEAL_LOCAL));
    Latch latch;
    ASSERT_EQ(submit(pool, local,
                     [&] {
                         latch.wait();
                         child = fork_to_return();
                     }),
              NEAR_OK);
    ASSERT_TRUE(latch.await_waiting(1));
    for (int i = 0; i < 10; i++) {
        ASSERT_EQ(submit(pool, local,
                         [&] {
                             if (getpid() != parent) {
                                 _exit(99);
                             }
                             run++;
                         }),
                  NEAR_OK);
    }
    latch.open();
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(run, 10);
    expect_that_it_ran_nothing(child);
}

struct Chain {
    numa_pool *pool = nullptr;
    int left = 0;
    std::atomic<int> run{0};
};

// Each waits for the next, which runs above it on the same stack.
near_status link(void *user_data) {
    auto &chain = *static_cast<Chain *>(user_data);
    chain.run++;
    if (chain.left-- > 0) {
        const Group group(chain.pool);
        EXPECT_EQ(numa_pool_group_submit(group, nodes_of(chain.pool)[0], link, &chain), NEAR_OK);
        const near_status status = numa_pool_group_wait(group, 50 * NEAR_MS, nullptr);
        EXPECT_TRUE(status == NEAR_OK || status == NEAR_E_TIMEOUT) << near_status_text(status);
    }
    return NEAR_OK;
}

// design.md section 4: to a bounded depth. Beyond it the wait only waits, here until its time is up.
TEST(PoolReentry, WaitsWithinWaitsEndBeforeTheStackDoes) {
    const Pool pool(options_for(Topology("numa:1 pu:1"), 1));
    Chain chain;
    chain.pool = pool;
    chain.left = 40000 / NEARPOOL_TEST_SLOW;
    const int all = chain.left + 1;
    ASSERT_EQ(numa_pool_submit(pool, 0, link, &chain), NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(chain.run, all);
}

// A callback that forks, of which the child destroys the pool and returns.
struct Forking {
    Latch created; // opened when the test has its handle
    std::atomic<numa_pool *> pool{nullptr};
    std::atomic<pid_t> child{-1};
    bool destroys = false;

    static void fork_now(uint32_t, uint32_t, void *user_data) {
        auto &own = *static_cast<Forking *>(user_data);
        own.created.wait();
        const pid_t child = fork_to_return();
        if (child != 0) {
            own.child = child;
        } else if (own.destroys) {
            numa_pool_destroy(own.pool);
        }
    }
};

void expect_that_the_child_runs_nothing(bool at_start, bool destroys) {
    static Forking forking; // not on a stack that the child has no more
    static std::atomic<int> run{0};
    static pid_t parent = 0;
    parent = getpid();
    forking.destroys = destroys;
    const Topology machine("numa:1 pu:1");
    numa_pool_options options = options_for(machine, 1);
    (at_start ? options.thread_start : options.thread_stop) = Forking::fork_now;
    options.user_data = &forking;
    Pool pool(options);
    forking.pool = pool;
    for (int i = 0; i < 10; i++) {
        ASSERT_EQ(submit(pool, local,
                         [] {
                             if (getpid() != parent) {
                                 _exit(99);
                             }
                             run++;
                         }),
                  NEAR_OK);
    }
    forking.created.open();
    EXPECT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(numa_pool_shutdown(pool, long_enough_ns, nullptr, nullptr), NEAR_OK);
    EXPECT_EQ(run, 10);
    expect_that_it_ran_nothing(forking.child);
}

ALONE_TEST(PoolReentry, TheStartOfAThreadForksAndReturnsInTheChild) {
    expect_that_the_child_runs_nothing(true, false);
}

ALONE_TEST(PoolReentry, TheStartOfAThreadForksAndTheChildDestroysThePoolAndReturns) {
    expect_that_the_child_runs_nothing(true, true);
}

// Without care the thread would look into the pool's freed memory, which AddressSanitizer tells.
ALONE_TEST(PoolReentry, TheEndOfAThreadForksAndTheChildDestroysThePoolAndReturns) {
    expect_that_the_child_runs_nothing(false, true);
}

// The other parts are the parent's, too.
ALONE_TEST(PoolReentry, ALoopsBodyForksAndReturnsInTheChild) {
    struct Loop {
        pid_t parent = getpid();
        std::atomic<pid_t> child{-1};
        std::atomic<int> run{0};
    };
    static Loop loop;
    const Pool pool(1);
    const auto body = [](std::size_t begin, std::size_t, uint32_t, void *) -> near_status {
        if (getpid() != loop.parent) {
            _exit(99);
        }
        if (begin == 0) {
            const pid_t child = fork_to_return();
            loop.child = child != 0 ? child : loop.child.load();
        }
        loop.run++;
        return NEAR_OK;
    };
    ASSERT_EQ(numa_pool_parallel_for(pool, 0, 100, 1, body, nullptr, nullptr), NEAR_OK);
    EXPECT_EQ(loop.run, 100);
    expect_that_it_ran_nothing(loop.child);
}

} // namespace
