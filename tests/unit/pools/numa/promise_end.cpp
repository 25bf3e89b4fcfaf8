// SPDX-License-Identifier: Apache-2.0
// What becomes of promises when their pool ends, and when the process forks.
#include "pools/numa/promise.hpp"

#include "unit/pools/numa/promise_support.hpp"

#include <array>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace nearpool::numa {
namespace {

using PromiseEndTest = PromiseTest;

TEST_F(PromiseEndTest, ShutdownWaitsForWhatIsOpen) {
    Ref<Pool> pool = create();
    auto *group = new Group(pool);
    std::array<Task, 100> tasks;
    std::vector<Ref<Promise>> promises;
    for (Task &task : tasks) {
        const auto number = static_cast<uint32_t>(promises.size());
        promises.push_back(promise(*pool, task, number % 4, number % 2 == 0 ? group : nullptr));
    }
    uint64_t left = 77;
    const Done early = pool->shutdown(0, &left);
    ASSERT_FALSE(early);
    EXPECT_EQ(early.error().status, NEAR_E_TIMEOUT);
    EXPECT_EQ(left, 100U);
    std::thread decider([&] {
        for (std::size_t i = 0; i < promises.size(); i++) {
            EXPECT_TRUE(i % 10 == 3 ? promises[i]->break_off() : promises[i]->keep());
        }
    });
    const Done done = pool->shutdown(long_enough_ns, &left);
    EXPECT_TRUE(done) << done.error().message;
    EXPECT_EQ(left, 0U);
    decider.join();
    for (std::size_t i = 0; i < tasks.size(); i++) {
        EXPECT_EQ(i % 10 == 3 ? tasks[i].discarded : tasks[i].ran, 1);
        EXPECT_EQ(tasks[i].node, i % 4) << "not on a worker of its node";
        EXPECT_TRUE(tasks[i].once());
    }
    EXPECT_TRUE(group->wait(0));
    group->drop();
    expect_counts(*pool, 90, 10);
    EXPECT_EQ(pool->promise(0, tasks[0].item(), promises[0]), NEAR_E_SHUTDOWN);
    end(std::move(pool));
}

// The way out where what is waited for will not come.
TEST_F(PromiseEndTest, AGroupThatIsCancelledEndsAShutdownThatWaits) {
    Ref<Pool> pool = create();
    auto *group = new Group(pool);
    Task task;
    const Ref<Promise> promise = this->promise(*pool, task, 0, group);
    EXPECT_FALSE(pool->shutdown(0, nullptr));
    EXPECT_EQ(task.discarded, 0);
    group->cancel();
    end(pool);
    EXPECT_EQ(task.discarded, 1);
    EXPECT_EQ(group->wait(0).error().status, NEAR_E_CANCELLED);
    group->drop();
}

TEST_F(PromiseEndTest, WhatIsTakenBackEndsAShutdownThatWaits) {
    Ref<Pool> pool = create();
    Task task;
    const Ref<Promise> promise = this->promise(*pool, task, 0);
    EXPECT_FALSE(pool->shutdown(0, nullptr));
    EXPECT_TRUE(promise->withdraw());
    end(std::move(pool));
    EXPECT_EQ(task.ran + task.discarded, 0);
}

// Who is asked what has become of it keeps it the third time.
class ThirdTime final : public Outlook {
public:
    void look() noexcept override {
        if (++looks == 3) {
            promise->keep();
        }
    }
    std::atomic<int> looks{0};
    Ref<Promise> promise;
};

TEST_F(PromiseEndTest, IdleWorkersOfAPoolThatIsShutDownLookAfterIt) {
    const Ref<ThirdTime> outlook = Ref<ThirdTime>::adopt(new ThirdTime);
    Ref<Pool> pool = create();
    Task task;
    ASSERT_EQ(pool->promise(2, task.item(), outlook->promise, Ref<Outlook>::share(outlook.get())), NEAR_OK);
    std::this_thread::sleep_for(std::chrono::nanoseconds(a_moment_ns));
    EXPECT_EQ(outlook->looks, 0) << "nobody looks while it may come by itself";
    end(std::move(pool));
    EXPECT_EQ(task.ran, 1);
    EXPECT_EQ(outlook->looks, 3);
    outlook->promise = {};
}

TEST_F(PromiseEndTest, TasksThatRunWhileThePoolDrainsMayPromise) {
    Ref<Pool> pool = create();
    Task task;
    Task late;
    Gate gate;
    Status accepted = NEAR_E_INTERNAL;
    Ref<Promise> promised;
    gate.then = [&] { accepted = pool->promise(1, late.item(), promised); };
    gate.block(*pool, 0);
    const Ref<Promise> promise = this->promise(*pool, task, 0);
    uint64_t left = 77;
    EXPECT_FALSE(pool->shutdown(0, &left));
    EXPECT_EQ(left, 2U) << "the task that runs and the one to come";
    EXPECT_TRUE(promise->keep());
    gate.open = true;
    EXPECT_TRUE(eventually([&] { return task.ran == 1; }));
    EXPECT_EQ(accepted, NEAR_OK);
    EXPECT_FALSE(pool->shutdown(0, &left));
    EXPECT_EQ(left, 1U);
    EXPECT_TRUE(promised->keep());
    EXPECT_TRUE(pool->shutdown(long_enough_ns, &left));
    EXPECT_EQ(left, 0U);
    EXPECT_EQ(late.ran, 1);
    expect_counts(*pool, 3, 0);
}

TEST_F(PromiseEndTest, DestroyWaitsForWhatIsOpenAndAPromiseMayOutliveIt) {
    Task task;
    Ref<Promise> outlives;
    {
        Ref<Pool> pool = create();
        outlives = promise(*pool, task, 1);
        std::atomic<bool> destroyed{false};
        std::thread destroyer([&] {
            pool.detach()->destroy();
            destroyed = true;
        });
        std::this_thread::sleep_for(std::chrono::nanoseconds(a_moment_ns));
        EXPECT_FALSE(destroyed);
        EXPECT_TRUE(outlives->keep());
        destroyer.join();
    }
    EXPECT_EQ(ports_.held(), fakes::Held{}) << "a promise keeps no thread";
    EXPECT_EQ(task.ran, 1);
    EXPECT_EQ(task.node, 1U);
    EXPECT_FALSE(outlives->keep());
    EXPECT_FALSE(outlives->break_off());
    outlives = {};
    EXPECT_TRUE(task.once());
}

// Nobody waits then: the last worker ends the pool, and those who sleep look after what is open.
TEST_F(PromiseEndTest, DestroyFromATaskLeavesWhatIsOpenToTheWorkers) {
    const Ref<ThirdTime> outlook = Ref<ThirdTime>::adopt(new ThirdTime);
    Task task;
    Gate gate;
    Ref<Pool> pool = create();
    gate.then = [&] { pool.detach()->destroy(); };
    ASSERT_EQ(pool->promise(0, task.item(), outlook->promise, Ref<Outlook>::share(outlook.get())), NEAR_OK);
    gate.block(*pool, 0);
    gate.open = true;
    EXPECT_TRUE(eventually([&] { return ports_.held() == fakes::Held{}; })) << "threads are left";
    EXPECT_EQ(outlook->looks, 3);
    EXPECT_EQ(task.ran, 1);
    EXPECT_TRUE(task.once());
    outlook->promise = {};
}

// In the child the pool has no threads, and its locks may be held for ever.
TEST_F(PromiseEndTest, InAChildNothingHappens) {
    Ref<Pool> pool = create();
    std::array<Task, 2> tasks;
    std::array<Ref<Promise>, 2> promises{promise(*pool, tasks[0]), promise(*pool, tasks[1])};
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        nearpool_test::limit_this_process();
        Ref<Promise> none;
        int failures = pool->promise(0, tasks[0].item(), none) == NEAR_E_FORKED ? 0 : 1;
        failures += promises[0]->keep() ? 2 : 0;
        failures += promises[1]->break_off() || promises[1]->withdraw() ? 4 : 0;
        promises = {};
        failures += pool->counts(std::nullopt).accepted == 2 && pool->counts(std::nullopt).queued == 0 ? 0 : 8;
        pool.detach()->destroy();
        failures += tasks[0].ran + tasks[0].discarded + tasks[1].ran + tasks[1].discarded == 0 ? 0 : 16;
        ::_exit(failures);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_TRUE(promises[0]->keep());
    EXPECT_TRUE(promises[1]->break_off());
    EXPECT_TRUE(pool->wait_idle(long_enough_ns));
    EXPECT_EQ(tasks[0].ran, 1);
    EXPECT_EQ(tasks[1].discarded, 1);
    end(std::move(pool));
}

} // namespace
} // namespace nearpool::numa
