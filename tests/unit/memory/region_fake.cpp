// SPDX-License-Identifier: Apache-2.0
// Placement on a machine with four nodes that is made up: what is not to be had here is scripted.
#include "unit/memory/support.hpp"

#include <nearpool/level.h>
#include <nearpool/region_change.h>

#include <cstring>

using namespace nearpool;
using namespace nearpool::test;
using fakes::Call;

namespace {

std::vector<fakes::FakeNode> with_room(std::size_t node1) {
    std::vector<fakes::FakeNode> nodes = four_nodes();
    nodes[1].room_pages = node1;
    return nodes;
}

// N4 and acceptance 6: strict is what move_pages() says, not what mbind() answered.
TEST(RegionFake, StrictBindPutsEveryPageOnTheNode) {
    World world;
    const auto region = world.made(spec_of(256, NEAR_POLICY_BIND, {2}, true));
    const near_placement placement = region->placement();
    EXPECT_EQ(placement.level, NEAR_LEVEL_STRICT) << text_of(placement);
    EXPECT_EQ(placement.near_pages, 256U);
    EXPECT_STREQ(placement.reason, "");
    EXPECT_EQ(histogram(region.get()), (Histogram{{2, 256}}));
    EXPECT_EQ(world.machine.nodes().kills(), 0U);
}

// The kernel compacts memory: a page that it moves just then is in no page table.
TEST(RegionFake, PagesThatTheKernelMovesAtThatMomentAreLookedAtAgain) {
    World world;
    const auto region = world.made(spec_of(256, NEAR_POLICY_BIND, {2}, true));
    world.machine.nodes().move_behind_the_back(5);
    EXPECT_EQ(histogram(region.get()), (Histogram{{2, 256}}));
    world.machine.nodes().move_behind_the_back(100); // so many are really absent
    EXPECT_EQ(histogram(region.get()), (Histogram{{2, 156}}));
}

// The kernel moves pages between two looks. A report and its histogram that are to agree are of one.
TEST(RegionFake, AReportAndItsHistogramAreOfOneLook) {
    World world;
    const auto region = world.made(spec_of(256, NEAR_POLICY_BIND, {2}, true));
    world.machine.nodes().move_behind_the_back(100); // the next look misses them, and the one after it sees them
    const Result<Seen> seen = region->look();
    ASSERT_TRUE(seen) << seen.error().message;
    EXPECT_EQ(seen.value().placement.present_pages, 156U);
    EXPECT_EQ(seen.value().placement.near_pages, 156U);
    ASSERT_EQ(seen.value().nodes.size(), 1U);
    EXPECT_EQ(seen.value().nodes[0].page_count, 156U);
    EXPECT_EQ(region->placement().near_pages, 256U);
}

TEST(RegionFake, PagesAreBoundOnlyOnceTheyAreIn) {
    World world(with_room(100));
    const auto region = world.made(spec_of(256, NEAR_POLICY_BIND, {1}));
    EXPECT_EQ(world.machine.nodes().kills(), 0U); // binding first would have killed
    const near_placement placement = region->placement();
    EXPECT_EQ(placement.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(placement.reason_code, NEAR_REASON_ELSEWHERE);
    EXPECT_EQ(placement.near_pages, 100U);
    EXPECT_NE(std::string(placement.reason).find("156 of 256 pages are elsewhere"), std::string::npos)
        << placement.reason;
    EXPECT_EQ(histogram(region.get())[1], 100U);
}

TEST(RegionFake, StrictOnANodeTooFullKeepsNothingAndSaysHowMuchIsWhere) {
    World world(with_room(100));
    const std::size_t room = world.machine.nodes().room(0);
    const Result<std::unique_ptr<Region>> region = world.make(spec_of(256, NEAR_POLICY_BIND, {1}, true));
    ASSERT_FALSE(region);
    EXPECT_EQ(region.error().status, NEAR_E_STRICT);
    EXPECT_NE(region.error().message.find("100 on node 1"), std::string::npos) << region.error().message;
    EXPECT_EQ(world.ports.held().mapped_bytes, 0U);
    EXPECT_EQ(world.machine.nodes().room(1), 100U);
    EXPECT_EQ(world.machine.nodes().room(0), room);
    EXPECT_EQ(world.machine.nodes().kills(), 0U);
}

TEST(RegionFake, AFullNodeKillsNobodyWhenASoftRegionIsTouchedLater) {
    World world(with_room(10));
    RegionSpec spec = spec_of(64, NEAR_POLICY_BIND, {1});
    spec.prefault = NEAR_PREFAULT_NONE;
    const auto region = world.made(spec);
    EXPECT_EQ(region->placement().reason_code, NEAR_REASON_NOT_FAULTED);
    std::memset(region->data(), 1, region->bytes());
    EXPECT_EQ(region->placement().reason_code, NEAR_REASON_ELSEWHERE);
    EXPECT_EQ(world.machine.nodes().kills(), 0U);
}

TEST(RegionFake, DiscardedPagesOfABoundRegionComeBackWithoutKilling) {
    World world(with_room(64));
    const auto region = world.made(spec_of(64, NEAR_POLICY_BIND, {1}, true));
    ASSERT_TRUE(region->advise(0, region->bytes(), NEAR_ADVICE_DISCARD));
    world.machine.nodes().set_room(1, 0);
    const Done done = region->prefault(NEAR_PREFAULT_ON_NODE);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().status, NEAR_E_STRICT) << "in, but not where strict mode wants them";
    EXPECT_EQ(world.machine.nodes().kills(), 0U);
    EXPECT_EQ(region->placement().reason_code, NEAR_REASON_ELSEWHERE);
    EXPECT_EQ(region->placement().present_pages, 64U);
}

TEST(RegionFake, MisplacedPagesAreMovedBeforeTheyAreBound) {
    World world;
    RegionSpec spec = spec_of(128, NEAR_POLICY_LOCAL, {});
    spec.prefault = NEAR_PREFAULT_HERE;
    const auto region = world.made(spec);
    EXPECT_EQ(histogram(region.get()), (Histogram{{0, 128}}));
    const uint32_t node = 3;
    ASSERT_TRUE(region->rebind(NEAR_POLICY_BIND, &node, 1, 1));
    EXPECT_EQ(histogram(region.get()), (Histogram{{3, 128}}));
    EXPECT_GT(world.ports.calls(Call::policy_move), 0U);
    EXPECT_EQ(region->placement().level, NEAR_LEVEL_STRICT);
    EXPECT_EQ(region->placement().policy, NEAR_POLICY_BIND);
}

TEST(RegionFake, PagesThatCannotBeMovedForAMomentAreMovedInTheNextRound) {
    World world(four_nodes(1000));
    world.machine.nodes().set_room(1, 0);
    const auto region = world.made(spec_of(64, NEAR_POLICY_LOCAL, {}));
    world.machine.nodes().set_room(2, 1000);
    world.machine.nodes().refuse_moves(5);
    const uint32_t nodes[] = {1, 2};
    ASSERT_TRUE(region->rebind(NEAR_POLICY_BIND, nodes, 2, 1)); // node 1 is full: node 2 takes them all
    EXPECT_EQ(histogram(region.get()), (Histogram{{2, 64}}));
}

TEST(RegionFake, StrictRebindThatCannotMovePutsThePolicyBack) {
    World world(with_room(10));
    const auto region = world.made(spec_of(64, NEAR_POLICY_BIND, {2}, true));
    const uint32_t node = 1;
    const Done done = region->rebind(NEAR_POLICY_BIND, &node, 1, 1);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().status, NEAR_E_STRICT);
    const near_placement placement = region->placement();
    EXPECT_EQ(placement.policy, NEAR_POLICY_BIND);
    EXPECT_EQ(placement.near_pages, 54U); // near means node 2 again
    EXPECT_EQ(world.machine.nodes().kills(), 0U);
}

TEST(RegionFake, SoftRebindToAFullNodeKeepsTheMemoryAndSaysSo) {
    World world(with_room(10));
    const auto region = world.made(spec_of(64, NEAR_POLICY_LOCAL, {}));
    const uint32_t node = 1;
    ASSERT_TRUE(region->rebind(NEAR_POLICY_PREFERRED, &node, 1, 0));
    EXPECT_EQ(region->placement().near_pages, 10U);
    EXPECT_EQ(region->placement().policy, NEAR_POLICY_PREFERRED);
}

TEST(RegionFake, EachPolicyHasItsHistogram) {
    World world;
    EXPECT_EQ(histogram(world.made(spec_of(64, NEAR_POLICY_PREFERRED, {1})).get()), (Histogram{{1, 64}}));
    EXPECT_EQ(histogram(world.made(spec_of(64, NEAR_POLICY_INTERLEAVE, {0, 2})).get()), (Histogram{{0, 32}, {2, 32}}));
    EXPECT_EQ(histogram(world.made(spec_of(64, NEAR_POLICY_SPLIT, {3, 1})).get()), (Histogram{{1, 32}, {3, 32}}));
    EXPECT_EQ(histogram(world.made(spec_of(63, NEAR_POLICY_SPLIT, {0, 1, 2, 3})).get()),
              (Histogram{{0, 15}, {1, 16}, {2, 16}, {3, 16}}));
    const auto weighted = world.made(spec_of(64, NEAR_POLICY_WEIGHTED_INTERLEAVE, {0, 1}));
    EXPECT_EQ(weighted->placement().level, NEAR_LEVEL_STRICT) << text_of(weighted->placement());
}

TEST(RegionFake, SplitPutsTheFirstPartOnTheFirstNodeListed) {
    World world;
    const auto region = world.made(spec_of(64, NEAR_POLICY_SPLIT, {3, 1}, true));
    auto *data = static_cast<char *>(region->data());
    EXPECT_EQ(world.machine.node_of(data), 3);
    EXPECT_EQ(world.machine.node_of(data + 31 * base_page_bytes()), 3);
    EXPECT_EQ(world.machine.node_of(data + 32 * base_page_bytes()), 1);
}

TEST(RegionFake, WeightsAreThoseOfTheSystem) {
    World world;
    world.machine.files().set("/sys/kernel/mm/mempolicy/weighted_interleave/node0", "3\n");
    world.machine.files().set("/sys/kernel/mm/mempolicy/weighted_interleave/node1", "1\n");
    // The fake goes round evenly: half of the pages are on each node, so a quarter is misplaced, and moved.
    const auto region = world.made(spec_of(64, NEAR_POLICY_WEIGHTED_INTERLEAVE, {0, 1}, true));
    EXPECT_EQ(histogram(region.get()), (Histogram{{0, 48}, {1, 16}}));
}

TEST(RegionFake, LocalMeansTheCreatorsNode) {
    World world;
    world.machine.nodes().run_on(4); // node 2
    const auto region = world.made(spec_of(32, NEAR_POLICY_LOCAL, {}));
    world.machine.nodes().run_on(0);
    EXPECT_EQ(histogram(region.get()), (Histogram{{2, 32}}));
    EXPECT_EQ(region->placement().level, NEAR_LEVEL_STRICT) << text_of(region->placement());
}

// F5, acceptance 11: a policy that the process inherited must not decide.
TEST(RegionFake, AnInheritedInterleavingDoesNotScatterALocalRegion) {
    World world;
    ASSERT_EQ(world.ports.ports().policy.set_thread(sys::policy_interleave, {0, 1, 2, 3}), 0);
    RegionSpec spec = spec_of(32, NEAR_POLICY_LOCAL, {});
    spec.prefault = NEAR_PREFAULT_HERE;
    EXPECT_EQ(histogram(world.made(spec).get()), (Histogram{{0, 32}}));
}

// Acceptance 1: nodes without memory or outside the cpuset.
TEST(RegionFake, ANodeWithoutMemoryIsReplacedByTheNearestAndSaidSo) {
    World world({{0, {0, 1}, 1000}, {1, {2, 3}, 0}, {2, {4, 5}, 1000}});
    for (const int32_t policy : {NEAR_POLICY_BIND, NEAR_POLICY_PREFERRED, NEAR_POLICY_SPLIT, NEAR_POLICY_INTERLEAVE}) {
        const auto region = world.made(spec_of(16, policy, {1}));
        EXPECT_EQ(region->placement().level, NEAR_LEVEL_BEST_EFFORT) << policy;
        EXPECT_EQ(region->placement().reason_code, NEAR_REASON_NO_MEMORY) << policy;
        const Result<std::unique_ptr<Region>> strict = world.make(spec_of(16, policy, {1}, true));
        ASSERT_FALSE(strict);
        EXPECT_EQ(strict.error().status, NEAR_E_STRICT);
    }
    world.machine.nodes().run_on(2); // node 1
    EXPECT_EQ(world.made(spec_of(16, NEAR_POLICY_LOCAL, {}))->placement().reason_code, NEAR_REASON_NO_MEMORY);
}

TEST(RegionFake, ANodeOutsideTheCpusetIsLeftOutAndSaidSo) {
    World world(four_nodes(), {0, 1});
    const auto region = world.made(spec_of(16, NEAR_POLICY_BIND, {3}));
    EXPECT_EQ(region->placement().reason_code, NEAR_REASON_NOT_ALLOWED) << text_of(region->placement());
    const auto partly = world.made(spec_of(16, NEAR_POLICY_BIND, {1, 3}));
    EXPECT_EQ(histogram(partly.get()), (Histogram{{1, 16}}));
    EXPECT_EQ(partly->placement().level, NEAR_LEVEL_STRICT) << text_of(partly->placement());
    const Done moved = [&] {
        std::size_t count = 0;
        return partly->migrate(3, &count);
    }();
    ASSERT_FALSE(moved);
    EXPECT_EQ(moved.error().status, NEAR_E_NOT_ALLOWED);
}

// N3, acceptance 7.
TEST(RegionFake, NodesFarAboveSixtyFourAreNodes) {
    World world({{0, {0}, 100}, {63, {1}, 100}, {64, {2}, 100}, {127, {3}, 100}, {1023, {4}, 100}});
    for (const uint32_t node : {63U, 64U, 127U, 1023U}) {
        EXPECT_EQ(histogram(world.made(spec_of(8, NEAR_POLICY_BIND, {node}, true)).get()), (Histogram{{node, 8}}));
    }
}

TEST(RegionFake, ANodeWithoutCpusIsServedByTheNearestThatHasSome) {
    World world({{0, {0, 1}, 1000}, {1, {2, 3}, 1000}, {2, {}, 1000}});
    const auto region = world.made(spec_of(64, NEAR_POLICY_BIND, {2}, true));
    EXPECT_EQ(histogram(region.get()), (Histogram{{2, 64}}));
}

TEST(RegionFake, MigrationCountsThePagesThatItMoved) {
    World world;
    const auto region = world.made(spec_of(64, NEAR_POLICY_INTERLEAVE, {0, 1, 2, 3}));
    std::size_t moved = 0;
    ASSERT_TRUE(region->migrate(2, &moved));
    EXPECT_EQ(moved, 48U);
    EXPECT_EQ(histogram(region.get()), (Histogram{{2, 64}}));
    EXPECT_EQ(region->placement().policy, NEAR_POLICY_INTERLEAVE);
    ASSERT_TRUE(region->migrate(2, &moved));
    EXPECT_EQ(moved, 0U);
}

TEST(RegionFake, MigrationToAFullNodeIsBusyAndCounts) {
    World world(with_room(10));
    const auto region = world.made(spec_of(64, NEAR_POLICY_LOCAL, {}));
    std::size_t moved = 99;
    const Done done = region->migrate(1, &moved);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().status, NEAR_E_BUSY);
    EXPECT_EQ(moved, 10U);
}

TEST(RegionFake, ASampleSaysThatItIsOne) {
    SKIP_IN_A_VM();
    World world;
    RegionSpec spec = spec_of(80000, NEAR_POLICY_BIND, {1});
    spec.sample = true;
    const auto region = world.made(spec);
    const near_placement placement = region->placement();
    EXPECT_EQ(placement.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(placement.reason_code, NEAR_REASON_SAMPLED);
    EXPECT_LT(placement.looked_at_pages, placement.page_count);
    EXPECT_EQ(placement.near_pages, placement.looked_at_pages);
}

TEST(RegionFake, ALargeRegionIsLookedAtByTheCrewAndCountedWhole) {
    SKIP_IN_A_VM();
    World world;
    const auto region = world.made(spec_of(140000, NEAR_POLICY_INTERLEAVE, {0, 1, 2, 3}, true));
    const near_placement placement = region->placement();
    EXPECT_EQ(placement.looked_at_pages, 140000U);
    EXPECT_EQ(placement.near_pages, 140000U);
    EXPECT_EQ(histogram(region.get()), (Histogram{{0, 35000}, {1, 35000}, {2, 35000}, {3, 35000}}));
}

} // namespace
