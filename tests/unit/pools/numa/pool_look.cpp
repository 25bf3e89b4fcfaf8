// SPDX-License-Identifier: Apache-2.0
// What a pool says of its workers' pins is what is so when it is asked: on a made-up machine whose cpuset moves.
#include "pools/numa/pool.hpp"

#include "base/log.hpp"
#include "machine/scoped_pin.hpp"
#include "pools/numa/worker.hpp"
#include "support/limits.hpp"
#include "unit/machine/support.hpp"

#include <nearpool/log.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>
#include <sys/wait.h>
#include <unistd.h>

namespace nearpool::numa {
namespace {

using fakes::Call;
using nearpool::testing::MadeUpMachine;

class PoolLook : public ::testing::Test {
protected:
    void SetUp() override {
        PoolOptions how;
        how.request.workers_per_node = 2;
        how.request.nodes = {0, 5};
        how.request.strict = true;
        how.request.steal_policy = NUMA_POOL_STEAL_LOCAL;
        Result<Ref<Pool>> made =
            Pool::create(world_.ports(), crew_, Ref<const Topology>::share(&world_.topology()), how);
        ASSERT_TRUE(made) << made.error().message;
        pool_ = made.take();
        for (const auto &team : pool_->teams()) {
            for (const auto &worker : team->workers()) {
                workers_.push_back(worker->place().thread().id());
            }
        }
    }
    void TearDown() override { end(); }
    void end() {
        if (pool_) {
            EXPECT_TRUE(pool_->shutdown(UINT64_MAX, nullptr));
        }
    }

    Enforcement of_node(uint32_t node) { return pool_->node_enforcement(*pool_->plan().find(node)); }

    MadeUpMachine world_;
    Crew crew_{real_ports()};
    Ref<Pool> pool_;
    std::vector<pid_t> workers_;
};

// One that counts the lines of the log about workers.
class CountedLog {
public:
    CountedLog() { EXPECT_EQ(set_log_callback(count, this, NEAR_LOG_WARN), NEAR_OK); }
    ~CountedLog() { EXPECT_EQ(set_log_callback(nullptr, nullptr, NEAR_LOG_NONE), NEAR_OK); }
    CountedLog(const CountedLog &) = delete;
    CountedLog &operator=(const CountedLog &) = delete;

    std::atomic<int> lines{0};

private:
    static void count(int32_t level, const char *message, void *self) {
        if (level == NEAR_LOG_WARN && std::string(message).find("workers of node") != std::string::npos) {
            static_cast<CountedLog *>(self)->lines++;
        }
    }
};

TEST_F(PoolLook, AStrictPoolWhoseCpusetMovedSaysSoAndIsPinnedAgainWhenItComesBack) {
    EXPECT_EQ(of_node(5).level, NEAR_LEVEL_STRICT);
    world_.machine.nodes().move_cpuset({0, 1, 4, 5});
    EXPECT_EQ(of_node(0).level, NEAR_LEVEL_STRICT) << of_node(0).text;
    EXPECT_EQ(world_.machine.nodes().affinity(workers_[0]), (NumberSet{0, 1}));
    EXPECT_EQ(of_node(5).level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(of_node(5).reason, NEAR_REASON_NOT_ALLOWED) << of_node(5).text;
    EXPECT_EQ(pool_->enforcement().level, NEAR_LEVEL_BEST_EFFORT);
    world_.machine.nodes().move_cpuset({0, 1, 4, 5, 1030, 1031});
    EXPECT_EQ(pool_->enforcement().level, NEAR_LEVEL_STRICT) << pool_->enforcement().text;
    for (std::size_t i = 0; i < workers_.size(); i++) {
        EXPECT_EQ(world_.machine.nodes().affinity(workers_[i]), (i < 2 ? NumberSet{0, 1} : NumberSet{1030, 1031})) << i;
    }
}

TEST_F(PoolLook, EachChangeIsLoggedOnce) {
    const CountedLog log;
    EXPECT_EQ(pool_->enforcement().level, NEAR_LEVEL_STRICT);
    EXPECT_EQ(log.lines, 0);
    world_.machine.nodes().move_cpuset({4, 5});
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(pool_->enforcement().level, NEAR_LEVEL_BEST_EFFORT);
    }
    EXPECT_EQ(log.lines, 2) << "one for each node";
    world_.machine.nodes().move_cpuset({0, 1, 1030, 1031});
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(pool_->enforcement().level, NEAR_LEVEL_STRICT);
    }
    EXPECT_EQ(log.lines, 4);
}

TEST_F(PoolLook, OneCallForEachWorkerIsAllThatItCosts) {
    const uint64_t gets = world_.failing.calls(Call::affinity_get);
    const uint64_t sets = world_.failing.calls(Call::affinity_set);
    EXPECT_EQ(pool_->enforcement().level, NEAR_LEVEL_STRICT);
    EXPECT_EQ(world_.failing.calls(Call::affinity_get), gets + 4);
    EXPECT_EQ(world_.failing.calls(Call::affinity_set), sets);
}

TEST_F(PoolLook, WhatCannotBePutBackSaysWhy) {
    world_.machine.nodes().move_cpuset({0, 1, 1030, 1031});
    world_.failing.fail_always(Call::affinity_set, EPERM);
    EXPECT_EQ(pool_->enforcement().reason, NEAR_REASON_FORBIDDEN) << pool_->enforcement().text;
    world_.failing.fail_nothing();
    EXPECT_EQ(pool_->enforcement().level, NEAR_LEVEL_STRICT);
}

TEST_F(PoolLook, AfterAShutdownItIsWhatWasSeenLast) {
    world_.machine.nodes().move_cpuset({0, 1});
    EXPECT_EQ(of_node(5).level, NEAR_LEVEL_BEST_EFFORT);
    end();
    world_.machine.nodes().move_cpuset({0, 1, 1030, 1031});
    EXPECT_EQ(of_node(0).level, NEAR_LEVEL_STRICT);
    EXPECT_EQ(of_node(0).reason, NEAR_REASON_NOT_STARTED) << of_node(0).text;
    EXPECT_EQ(of_node(5).level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(of_node(5).reason, NEAR_REASON_NOT_STARTED) << of_node(5).text;
    EXPECT_EQ(pool_->enforcement().level, NEAR_LEVEL_BEST_EFFORT);
}

TEST_F(PoolLook, InAChildItIsWhatWasSeenLast) {
    const pid_t child = fork();
    if (child == 0) {
        world_.machine.nodes().move_cpuset({4, 5});
        const Enforcement seen = pool_->enforcement();
        _exit(seen.level == NEAR_LEVEL_STRICT && seen.reason == NEAR_REASON_NOT_STARTED ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

using Body = std::function<void()>;

near_status run_body(void *body) {
    (*static_cast<Body *>(body))();
    return NEAR_OK;
}

// "For good": whoever looks leaves it so, and says so. (near_affinity_set() does this.)
TEST_F(PoolLook, WhatTheHostSetsForGoodIsNotUndone) {
    Body body = [&] {
        const std::lock_guard<ForkMutex> lock(PinThread::current()->mutex());
        ASSERT_EQ(world_.machine.nodes().set_affinity({4}), 0);
        PinThread::current()->leave_to_host();
    };
    const Item item{run_body, nullptr, &body, nullptr};
    ASSERT_EQ(pool_->submit(0, &item, 1, nullptr), NEAR_OK);
    ASSERT_TRUE(pool_->wait_idle(nearpool_test::long_enough_ns));
    EXPECT_EQ(of_node(0).level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(of_node(0).reason, NEAR_REASON_ELSEWHERE) << of_node(0).text;
    const auto is_moved = [&](pid_t worker) { return world_.machine.nodes().affinity(worker) == NumberSet{4}; };
    EXPECT_EQ(std::count_if(workers_.begin(), workers_.end(), is_moved), 1);
}

// A task pins its worker for a while: a look leaves that alone. A worker's child by fork() is no worker, and what it
// sets for itself is its own.
TEST_F(PoolLook, WhatATaskPinsForAWhileIsItsOwn) {
    Body body = [&] {
        Result<std::unique_ptr<Pin>> pin = Pin::to_cpus(world_.ports(), pool_->topology(), {4}, true);
        ASSERT_TRUE(pin);
        EXPECT_EQ(of_node(0).level, NEAR_LEVEL_STRICT);
        EXPECT_EQ(world_.machine.nodes().affinity(), NumberSet{4});
        EXPECT_TRUE(Pin::release(pin.take().release()));
        EXPECT_EQ(world_.machine.nodes().affinity(), (NumberSet{0, 1}));
        const pid_t child = fork();
        if (child == 0) {
            world_.machine.nodes().set_affinity({4});
            const bool fine = of_node(0).reason == NEAR_REASON_NOT_STARTED;
            _exit(fine && world_.machine.nodes().affinity() == NumberSet{4} ? 0 : 1);
        }
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    };
    const Item item{run_body, nullptr, &body, nullptr};
    ASSERT_EQ(pool_->submit(0, &item, 1, nullptr), NEAR_OK);
    EXPECT_TRUE(pool_->wait_idle(nearpool_test::long_enough_ns));
}

} // namespace
} // namespace nearpool::numa
