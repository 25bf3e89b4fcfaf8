// SPDX-License-Identifier: Apache-2.0
// Which nodes a region takes that names none, that a named one is taken whatever its kind, and what is said where nodes
// are hidden.
#include "memory/region.hpp"
#include "memory/target.hpp"

#include "fakes/fake_machine.hpp"
#include "fakes/machines/shapes.hpp"
#include "unit/topology/support.hpp"

namespace nearpool::test {
namespace {

using nearpool::testing::sysfs;

near_region_options options_of(int32_t policy) {
    near_region_options options{};
    options.struct_size = sizeof options;
    options.policy = policy;
    return options;
}

std::vector<uint32_t> nodes_of(const Topology &topology, const near_region_options &options) {
    Result<RegionSpec> spec = region_spec(topology, 4096, options);
    EXPECT_TRUE(spec) << spec.error().message;
    return spec ? spec.take().nodes : std::vector<uint32_t>();
}

TEST(RegionDefaults, AreTheDefaultMemoryNodesOfEveryShape) {
    for (const fakes::Shape &shape : fakes::all_shapes()) {
        SCOPED_TRACE(shape.name);
        const auto topology = sysfs(shape.tree);
        ASSERT_FALSE(topology->default_memory_nodes().empty());
        for (const int32_t policy : {NEAR_POLICY_BIND, NEAR_POLICY_PREFERRED_MANY, NEAR_POLICY_INTERLEAVE,
                                     NEAR_POLICY_WEIGHTED_INTERLEAVE, NEAR_POLICY_SPLIT}) {
            EXPECT_EQ(nodes_of(*topology, options_of(policy)), topology->default_memory_nodes()) << policy;
        }
    }
}

TEST(RegionDefaults, HaveNoNodeOfAGpuOnGraceMachines) {
    EXPECT_EQ(nodes_of(*sysfs(fakes::gh200()), options_of(NEAR_POLICY_INTERLEAVE)), (std::vector<uint32_t>{0}));
    EXPECT_EQ(nodes_of(*sysfs(fakes::gb200()), options_of(NEAR_POLICY_INTERLEAVE)), (std::vector<uint32_t>{0, 1}));
}

TEST(RegionDefaults, GiveWayToTheNodeThatIsNamed) {
    const auto topology = sysfs(fakes::gb200());
    for (const uint32_t node : {2U, 26U}) {
        near_region_options options = options_of(NEAR_POLICY_BIND);
        options.nodes = &node;
        options.node_count = 1;
        options.strict = 1;
        EXPECT_EQ(nodes_of(*topology, options), (std::vector<uint32_t>{node}));
    }
}

TEST(RegionDefaults, AreBestEffortWhereNodesAreHidden) {
    fakes::SysfsTree tree({{0, {0, 1}, 4096, {10, 20}, 0}, {1, {2, 3}, 4096, {20, 10}, 0}});
    tree.allow("0-3", "0-1");
    const auto limit_of = [&](int32_t policy) {
        fakes::FakeMachine machine({{0, {0, 1}}, {1, {2, 3}}});
        tree.fill(machine.files());
        const auto topology = Topology::discover(machine.ports()).take();
        return resolve_target(machine.ports(), *topology, policy, nodes_of(*topology, options_of(policy))).limit;
    };
    EXPECT_EQ(limit_of(NEAR_POLICY_INTERLEAVE).reason, NEAR_REASON_NONE);
    tree.remove_folder("/sys/devices/system/node");
    for (const int32_t policy : {NEAR_POLICY_INTERLEAVE, NEAR_POLICY_BIND, NEAR_POLICY_LOCAL}) {
        const Enforcement limit = limit_of(policy);
        EXPECT_EQ(limit.level, NEAR_LEVEL_BEST_EFFORT) << policy;
        EXPECT_NE(limit.text.find("Mems_allowed"), std::string::npos) << policy << ": " << limit.text;
    }
}

TEST(RegionDefaults, StandInForANodeWithoutMemoryIsNoGpusWhereThereIsAnother) {
    fakes::SysfsTree tree(
        {{0, {0, 1}, 0, {10, 15, 20}, 0}, {1, {}, 4096, {15, 10, 20}, 0}, {2, {2, 3}, 4096, {20, 20, 10}, 0}});
    tree.set("/proc/driver/nvidia/gpus/0009:01:00.0/numa_status", "Node: 1\n");
    fakes::FakeMachine machine({{0, {0, 1}, 0}, {1, {}}, {2, {2, 3}}});
    tree.fill(machine.files());
    const auto topology = Topology::discover(machine.ports()).take();
    EXPECT_EQ(resolve_target(machine.ports(), *topology, NEAR_POLICY_PREFERRED, {0}).usable,
              (std::vector<uint32_t>{2}));
}

} // namespace
} // namespace nearpool::test
