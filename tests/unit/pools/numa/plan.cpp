// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/plan.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace nearpool::numa {
namespace {

Ref<const Topology> machine(const char *description) {
    Result<Ref<const Topology>> topology = Topology::from_synthetic(description);
    EXPECT_TRUE(topology) << topology.error().message;
    return topology.take();
}

uint32_t total_workers(const Plan &plan) {
    return std::accumulate(plan.teams.begin(), plan.teams.end(), 0U,
                           [](uint32_t sum, const PlannedTeam &team) { return sum + team.workers; });
}

constexpr const char *four_nodes = "pack:2 numa:2 core:4 pu:2"; // 4 nodes of 4 cores in 2 packages

TEST(Plan, DefaultIsOneWorkerPerCoreOnEveryNode) {
    const Result<Plan> plan = make_plan(*machine(four_nodes), {});
    ASSERT_TRUE(plan);
    ASSERT_EQ(plan.value().teams.size(), 4U);
    for (const PlannedTeam &team : plan.value().teams) {
        EXPECT_EQ(team.workers, 4U) << "4 cores with 8 threads";
        EXPECT_EQ(team.cpus.size(), 8U);
        EXPECT_EQ(team.serves.size(), 1U);
    }
}

TEST(Plan, QuotaBoundsTheDefaultButLeavesOneWorkerANode) { // peers N30, acceptance 8
    Request request;
    request.quota_millis = 6500;
    EXPECT_EQ(total_workers(make_plan(*machine(four_nodes), request).value()), 6U);
    request.quota_millis = 1000;
    EXPECT_EQ(total_workers(make_plan(*machine(four_nodes), request).value()), 4U);
    request.quota_millis = 64000;
    EXPECT_EQ(total_workers(make_plan(*machine(four_nodes), request).value()), 16U);
}

TEST(Plan, QuotaIsSharedEvenly) {
    Request request;
    request.quota_millis = 6000;
    const Plan plan = make_plan(*machine(four_nodes), request).value();
    for (const PlannedTeam &team : plan.teams) {
        EXPECT_GE(team.workers, 1U);
        EXPECT_LE(team.workers, 2U);
    }
}

TEST(Plan, AnExplicitNumberIsHonoured) {
    Request request;
    request.workers_per_node = 9;
    request.quota_millis = 1000;
    EXPECT_EQ(total_workers(make_plan(*machine(four_nodes), request).value()), 36U);
}

TEST(Plan, NearestLooksInTheSamePackageFirst) {
    const Plan plan = make_plan(*machine(four_nodes), {}).value();
    EXPECT_EQ(plan.teams[0].victims, (std::vector<std::size_t>{1, 2, 3}));
    EXPECT_EQ(plan.teams[3].victims, (std::vector<std::size_t>{2, 0, 1}));
}

TEST(Plan, LocalOnlyHasNoVictims) {
    Request request;
    request.steal_policy = NUMA_POOL_STEAL_LOCAL;
    const Plan plan = make_plan(*machine(four_nodes), request).value();
    for (const PlannedTeam &team : plan.teams) {
        EXPECT_TRUE(team.victims.empty());
    }
}

TEST(Plan, AnyLooksRoundInARing) {
    Request request;
    request.steal_policy = NUMA_POOL_STEAL_ANY;
    const Plan plan = make_plan(*machine(four_nodes), request).value();
    EXPECT_EQ(plan.teams[2].victims, (std::vector<std::size_t>{3, 0, 1}));
}

TEST(Plan, ListedNodesKeepTheirOrder) {
    Request request;
    request.nodes = {3, 0};
    const Plan plan = make_plan(*machine(four_nodes), request).value();
    EXPECT_EQ(plan.nodes[0].number, 3U);
    EXPECT_EQ(plan.nodes[1].number, 0U);
    EXPECT_FALSE(plan.find(1));
}

TEST(Plan, RefusesWhatDoesNotExist) {
    Request request;
    request.nodes = {0, 7};
    Result<Plan> plan = make_plan(*machine(four_nodes), request);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().status, NEAR_E_NO_NODE);
    EXPECT_NE(plan.error().message.find("node 7"), std::string::npos);
    EXPECT_NE(plan.error().message.find("0-3"), std::string::npos) << plan.error().message;
}

TEST(Plan, RefusesBadRequests) {
    Request twice;
    twice.nodes = {1, 1};
    EXPECT_EQ(make_plan(*machine(four_nodes), twice).error().status, NEAR_E_INVALID);
    Request policy;
    policy.steal_policy = 3;
    EXPECT_EQ(make_plan(*machine(four_nodes), policy).error().status, NEAR_E_INVALID);
    Request workers;
    workers.workers_per_node = 20000;
    EXPECT_EQ(make_plan(*machine(four_nodes), workers).error().status, NEAR_E_INVALID);
}

} // namespace
} // namespace nearpool::numa
