// SPDX-License-Identifier: Apache-2.0
// What page-locked memory needs of regions besides: faulting in that is watched and can be ended, pages that go where
// threads touch them, and what was seen at the beginning.
#include "memory/range.hpp"
#include "unit/memory/support.hpp"

#include <nearpool/level.h>
#include <nearpool/region_change.h>

#include <atomic>
#include <cerrno>
#include <cstring>

using namespace nearpool;
using namespace nearpool::test;
using fakes::Call;
using fakes::Held;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20U;

// Ends the work at its n-th question; 0: never.
class Watch final : public Progress {
public:
    explicit Watch(int end_at = 0) : end_at_(end_at) {}
    bool go_on(std::size_t bytes) noexcept override {
        bytes_ += bytes;
        const int asked = ++asked_;
        return end_at_ == 0 || asked < end_at_;
    }
    void begin_again() noexcept override {
        bytes_ = 0;
        begun_++;
    }
    std::size_t bytes() const { return bytes_; }
    int begun() const { return begun_; }
    int asked() const { return asked_; }

private:
    const int end_at_;
    std::atomic<std::size_t> bytes_{0};
    std::atomic<int> asked_{0};
    std::atomic<int> begun_{0};
};

RegionSpec spec_of_bytes(std::size_t bytes) {
    RegionSpec spec = spec_of(1, NEAR_POLICY_BIND, {1});
    spec.bytes = bytes;
    return spec;
}

Result<std::unique_ptr<Region>> make(World *world, const RegionSpec &spec, Progress *progress) {
    return Region::create(world->ports.ports(), world->topology, *world->crew, spec, progress);
}

TEST(RegionProgress, HearsOfEachByteOnce) {
    SKIP_IN_A_VM();
    for (const int32_t prefault : {NEAR_PREFAULT_ON_NODE, NEAR_PREFAULT_HERE}) {
        for (const std::size_t bytes : {5 * mib, 3 * mib + 1, std::size_t{1}}) {
            World world;
            RegionSpec spec = spec_of_bytes(bytes);
            spec.prefault = prefault;
            Watch watch;
            const auto region = make(&world, spec, &watch);
            ASSERT_TRUE(region);
            EXPECT_EQ(watch.bytes(), region.value()->settled().placement.page_count * base_page_bytes()) << bytes;
            EXPECT_GE(watch.bytes(), bytes);
        }
    }
}

TEST(RegionProgress, HearsOfPagesThatAreTouchedWhereTheKernelCannotPopulate) {
    SKIP_IN_A_VM();
    World world;
    world.pool.fail_populate(EINVAL);
    Watch watch;
    ASSERT_TRUE(make(&world, spec_of_bytes(3 * mib), &watch));
    EXPECT_EQ(watch.bytes(), 3 * mib);
}

TEST(RegionProgress, EndsTheWorkAtAnyQuestionAndNothingStaysMapped) {
    SKIP_IN_A_VM();
    const World first;
    int ended = 0;
    for (int n = 1;; n++) {
        World world(four_nodes(), first.topology);
        const Held before = world.ports.held();
        Watch watch(n);
        {
            const auto region = make(&world, spec_of_bytes(7 * mib), &watch);
            if (region) {
                EXPECT_LT(watch.asked(), n) << "it was told to end, and did not";
                break;
            }
            EXPECT_EQ(region.error().code, ECANCELED) << region.error().message;
            EXPECT_EQ(region.error().domain, NEAR_DOMAIN_ERRNO);
            EXPECT_EQ(world.ports.held().mapped_bytes, before.mapped_bytes);
        }
        EXPECT_LE(watch.bytes(), 7 * mib);
        world.crew.reset();
        EXPECT_EQ(world.ports.held(), before);
        ended++;
    }
    EXPECT_GE(ended, 8) << "four pieces, two questions each";
}

TEST(RegionProgress, WorkThatNobodyWantsDoesNotBegin) {
    SKIP_IN_A_VM();
    World world;
    for (const int32_t pages : {NEAR_PAGES_BASE, NEAR_PAGES_TRANSPARENT}) {
        RegionSpec spec = spec_of_bytes(7 * mib);
        spec.pages = pages;
        const std::size_t room = world.machine.nodes().room(1);
        Watch watch(1);
        ASSERT_FALSE(make(&world, spec, &watch));
        EXPECT_EQ(watch.bytes(), 0U);
        EXPECT_EQ(world.machine.nodes().room(1), room);
    }
}

TEST(RegionProgress, IsNotAskedOnceTheRegionIsMade) {
    SKIP_IN_A_VM();
    World world;
    auto watch = std::make_unique<Watch>();
    RegionSpec spec = spec_of_bytes(mib);
    auto region = make(&world, spec, watch.get());
    ASSERT_TRUE(region);
    const int asked = watch->asked();
    ASSERT_TRUE(region.value()->advise(0, mib, NEAR_ADVICE_DISCARD));
    ASSERT_TRUE(region.value()->prefault(NEAR_PREFAULT_ON_NODE));
    EXPECT_EQ(watch->asked(), asked);
}

TEST(RegionByTouch, BindsNothingAndItsPagesAreWhereTheCrewIs) {
    SKIP_IN_A_VM();
    for (const int32_t pages : {NEAR_PAGES_BASE, NEAR_PAGES_TRANSPARENT}) {
        World world;
        RegionSpec spec = spec_of_bytes(4 * mib);
        spec.nodes = {3};
        spec.pages = pages;
        spec.by_touch = true;
        const auto region = world.made(spec);
        ASSERT_NE(region, nullptr);
        EXPECT_EQ(world.ports.calls(Call::policy_bind), 0U);
        EXPECT_EQ(world.ports.calls(Call::policy_move), 0U);
        EXPECT_EQ(histogram(region.get()), (Histogram{{3, 1024}}));
        EXPECT_EQ(region->settled().placement.near_pages, 1024U);
        EXPECT_FALSE(region->settled().firm);
    }
}

// What is elsewhere is counted and stays: what moves it would bind it.
TEST(RegionByTouch, OnAFullNodeItSpillsAndCountsAndMovesNothing) {
    SKIP_IN_A_VM();
    World world;
    world.machine.nodes().set_room(3, 100);
    RegionSpec spec = spec_of_bytes(mib);
    spec.nodes = {3};
    spec.by_touch = true;
    const auto region = world.made(spec);
    ASSERT_NE(region, nullptr);
    EXPECT_EQ(world.ports.calls(Call::policy_bind) + world.ports.calls(Call::policy_move), 0U);
    EXPECT_EQ(region->settled().placement.near_pages, 100U);
    EXPECT_EQ(region->settled().placement.reason_code, NEAR_REASON_ELSEWHERE);
    EXPECT_EQ(histogram(region.get())[3], 100U);
    EXPECT_EQ(world.machine.nodes().kills(), 0U);
}

TEST(RegionSettled, IsWhatWasSeenWhenItWasMadeAndAsksNobodyAgain) {
    SKIP_IN_A_VM();
    World world;
    world.machine.nodes().set_room(1, 100);
    const auto region = world.made(spec_of_bytes(mib));
    ASSERT_NE(region, nullptr);
    world.machine.nodes().set_room(1, 10000);
    std::size_t moved = 0;
    ASSERT_TRUE(region->migrate(1, &moved));
    EXPECT_EQ(region->placement().near_pages, 256U) << "now";
    const uint64_t looks = world.ports.calls(Call::policy_query);
    const Settled settled = region->settled();
    EXPECT_EQ(world.ports.calls(Call::policy_query), looks);
    EXPECT_EQ(settled.placement.near_pages, 100U) << "then";
    EXPECT_EQ(settled.census.near, 100U);
    EXPECT_EQ(settled.census.look, Look::pages);
    EXPECT_FALSE(settled.firm) << "not all were there";
}

TEST(RegionSettled, SaysWhatWasBound) {
    SKIP_IN_A_VM();
    World world;
    world.ports.fail_always(Call::policy_bind, ENOSYS);
    const auto region = world.made(spec_of_bytes(mib));
    ASSERT_NE(region, nullptr);
    EXPECT_FALSE(region->settled().firm);
    EXPECT_EQ(region->settled().placement.reason_code, NEAR_REASON_FORBIDDEN);
    EXPECT_EQ(region->settled().census.near, 256U) << "by the threads of the node";
    World other;
    EXPECT_TRUE(other.made(spec_of_bytes(mib))->settled().firm);
}

TEST(RegionSettled, OfARegionThatWasNotFaultedInHasSeenNothing) {
    SKIP_IN_A_VM();
    World world;
    RegionSpec spec = spec_of_bytes(mib);
    spec.prefault = NEAR_PREFAULT_NONE;
    const auto region = world.made(spec);
    ASSERT_NE(region, nullptr);
    std::memset(region->data(), 1, region->bytes());
    EXPECT_EQ(region->settled().census.look, Look::not_at_all);
    EXPECT_EQ(region->settled().placement.looked_at_pages, 0U);
}

} // namespace
