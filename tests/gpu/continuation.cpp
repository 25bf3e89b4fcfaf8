// SPDX-License-Identifier: Apache-2.0
// Tasks that run when a stream's work is done: each is run or discarded, once.
#include "gpu/outcome.hpp"
#include "gpu/pinned_play.hpp"

#include <atomic>
#include <memory>
#include <thread>

using namespace nearpool_gpu;
using nearpool_test::counts_of;
using nearpool_test::counts_of_group;
using nearpool_test::eventually;
using nearpool_test::give_it_time;

namespace {

class Continuation : public Gpu {};
class ContinuationScript : public FakeGpu {};

TEST_F(Continuation, ContinuesOnTheCpu) {
    NEEDS_CALLBACKS();
    const Devices devices;
    const Streams streams(devices);
    const nearpool_test::Pool workers(1);
    Outcome outcome;
    const near_task task = outcome.task();
    Error error;
    for (const uint64_t id : {streams.acquire(), STREAM_POOL_DEFAULT}) {
        ASSERT_EQ(stream_pool_then(streams, id, workers, task.run, task.user_data, &error), NEAR_OK) << error.message;
        ASSERT_EQ(stream_pool_then_task(streams, id, workers, &task, nullptr, &error), NEAR_OK) << error.message;
    }
    EXPECT_EQ(numa_pool_wait_idle(workers, NEAR_FOREVER, nullptr), NEAR_OK);
    EXPECT_EQ(outcome.run, 4);
    EXPECT_EQ(outcome.discarded, 0);
}

TEST_F(Continuation, BadContinuationsAreRefusedAndNothingIsCounted) {
    NEEDS_CALLBACKS();
    const Devices devices;
    const Streams streams(devices);
    const nearpool_test::Pool workers(1);
    const nearpool_test::Pool others(1);
    const nearpool_test::Group foreign(others);
    Outcome outcome;
    const near_task task = outcome.task();
    const near_task empty{nullptr, nullptr, nullptr};
    const uint64_t id = streams.acquire();
    Error error;
    EXPECT_EQ(stream_pool_then(nullptr, id, workers, task.run, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_then(streams, id, workers, nullptr, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_then(streams, 3, workers, task.run, nullptr, &error), NEAR_E_STALE);
    EXPECT_EQ(stream_pool_then_task(streams, id, workers, nullptr, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_then_task(streams, id, workers, &empty, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_then_task(streams, id, workers, &task, foreign, &error), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_shutdown(workers, NEAR_FOREVER, nullptr, nullptr), NEAR_OK);
    EXPECT_EQ(stream_pool_then_task(streams, id, workers, &task, nullptr, &error), NEAR_E_SHUTDOWN) << error.message;
    EXPECT_EQ(counts_of(workers).accepted, 0U);
    EXPECT_EQ(outcome.run + outcome.discarded, 0);
}

TEST_F(ContinuationScript, AContinuationRunsWhenTheWorkIsDoneAndNotBefore) {
    NEEDS_CALLBACKS();
    const Devices devices;
    const Streams streams(devices);
    const nearpool_test::Pool workers(1);
    const nearpool_test::Group group(workers);
    Outcome outcome;
    const near_task task = outcome.task();
    const uint64_t id = streams.acquire();
    const CUstream stream = streams.at(id);
    ASSERT_EQ(fake()->hold(stream), 0);
    Error error;
    ASSERT_EQ(stream_pool_then_task(streams, id, workers, &task, group, &error), NEAR_OK) << error.message;
    EXPECT_EQ(stream_pool_release(streams, id), NEAR_OK) << "at once";
    EXPECT_EQ(counts_of(workers).accepted, 1U);
    EXPECT_EQ(numa_pool_wait_idle(workers, 5 * NEAR_MS, &error), NEAR_E_TIMEOUT);
    EXPECT_EQ(outcome.run, 0);
    ASSERT_EQ(fake()->let_go(stream), 0);
    EXPECT_EQ(numa_pool_group_wait(group, NEAR_FOREVER, &error), NEAR_OK) << error.message;
    EXPECT_EQ(outcome.run, 1);
    EXPECT_EQ(outcome.discarded, 0);
}

TEST_F(ContinuationScript, AContinuationIsDiscardedWhenTheContextIsLost) {
    NEEDS_CALLBACKS();
    Devices devices;
    const nearpool_test::Pool workers(1);
    Outcome outcome;
    const near_task task = outcome.task();
    Streams streams(devices, stream_options(2));
    const uint64_t id = streams.acquire();
    ASSERT_EQ(fake()->hold(streams.at(id)), 0);
    Error error;
    ASSERT_EQ(stream_pool_then_task(streams, id, workers, &task, nullptr, &error), NEAR_OK) << error.message;
    ASSERT_EQ(fake()->lose(devices.context(0), 719), 0);
    EXPECT_EQ(numa_pool_wait_idle(workers, NEAR_FOREVER, &error), NEAR_OK) << error.message;
    EXPECT_EQ(outcome.discarded, 1);
    EXPECT_EQ(outcome.run, 0);
    EXPECT_EQ(counts_of(workers).discarded, 1U);
    uint32_t done = 0;
    EXPECT_EQ(stream_pool_query(streams, id, &done, &error), NEAR_E_CUDA);
    EXPECT_TRUE(error.says("CUDA_ERROR_LAUNCH_FAILED (719)")) << error.message;
    EXPECT_EQ(stream_pool_then_task(streams, id, workers, &task, nullptr, &error), NEAR_E_CUDA);
    EXPECT_EQ(stream_pool_release(streams, id), NEAR_OK) << "a lost context is no reason to keep a lease";
    uint64_t next = 0;
    EXPECT_EQ(stream_pool_acquire(streams, &next), NEAR_E_CUDA);
    EXPECT_EQ(outcome.discarded, 1);
}

TEST_F(ContinuationScript, AContinuationThatTheDriverRefusesIsNeitherRunNorDiscarded) {
    const Devices devices;
    const Streams streams(devices);
    const nearpool_test::Pool workers(1);
    const nearpool_test::Group group(workers);
    Outcome outcome;
    const near_task task = outcome.task();
    const uint64_t id = streams.acquire();
    if (driver()->stream_add_callback != nullptr) {
        fake()->fail("cuStreamAddCallback", 1, 2, 0);
    }
    Error error;
    EXPECT_EQ(stream_pool_then_task(streams, id, workers, &task, group, &error),
              driver()->stream_add_callback != nullptr ? NEAR_E_CUDA : NEAR_E_UNSUPPORTED);
    EXPECT_EQ(numa_pool_wait_idle(workers, NEAR_FOREVER, nullptr), NEAR_OK);
    EXPECT_EQ(numa_pool_group_wait(group, NEAR_FOREVER, nullptr), NEAR_OK);
    EXPECT_EQ(counts_of(workers).accepted, 0U) << "by a call that failed";
    EXPECT_EQ(counts_of_group(group).accepted, 0U) << "by a call that failed";
    EXPECT_EQ(outcome.run, 0);
    EXPECT_EQ(outcome.discarded, 0);
}

TEST_F(ContinuationScript, DestroyingThePoolWaitsForItsContinuations) {
    NEEDS_CALLBACKS();
    const Devices devices;
    const nearpool_test::Pool workers(1);
    Outcome outcome;
    const near_task task = outcome.task();
    Streams streams(devices);
    const uint64_t id = streams.acquire();
    const CUstream stream = streams.at(id);
    ASSERT_EQ(fake()->hold(stream), 0);
    Error error;
    ASSERT_EQ(stream_pool_then_task(streams, id, workers, &task, nullptr, &error), NEAR_OK) << error.message;
    std::atomic<bool> destroyed{false};
    std::thread destroyer([&] {
        streams.destroy();
        destroyed = true;
    });
    give_it_time();
    EXPECT_FALSE(destroyed);
    ASSERT_EQ(fake()->let_go(stream), 0);
    destroyer.join();
    EXPECT_EQ(numa_pool_wait_idle(workers, NEAR_FOREVER, nullptr), NEAR_OK);
    EXPECT_EQ(outcome.run, 1);
}

// As at the end of a process: nobody will call back.
TEST_F(ContinuationScript, DestroyingThePoolDiscardsContinuationsWhenTheDriverHasGone) {
    NEEDS_CALLBACKS();
    Devices devices;
    const nearpool_test::Pool workers(1);
    Outcome outcome;
    const near_task task = outcome.task();
    Streams streams(devices);
    const uint64_t id = streams.acquire();
    const CUstream stream = streams.at(id);
    ASSERT_EQ(fake()->hold(stream), 0);
    Error error;
    ASSERT_EQ(stream_pool_then_task(streams, id, workers, &task, nullptr, &error), NEAR_OK) << error.message;
    fake()->teardown();
    streams.destroy();
    devices.destroy();
    EXPECT_EQ(numa_pool_wait_idle(workers, NEAR_FOREVER, nullptr), NEAR_OK);
    EXPECT_EQ(outcome.run, 0);
    EXPECT_EQ(outcome.discarded, 1);
    EXPECT_EQ(fake()->reset(devices_json(3).c_str(), 1), nullptr);
}

TEST_F(ContinuationScript, DestroyingThePoolWaitsAlsoForContinuationsOfStreamsThatAreNotItsOwn) {
    NEEDS_CALLBACKS();
    const Devices devices;
    const nearpool_test::Pool workers(1);
    const Streams owner(devices, stream_options(1));
    const CUstream foreign = owner.at(owner.acquire());
    Outcome outcome;
    const near_task task = outcome.task();
    Streams streams(devices);
    Error error;
    uint64_t adopted = 0;
    ASSERT_EQ(stream_pool_adopt(streams, foreign, &adopted, &error), NEAR_OK) << error.message;
    ASSERT_EQ(fake()->busy(foreign, 20 * NEAR_MS), 0);
    ASSERT_EQ(stream_pool_then_task(streams, adopted, workers, &task, nullptr, &error), NEAR_OK) << error.message;
    EXPECT_EQ(stream_pool_release(streams, adopted), NEAR_OK);
    {
        const Pushed pushed(devices, 0);
        ASSERT_EQ(fake()->busy(nullptr, 20 * NEAR_MS), 0);
    }
    ASSERT_EQ(stream_pool_then_task(streams, STREAM_POOL_DEFAULT, workers, &task, nullptr, &error), NEAR_OK)
        << error.message;
    streams.destroy();
    EXPECT_EQ(numa_pool_wait_idle(workers, NEAR_FOREVER, nullptr), NEAR_OK);
    EXPECT_EQ(outcome.run, 2);
    EXPECT_EQ(outcome.discarded, 0);
}

// Continuations against releases, other acquires and a shutdown in their middle: each is run or discarded, once.
TEST_F(ContinuationScript, EveryContinuationIsRunOrDiscardedOnce) {
    NEEDS_CALLBACKS();
    const Devices devices;
    const Streams streams(devices, stream_options(4));
    auto workers = std::make_unique<nearpool_test::Pool>(2);
    std::vector<Outcome> outcomes(2000);
    std::vector<std::thread> threads;
    std::atomic<int> accepted{0};
    for (std::size_t t = 0; t < 2; t++) {
        threads.emplace_back([&, t] {
            for (std::size_t i = t; i < outcomes.size(); i += 2) {
                uint64_t id = 0;
                while (stream_pool_acquire(streams, &id) == NEAR_E_CAPACITY) {
                    std::this_thread::yield();
                }
                const near_task task = outcomes[i].task();
                const near_status status = stream_pool_then_task(streams, id, *workers, &task, nullptr, nullptr);
                EXPECT_TRUE(status == NEAR_OK || status == NEAR_E_SHUTDOWN) << status;
                accepted += status == NEAR_OK ? 1 : 0;
                EXPECT_EQ(stream_pool_release(streams, id), NEAR_OK);
            }
        });
    }
    EXPECT_TRUE(eventually([&] { return accepted > 300; }));
    EXPECT_EQ(numa_pool_shutdown(*workers, NEAR_FOREVER, nullptr, nullptr), NEAR_OK);
    for (std::thread &thread : threads) {
        thread.join();
    }
    const numa_pool_counts counts = counts_of(*workers);
    workers.reset();
    int ended = 0;
    for (const Outcome &outcome : outcomes) {
        EXPECT_LE(outcome.run + outcome.discarded, 1);
        ended += outcome.run + outcome.discarded;
    }
    EXPECT_EQ(ended, accepted);
    EXPECT_EQ(counts.discarded, 0U) << "a shutdown waits";
    EXPECT_EQ(counts.accepted, static_cast<uint64_t>(accepted.load()));
}

// The task is accepted, and the driver does not know of it yet, when its group is cancelled.
TEST_F(ContinuationScript, MayDestroyThePoolOfStreamsBeforeTheCallThatGaveItReturns) {
    NEEDS_CALLBACKS();
    const Devices devices;
    const nearpool_test::Pool workers(1);
    const nearpool_test::Group group(workers);
    stream_pool *streams = Streams(devices).detach();
    const auto destroy = [](void *pool) { stream_pool_destroy(static_cast<stream_pool *>(pool)); };
    const near_task task{nearpool_test::succeed, destroy, streams};
    const Gate gate("cuStreamAddCallback");
    std::atomic<near_status> status{NEAR_E_INTERNAL};
    std::thread caller(
        [&] { status = stream_pool_then_task(streams, STREAM_POOL_DEFAULT, workers, &task, group, nullptr); });
    EXPECT_TRUE(gate.await());
    EXPECT_EQ(numa_pool_group_cancel(group), NEAR_OK);
    EXPECT_EQ(numa_pool_group_wait(group, nearpool_test::long_enough_ns, nullptr), NEAR_E_CANCELLED)
        << "the pool of streams goes while it is in use";
    gate.open();
    caller.join();
    EXPECT_EQ(status, NEAR_OK);
}

} // namespace
