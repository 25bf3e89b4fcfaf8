// SPDX-License-Identifier: Apache-2.0
// Tasks that wait for what another pool has to do, whose tasks wait for theirs: a worker that waits runs its own pool's
// tasks meanwhile, whatever pool it waits for.
#include "contract/numa_pool_support.hpp"

#include <array>
#include <atomic>
#include <sys/wait.h>
#include <unistd.h>

using namespace nearpool_test;

namespace {

// One worker in each.
class PoolsAcross : public ::testing::Test {
protected:
    static numa_pool_options one_worker() {
        numa_pool_options options = options_for(one_node(), 1);
        return options;
    }
    static const nearpool_test::Topology &one_node() {
        static const nearpool_test::Topology only("numa:1 pu:1");
        return only;
    }
    const Pool a_{one_worker()};
    const Pool b_{one_worker()};
    const Pool c_{one_worker()};
};

// A group of the pool with one task, which is waited for.
void wait_for_task_of(numa_pool *pool, const std::function<void()> &body) {
    const Group group(pool);
    ASSERT_EQ(submit(pool, NUMA_POOL_NODE_LOCAL, body, group), NEAR_OK);
    EXPECT_EQ(wait_group(group), NEAR_OK);
}

void loop_on(numa_pool *pool, std::atomic<int> &count) {
    const numa_pool_range_fn body = [](std::size_t, std::size_t, uint32_t, void *user_data) -> near_status {
        (*static_cast<std::atomic<int> *>(user_data))++;
        return NEAR_OK;
    };
    EXPECT_EQ(numa_pool_parallel_for(pool, 0, 8, 1, body, &count, nullptr), NEAR_OK);
}

// So that each worker is in its outer task before either waits.
class Meeting {
public:
    explicit Meeting(int count) : missing_(count) {}
    void arrive() {
        missing_--;
        while (missing_ > 0) {
            std::this_thread::yield();
        }
    }

private:
    std::atomic<int> missing_;
};

TEST_F(PoolsAcross, TwoWhoseTasksWaitForEachOthersGroupsGoOn) {
    const int rounds = 1000 / slowness();
    std::atomic<int> inner{0};
    for (int round = 0; round < rounds; round++) {
        Meeting meeting(2);
        const auto outer = [&](numa_pool *other) {
            meeting.arrive();
            wait_for_task_of(other, [&] { inner++; });
        };
        ASSERT_EQ(submit(a_, 0, [&] { outer(b_); }), NEAR_OK);
        ASSERT_EQ(submit(b_, 0, [&] { outer(a_); }), NEAR_OK);
        ASSERT_EQ(wait_idle(a_), NEAR_OK);
        ASSERT_EQ(wait_idle(b_), NEAR_OK);
    }
    EXPECT_EQ(inner, 2 * rounds);
}

TEST_F(PoolsAcross, TwoWhoseTasksLoopOnEachOtherGoOn) {
    const int rounds = 1000 / slowness();
    std::atomic<int> ranges{0};
    for (int round = 0; round < rounds; round++) {
        Meeting meeting(2);
        const auto outer = [&](numa_pool *other) {
            meeting.arrive();
            loop_on(other, ranges);
        };
        ASSERT_EQ(submit(a_, 0, [&] { outer(b_); }), NEAR_OK);
        ASSERT_EQ(submit(b_, 0, [&] { outer(a_); }), NEAR_OK);
        ASSERT_EQ(wait_idle(a_), NEAR_OK);
        ASSERT_EQ(wait_idle(b_), NEAR_OK);
    }
    EXPECT_EQ(ranges, 16 * rounds);
}

// Four threads keep both pools at it, so that waits lie upon waits.
TEST_F(PoolsAcross, FourThreadsThatDriveBothGetAllDone) {
    const int rounds = 1000 / slowness();
    std::atomic<int> inner{0};
    std::vector<std::thread> drivers;
    for (int driver = 0; driver < 4; driver++) {
        drivers.emplace_back([&, driver] {
            numa_pool *own = driver % 2 == 0 ? a_ : b_;
            numa_pool *other = driver % 2 == 0 ? b_ : a_;
            for (int round = 0; round < rounds; round++) {
                wait_for_task_of(own, [&] {
                    if (driver < 2) {
                        wait_for_task_of(other, [&] { inner++; });
                    } else {
                        loop_on(other, inner);
                    }
                });
            }
        });
    }
    for (std::thread &driver : drivers) {
        driver.join();
    }
    EXPECT_EQ(inner, (2 + 2 * 8) * rounds);
}

TEST_F(PoolsAcross, ThreeInARingGoOn) {
    const int rounds = 300 / slowness();
    std::atomic<int> inner{0};
    const std::array<numa_pool *, 3> ring{a_, b_, c_};
    for (int round = 0; round < rounds; round++) {
        Meeting meeting(3);
        for (std::size_t i = 0; i < ring.size(); i++) {
            ASSERT_EQ(submit(ring[i], 0,
                             [&, next = ring[(i + 1) % ring.size()]] {
                                 meeting.arrive();
                                 wait_for_task_of(next, [&] { inner++; });
                             }),
                      NEAR_OK);
        }
        for (numa_pool *pool : ring) {
            ASSERT_EQ(wait_idle(pool), NEAR_OK);
        }
    }
    EXPECT_EQ(inner, 3 * rounds);
}

// The task that is waited for needs the worker that waits.
TEST_F(PoolsAcross, AWaitForAnotherPoolToBeIdleOrToEndRunsItsOwnTasks) {
    for (const bool end : {false, true}) {
        const Pool other(one_worker());
        std::atomic<bool> inner{false};
        ASSERT_EQ(submit(a_, 0,
                         [&] {
                             ASSERT_EQ(submit(other, 0, [&] { wait_for_task_of(a_, [&] { inner = true; }); }), NEAR_OK);
                             const near_status status = end ? numa_pool_shutdown(other, NEAR_FOREVER, nullptr, nullptr)
                                                            : numa_pool_wait_idle(other, NEAR_FOREVER, nullptr);
                             EXPECT_EQ(status, NEAR_OK);
                         }),
                  NEAR_OK);
        ASSERT_EQ(wait_idle(a_), NEAR_OK);
        EXPECT_TRUE(inner);
    }
}

TEST_F(PoolsAcross, ATimeOutOfAWaitForAnotherPoolIsOne) {
    Latch latch;
    const Group group(b_);
    ASSERT_EQ(submit(
                  b_, 0, [&] { latch.wait(); }, group),
              NEAR_OK);
    near_status status = NEAR_OK;
    ASSERT_EQ(submit(a_, 0, [&] { status = numa_pool_group_wait(group, 2 * NEAR_MS, nullptr); }), NEAR_OK);
    ASSERT_EQ(wait_idle(a_), NEAR_OK);
    EXPECT_EQ(status, NEAR_E_TIMEOUT);
    latch.open();
    EXPECT_EQ(wait_group(group), NEAR_OK);
}

// The child of a task that a waiting worker runs meanwhile has neither pool.
TEST_F(PoolsAcross, AForkInATaskThatIsRunMeanwhileEndsTheWaitInTheChild) {
    std::atomic<pid_t> child{0};
    Latch latch;
    const Group group(b_);
    ASSERT_EQ(submit(
                  b_, 0, [&] { latch.wait(); }, group),
              NEAR_OK);
    ASSERT_EQ(submit(a_, 0,
                     [&] {
                         const pid_t parent = ::getpid();
                         ASSERT_EQ(submit(a_, 0, [&] { child = ::fork(); }), NEAR_OK);
                         const near_status status = numa_pool_group_wait(group, NEAR_FOREVER, nullptr);
                         if (::getpid() != parent) {
                             ::_exit(status == NEAR_E_FORKED ? 0 : 1);
                         }
                         EXPECT_EQ(status, NEAR_OK);
                     }),
              NEAR_OK);
    EXPECT_TRUE(eventually([&] { return child > 0; }));
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    latch.open();
    ASSERT_EQ(wait_idle(a_), NEAR_OK);
}

} // namespace
