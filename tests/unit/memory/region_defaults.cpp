// SPDX-License-Identifier: Apache-2.0
// Which nodes a region takes that names none, and that a named one is taken whatever its kind.
#include "memory/region.hpp"

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

} // namespace
} // namespace nearpool::test
