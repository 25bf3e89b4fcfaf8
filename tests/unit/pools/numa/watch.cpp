// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/watch.hpp"

#include "pools/numa/worker.hpp"

#include <gtest/gtest.h>

namespace nearpool::numa {
namespace {

near_status nothing(void *) {
    return NEAR_OK;
}

class WatchTest : public testing::Test {
protected:
    WatchTest() {
        queues_.push_back(std::make_unique<Queue>(0));
        PlannedTeam plan;
        plan.workers = 1;
        plan.serves = {0};
        team_ = std::make_unique<Team>(real_ports().futex, plan, queues_);
    }

    void submit() {
        const Item item{nothing, nullptr, nullptr, nullptr};
        ASSERT_EQ(queues_[0]->push(&item, 1, {}), NEAR_OK);
    }

    void take() {
        Item item;
        ASSERT_TRUE(queues_[0]->pop(item));
    }

    std::vector<std::unique_ptr<Queue>> queues_;
    std::unique_ptr<Team> team_;
    Watch watch_{1};
};

TEST_F(WatchTest, ATaskIsOverdueOnlyAfterTheDelay) {
    submit();
    EXPECT_FALSE(watch_.overdue(*team_, 1000, 500)) << "the first look only marks";
    EXPECT_FALSE(watch_.overdue(*team_, 1499, 500));
    EXPECT_TRUE(watch_.overdue(*team_, 1500, 500));
}

TEST_F(WatchTest, ALaterTaskStartsAnew) {
    submit();
    EXPECT_FALSE(watch_.overdue(*team_, 1000, 500));
    take();
    submit();
    EXPECT_FALSE(watch_.overdue(*team_, 1600, 500)) << "what was marked has gone: this one was not there";
    EXPECT_TRUE(watch_.overdue(*team_, 2100, 500));
}

TEST_F(WatchTest, OneOfSeveralMarkedIsEnough) {
    submit();
    submit();
    EXPECT_FALSE(watch_.overdue(*team_, 1000, 500));
    take();
    EXPECT_TRUE(watch_.overdue(*team_, 1500, 500));
}

TEST_F(WatchTest, NothingIsOverdueWhereNothingWaits) {
    EXPECT_FALSE(watch_.overdue(*team_, 1000, 0));
    EXPECT_FALSE(watch_.overdue(*team_, 2000, 0));
}

TEST_F(WatchTest, ATeamIsOverloadedWhenAllAreBusyAndMoreWaitThanWork) {
    submit();
    EXPECT_FALSE(team_->overloaded()) << "as many wait as there are workers";
    submit();
    EXPECT_TRUE(team_->overloaded());
    team_->parking().begin_search();
    EXPECT_FALSE(team_->overloaded()) << "a worker of the node is about to come";
    team_->parking().end_search();
    EXPECT_TRUE(team_->overloaded());
}

} // namespace
} // namespace nearpool::numa
