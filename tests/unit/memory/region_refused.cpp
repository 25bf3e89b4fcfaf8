// SPDX-License-Identifier: Apache-2.0
// What a region is where the system refuses: no binding, no looking, no populating, no threads.
#include "unit/memory/support.hpp"

#include <nearpool/level.h>

#include <cerrno>
#include <cstring>

using namespace nearpool;
using namespace nearpool::test;
using fakes::Call;

namespace {

// N1: mbind() that fails with any errno leaves memory that can be used, and says why.
TEST(RegionRefused, SoftRegionIsMemoryWhateverMbindAnswers) {
    for (const int error : {EPERM, ENOSYS, EINVAL, ENOMEM, EIO}) {
        World world;
        world.ports.fail_always(Call::policy_bind, error);
        const auto region = world.made(spec_of(16, NEAR_POLICY_BIND, {1}));
        std::memset(region->data(), 1, region->bytes());
        const near_placement placement = region->placement();
        const bool forbidden = error == EPERM || error == ENOSYS;
        EXPECT_EQ(placement.level, NEAR_LEVEL_BEST_EFFORT) << error;
        EXPECT_EQ(placement.reason_code, forbidden ? NEAR_REASON_FORBIDDEN : NEAR_REASON_SYSTEM) << error;
    }
}

// N7: strict fails with one code, whatever mbind() answered.
TEST(RegionRefused, StrictIsStrictWhateverMbindAnswers) {
    for (const int error : {EPERM, ENOSYS, EINVAL, ENOMEM}) {
        World world;
        world.ports.fail_always(Call::policy_bind, error);
        const Result<std::unique_ptr<Region>> region = world.make(spec_of(16, NEAR_POLICY_BIND, {1}, true));
        ASSERT_FALSE(region) << error;
        EXPECT_EQ(region.error().status, NEAR_E_STRICT) << region.error().message;
        EXPECT_EQ(world.ports.held().mapped_bytes, 0U);
    }
}

// N11: where nothing can be bound, pages are where the threads are that touch them: on the node.
TEST(RegionRefused, WithoutMbindTheCrewOfTheNodeFaultsPagesIn) {
    World world;
    world.ports.forbid_policies(EPERM);
    const auto region = world.made(spec_of(256, NEAR_POLICY_BIND, {3}));
    world.ports.fail_nothing();
    EXPECT_EQ(histogram(region.get()), (Histogram{{3, 256}}));
    EXPECT_EQ(region->placement().reason_code, NEAR_REASON_FORBIDDEN);
}

// N11: also where the kernel cannot populate, so that pages are touched; the last, partial page too.
TEST(RegionRefused, WithoutPopulatePagesAreTouchedAndKeepWhatTheyHold) {
    World world;
    world.ports.fail_always(Call::policy_bind, EPERM);
    RegionSpec spec = spec_of(8, NEAR_POLICY_BIND, {2});
    spec.bytes -= base_page_bytes() - 1;
    spec.prefault = NEAR_PREFAULT_NONE;
    const auto region = world.made(spec);
    auto *bytes = static_cast<char *>(region->data());
    bytes[base_page_bytes()] = 42;
    world.ports.fail_always(Call::memory_advise, EINVAL);
    ASSERT_TRUE(region->prefault(NEAR_PREFAULT_ON_NODE));
    EXPECT_EQ(region->placement().present_pages, 8U);
    EXPECT_EQ(bytes[base_page_bytes()], 42);
    EXPECT_EQ(bytes[0], 0);
}

TEST(RegionRefused, StrictWithoutMbindIsProvenWhereOneNodeHasAllMemory) {
    World world({{0, {0, 1}, 1U << 20}});
    world.ports.fail_always(Call::policy_bind, EPERM);
    const auto region = world.made(spec_of(16, NEAR_POLICY_BIND, {0}, true));
    ASSERT_NE(region, nullptr);
    EXPECT_EQ(region->placement().level, NEAR_LEVEL_STRICT) << text_of(region->placement());
}

TEST(RegionRefused, OneNodeWithMemoryProvesWherePagesAreThatNobodyMayLookAt) {
    World world({{0, {0, 1}, 1U << 20}});
    world.ports.forbid_policies(ENOSYS);
    world.machine.files().refuse("/proc/self/numa_maps");
    const auto region = world.made(spec_of(16, NEAR_POLICY_BIND, {0}, true));
    ASSERT_NE(region, nullptr);
    const near_placement placement = region->placement();
    EXPECT_EQ(placement.present_pages, 16U) << text_of(placement);
    EXPECT_EQ(placement.near_pages, 16U);
    EXPECT_EQ(histogram(region.get()), (Histogram{{0, 16}}));
}

TEST(RegionRefused, WhereNobodyMayLookNothingIsClaimed) {
    World world;
    world.ports.fail_always(Call::policy_query, EPERM);
    world.machine.files().refuse("/proc/self/numa_maps");
    const auto region = world.made(spec_of(16, NEAR_POLICY_BIND, {1}));
    const near_placement placement = region->placement();
    EXPECT_EQ(placement.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(placement.reason_code, NEAR_REASON_CANNOT_LOOK);
    EXPECT_EQ(placement.looked_at_pages, 0U);
    const auto nodes = region->nodes();
    ASSERT_FALSE(nodes);
    EXPECT_EQ(nodes.error().status, NEAR_E_UNSUPPORTED);
    const Result<std::unique_ptr<Region>> strict = world.make(spec_of(16, NEAR_POLICY_BIND, {1}, true));
    ASSERT_FALSE(strict);
    EXPECT_EQ(strict.error().status, NEAR_E_STRICT);
}

TEST(RegionRefused, NumaMapsAnswerWhereMovePagesMayNot) {
    World world;
    world.ports.fail_always(Call::policy_query, EPERM);
    RegionSpec spec = spec_of(16, NEAR_POLICY_BIND, {1});
    spec.prefault = NEAR_PREFAULT_NONE;
    const auto region = world.made(spec);
    world.machine.files().set("/proc/self/numa_maps", [&] {
        char line[200];
        std::snprintf(line, sizeof line,
                      "%lx bind:1 anon=16 dirty=16 N0=4 N1=12 kernelpagesize_kB=4\n"
                      "%lx default anon=3 N2=3 kernelpagesize_kB=4\n",
                      reinterpret_cast<unsigned long>(region->data()),
                      reinterpret_cast<unsigned long>(region->data()) + region->bytes());
        return std::string(line);
    });
    const near_placement placement = region->placement();
    EXPECT_EQ(placement.present_pages, 16U);
    EXPECT_EQ(placement.near_pages, 12U);
    EXPECT_EQ(placement.reason_code, NEAR_REASON_ELSEWHERE);
    EXPECT_EQ(histogram(region.get()), (Histogram{{0, 4}, {1, 12}}));
}

// Linux before 5.15 and before 6.9.
TEST(RegionRefused, APolicyThatTheKernelLacksIsReplacedAndSaidSo) {
    for (const auto &[asked, instead] : {std::pair{NEAR_POLICY_PREFERRED_MANY, NEAR_POLICY_PREFERRED},
                                         std::pair{NEAR_POLICY_WEIGHTED_INTERLEAVE, NEAR_POLICY_INTERLEAVE}}) {
        World world;
        world.ports.fail_nth(Call::policy_bind, 1, EINVAL);
        const auto region = world.made(spec_of(16, asked, {1, 2}));
        const near_placement placement = region->placement();
        EXPECT_EQ(placement.level, NEAR_LEVEL_BEST_EFFORT);
        EXPECT_EQ(placement.reason_code, NEAR_REASON_KERNEL);
        EXPECT_EQ(placement.policy, instead);
        world.ports.fail_nth(Call::policy_bind, 1, EINVAL);
        const Result<std::unique_ptr<Region>> strict = world.make(spec_of(16, asked, {1, 2}, true));
        ASSERT_FALSE(strict);
        EXPECT_EQ(strict.error().status, NEAR_E_UNSUPPORTED);
    }
}

TEST(RegionRefused, BindToSeveralNodesDoesWithoutPreferredMany) {
    World world;
    world.ports.fail_nth(Call::policy_bind, 1, EINVAL);
    const auto region = world.made(spec_of(64, NEAR_POLICY_BIND, {1, 2}, true));
    EXPECT_EQ(histogram(region.get()), (Histogram{{1, 32}, {2, 32}}));
}

TEST(RegionRefused, MigrationThatIsForbiddenSaysSo) {
    World world;
    const auto region = world.made(spec_of(64, NEAR_POLICY_LOCAL, {}));
    std::size_t moved = 99;
    for (const Call call : {Call::policy_move, Call::policy_query}) {
        world.ports.fail_always(call, EPERM);
        const Done done = region->migrate(1, &moved);
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().status, NEAR_E_UNSUPPORTED);
    }
}

TEST(RegionRefused, TheCallersNodeMayBeUnknown) {
    World world;
    world.ports.fail_always(Call::affinity_current, ENOSYS);
    const auto region = world.made(spec_of(16, NEAR_POLICY_LOCAL, {}));
    EXPECT_EQ(region->placement().reason_code, NEAR_REASON_UNKNOWN_NODE);
    EXPECT_FALSE(world.make(spec_of(16, NEAR_POLICY_LOCAL, {}, true)));
}

// N12: a thread that cannot be started costs nothing but the place of the work.
TEST(RegionRefused, WithoutHelpersTheCallerFaultsPagesIn) {
    World world;
    world.ports.fail_always(Call::threads_start, EAGAIN);
    const auto region = world.made(spec_of(64, NEAR_POLICY_BIND, {2}, true));
    EXPECT_EQ(histogram(region.get()), (Histogram{{2, 64}}));

    world.ports.fail_always(Call::policy_bind, EPERM);
    const auto unbound = world.made(spec_of(64, NEAR_POLICY_BIND, {2}));
    EXPECT_NE(std::string(unbound->placement().reason).find("caller"), std::string::npos);
    const Done done = unbound->prefault(NEAR_PREFAULT_ON_NODE);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().status, NEAR_E_SYSTEM);
}

} // namespace
