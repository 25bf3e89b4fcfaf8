// SPDX-License-Identifier: Apache-2.0
// Tasks that are accepted now and queued later: what a promise is, in a pool that lives.
#include "pools/numa/promise.hpp"

#include "fakes/machines/four_nodes.hpp"
#include "support/limited_memory.hpp"
#include "unit/pools/numa/promise_support.hpp"

#include <cerrno>
#include <vector>

namespace nearpool::numa {
namespace {

TEST_F(PromiseTest, KeptItRunsOnItsNode) {
    Ref<Pool> pool = create();
    for (uint32_t node = 0; node < 4; node++) {
        Task task;
        const Ref<Promise> promise = this->promise(*pool, task, node);
        EXPECT_EQ(pool->counts(node).accepted, 1U);
        EXPECT_EQ(pool->counts(node).queued, 0U);
        EXPECT_TRUE(promise->keep());
        EXPECT_TRUE(pool->wait_idle(long_enough_ns));
        EXPECT_EQ(task.ran, 1);
        EXPECT_EQ(task.discarded, 0);
        EXPECT_EQ(task.node, node);
        EXPECT_EQ(pool->counts(node).run_local, 1U);
        EXPECT_FALSE(promise->keep());
        EXPECT_FALSE(promise->break_off());
    }
    expect_counts(*pool, 4, 0);
    end(std::move(pool));
}

TEST_F(PromiseTest, BrokenOffItIsDiscardedOnceByAWorker) {
    Ref<Pool> pool = create();
    Task task;
    const Ref<Promise> promise = this->promise(*pool, task, 2);
    EXPECT_TRUE(promise->break_off());
    EXPECT_FALSE(promise->keep());
    EXPECT_FALSE(promise->break_off());
    EXPECT_TRUE(pool->wait_idle(long_enough_ns));
    EXPECT_EQ(task.discarded, 1);
    EXPECT_EQ(task.ran, 0);
    EXPECT_EQ(task.node, 2U) << "not on a worker of its node";
    EXPECT_EQ(pool->counts(2).discarded, 1U);

    Item nothing_to_free = task.item();
    nothing_to_free.discard = nullptr;
    Ref<Promise> other;
    ASSERT_EQ(pool->promise(1, nothing_to_free, other), NEAR_OK);
    EXPECT_TRUE(other->break_off());
    EXPECT_TRUE(pool->wait_idle(long_enough_ns));
    EXPECT_EQ(pool->counts(1).discarded, 1U);
    expect_counts(*pool, 0, 2);
    end(std::move(pool));
}

TEST_F(PromiseTest, WithdrawnItWasNeverAccepted) {
    PoolOptions how = options();
    how.queue_capacity = 1;
    Ref<Pool> pool = create(how);
    auto *group = new Group(pool);
    Task task;
    const Ref<Promise> promise = this->promise(*pool, task, 2, group);
    EXPECT_TRUE(promise->withdraw());
    EXPECT_FALSE(promise->withdraw());
    EXPECT_FALSE(promise->keep());
    EXPECT_FALSE(promise->break_off());
    EXPECT_TRUE(pool->wait_idle(0)) << "waits for what nobody accepted";
    EXPECT_TRUE(group->wait(0));
    EXPECT_EQ(group->counts().accepted, 0U);
    EXPECT_EQ(group->counts().discarded, 0U);
    EXPECT_EQ(task.ran + task.discarded, 0);
    expect_counts(*pool, 0, 0);
    const Item item = task.item();
    EXPECT_EQ(pool->submit(2, &item, 1, nullptr), NEAR_OK) << "it keeps its place in the queue";
    EXPECT_TRUE(pool->wait_idle(long_enough_ns));
    const Ref<Promise> late = this->promise(*pool, task, 2);
    EXPECT_TRUE(late->break_off());
    EXPECT_FALSE(late->withdraw());
    EXPECT_TRUE(pool->wait_idle(long_enough_ns));
    expect_counts(*pool, 1, 1);
    group->drop();
    end(std::move(pool));
}

TEST_F(PromiseTest, WithdrawnItEndsTheWaitOfItsGroupAndCostsNoMemory) {
    Ref<Pool> pool = create();
    auto *group = new Group(pool);
    Task task;
    const Ref<Promise> awaited = promise(*pool, task, 0, group);
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::nanoseconds(a_moment_ns));
        awaited->withdraw();
    });
    EXPECT_TRUE(group->wait(long_enough_ns));
    other.join();
    group->drop();
    Queue queue(0);
    for (int i = 0; i < 10000; i++) {
        ASSERT_EQ(queue.promise({}), NEAR_OK);
        queue.take_back();
    }
    EXPECT_EQ(queue.segment_count(), 1U);
    EXPECT_EQ(queue.accepted(), 0U);
    EXPECT_TRUE(queue.settled());
    end(std::move(pool));
}

TEST_F(PromiseTest, WithdrawnAfterItsGroupIsGoneItEndsTheGroup) {
    Ref<Pool> pool = create();
    auto *group = new Group(pool);
    Task task;
    const Ref<Promise> promise = this->promise(*pool, task, 0, group);
    group->drop();
    EXPECT_TRUE(promise->withdraw()); // else the leak checker finds the group
    end(std::move(pool));
}

TEST_F(PromiseTest, ForgottenItIsDiscarded) {
    Ref<Pool> pool = create();
    Task task;
    promise(*pool, task);
    EXPECT_TRUE(pool->wait_idle(long_enough_ns));
    EXPECT_EQ(task.discarded, 1);
    EXPECT_TRUE(task.once());
    end(std::move(pool));
}

TEST_F(PromiseTest, HoldsAPlaceInABoundedQueueUntilItsTaskIsTaken) {
    PoolOptions how = options();
    how.queue_capacity = 2;
    Ref<Pool> pool = create(how);
    Task first;
    Task second;
    const Ref<Promise> kept = promise(*pool, first);
    const Ref<Promise> broken = promise(*pool, second);
    Task more;
    const Item item = more.item();
    Ref<Promise> none;
    EXPECT_EQ(pool->promise(0, item, none), NEAR_E_AGAIN);
    EXPECT_EQ(pool->submit(0, &item, 1, nullptr), NEAR_E_AGAIN);
    EXPECT_FALSE(none) << "written by a call that failed";
    EXPECT_EQ(pool->counts(0).accepted, 2U);
    const Ref<Promise> elsewhere = promise(*pool, more, 1);
    elsewhere->keep();
    kept->keep();
    EXPECT_TRUE(eventually([&] { return first.ran == 1; }));
    EXPECT_EQ(pool->promise(0, item, none), NEAR_OK) << "no room after the task of one has run";
    EXPECT_EQ(pool->submit(0, &item, 1, nullptr), NEAR_E_AGAIN);
    broken->break_off();
    EXPECT_TRUE(eventually([&] { return second.discarded == 1; }));
    EXPECT_EQ(pool->submit(0, &item, 1, nullptr), NEAR_OK) << "no room after another was discarded";
    none->keep();
    EXPECT_TRUE(pool->wait_idle(long_enough_ns));
    expect_counts(*pool, 4, 1);
    end(std::move(pool));
}

TEST_F(PromiseTest, IsWaitedFor) {
    Ref<Pool> pool = create();
    Task kept;
    Task broken;
    Task withdrawn;
    for (Task *task : {&kept, &broken, &withdrawn}) {
        const Ref<Promise> promise = this->promise(*pool, *task);
        const Done early = pool->wait_idle(a_moment_ns);
        ASSERT_FALSE(early);
        EXPECT_EQ(early.error().status, NEAR_E_TIMEOUT);
        EXPECT_NE(early.error().message.find("1 task"), std::string::npos) << early.error().message;
        std::thread other([&] {
            std::this_thread::sleep_for(std::chrono::nanoseconds(a_moment_ns));
            task == &kept ? promise->keep() : task == &broken ? promise->break_off() : promise->withdraw();
        });
        EXPECT_TRUE(pool->wait_idle(long_enough_ns));
        EXPECT_EQ(task->once(), task != &withdrawn);
        other.join();
    }
    EXPECT_EQ(kept.ran + broken.discarded, 2);
    end(std::move(pool));
}

TEST_F(PromiseTest, OnANodeThatIsNotThereIsRefused) {
    PoolOptions how = options();
    how.request.nodes = {1, 2};
    Ref<Pool> pool = create(how);
    Task task;
    Ref<Promise> none;
    EXPECT_EQ(pool->promise(0, task.item(), none), NEAR_E_NO_NODE);
    EXPECT_EQ(pool->promise(NEAR_NODE_UNKNOWN, task.item(), none), NEAR_E_NO_NODE);
    EXPECT_FALSE(none);
    EXPECT_TRUE(pool->wait_idle(0));
    end(std::move(pool));
}

TEST_F(PromiseTest, TheNearestNodeOfThePoolIsKnown) {
    PoolOptions how = options();
    how.request.nodes = {2, 1};
    machine_ = nearpool::testing::xml(fakes::four_nodes_xml);
    Ref<Pool> pool = create(how);
    EXPECT_EQ(pool->nearest_node(0), 1U) << "the other node of its package";
    EXPECT_EQ(pool->nearest_node(3), 2U);
    EXPECT_EQ(pool->nearest_node(1), 1U);
    EXPECT_EQ(pool->nearest_node(2), 2U);
    for (const uint32_t number : {uint32_t{4}, NUMA_POOL_NODE_LOCAL, NEAR_NODE_UNKNOWN}) {
        EXPECT_EQ(pool->nearest_node(number), NEAR_NODE_UNKNOWN);
    }
    end(std::move(pool));
}

TEST_F(PromiseTest, IsPendingInItsGroupUntilItIsKept) {
    Ref<Pool> pool = create();
    auto *group = new Group(pool);
    Task good;
    Task bad;
    bad.failure = "the GPU had another result";
    const Ref<Promise> first = promise(*pool, good, 0, group);
    const Ref<Promise> second = promise(*pool, bad, 1, group);
    EXPECT_EQ(group->counts().accepted, 2U);
    EXPECT_EQ(group->counts().run, 0U);
    first->keep();
    const Done early = group->wait(a_moment_ns);
    EXPECT_EQ(early.error().status, NEAR_E_TIMEOUT);
    second->keep();
    const Done done = group->wait(long_enough_ns);
    EXPECT_EQ(done.error().status, NEAR_E_TASK);
    EXPECT_EQ(done.error().message, bad.failure);
    EXPECT_EQ(group->counts().run, 2U);
    EXPECT_EQ(group->counts().failed, 1U);
    group->drop();
    EXPECT_EQ(pool->counts(1).failed, 1U);
    end(std::move(pool));
}

TEST_F(PromiseTest, IsDiscardedWithItsGroup) {
    Ref<Pool> pool = create();
    auto *group = new Group(pool);
    Task cancelled;
    Task broken;
    Task other;
    Ref<Promise> alone = promise(*pool, broken, 3, group);
    const Ref<Promise> open = promise(*pool, cancelled, 0, group);
    const Ref<Promise> stranger = promise(*pool, other);
    alone->break_off();
    EXPECT_TRUE(eventually([&] { return group->counts().discarded == 1; }));
    group->cancel();
    EXPECT_EQ(pool->promise(0, cancelled.item(group), alone), NEAR_E_BUSY);
    EXPECT_EQ(group->wait(long_enough_ns).error().status, NEAR_E_CANCELLED) << "it waits for what may never come";
    EXPECT_EQ(cancelled.discarded, 1);
    EXPECT_NE(cancelled.node, NEAR_NODE_UNKNOWN) << "not on a worker";
    EXPECT_FALSE(open->keep());
    EXPECT_EQ(group->counts().accepted, 2U);
    EXPECT_EQ(group->counts().discarded, 2U);
    EXPECT_EQ(group->counts().run, 0U);
    group->drop();
    EXPECT_TRUE(stranger->keep()) << "of no group";
    EXPECT_TRUE(pool->wait_idle(long_enough_ns));
    EXPECT_EQ(other.ran, 1);
    expect_counts(*pool, 1, 2);
    end(std::move(pool));
}

struct Inner {
    Pool *pool;
    Task *task;
    std::atomic<Promise *> promised{nullptr};
    bool waited = false;

    // Waits, on the only worker, for what another thread has to keep.
    static near_status run(void *user_data) {
        auto *self = static_cast<Inner *>(user_data);
        auto *group = new Group(Ref<Pool>::share(self->pool));
        Ref<Promise> promise;
        EXPECT_EQ(self->pool->promise(NUMA_POOL_NODE_LOCAL, self->task->item(group), promise), NEAR_OK);
        self->promised = promise.get();
        self->waited = bool(group->wait(long_enough_ns));
        group->drop();
        return NEAR_OK;
    }
};

TEST_F(PromiseTest, OfATaskRunsWhileTheTaskWaitsForIt) {
    PoolOptions how = options();
    how.request.nodes = {3};
    how.queue_capacity = 1;
    Ref<Pool> pool = create(how);
    Task task;
    Inner inner{pool.get(), &task};
    const Item item{Inner::run, nullptr, &inner, nullptr};
    ASSERT_EQ(pool->submit(3, &item, 1, nullptr), NEAR_OK);
    ASSERT_TRUE(eventually([&] { return inner.promised != nullptr; }));
    inner.promised.load()->keep(); // the task holds it until it has waited
    EXPECT_TRUE(pool->wait_idle(long_enough_ns));
    EXPECT_TRUE(inner.waited);
    EXPECT_EQ(task.ran, 1);
    EXPECT_EQ(task.node, 3U);
    end(std::move(pool));
}

// As the process's default pool: its threads start with the first task, and must be there when a promise is kept.
TEST_F(PromiseTest, StartsTheThreadsOfAPoolThatStartsLate) {
    PoolOptions how = options();
    how.process_wide = true;
    Ref<Pool> pool = create(how);
    ASSERT_EQ(ports_.calls(fakes::Call::threads_start), 0U);
    Task task;
    Ref<Promise> promised;
    ports_.fail_nth(fakes::Call::threads_start, 3, EAGAIN);
    EXPECT_EQ(pool->promise(0, task.item(), promised), NEAR_E_SYSTEM);
    EXPECT_FALSE(promised);
    EXPECT_EQ(ports_.held(), fakes::Held{});
    EXPECT_EQ(pool->counts(std::nullopt).accepted, 0U);
    ASSERT_EQ(pool->promise(0, task.item(), promised), NEAR_OK);
    EXPECT_EQ(ports_.calls(fakes::Call::threads_start), 7U);
    EXPECT_TRUE(promised->keep());
    EXPECT_TRUE(pool->wait_idle(long_enough_ns));
    EXPECT_EQ(task.ran, 1);
    EXPECT_EQ(ports_.calls(fakes::Call::threads_start), 7U) << "keep started a thread";
    pool.detach()->destroy();
}

TEST_F(PromiseTest, WithoutMemoryIsRefusedAndWithoutMemoryIsKept) {
    Ref<Pool> pool = create();
    auto *group = new Group(pool);
    constexpr std::size_t count = 600; // more than two segments of the queue
    std::vector<Task> tasks(count);
    Ref<Promise> first;
    EXPECT_GT(nearpool_test::call_until_memory_suffices([&] {
                  EXPECT_EQ(pool->counts(std::nullopt).accepted, 0U);
                  EXPECT_EQ(group->counts().accepted, 0U);
                  EXPECT_FALSE(first);
                  return pool->promise(1, tasks[0].item(group), first);
              }),
              1U);
    std::vector<Ref<Promise>> promises{first};
    for (std::size_t i = 1; i < count; i++) {
        promises.push_back(promise(*pool, tasks[i], 1, group));
    }
    const uint64_t before = nearpool_test::limit_allocations(0);
    for (std::size_t i = 0; i < count; i++) {
        i % 3 == 0 ? promises[i]->break_off() : promises[i]->keep();
    }
    nearpool_test::limit_allocations(before);
    EXPECT_EQ(group->wait(long_enough_ns).error().status, NEAR_E_CANCELLED);
    group->drop();
    for (std::size_t i = 0; i < count; i++) {
        ASSERT_EQ(i % 3 == 0 ? tasks[i].discarded : tasks[i].ran, 1);
        ASSERT_TRUE(tasks[i].once());
    }
    expect_counts(*pool, 400, 200);
    end(std::move(pool));
}

} // namespace
} // namespace nearpool::numa
