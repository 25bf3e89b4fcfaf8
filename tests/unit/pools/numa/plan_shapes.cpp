// SPDX-License-Identifier: Apache-2.0
// Who serves whom on machines of every shape, by kinds of cores, and where it is in doubt which nodes there are.
#include "pools/numa/plan.hpp"

#include "fakes/machines/shapes.hpp"
#include "unit/topology/support.hpp"

namespace nearpool::numa {
namespace {

using fakes::SysfsTree;
using nearpool::testing::sysfs;
using nearpool::testing::taken;

TEST(PlanShapes, EveryNodeIsServedByTheNearestWithAllowedCpus) {
    for (fakes::Shape &shape : fakes::all_shapes()) {
        for (const bool all_allowed : {true, false}) {
            const auto whole = sysfs(shape.tree);
            if (!all_allowed) { // every other CPU
                std::vector<uint32_t> some;
                for (std::size_t i = 0; i < whole->cpus().size(); i += 2) {
                    some.push_back(whole->cpus()[i].number);
                }
                shape.tree.allow(SysfsTree::list(some), whole->node_numbers().text());
            }
            const auto topology = sysfs(shape.tree);
            SCOPED_TRACE(shape.name);
            const Result<Plan> plan = make_plan(*topology, {});
            ASSERT_TRUE(plan) << plan.error().message;
            ASSERT_EQ(plan.value().nodes.size(), topology->nodes().size());
            for (const Node &node : topology->nodes()) {
                const std::optional<std::size_t> place = plan.value().find(node.number);
                ASSERT_TRUE(place) << node.number;
                const PlannedNode &planned = plan.value().nodes[*place];
                const PlannedTeam &team = plan.value().teams[planned.team];
                EXPECT_EQ(team.node, topology->nearest_with_allowed_cpus(node.number)) << node.number;
                EXPECT_EQ(team.cpus, topology->node(team.node)->allowed_cpus) << node.number;
                EXPECT_FALSE(team.cpus.empty()) << node.number;
                EXPECT_EQ(planned.serving.level == NEAR_LEVEL_STRICT, team.node == node.number) << node.number;
            }
        }
    }
}

Ref<const Topology> two_kinds() { // node 0 has both kinds of cores, node 1 fast ones alone
    SysfsTree tree({{0, {0, 1, 2}, 4096, {10, 20}, 0}, {1, {3}, 4096, {20, 10}, 0}});
    tree.set("/sys/devices/cpu_core/cpus", "0,3\n");
    tree.set("/sys/devices/cpu_atom/cpus", "1-2\n");
    return sysfs(tree);
}

Request of_kind(int32_t kind, bool strict = false) {
    Request request;
    request.core_kind = kind;
    request.strict = strict;
    return request;
}

TEST(PlanCoreKinds, WorkersRunOnCoresOfTheKindAlone) {
    const Plan fast = make_plan(*two_kinds(), of_kind(NEAR_CORE_PERFORMANCE)).value();
    ASSERT_EQ(fast.teams.size(), 2U);
    EXPECT_EQ(fast.teams[0].cpus, (NumberSet{0}));
    EXPECT_EQ(fast.teams[0].workers, 1U);
    EXPECT_EQ(fast.teams[1].cpus, (NumberSet{3}));
    EXPECT_EQ(fast.nodes[0].serving.level, NEAR_LEVEL_STRICT);
}

TEST(PlanCoreKinds, ANodeWithoutThatKindIsServedByOneThatHasItAndSaysSo) {
    const Plan slow = make_plan(*two_kinds(), of_kind(NEAR_CORE_EFFICIENT)).value();
    ASSERT_EQ(slow.teams.size(), 1U);
    EXPECT_EQ(slow.teams[0].cpus, (NumberSet{1, 2}));
    EXPECT_EQ(slow.nodes[1].serving.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_NE(slow.nodes[1].serving.text.find("efficient"), std::string::npos) << slow.nodes[1].serving.text;
}

TEST(PlanCoreKinds, AMachineWithoutKindsGivesAllItsCoresOrRefusesStrictly) {
    const auto plain = sysfs(SysfsTree({{0, {0, 1}, 4096, {10}, 0}}));
    const Result<Plan> soft = make_plan(*plain, of_kind(NEAR_CORE_EFFICIENT));
    ASSERT_TRUE(soft);
    EXPECT_EQ(soft.value().teams[0].cpus, (NumberSet{0, 1}));
    EXPECT_EQ(soft.value().nodes[0].serving.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(soft.value().nodes[0].serving.reason, NEAR_REASON_NO_CPUS);
    const Result<Plan> strict = make_plan(*plain, of_kind(NEAR_CORE_EFFICIENT, true));
    ASSERT_FALSE(strict);
    EXPECT_EQ(strict.error().status, NEAR_E_STRICT);
    EXPECT_NE(strict.error().message.find("efficient"), std::string::npos) << strict.error().message;
}

TEST(PlanCoreKinds, AKindThatIsNoneIsRefused) {
    for (const int32_t kind : {-1, 3, 1000}) {
        EXPECT_EQ(make_plan(*two_kinds(), of_kind(kind)).error().status, NEAR_E_INVALID) << kind;
    }
}

// A sandbox that hides /sys, while tasks run on several nodes.
Ref<const Topology> hidden_nodes(const std::string &mems_allowed) {
    SysfsTree tree({{0, {0, 1, 2, 3}, 4096, {10}, 0}});
    tree.remove_folder("/sys/devices/system/node");
    tree.allow("0-3", mems_allowed);
    fakes::FakeMachine machine({{0, {0, 1, 2, 3}}});
    tree.fill(machine.files());
    return taken(Topology::discover(machine.ports()));
}

TEST(PlanInDoubt, StrictIsRefusedWithTheDoubt) {
    const auto topology = hidden_nodes("0-3");
    const Result<Plan> refused = make_plan(*topology, of_kind(NEAR_CORE_UNKNOWN, true));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, NEAR_E_STRICT);
    EXPECT_NE(refused.error().message.find(topology->doubt()), std::string::npos) << refused.error().message;
}

TEST(PlanInDoubt, SoftIsBestEffortWithTheDoubt) {
    const auto topology = hidden_nodes("0-3");
    const Result<Plan> soft = make_plan(*topology, {});
    ASSERT_TRUE(soft);
    ASSERT_EQ(soft.value().nodes.size(), 1U);
    EXPECT_EQ(soft.value().nodes[0].serving.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(soft.value().nodes[0].serving.reason, NEAR_REASON_UNKNOWN_NODE);
    EXPECT_EQ(soft.value().nodes[0].serving.text, topology->doubt());
}

TEST(PlanInDoubt, OneNodeOnWhichTheKernelAgreesIsStrict) {
    const Result<Plan> strict = make_plan(*hidden_nodes("0"), of_kind(NEAR_CORE_UNKNOWN, true));
    ASSERT_TRUE(strict) << strict.error().message;
    EXPECT_EQ(strict.value().nodes[0].serving.level, NEAR_LEVEL_STRICT);
}

} // namespace
} // namespace nearpool::numa
