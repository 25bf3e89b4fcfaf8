// SPDX-License-Identifier: Apache-2.0
#include "unit/memory/support.hpp"

#include <nearpool/region_change.h>

#include <functional>

using namespace nearpool;
using namespace nearpool::test;

namespace {

struct Wrong {
    const char *what; // in the message
    near_status status;
    std::size_t bytes;
    std::function<void(near_region_options *)> change;
};

const uint32_t node_0 = 0;
const uint32_t two_nodes[] = {0, 1};
const uint32_t no_such_node[] = {0, 7};
const uint32_t not_allowed[] = {3};

std::vector<Wrong> wrongs() {
    using Options = near_region_options *;
    return {
        {"zero", NEAR_E_INVALID, 0, [](Options) {}},
        {"overflow", NEAR_E_INVALID, SIZE_MAX, [](Options) {}},
        {"overflow", NEAR_E_INVALID, SIZE_MAX - 4096, [](Options options) { options->pages = NEAR_PAGES_1G; }},
        {"overflow", NEAR_E_INVALID, SIZE_MAX / 2 + 2, [](Options) {}},
        {"policy", NEAR_E_INVALID, 1, [](Options options) { options->policy = 7; }},
        {"policy", NEAR_E_INVALID, 1, [](Options options) { options->policy = -1; }},
        {"NULL", NEAR_E_INVALID, 1, [](Options options) { options->node_count = 1; }},
        {"takes no nodes", NEAR_E_INVALID, 1,
         [](Options options) {
             options->nodes = &node_0;
             options->node_count = 1;
         }},
        {"one node", NEAR_E_INVALID, 1, [](Options options) { options->policy = NEAR_POLICY_PREFERRED; }},
        {"one node", NEAR_E_INVALID, 1,
         [](Options options) {
             options->policy = NEAR_POLICY_PREFERRED;
             options->nodes = two_nodes;
             options->node_count = 2;
         }},
        {"empty", NEAR_E_EMPTY_SET, 1,
         [](Options options) {
             options->policy = NEAR_POLICY_BIND;
             options->nodes = two_nodes;
         }},
        {"node 7", NEAR_E_NO_NODE, 1,
         [](Options options) {
             options->policy = NEAR_POLICY_BIND;
             options->nodes = no_such_node;
             options->node_count = 2;
         }},
        {"cpuset", NEAR_E_NOT_ALLOWED, 1,
         [](Options options) {
             options->policy = NEAR_POLICY_BIND;
             options->nodes = not_allowed;
             options->node_count = 1;
             options->strict = 1;
         }},
        {"pages", NEAR_E_INVALID, 1, [](Options options) { options->pages = 6; }},
        {"prefault", NEAR_E_INVALID, 1, [](Options options) { options->prefault = 3; }},
        {"backing", NEAR_E_INVALID, 1, [](Options options) { options->backing = 3; }},
        {"strict", NEAR_E_INVALID, 1, [](Options options) { options->strict = 2; }},
        {"flags", NEAR_E_INVALID, 1, [](Options options) { options->flags = 8; }},
        {"READ_ONLY", NEAR_E_INVALID, 1, [](Options options) { options->flags = NEAR_REGION_READ_ONLY; }},
        {"sample", NEAR_E_INVALID, 1, [](Options options) { options->sample = 2; }},
        {"path is missing", NEAR_E_INVALID, 1, [](Options options) { options->backing = NEAR_BACKING_FILE; }},
        {"path is missing", NEAR_E_INVALID, 1,
         [](Options options) {
             options->backing = NEAR_BACKING_FILE;
             options->path = "";
         }},
        {"path is given", NEAR_E_INVALID, 1, [](Options options) { options->path = "/dev/null"; }},
        {"file_offset", NEAR_E_INVALID, 1, [](Options options) { options->file_offset = 4096; }},
        {"multiple", NEAR_E_INVALID, 1,
         [](Options options) {
             options->backing = NEAR_BACKING_FILE;
             options->path = "/proc/self/exe";
             options->file_offset = 100;
         }},
        {"overflow", NEAR_E_INVALID, 4096,
         [](Options options) {
             options->backing = NEAR_BACKING_FILE;
             options->path = "/proc/self/exe";
             options->file_offset = INT64_MAX - 4095;
         }},
    };
}

TEST(RegionSpec, RefusesWhatCannotBeAndNamesIt) {
    World world(four_nodes(), {0, 1, 2});
    for (const Wrong &wrong : wrongs()) {
        near_region_options options{};
        options.struct_size = sizeof(options);
        wrong.change(&options);
        const Result<RegionSpec> spec = region_spec(*world.topology, wrong.bytes, options);
        ASSERT_FALSE(spec) << wrong.what;
        EXPECT_EQ(spec.error().status, wrong.status) << spec.error().message;
        EXPECT_NE(spec.error().message.find(wrong.what), std::string::npos) << spec.error().message;
    }
}

TEST(RegionSpec, WithoutNodesMeansAllThatHaveMemory) {
    World world({{0, {0}, 100}, {2, {1}, 0}, {5, {2}, 100}});
    near_region_options options{};
    options.policy = NEAR_POLICY_INTERLEAVE;
    const Result<RegionSpec> spec = region_spec(*world.topology, 1, options);
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec.value().nodes, (std::vector<uint32_t>{0, 5}));
}

TEST(RegionSpec, KeepsTheOrderOfASplit) {
    World world;
    const uint32_t nodes[] = {3, 1, 3};
    near_region_options options{};
    options.policy = NEAR_POLICY_SPLIT;
    options.nodes = nodes;
    options.node_count = 3;
    const Result<RegionSpec> spec = region_spec(*world.topology, 1, options);
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec.value().nodes, (std::vector<uint32_t>{3, 1, 3}));
}

TEST(RegionSpec, SoftMayNameANodeOutsideTheCpuset) {
    World world(four_nodes(), NumberSet{0});
    near_region_options options{};
    options.policy = NEAR_POLICY_BIND;
    options.nodes = not_allowed;
    options.node_count = 1;
    EXPECT_TRUE(region_spec(*world.topology, 1, options));
}

TEST(RegionSpec, EveryChoiceHasAName) {
    EXPECT_STREQ(policy_name(NEAR_POLICY_LOCAL), "local");
    EXPECT_STREQ(policy_name(NEAR_POLICY_BIND), "bind");
    EXPECT_STREQ(policy_name(NEAR_POLICY_PREFERRED), "preferred");
    EXPECT_STREQ(policy_name(NEAR_POLICY_PREFERRED_MANY), "preferred-many");
    EXPECT_STREQ(policy_name(NEAR_POLICY_INTERLEAVE), "interleave");
    EXPECT_STREQ(policy_name(NEAR_POLICY_WEIGHTED_INTERLEAVE), "weighted interleave");
    EXPECT_STREQ(policy_name(NEAR_POLICY_SPLIT), "split");
    EXPECT_STREQ(policy_name(7), "unknown");
    EXPECT_STREQ(pages_name(NEAR_PAGES_2M), "2 MiB");
    EXPECT_STREQ(pages_name(NEAR_PAGES_HUGE), "huge");
    EXPECT_STREQ(pages_name(-1), "unknown");
    EXPECT_STREQ(prefault_name(NEAR_PREFAULT_ON_NODE), "on node");
    EXPECT_STREQ(prefault_name(3), "unknown");
}

} // namespace
