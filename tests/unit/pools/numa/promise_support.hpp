// SPDX-License-Identifier: Apache-2.0
// What the tests of promises share: a pool on a machine made up, and tasks that say what became of them.
#pragma once

#include "fakes/ports.hpp"
#include "pools/numa/group.hpp"
#include "pools/numa/pool.hpp"
#include "pools/numa/worker.hpp"
#include "support/limits.hpp"
#include "unit/topology/support.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

namespace nearpool::numa {

// A task that counts its runs and its discards, and looks where they happen. It outlives its pool's threads.
struct Task {
    std::atomic<int> ran{0};
    std::atomic<int> discarded{0};
    std::atomic<uint32_t> node{NEAR_NODE_UNKNOWN}; // of the worker; unknown: it was no worker
    const char *failure = nullptr;

    void look() {
        const Worker *worker = Worker::current();
        node = worker != nullptr ? worker->team().plan().node : NEAR_NODE_UNKNOWN;
    }
    static near_status run(void *user_data) {
        auto *task = static_cast<Task *>(user_data);
        task->look();
        task->ran++;
        return task->failure != nullptr ? near_task_fail(task->failure) : NEAR_OK;
    }
    static void discard(void *user_data) {
        auto *task = static_cast<Task *>(user_data);
        task->look();
        task->discarded++;
    }
    Item item(Group *group = nullptr) { return Item{run, discard, this, group}; }
    bool once() const { return ran + discarded == 1; }
};

using nearpool_test::eventually;
using nearpool_test::long_enough_ns;

// A task that stays until it is let go.
struct Gate {
    std::atomic<bool> reached{false};
    std::atomic<bool> open{false};
    std::function<void()> then = [] {};

    static near_status run(void *user_data) {
        auto *gate = static_cast<Gate *>(user_data);
        gate->reached = true;
        while (!gate->open) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        gate->then();
        return NEAR_OK;
    }
    void block(Pool &pool, uint32_t node) {
        const Item item{run, nullptr, this, nullptr};
        ASSERT_EQ(pool.submit(node, &item, 1, nullptr), NEAR_OK);
        ASSERT_TRUE(eventually([&] { return reached.load(); }));
    }
};

// Four nodes in two packages, a worker on each, that do not steal.
class PromiseTest : public ::testing::Test {
protected:
    static constexpr uint64_t a_moment_ns = 30 * NEAR_MS; // in which what must not happen could happen

    static PoolOptions options() {
        PoolOptions result;
        result.request.workers_per_node = 1;
        result.request.steal_policy = NUMA_POOL_STEAL_LOCAL;
        return result;
    }

    Ref<Pool> create(const PoolOptions &how = options()) {
        Result<Ref<Pool>> made = Pool::create(ports_.ports(), crew_, machine_, how);
        EXPECT_TRUE(made) << made.error().message;
        return made.take();
    }

    static Ref<Promise> promise(Pool &pool, Task &task, uint32_t node = 0, Group *group = nullptr) {
        Ref<Promise> made;
        EXPECT_EQ(pool.promise(node, task.item(group), made), NEAR_OK);
        return made;
    }

    // Also of a pool that was shut down.
    static void expect_counts(Pool &pool, uint64_t run, uint64_t discarded) {
        const numa_pool_counts counts = pool.counts(std::nullopt);
        EXPECT_EQ(counts.accepted, run + discarded);
        EXPECT_EQ(counts.run_local + counts.run_remote, run);
        EXPECT_EQ(counts.discarded, discarded);
        EXPECT_EQ(counts.queued, 0U);
    }

    static void end(Ref<Pool> pool) {
        uint64_t left = 77;
        const Done done = pool->shutdown(long_enough_ns, &left);
        EXPECT_TRUE(done) << done.error().message;
        EXPECT_EQ(left, 0U);
    }

    Ref<const Topology> machine_ = nearpool::testing::synthetic("pack:2 numa:2 pu:1");
    fakes::FailingPorts ports_;
    Crew crew_{real_ports()};
};

} // namespace nearpool::numa
