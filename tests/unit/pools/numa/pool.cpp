// SPDX-License-Identifier: Apache-2.0
// The pool over failing ports, and what it promises about order and fairness.
#include "pools/numa/pool.hpp"

#include "fakes/ports.hpp"
#include "pools/numa/group.hpp"
#include "pools/numa/worker.hpp"
#include "support/limits.hpp"
#include "sys/constants.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <thread>

namespace nearpool::numa {
namespace {

using fakes::Call;

class PoolTest : public testing::Test {
protected:
    static void SetUpTestSuite() {
        Result<Ref<const Topology>> found = Topology::discover(real_ports());
        ASSERT_TRUE(found) << found.error().message;
        machine() = found.take();
    }
    static void TearDownTestSuite() { machine() = {}; }
    static Ref<const Topology> &machine() {
        static Ref<const Topology> only;
        return only;
    }

    static PoolOptions options(uint32_t workers, bool strict = false) {
        PoolOptions result;
        result.request.workers_per_node = workers;
        result.request.strict = strict;
        return result;
    }

    Result<Ref<Pool>> create(const PoolOptions &how) { return Pool::create(ports_.ports(), crew_, machine(), how); }

    // Shuts it down and gives the reference back.
    static void end(Ref<Pool> pool) { ASSERT_TRUE(pool->shutdown(UINT64_MAX, nullptr)); }

    fakes::FailingPorts ports_;
    Crew crew_{real_ports()};
};

using Body = std::function<void()>;

near_status run_body(void *body) {
    (*static_cast<Body *>(body))();
    return NEAR_OK;
}

Status submit(Pool &pool, Body &body) {
    const Item item{run_body, nullptr, &body, nullptr};
    return pool.submit(pool.plan().nodes[0].number, &item, 1, nullptr);
}

// A delay beyond the end of time is one that never passes: it must not wrap round to a moment long ago, at which an
// idle worker would wake and look, and look again.
TEST_F(PoolTest, AnEndlessStealDelayKeepsTheIdleAsleep) {
    Result<Ref<const Topology>> two = Topology::from_synthetic("numa:2 pu:1");
    ASSERT_TRUE(two);
    PoolOptions how = options(1);
    how.steal_delay_ns = NEAR_FOREVER - 2;
    Result<Ref<Pool>> made = Pool::create(ports_.ports(), crew_, two.take(), how);
    ASSERT_TRUE(made) << made.error().message;
    std::atomic<bool> blocked{false};
    std::atomic<bool> open{false};
    Body block = [&] {
        blocked = true;
        while (!open) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    };
    Body nothing = [] {};
    ASSERT_EQ(submit(*made.value(), block), NEAR_OK);
    while (!blocked) {
        std::this_thread::yield();
    }
    ASSERT_EQ(submit(*made.value(), nothing), NEAR_OK);
    const uint64_t waits = ports_.calls(Call::futex_wait);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_LT(ports_.calls(Call::futex_wait) - waits, 10U) << "the idle worker turns and turns";
    EXPECT_EQ(made.value()->counts(std::nullopt).queued, 1U);
    open = true;
    end(made.take());
}

// Peers N28: a thread that could not be started left the others running for ever.
TEST_F(PoolTest, AThreadThatCannotBeStartedLeavesNone) {
    for (uint64_t nth = 1; nth <= 4; nth++) {
        ports_.fail_nth(Call::threads_start, nth, EAGAIN);
        const Result<Ref<Pool>> pool = create(options(4));
        ASSERT_FALSE(pool) << "the start of thread " << nth << " failed";
        EXPECT_EQ(pool.error().status, NEAR_E_SYSTEM);
        EXPECT_EQ(pool.error().domain, NEAR_DOMAIN_ERRNO);
        EXPECT_EQ(pool.error().code, EAGAIN);
        EXPECT_NE(pool.error().message.find("worker"), std::string::npos) << pool.error().message;
        EXPECT_EQ(ports_.held(), fakes::Held{}) << "after thread " << nth;
    }
}

// Peers N27: the worker's own pin failure was swallowed, even in strict mode.
TEST_F(PoolTest, ARefusedPinIsReportedInSoftModeAndFailsStrictMode) {
    ports_.fail_always(Call::affinity_set, EPERM);
    Result<Ref<Pool>> soft = create(options(2));
    ASSERT_TRUE(soft) << soft.error().message;
    const Enforcement level = soft.value()->enforcement();
    EXPECT_NE(level.level, NEAR_LEVEL_STRICT);
    EXPECT_EQ(level.reason, NEAR_REASON_FORBIDDEN) << level.text;
    std::atomic<int> ran{0};
    Body body = [&] { ran++; };
    EXPECT_EQ(submit(*soft.value(), body), NEAR_OK);
    end(soft.take());
    EXPECT_EQ(ran, 1);

    const Result<Ref<Pool>> strict = create(options(2, true));
    ASSERT_FALSE(strict);
    EXPECT_EQ(strict.error().status, NEAR_E_STRICT) << strict.error().message;
    EXPECT_EQ(ports_.held(), fakes::Held{});
}

TEST_F(PoolTest, StrictOnAnotherMachineIsRefusedWithoutAThread) {
    const Result<Ref<const Topology>> other = Topology::from_synthetic("numa:2 core:2 pu:1");
    ASSERT_TRUE(other);
    const Result<Ref<Pool>> pool = Pool::create(ports_.ports(), crew_, other.value(), options(1, true));
    ASSERT_FALSE(pool);
    EXPECT_EQ(pool.error().status, NEAR_E_STRICT);
    EXPECT_EQ(ports_.calls(Call::threads_start), 0U);
}

TEST_F(PoolTest, TheQuotaOfTheControlGroupBoundsTheDefault) {
    fakes::FakeFiles files;
    files.set("/proc/self/cgroup", "0::/one\n");
    files.set("/proc/self/mountinfo", "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    files.set("/sys/fs/cgroup/one/cpu.max", "100000 100000\n");
    const Ports &real = real_ports();
    const Ports limited{real.memory, real.policy, real.affinity, real.futex, files, real.threads, real.libraries};
    Result<Ref<Pool>> pool = Pool::create(limited, crew_, machine(), options(0));
    ASSERT_TRUE(pool) << pool.error().message;
    for (const PlannedTeam &team : pool.value()->plan().teams) {
        EXPECT_EQ(team.workers, 1U) << "one CPU for all";
    }
    end(pool.take());
}

struct Chain {
    Pool *pool;
    std::atomic<bool> *stop;
};

near_status submit_again(void *user_data) {
    const auto *chain = static_cast<Chain *>(user_data);
    if (!chain->stop->load()) {
        const Item item{submit_again, nullptr, user_data, nullptr};
        EXPECT_EQ(chain->pool->submit(NUMA_POOL_NODE_LOCAL, &item, 1, nullptr), NEAR_OK);
    }
    return NEAR_OK;
}

// Two tasks that submit themselves for ever, on one worker: a third, from inside and from outside, still gets its turn.
TEST_F(PoolTest, NoTaskStarvesBehindTasksThatSubmitThemselves) {
    PoolOptions how = options(1);
    how.request.nodes = {machine()->nodes().front().number};
    Result<Ref<Pool>> made = create(how);
    ASSERT_TRUE(made) << made.error().message;
    Pool &pool = *made.value();
    std::atomic<bool> stop{false};
    std::atomic<int> ran{0};
    Chain chain{&pool, &stop};
    Body count = [&] {
        if (++ran == 2) {
            stop = true;
        }
    };
    Body start = [&] {
        const Item inner{run_body, nullptr, &count, nullptr};
        EXPECT_EQ(pool.submit(NUMA_POOL_NODE_LOCAL, &inner, 1, nullptr), NEAR_OK);
        submit_again(&chain);
        submit_again(&chain);
    };
    ASSERT_EQ(submit(pool, start), NEAR_OK);
    ASSERT_EQ(submit(pool, count), NEAR_OK);
    EXPECT_TRUE(pool.wait_idle(nearpool_test::long_enough_ns));
    stop = true;
    EXPECT_EQ(ran, 2);
    end(made.take());
}

// Deeper than the depth to which a waiting worker runs just any task.
TEST_F(PoolTest, NestedWaitsOnOneWorkerAreDeepAndEnd) {
    PoolOptions how = options(1);
    how.request.nodes = {machine()->nodes().front().number};
    Result<Ref<Pool>> made = create(how);
    ASSERT_TRUE(made);
    Pool &pool = *made.value();
    int depth = 200;
    int deepest = 0;
    Body descend;
    descend = [&] {
        deepest++;
        if (--depth == 0) {
            return;
        }
        auto *group = new Group(Ref<Pool>::share(&pool));
        const Item item{run_body, nullptr, &descend, group};
        EXPECT_EQ(pool.submit(NUMA_POOL_NODE_LOCAL, &item, 1, group), NEAR_OK);
        EXPECT_TRUE(group->wait(UINT64_MAX));
        group->drop();
    };
    ASSERT_EQ(submit(pool, descend), NEAR_OK);
    EXPECT_TRUE(pool.wait_idle(nearpool_test::long_enough_ns));
    EXPECT_EQ(deepest, 200);
    end(made.take());
}

// Where the policy of who starts the threads can be seen and not be changed, a strict pool is refused and a soft one
// says so.
TEST_F(PoolTest, AnInheritedMemoryPolicyThatStaysIsNotStrict) {
    class Preferred final : public PolicyPort {
    public:
        int bind(void *, std::size_t, int, const NumberSet &, unsigned) override { return -EPERM; }
        int set_thread(int, const NumberSet &) override { return -EPERM; }
        int get_thread(int *mode, NumberSet *nodes) override {
            *mode = sys::policy_preferred;
            *nodes = {0};
            return 0;
        }
        long move_pages(std::size_t, void *const *, const int *, int *, int) override { return -EPERM; }
    } policy;
    const Ports &real = real_ports();
    const Ports ports{real.memory, policy, real.affinity, real.futex, real.files, real.threads, real.libraries};
    Result<Ref<Pool>> soft = Pool::create(ports, crew_, machine(), options(1));
    ASSERT_TRUE(soft);
    EXPECT_EQ(soft.value()->enforcement().level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_NE(soft.value()->enforcement().text.find("preferred on nodes 0"), std::string::npos)
        << soft.value()->enforcement().text;
    end(soft.take());
    const Result<Ref<Pool>> strict = Pool::create(ports, crew_, machine(), options(1, true));
    ASSERT_FALSE(strict);
    EXPECT_EQ(strict.error().status, NEAR_E_STRICT);
    PoolOptions inherits = options(1);
    inherits.memory_policy = NUMA_POOL_MEMORY_INHERIT;
    Result<Ref<Pool>> asked = Pool::create(ports, crew_, machine(), inherits);
    ASSERT_TRUE(asked);
    EXPECT_EQ(asked.value()->enforcement().text.find("inherited"), std::string::npos);
    end(asked.take());
}

} // namespace
} // namespace nearpool::numa
