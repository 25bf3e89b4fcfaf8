// SPDX-License-Identifier: Apache-2.0
// Requests for page-locked memory and tasks: one that runs when a request has ended, and those that ask for memory
// themselves, also where no worker is free.
#include "gpu/outcome.hpp"
#include "gpu/pinned_play.hpp"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

using namespace nearpool_gpu;
using nearpool_test::counts_of;
using nearpool_test::eventually;
using nearpool_test::Group;
using nearpool_test::Latch;
using nearpool_test::Pool;
using nearpool_test::submit;

namespace {

constexpr uint32_t local = NUMA_POOL_NODE_LOCAL;

class PinnedThen : public PinnedGpu {};
class PinnedThenScript : public PinnedFakeGpu {};

near_status then(near_pinned_request *request, numa_pool *workers, const near_task &task,
                 numa_pool_group *group = nullptr) {
    return near_pinned_request_then(request, workers, local, &task, group, nullptr);
}

TEST_F(PinnedThenScript, RunsWhenTheMemoryIsThereAndNotBefore) {
    const Devices devices;
    const Pool workers(1);
    const Group group(workers);
    const Gate gate;
    const Request request(workers, devices, mib);
    ASSERT_TRUE(gate.await());
    Outcome outcome;
    ASSERT_EQ(then(request, workers, outcome.task(), group), NEAR_OK);
    ASSERT_EQ(then(request, workers, outcome.task()), NEAR_OK);
    EXPECT_EQ(counts_of(workers).accepted, 2U);
    EXPECT_EQ(numa_pool_group_wait(group, NEAR_MS, nullptr), NEAR_E_TIMEOUT);
    EXPECT_EQ(outcome.run, 0);
    gate.open();
    EXPECT_EQ(nearpool_test::wait_group(group), NEAR_OK);
    EXPECT_EQ(nearpool_test::wait_idle(workers), NEAR_OK);
    EXPECT_EQ(outcome.run, 2);
    Pinned pinned;
    EXPECT_EQ(request.wait(&pinned, 0), NEAR_OK) << "it was there when the task ran";
}

TEST_F(PinnedThen, TheTaskTakesTheMemory) {
    const Devices devices;
    const Pool workers(1);
    struct Job {
        near_pinned_request *request;
        Pinned pinned;
        near_status status = NEAR_E_INTERNAL;
    };
    for (const bool hit : {false, true}) {
        const Request request(workers, devices, mib);
        Job job{request, Pinned()};
        const near_task task{[](void *self) -> near_status {
                                 auto &own = *static_cast<Job *>(self);
                                 own.status = near_pinned_request_wait(own.request, 0, own.pinned.out(), nullptr);
                                 return NEAR_OK;
                             },
                             nullptr, &job};
        ASSERT_EQ(then(request, workers, task), NEAR_OK);
        ASSERT_EQ(nearpool_test::wait_idle(workers), NEAR_OK);
        EXPECT_EQ(job.status, NEAR_OK) << hit;
        EXPECT_NE(job.pinned.data(), nullptr);
    }
}

// However it ends, the task runs once, and before the driver has answered.
TEST_F(PinnedThenScript, RunsWhateverComesOfTheRequest) {
    const Devices devices;
    const Pool workers(1);
    enum class End {
        cancel,
        destroy,
        time_out
    };
    for (const End end : {End::cancel, End::destroy, End::time_out}) {
        Outcome outcome;
        const Gate gate;
        near_pinned_options options = pinned_options(0, NEAR_PINNED_NO_CACHE);
        options.timeout_ns = end == End::time_out ? NEAR_MS : 0;
        Request request(workers, devices, mib, options);
        ASSERT_EQ(then(request, workers, outcome.task()), NEAR_OK);
        Pinned pinned;
        switch (end) {
        case End::cancel:
            EXPECT_EQ(near_pinned_request_cancel(request), NEAR_OK);
            break;
        case End::destroy:
            request.destroy();
            break;
        case End::time_out:
            EXPECT_EQ(request.wait(&pinned, NEAR_FOREVER), NEAR_E_TIMEOUT);
        }
        EXPECT_EQ(nearpool_test::wait_idle(workers), NEAR_OK);
        EXPECT_EQ(outcome.run, 1);
    }
}

// Also when all who could make the memory are held up, and nobody looks.
TEST_F(PinnedThenScript, RunsWhenItsTimeIsOverWhileItWaitsForItsTurn) {
    const Devices devices;
    const Pool workers(1);
    const Gate gate;
    std::vector<std::unique_ptr<Request>> others;
    for (int i = 0; i < 4; i++) {
        others.push_back(std::make_unique<Request>(workers, devices, mib, pinned_options(0, NEAR_PINNED_NO_CACHE)));
    }
    ASSERT_TRUE(gate.await());
    near_pinned_options options = pinned_options(0, NEAR_PINNED_NO_CACHE);
    options.timeout_ns = NEAR_MS;
    const Request request(workers, devices, mib, options);
    Outcome outcome;
    ASSERT_EQ(then(request, workers, outcome.task()), NEAR_OK);
    ASSERT_EQ(nearpool_test::wait_idle(workers), NEAR_OK);
    EXPECT_EQ(outcome.run, 1);
    EXPECT_EQ(request.progress().state, NEAR_PINNED_STATE_FAILED);
    Pinned pinned;
    EXPECT_EQ(request.wait(&pinned, 0), NEAR_E_TIMEOUT);
}

TEST_F(PinnedThenScript, RunsWhenTheRequestFails) {
    const Devices devices;
    const Pool workers(1);
    const near_pinned_options options = pinned_options(only(NEAR_PINNED_TOUCHED));
    const Gate gate;
    fake()->fail(registering, 1, 2, 1);
    const Request request(workers, devices, mib, options);
    Outcome outcome;
    ASSERT_EQ(then(request, workers, outcome.task()), NEAR_OK);
    gate.open();
    EXPECT_EQ(nearpool_test::wait_idle(workers), NEAR_OK);
    EXPECT_EQ(outcome.run, 1);
    Pinned pinned;
    EXPECT_EQ(request.wait(&pinned, 0), NEAR_E_CUDA);
}

TEST_F(PinnedThen, RunsAtOnceWhenTheRequestHasEnded) {
    const Devices devices;
    const Pool workers(1);
    const Group group(workers);
    const Request request(workers, devices, mib);
    Pinned pinned;
    ASSERT_EQ(request.wait(&pinned), NEAR_OK);
    Outcome outcome;
    ASSERT_EQ(then(request, workers, outcome.task(), group), NEAR_OK);
    EXPECT_EQ(nearpool_test::wait_group(group), NEAR_OK);
    EXPECT_EQ(outcome.run, 1);
}

TEST_F(PinnedThenScript, AShutdownOfItsWorkersWaitsForIt) {
    const Devices devices;
    const Pool workers(1);
    const Pool others(1);
    const Gate gate;
    const Request request(workers, devices, mib);
    ASSERT_TRUE(gate.await());
    Outcome outcome;
    ASSERT_EQ(then(request, others, outcome.task()), NEAR_OK);
    uint64_t left = 77;
    EXPECT_EQ(numa_pool_shutdown(others, 5 * NEAR_MS, &left, nullptr), NEAR_E_TIMEOUT);
    EXPECT_EQ(left, 1U);
    EXPECT_EQ(then(request, others, outcome.task()), NEAR_E_SHUTDOWN);
    EXPECT_EQ(outcome.run + outcome.discarded, 0);
    gate.open();
    ASSERT_EQ(numa_pool_shutdown(others, NEAR_FOREVER, nullptr, nullptr), NEAR_OK);
    Pinned pinned;
    EXPECT_EQ(request.wait(&pinned), NEAR_OK);
    EXPECT_EQ(outcome.run, 1);
    EXPECT_EQ(outcome.discarded, 0);
}

TEST_F(PinnedThen, BadInputIsRefusedAndNothingIsCounted) {
    const Devices devices;
    const Pool workers(1);
    const Pool others(1);
    const Group foreign(others);
    const Request request(workers, devices, mib);
    Outcome outcome;
    const near_task task = outcome.task();
    const near_task empty{nullptr, nullptr, nullptr};
    Error error;
    EXPECT_EQ(near_pinned_request_then(nullptr, workers, local, &task, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_request_then(request, workers, local, nullptr, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_request_then(request, workers, local, &empty, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_pinned_request_then(request, workers, local, &task, foreign, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("the group is of another pool")) << error.message;
    EXPECT_EQ(near_pinned_request_then(request, workers, 4095, &task, nullptr, &error), NEAR_E_NO_NODE);
    EXPECT_EQ(counts_of(workers).accepted, 0U);
    EXPECT_EQ(outcome.run + outcome.discarded, 0);
}

TEST_F(PinnedThen, AFullQueueTakesNone) {
    const Devices devices;
    numa_pool_options options = nearpool_test::options_for(nullptr);
    options.queue_capacity = 1;
    Latch latch;
    const Pool workers(options);
    const uint32_t node = nearpool_test::nodes_of(workers)[0];
    const Request request(workers, devices, mib);
    Pinned pinned;
    ASSERT_EQ(request.wait(&pinned), NEAR_OK);
    ASSERT_EQ(submit(workers, node, [&] { latch.wait(); }), NEAR_OK);
    ASSERT_TRUE(latch.await_waiting(1));
    Outcome outcome;
    const near_task task = outcome.task();
    near_status status = NEAR_OK;
    int accepted = 0;
    while ((status = near_pinned_request_then(request, workers, node, &task, nullptr, nullptr)) == NEAR_OK) {
        ASSERT_LT(++accepted, 1000);
    }
    EXPECT_EQ(status, NEAR_E_AGAIN);
    latch.open();
    EXPECT_EQ(nearpool_test::wait_idle(workers), NEAR_OK);
    EXPECT_EQ(outcome.run, accepted);
}

// The library's own threads make the memory: the only worker of a node may wait for it.
TEST_F(PinnedThen, ATaskOnTheOnlyWorkerGetsMemory) {
    const Devices devices;
    const Pool workers(1);
    std::atomic<int> got{0};
    for (int i = 0; i < 3; i++) {
        ASSERT_EQ(submit(workers, nearpool_test::nodes_of(workers)[0],
                         [&] {
                             const Pinned made(workers, devices, mib, pinned_options(0, NEAR_PINNED_NO_CACHE));
                             const Pinned cached(workers, devices, mib);
                             got += made.data() != nullptr && cached.data() != nullptr ? 1 : 0;
                         }),
                  NEAR_OK);
    }
    EXPECT_EQ(nearpool_test::wait_idle(workers), NEAR_OK);
    EXPECT_EQ(got, 3);
}

TEST_F(PinnedThen, APoolWhoseWorkersAreAllBusyGetsMemory) {
    const Devices devices;
    Latch latch;
    const Pool workers(2);
    const std::vector<uint32_t> nodes = nearpool_test::nodes_of(workers);
    const uint32_t count = nearpool_test::info_of(workers).worker_count;
    for (uint32_t i = 0; i < count; i++) {
        ASSERT_EQ(submit(workers, nodes[i % nodes.size()], [&] { latch.wait(); }), NEAR_OK);
    }
    ASSERT_TRUE(latch.await_waiting(static_cast<int>(count)));
    const Pinned pinned(workers, devices, mib);
    EXPECT_NE(pinned.data(), nullptr);
    latch.open();
}

// Many ask at once, for more than there are threads to make it.
TEST_F(PinnedThen, ManyAskAtOnce) {
    const Devices devices;
    const Pool workers(2);
    std::vector<std::unique_ptr<Request>> requests;
    Outcome outcome;
    for (int i = 0; i < 30; i++) {
        requests.push_back(std::make_unique<Request>(workers, devices, 64 * kib * (1 + i % 4), base_pages()));
        ASSERT_EQ(then(*requests.back(), workers, outcome.task()), NEAR_OK);
        if (i % 5 == 0) {
            const near_status status = near_pinned_request_cancel(*requests.back()); // it may have come already
            EXPECT_TRUE(status == NEAR_OK || status == NEAR_E_STALE);
        } else if (i % 7 == 0) {
            requests.back()->destroy();
        }
    }
    for (int i = 0; i < 30; i++) {
        Pinned pinned;
        if (i % 5 != 0 && i % 7 != 0) {
            EXPECT_EQ(requests[i]->wait(&pinned), NEAR_OK) << i;
        }
    }
    EXPECT_EQ(nearpool_test::wait_idle(workers), NEAR_OK);
    EXPECT_EQ(outcome.run, 30);
    requests.clear();
    EXPECT_TRUE(eventually([&] { return pinned_stats(workers, devices).live_count == 0; }));
}

} // namespace
