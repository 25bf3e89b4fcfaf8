// SPDX-License-Identifier: Apache-2.0
// Lists of CPUs for a pool, and CPUs over which the kernel does not spread threads.
#include "pools/numa/plan.hpp"

#include "unit/machine/support.hpp"

namespace nearpool::numa {
namespace {

using nearpool::testing::MadeUpMachine;

// Nodes 0 and 1 with four cores of two CPUs each: 0-7 and 8-15.
Ref<const Topology> two_nodes() {
    return Topology::from_synthetic("pack:2 numa:1 core:4 pu:2").take();
}

Request listing(std::optional<NumberSet> cpus, NumberSet excluded = {}) {
    Request request;
    request.cpus = std::move(cpus);
    request.excluded = std::move(excluded);
    return request;
}

TEST(PlanCpus, WorkersRunOnListedOnesAlone) {
    const Plan plan = make_plan(*two_nodes(), listing(NumberSet{0, 1, 2, 12})).value();
    ASSERT_EQ(plan.teams.size(), 2U);
    EXPECT_EQ(plan.teams[0].cpus, (NumberSet{0, 1, 2}));
    EXPECT_EQ(plan.teams[0].workers, 2U) << "one for each core";
    EXPECT_EQ(plan.teams[1].cpus, NumberSet{12});
    EXPECT_TRUE(plan.teams[0].own.empty());
    EXPECT_EQ(plan.nodes[0].serving.level, NEAR_LEVEL_STRICT);
}

TEST(PlanCpus, ExcludedOnesAreLeftOut) {
    const Plan plan = make_plan(*two_nodes(), listing(std::nullopt, {0, 1, 8})).value();
    EXPECT_EQ(plan.teams[0].cpus, (NumberSet{2, 3, 4, 5, 6, 7}));
    EXPECT_EQ(plan.teams[0].workers, 3U);
    EXPECT_EQ(plan.teams[1].cpus, (NumberSet{9, 10, 11, 12, 13, 14, 15}));
    EXPECT_EQ(make_plan(*two_nodes(), listing(NumberSet{0, 1, 8}, {0})).value().teams[0].cpus, NumberSet{1});
}

TEST(PlanCpus, ANodeOfWhichNoneIsListedIsServedByTheOtherAndSaysSo) {
    const Plan plan = make_plan(*two_nodes(), listing(NumberSet{8, 9})).value();
    ASSERT_EQ(plan.nodes.size(), 2U);
    ASSERT_EQ(plan.teams.size(), 1U);
    EXPECT_EQ(plan.teams[0].node, 1U);
    EXPECT_EQ(plan.nodes[0].serving.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(plan.nodes[0].serving.reason, NEAR_REASON_NOT_ASKED) << plan.nodes[0].serving.text;
    EXPECT_EQ(plan.nodes[1].serving.level, NEAR_LEVEL_STRICT);
    Request strict = listing(NumberSet{8, 9});
    strict.strict = true;
    EXPECT_EQ(make_plan(*two_nodes(), strict).value().nodes.size(), 1U) << "strict takes the nodes that have some";
    strict.nodes = {0, 1};
    const Result<Plan> refused = make_plan(*two_nodes(), strict);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, NEAR_E_NOT_ALLOWED);
    EXPECT_EQ(refused.error().message, "none of the allowed CPUs of node 0 (0-7) is listed");
}

TEST(PlanCpus, BadListsNameWhatIsWrong) {
    for (const Request &absent : {listing(NumberSet{0, 16}), listing(std::nullopt, {16})}) {
        const Result<Plan> plan = make_plan(*two_nodes(), absent);
        ASSERT_FALSE(plan);
        EXPECT_EQ(plan.error().status, NEAR_E_NO_CPU);
        EXPECT_EQ(plan.error().message, "CPU 16 is not in this topology (CPUs 0-15)");
    }
    const Result<Plan> none = make_plan(*two_nodes(), listing(NumberSet{3}, {3}));
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().status, NEAR_E_NO_CPU);
    EXPECT_NE(none.error().message.find("the lists leave none"), std::string::npos) << none.error().message;
}

TEST(PlanCpus, OfAListThatIsNotAllStrictlyAllowedTheRestIsTakenAndSaysSo) {
    MadeUpMachine world;
    world.allow({0, 1, 1030});
    Request request = listing(NumberSet{0, 1030, 1031});
    const Plan plan = make_plan(world.topology(), request).value();
    EXPECT_EQ(plan.teams[0].cpus, NumberSet{0});
    EXPECT_EQ(plan.nodes[0].serving.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(plan.nodes[0].serving.reason, NEAR_REASON_NOT_ALLOWED);
    EXPECT_NE(plan.nodes[0].serving.text.find("1031"), std::string::npos) << plan.nodes[0].serving.text;
    request.strict = true;
    const Result<Plan> strict = make_plan(world.topology(), request);
    ASSERT_FALSE(strict);
    EXPECT_EQ(strict.error().status, NEAR_E_NOT_ALLOWED);
    EXPECT_NE(strict.error().message.find("1031"), std::string::npos) << strict.error().message;
}

TEST(PlanLimit, BoundsTheWorkersOfAllNodes) {
    const Ref<const Topology> topology = two_nodes();
    for (const uint32_t most : {8U, 5U, 2U, 1U}) {
        Request request;
        request.most_workers = most;
        const Plan plan = make_plan(*topology, request).value();
        uint32_t workers = 0;
        for (const PlannedTeam &team : plan.teams) {
            EXPECT_GE(team.workers, 1U);
            workers += team.workers;
        }
        EXPECT_EQ(workers, most);
        EXPECT_EQ(plan.nodes.size(), 2U) << "every node is served";
    }
}

TEST(PlanLimit, BelowTheNumberOfNodesTheNearestWithWorkersServesTheOthers) {
    const Ref<const Topology> topology = Topology::from_synthetic("pack:2 numa:2 core:1 pu:1").take();
    Request request;
    request.most_workers = 2;
    const Plan plan = make_plan(*topology, request).value();
    ASSERT_EQ(plan.teams.size(), 2U);
    EXPECT_EQ(plan.teams[0].node, 0U);
    EXPECT_EQ(plan.teams[1].node, 1U);
    EXPECT_EQ(plan.nodes[3].serving.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(plan.nodes[3].serving.reason, NEAR_REASON_LIMIT) << plan.nodes[3].serving.text;
    request.quota_millis = 1000;
    EXPECT_EQ(make_plan(*topology, request).value().teams.size(), 2U);
}

TEST(PlanLimit, ListsThatLeaveNothingSayThatWhateverKindIsAskedFor) {
    Request request = listing(NumberSet{3}, {3});
    request.core_kind = NEAR_CORE_PERFORMANCE;
    request.strict = true;
    const Result<Plan> none = make_plan(*two_nodes(), request);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().status, NEAR_E_NO_CPU) << none.error().message;
}

TEST(PlanIsolated, EachWorkerHasACoreOfItsOwn) {
    Request request;
    request.isolated = {8, 9, 10, 11, 12, 13, 14, 15};
    const Plan plan = make_plan(*two_nodes(), request).value();
    EXPECT_TRUE(plan.teams[0].own.empty());
    ASSERT_EQ(plan.teams[1].own.size(), 4U);
    for (uint32_t worker = 0; worker < 4; worker++) {
        EXPECT_EQ(cpus_of_worker(plan.teams[1], worker), (NumberSet{8 + 2 * worker, 9 + 2 * worker}));
        EXPECT_EQ(cpus_of_worker(plan.teams[0], worker), plan.teams[0].cpus);
    }
}

TEST(PlanIsolated, WhatIsNotIsolatedIsSharedFirstAndMoreWorkersGoRoundAgain) {
    Request request;
    request.isolated = {4, 5, 6};
    request.workers_per_node = 5;
    const PlannedTeam team = make_plan(*two_nodes(), request).value().teams[0];
    ASSERT_EQ(team.own.size(), 5U);
    const NumberSet shared{0, 1, 2, 3, 7};
    EXPECT_EQ(team.own, (std::vector<NumberSet>{shared, shared, shared, {4, 5}, {6}}));
    request.isolated = {0, 1, 2, 3, 4, 5, 6, 7};
    const PlannedTeam all = make_plan(*two_nodes(), request).value().teams[0];
    EXPECT_EQ(all.own[4], all.own[0]);
}

} // namespace
} // namespace nearpool::numa
