// SPDX-License-Identifier: Apache-2.0
// A node without room kills nobody: under MPOL_BIND a page that is faulted in there ends the process.
#include "unit/memory/support.hpp"

#include <nearpool/level.h>
#include <nearpool/log.h>
#include <nearpool/region_change.h>

#include <cstring>

using namespace nearpool;
using namespace nearpool::test;
using fakes::Call;

namespace {

constexpr std::size_t pages = 64;

std::vector<fakes::FakeNode> with_room(uint32_t node, std::size_t room) {
    std::vector<fakes::FakeNode> nodes = four_nodes();
    nodes[node].room_pages = room;
    return nodes;
}

bool firm(World *world, const Region &region) {
    return world->machine.nodes().mode_of(region.data()) == sys::policy_bind;
}

// Writes to each page, as a program does, and lets the fake find its place.
void touch(Region *region) {
    std::memset(region->data(), 1, region->bytes());
    static_cast<void>(region->nodes());
}

TEST(RegionSafe, PagesUnderABindingThatCannotBeLoosenedAreNotDiscarded) {
    for (const auto &[error, status] : {std::pair{ENOMEM, NEAR_E_NOMEM}, std::pair{EPERM, NEAR_E_SYSTEM}}) {
        World world(with_room(1, pages));
        const auto region = world.made(spec_of(pages, NEAR_POLICY_BIND, {1}, true));
        ASSERT_TRUE(firm(&world, *region));
        world.ports.fail_always(Call::policy_bind, error);
        const Done refused = region->advise(0, region->bytes(), NEAR_ADVICE_DISCARD);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().status, status) << refused.error().message;
        world.machine.nodes().set_room(1, 0);
        EXPECT_EQ(region->prefault(NEAR_PREFAULT_HERE).error().status, status);
        touch(region.get());
        EXPECT_EQ(histogram(region.get()), (Histogram{{1, pages}})) << "nothing was given back";
        EXPECT_EQ(world.machine.nodes().kills(), 0U);

        world.ports.fail_nothing();
        ASSERT_TRUE(region->advise(0, region->bytes(), NEAR_ADVICE_DISCARD));
        EXPECT_FALSE(firm(&world, *region));
        world.machine.nodes().set_room(1, 0);
        touch(region.get());
        EXPECT_EQ(world.machine.nodes().kills(), 0U);
    }
}

TEST(RegionSafe, ARebindThatIsRefusedLeavesTheOldBindingInMind) {
    World world;
    const auto region = world.made(spec_of(pages, NEAR_POLICY_BIND, {1}, true));
    world.ports.fail_always(Call::policy_bind, ENOMEM);
    const uint32_t node = 2;
    ASSERT_TRUE(region->rebind(NEAR_POLICY_PREFERRED, &node, 1, 0));
    EXPECT_EQ(region->placement().reason_code, NEAR_REASON_SYSTEM) << text_of(region->placement());
    EXPECT_TRUE(firm(&world, *region));
    EXPECT_FALSE(region->advise(0, region->bytes(), NEAR_ADVICE_DISCARD));
    std::size_t moved = 0;
    EXPECT_EQ(region->migrate(3, &moved).error().status, NEAR_E_NOMEM);
    const Done strict = region->rebind(NEAR_POLICY_BIND, &node, 1, 1);
    ASSERT_FALSE(strict);
    EXPECT_EQ(strict.error().status, NEAR_E_STRICT);
    EXPECT_FALSE(region->advise(0, region->bytes(), NEAR_ADVICE_DISCARD));
    world.ports.fail_nothing();
    ASSERT_TRUE(region->rebind(NEAR_POLICY_PREFERRED, &node, 1, 0));
    EXPECT_TRUE(region->advise(0, region->bytes(), NEAR_ADVICE_DISCARD));
}

TEST(RegionSafe, ABindingThatIsRefusedHalfwayIsLoosenedAgain) {
    World world;
    const auto region = world.made(spec_of(pages, NEAR_POLICY_SPLIT, {1, 2}, true));
    ASSERT_TRUE(firm(&world, *region));
    world.ports.fail_nth(Call::policy_bind, 4, ENOMEM); // two parts are loosened, one bound again, and the other not
    const Done done = region->prefault(NEAR_PREFAULT_HERE);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().status, NEAR_E_STRICT) << done.error().message;
    EXPECT_FALSE(firm(&world, *region));
    EXPECT_EQ(region->placement().reason_code, NEAR_REASON_SYSTEM);
    ASSERT_TRUE(region->advise(0, region->bytes(), NEAR_ADVICE_DISCARD));
    world.machine.nodes().set_room(1, 0);
    touch(region.get());
    EXPECT_EQ(world.machine.nodes().kills(), 0U);
}

// 129 blocks of 2 MiB: a sample looks at 128 of them.
TEST(RegionSafe, ASampleIsNoReasonToBindFirmly) {
    SKIP_IN_A_VM();
    const std::size_t block = (std::size_t{2} << 20U) / base_page_bytes();
    World world(with_room(1, 128 * block));
    RegionSpec spec = spec_of(129 * block, NEAR_POLICY_BIND, {1});
    spec.sample = true;
    const auto region = world.made(spec);
    const near_placement placement = region->placement();
    ASSERT_EQ(placement.near_pages, placement.looked_at_pages) << "the block that is elsewhere is not in the sample";
    EXPECT_EQ(placement.reason_code, NEAR_REASON_SAMPLED);
    EXPECT_FALSE(firm(&world, *region));
    ASSERT_TRUE(region->prefault(NEAR_PREFAULT_HERE));
    EXPECT_FALSE(firm(&world, *region));
    const uint32_t node = 1;
    ASSERT_TRUE(region->rebind(NEAR_POLICY_BIND, &node, 1, 0)); // looks at all
    EXPECT_EQ(histogram(region.get()), (Histogram{{0, block}, {1, 128 * block}}));
    EXPECT_FALSE(firm(&world, *region));
}

// What moving has dropped is faulted in again, and not under a firm binding.
TEST(RegionSafe, PagesThatMovingDropsComeBackWithoutKilling) {
    World world(with_room(1, 10));
    world.machine.nodes().drop_when_full(true);
    const auto region = world.made(spec_of(pages, NEAR_POLICY_LOCAL, {}));
    const uint32_t node = 1;
    ASSERT_TRUE(region->rebind(NEAR_POLICY_BIND, &node, 1, 0));
    EXPECT_EQ(region->placement().near_pages, 10U);
    EXPECT_EQ(region->placement().present_pages, pages) << text_of(region->placement());
    EXPECT_FALSE(region->rebind(NEAR_POLICY_BIND, &node, 1, 1));
    EXPECT_EQ(world.machine.nodes().kills(), 0U);
    touch(region.get());
    EXPECT_EQ(world.machine.nodes().kills(), 0U);
}

TEST(RegionSafe, MigrationLoosensBeforeItMoves) {
    World world(with_room(1, 10));
    world.machine.nodes().drop_when_full(true);
    const auto region = world.made(spec_of(pages, NEAR_POLICY_BIND, {2}, true));
    std::size_t moved = 0;
    EXPECT_EQ(region->migrate(1, &moved).error().status, NEAR_E_BUSY);
    EXPECT_EQ(moved, 10U);
    EXPECT_FALSE(firm(&world, *region));
    world.machine.nodes().set_room(2, 0);
    touch(region.get());
    EXPECT_EQ(world.machine.nodes().kills(), 0U);
}

TEST(RegionSafe, AStrictRebindThatDroppedPagesDoesNotBindThemAgain) {
    World world(with_room(1, 10));
    const auto region = world.made(spec_of(pages, NEAR_POLICY_BIND, {2}, true));
    world.machine.nodes().drop_when_full(true);
    world.machine.nodes().set_room(0, 0);
    const uint32_t node = 1;
    EXPECT_FALSE(region->rebind(NEAR_POLICY_BIND, &node, 1, 1));
    EXPECT_EQ(region->placement().policy, NEAR_POLICY_BIND);
    EXPECT_FALSE(firm(&world, *region));
    touch(region.get());
    EXPECT_EQ(world.machine.nodes().kills(), 0U);
}

TEST(RegionSafe, AFullNodeKillsNobodyWhateverThePolicyAndTheBacking) {
    for (const int32_t policy : {NEAR_POLICY_BIND, NEAR_POLICY_PREFERRED, NEAR_POLICY_PREFERRED_MANY,
                                 NEAR_POLICY_INTERLEAVE, NEAR_POLICY_WEIGHTED_INTERLEAVE, NEAR_POLICY_SPLIT}) {
        for (const int32_t backing : {NEAR_BACKING_ANONYMOUS, NEAR_BACKING_SHARED}) {
            World world(with_room(1, 10));
            const bool one = policy == NEAR_POLICY_PREFERRED || policy == NEAR_POLICY_BIND;
            RegionSpec spec = spec_of(pages, policy, one ? std::vector<uint32_t>{1} : std::vector<uint32_t>{1, 2});
            spec.backing = backing;
            const auto region = world.made(spec);
            touch(region.get());
            ASSERT_TRUE(region->advise(0, region->bytes(), NEAR_ADVICE_DISCARD));
            world.machine.nodes().set_room(1, 0);
            touch(region.get());
            ASSERT_TRUE(region->prefault(NEAR_PREFAULT_ON_NODE));
            EXPECT_EQ(region->placement().present_pages, pages);
            EXPECT_EQ(world.machine.nodes().kills(), 0U) << policy_name(policy) << ", backing " << backing;
        }
    }
}

struct Warnings {
    static void take(int32_t, const char *message, void *user_data) {
        static_cast<std::vector<std::string> *>(user_data)->emplace_back(message);
    }
    Warnings() { EXPECT_EQ(near_log_set_callback(take, &messages, NEAR_LOG_WARN), NEAR_OK); }
    ~Warnings() { EXPECT_EQ(near_log_set_callback(nullptr, nullptr, NEAR_LOG_NONE), NEAR_OK); }
    std::vector<std::string> messages;
};

TEST(RegionSafe, WarnsOfPagesThatAreElsewhere) {
    const Warnings warnings;
    World world(with_room(1, 10));
    static_cast<void>(world.made(spec_of(pages, NEAR_POLICY_BIND, {2})));
    EXPECT_TRUE(warnings.messages.empty());
    static_cast<void>(world.made(spec_of(pages, NEAR_POLICY_BIND, {1})));
    ASSERT_EQ(warnings.messages.size(), 1U);
    EXPECT_NE(warnings.messages[0].find("54 of 64 pages are elsewhere"), std::string::npos) << warnings.messages[0];
}

} // namespace
