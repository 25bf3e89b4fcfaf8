// SPDX-License-Identifier: Apache-2.0
// What becomes of continuations when their workers end, and when the driver forgets them.
#include "gpu/outcome.hpp"
#include "gpu/pinned_play.hpp"

using namespace nearpool_gpu;
using nearpool_test::counts_of;
using nearpool_test::eventually;

namespace {

class ContinuationEnd : public FakeGpu {
protected:
    void SetUp() override {
        FakeGpu::SetUp();
        if (HasFatalFailure() || IsSkipped()) {
            return;
        }
        NEEDS_CALLBACKS();
        devices_ = std::make_unique<Devices>();
        streams_ = std::make_unique<Streams>(*devices_);
        workers_ = std::make_unique<nearpool_test::Pool>(2);
        id_ = streams_->acquire();
    }
    void TearDown() override {
        workers_.reset();
        streams_.reset();
        devices_.reset();
        FakeGpu::TearDown();
    }

    void hold() { ASSERT_EQ(fake()->hold(streams_->at(id_)), 0); }
    void let_go() { ASSERT_EQ(fake()->let_go(streams_->at(id_)), 0); }
    void continue_with(Outcome &outcome, numa_pool_group *group = nullptr) {
        const near_task task = outcome.task();
        Error error;
        ASSERT_EQ(stream_pool_then_task(*streams_, id_, *workers_, &task, group, &error), NEAR_OK) << error.message;
    }
    // A driver that takes the callback and does not call.
    void continue_and_forget(Outcome &outcome) {
        fake()->null("cuStreamAddCallback", 1);
        continue_with(outcome);
    }
    near_status shut_down(uint64_t timeout_ns, uint64_t *left = nullptr) {
        return numa_pool_shutdown(*workers_, timeout_ns, left, nullptr);
    }
    static void expect_outcome(const Outcome &outcome, int run, int discarded) {
        EXPECT_EQ(outcome.run, run);
        EXPECT_EQ(outcome.discarded, discarded);
    }

    static constexpr uint64_t longer_than_callbacks_take_ns = 1500 * NEAR_MS;

    std::unique_ptr<Devices> devices_;
    std::unique_ptr<Streams> streams_;
    std::unique_ptr<nearpool_test::Pool> workers_;
    uint64_t id_ = 0;
};

TEST_F(ContinuationEnd, AShutdownOfTheWorkersWaitsForContinuations) {
    Outcome outcome;
    hold();
    continue_with(outcome);
    uint64_t left = 77;
    for (const uint64_t timeout : {uint64_t{0}, 5 * NEAR_MS}) {
        EXPECT_EQ(shut_down(timeout, &left), NEAR_E_TIMEOUT);
        EXPECT_EQ(left, 1U);
    }
    expect_outcome(outcome, 0, 0);
    let_go();
    EXPECT_EQ(shut_down(NEAR_FOREVER, &left), NEAR_OK);
    EXPECT_EQ(left, 0U);
    expect_outcome(outcome, 1, 0);
    EXPECT_EQ(counts_of(*workers_).discarded, 0U);
}

// What only a later submit would complete: the way out.
TEST_F(ContinuationEnd, OneThatNeverComesIsLeftByCancellingItsGroup) {
    const nearpool_test::Group group(*workers_);
    Outcome outcome;
    hold();
    continue_with(outcome, group);
    EXPECT_EQ(shut_down(0), NEAR_E_TIMEOUT);
    EXPECT_EQ(numa_pool_group_cancel(group), NEAR_OK);
    EXPECT_EQ(shut_down(NEAR_FOREVER), NEAR_OK);
    expect_outcome(outcome, 0, 1);
    EXPECT_EQ(counts_of(*workers_).discarded, 1U);
    let_go();
    EXPECT_TRUE(eventually([&] { return stream_pool_synchronize(*streams_, id_, 0, nullptr) == NEAR_OK; }));
    expect_outcome(outcome, 0, 1);
}

TEST_F(ContinuationEnd, OneThatTheDriverForgetsIsRunByWorkersThatAreShutDown) {
    Outcome outcome;
    hold();
    continue_and_forget(outcome);
    EXPECT_EQ(shut_down(longer_than_callbacks_take_ns), NEAR_E_TIMEOUT) << "the stream is not done";
    let_go();
    EXPECT_EQ(shut_down(NEAR_FOREVER), NEAR_OK);
    expect_outcome(outcome, 1, 0);
}

TEST_F(ContinuationEnd, OneThatTheDriverForgetsIsRunWhenItsPoolOfStreamsIsDestroyed) {
    Outcome outcome;
    continue_and_forget(outcome);
    streams_->destroy();
    EXPECT_EQ(nearpool_test::wait_idle(*workers_), NEAR_OK);
    expect_outcome(outcome, 1, 0);
}

TEST_F(ContinuationEnd, OneThatTheDriverForgetsIsDiscardedWhereTheWorkHasFailed) {
    Outcome outcome;
    continue_and_forget(outcome);
    ASSERT_EQ(fake()->lose(devices_->context(0), 719), 0);
    EXPECT_EQ(shut_down(NEAR_FOREVER), NEAR_OK);
    expect_outcome(outcome, 0, 1);
    EXPECT_EQ(counts_of(*workers_).discarded, 1U);
}

// 906: another stream captures, and this one may not be asked. That says nothing of its work.
TEST_F(ContinuationEnd, OneThatMayNotBeAskedForIsNotTakenToHaveFailed) {
    Outcome outcome;
    continue_and_forget(outcome);
    fake()->fail("cuStreamIsCapturing", 1, 906, 1);
    EXPECT_EQ(shut_down(longer_than_callbacks_take_ns), NEAR_E_TIMEOUT);
    expect_outcome(outcome, 0, 0);
    fake()->fail("cuStreamIsCapturing", 0, 0, 0);
    EXPECT_EQ(shut_down(NEAR_FOREVER), NEAR_OK);
    expect_outcome(outcome, 1, 0);
}

// The owner of an adopted stream may destroy it once the task has run: not while the driver is asked for it.
TEST_F(ContinuationEnd, NothingIsRunWhileItsStreamIsAskedFor) {
    Outcome outcome;
    hold();
    continue_with(outcome);
    {
        const Gate gate("cuStreamQuery");
        EXPECT_EQ(shut_down(0), NEAR_E_TIMEOUT);
        EXPECT_TRUE(gate.await()) << "one of the two workers asks";
        let_go();
        nearpool_test::give_it_time();
        expect_outcome(outcome, 0, 0);
        gate.open();
    }
    EXPECT_EQ(shut_down(NEAR_FOREVER), NEAR_OK);
    expect_outcome(outcome, 1, 0);
}

// It was accepted: a shutdown or a destruction right after it loses nothing.
TEST_F(ContinuationEnd, OfAStreamThatIsDoneEachRunsBeforeTheWorkersEnd) {
    const int rounds = 10000 / nearpool_test::slowness();
    Outcome outcome;
    for (int i = 0; i < rounds; i++) {
        const nearpool_test::Pool workers(1);
        ASSERT_EQ(stream_pool_then(*streams_, id_, workers, outcome.task().run, &outcome, nullptr), NEAR_OK);
        if (i % 2 == 0) {
            uint64_t left = 77;
            ASSERT_EQ(numa_pool_shutdown(workers, NEAR_FOREVER, &left, nullptr), NEAR_OK);
            ASSERT_EQ(left, 0U);
            ASSERT_EQ(outcome.run, i + 1);
        }
    }
    EXPECT_EQ(outcome.run, rounds);
}

} // namespace
