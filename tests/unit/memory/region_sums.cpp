// SPDX-License-Identifier: Apache-2.0
// Where nobody may look page by page, /proc/self/numa_maps has a sum per node and policy: what it proves, and what not.
#include "unit/memory/support.hpp"

#include <nearpool/level.h>

#include <cstring>

using namespace nearpool;
using namespace nearpool::test;
using fakes::Call;

namespace {

constexpr std::size_t pages = 64;

TEST(RegionSums, ProveABinding) {
    World world;
    world.forbid_looking();
    const auto region = world.made(spec_of(pages, NEAR_POLICY_BIND, {1}, true));
    const near_placement placement = region->placement();
    EXPECT_EQ(placement.level, NEAR_LEVEL_STRICT) << text_of(placement);
    EXPECT_EQ(placement.near_pages, pages);
    world.machine.nodes().set_room(2, 10);
    const Result<std::unique_ptr<Region>> full = world.make(spec_of(pages, NEAR_POLICY_BIND, {2}, true));
    ASSERT_FALSE(full);
    EXPECT_NE(full.error().message.find("10 on node 2"), std::string::npos) << full.error().message;
}

TEST(RegionSums, ProveThePartsOfASplitEachByItsOwnLine) {
    World world;
    world.forbid_looking();
    const auto region = world.made(spec_of(pages, NEAR_POLICY_SPLIT, {0, 1}, true));
    ASSERT_NE(region, nullptr);
    EXPECT_EQ(region->placement().level, NEAR_LEVEL_STRICT) << text_of(region->placement());
    const auto twice = world.made(spec_of(pages, NEAR_POLICY_SPLIT, {0, 1, 1, 3}, true)); // neighbours are one line
    ASSERT_NE(twice, nullptr);
    EXPECT_EQ(twice->placement().near_pages, pages);
}

// The sums are as before when parts change their places; the pages are not where they belong.
TEST(RegionSums, DoNotTakeOnePartForTheOther) {
    World world;
    const auto region = world.made(spec_of(pages, NEAR_POLICY_SPLIT, {0, 1}, true));
    world.forbid_looking();
    const uint32_t nodes[] = {1, 0};
    const Done strict = region->rebind(NEAR_POLICY_SPLIT, nodes, 2, 1);
    ASSERT_FALSE(strict);
    EXPECT_EQ(strict.error().status, NEAR_E_STRICT);
    EXPECT_EQ(region->placement().level, NEAR_LEVEL_STRICT) << "as before: " << text_of(region->placement());
    ASSERT_TRUE(region->rebind(NEAR_POLICY_SPLIT, nodes, 2, 0));
    const near_placement placement = region->placement();
    EXPECT_EQ(placement.near_pages, 0U) << text_of(placement);
    EXPECT_EQ(placement.reason_code, NEAR_REASON_ELSEWHERE);
    world.ports.fail_nothing();
    EXPECT_EQ(world.machine.node_of(region->data()), 0) << "which is what they say";
}

TEST(RegionSums, OfPartsInOneLineProveNothing) {
    World world;
    RegionSpec spec = spec_of(pages, NEAR_POLICY_SPLIT, {0, 1});
    const auto region = world.made(spec);
    ASSERT_EQ(world.inner.policy.bind(region->data(), region->bytes(), sys::policy_local, {}, 0), 0);
    world.forbid_looking();
    const near_placement placement = region->placement();
    EXPECT_EQ(placement.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(placement.reason_code, NEAR_REASON_CANNOT_LOOK) << text_of(placement);
}

TEST(RegionSums, DoNotProveAnInterleaving) {
    World world;
    const auto region = world.made(spec_of(pages, NEAR_POLICY_SPLIT, {0, 1}, true));
    world.forbid_looking();
    const uint32_t nodes[] = {0, 1};
    const Done strict = region->rebind(NEAR_POLICY_INTERLEAVE, nodes, 2, 1);
    ASSERT_FALSE(strict);
    EXPECT_EQ(strict.error().status, NEAR_E_STRICT);
    EXPECT_FALSE(world.make(spec_of(pages, NEAR_POLICY_INTERLEAVE, {0, 1}, true)));
    const auto soft = world.made(spec_of(pages, NEAR_POLICY_INTERLEAVE, {0, 1}));
    EXPECT_EQ(soft->placement().level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(soft->placement().reason_code, NEAR_REASON_CANNOT_LOOK) << text_of(soft->placement());
    EXPECT_EQ(histogram(soft.get()), (Histogram{{0, pages / 2}, {1, pages / 2}})) << "sums are what is asked for here";
    EXPECT_NE(world.made(spec_of(pages, NEAR_POLICY_INTERLEAVE, {1}, true)), nullptr) << "round one node";
}

// Near means no more than the node's share there, and that is a sum.
TEST(RegionSums, ProveTheSharesOfAWeightedInterleaving) {
    World world;
    world.forbid_looking();
    const auto even = world.made(spec_of(pages, NEAR_POLICY_WEIGHTED_INTERLEAVE, {0, 1}, true));
    ASSERT_NE(even, nullptr);
    EXPECT_EQ(even->placement().level, NEAR_LEVEL_STRICT) << text_of(even->placement());
    world.machine.files().set("/sys/kernel/mm/mempolicy/weighted_interleave/node0", "3\n");
    const auto uneven = world.made(spec_of(pages, NEAR_POLICY_WEIGHTED_INTERLEAVE, {0, 1}));
    EXPECT_EQ(uneven->placement().near_pages, 48U) << "half and half, where three quarters belong on node 0";
    EXPECT_EQ(uneven->placement().reason_code, NEAR_REASON_ELSEWHERE);
}

TEST(RegionSums, OfANeighbourTooAreNotTaken) {
    World world;
    const auto region = world.made(spec_of(pages, NEAR_POLICY_BIND, {1}));
    world.ports.fail_always(Call::policy_query, EPERM);
    char line[100];
    std::snprintf(line, sizeof line, "%lx bind:1 N1=%zu kernelpagesize_kB=%zu\n",
                  reinterpret_cast<unsigned long>(region->data()), pages + 1, base_page_bytes() / 1024);
    world.machine.files().set("/proc/self/numa_maps", line);
    EXPECT_EQ(region->placement().reason_code, NEAR_REASON_CANNOT_LOOK) << text_of(region->placement());
}

} // namespace
