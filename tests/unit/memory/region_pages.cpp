// SPDX-License-Identifier: Apache-2.0
// The ladder of page sizes. Pages from the pool are stood for by base pages (PoolMemory), so that it runs anywhere.
#include "unit/memory/support.hpp"

#include <nearpool/level.h>
#include <nearpool/region_change.h>

#include <cerrno>

using namespace nearpool;
using namespace nearpool::test;
using fakes::Call;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20U;

RegionSpec large(std::size_t bytes, int32_t pages, bool strict = false) {
    RegionSpec spec = spec_of(1, NEAR_POLICY_BIND, {1}, strict);
    spec.bytes = bytes;
    spec.pages = pages;
    return spec;
}

TEST(RegionPages, AreTakenFromThePoolWhereTheNodeHasThem) {
    World world;
    world.set_pool(1, "2048kB", 4);
    const auto region = world.made(large(8 * mib, NEAR_PAGES_2M, true));
    const near_placement placement = region->placement();
    EXPECT_EQ(placement.pages, NEAR_PAGES_2M);
    EXPECT_EQ(placement.pages_reason, NEAR_REASON_NONE);
    EXPECT_EQ(placement.page_bytes, 2 * mib);
    EXPECT_EQ(placement.page_count, 4U);
    EXPECT_EQ(placement.near_pages, 4U);
    EXPECT_EQ(placement.huge_bytes, 8 * mib);
    EXPECT_EQ(world.pool.pool_maps(), 1);
}

// N9: the mapping is rounded to whole huge pages, and all of it is given back.
TEST(RegionPages, AreRoundedUpWholeAndGivenBackWhole) {
    World world;
    world.set_pool(1, "2048kB", 4);
    {
        const auto region = world.made(large(5 * mib + 1, NEAR_PAGES_2M));
        EXPECT_EQ(region->bytes(), 5 * mib + 1);
        EXPECT_EQ(region->placement().page_count, 3U);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(region->data()) % (2 * mib), 0U);
    }
    EXPECT_EQ(world.ports.held().mapped_bytes, 0U);
}

TEST(RegionPages, AreCountedOnTheNodeBeforeTheyAreTouched) {
    World world;
    world.set_pool(0, "2048kB", 100);
    world.set_pool(1, "2048kB", 3); // one too few
    const auto region = world.made(large(8 * mib, NEAR_PAGES_2M));
    const near_placement placement = region->placement();
    EXPECT_NE(placement.pages, NEAR_PAGES_2M);
    EXPECT_EQ(placement.pages_reason, NEAR_REASON_NO_HUGE_PAGES);
    EXPECT_EQ(placement.near_pages, placement.page_count);

    const Result<std::unique_ptr<Region>> strict = world.make(large(8 * mib, NEAR_PAGES_2M, true));
    ASSERT_FALSE(strict);
    EXPECT_EQ(strict.error().status, NEAR_E_STRICT);
    EXPECT_NE(strict.error().message.find("node 1 has 3 free pages"), std::string::npos) << strict.error().message;
}

TEST(RegionPages, EachPartOfASplitNeedsItsOwn) {
    World world;
    world.set_pool(1, "2048kB", 3);
    world.set_pool(2, "2048kB", 1);
    RegionSpec spec = large(8 * mib, NEAR_PAGES_2M);
    spec.policy = NEAR_POLICY_SPLIT;
    spec.nodes = {1, 2};
    EXPECT_EQ(world.made(spec)->placement().pages_reason, NEAR_REASON_NO_HUGE_PAGES);
    spec.policy = NEAR_POLICY_BIND; // any of the nodes will do: four are enough
    EXPECT_EQ(world.made(spec)->placement().pages, NEAR_PAGES_2M);
}

// Somebody took the pages between counting and touching: an error of populate, not SIGBUS.
TEST(RegionPages, LostInARaceAreTheNextRungOrStrict) {
    World world;
    world.set_pool(1, "2048kB", 4);
    world.ports.fail_nth(Call::memory_advise, 5, EFAULT); // four pieces begin at their ends, then the first piece
    world.ports.fail_always(Call::memory_advise, EFAULT);
    const Result<std::unique_ptr<Region>> strict = world.make(large(8 * mib, NEAR_PAGES_2M, true));
    ASSERT_FALSE(strict);
    EXPECT_EQ(strict.error().status, NEAR_E_STRICT) << strict.error().message;
    EXPECT_EQ(world.ports.held().mapped_bytes, 0U);
}

TEST(RegionPages, AreNeverTouchedBlindlyWhereTheKernelCannotPopulate) {
    World world;
    world.set_pool(1, "2048kB", 4);
    world.pool.fail_populate(EINVAL);
    const auto region = world.made(large(8 * mib, NEAR_PAGES_2M));
    EXPECT_NE(region->placement().pages, NEAR_PAGES_2M);
    EXPECT_EQ(region->placement().pages_reason, NEAR_REASON_KERNEL);
    EXPECT_EQ(world.pool.pool_maps(), 1);
}

TEST(RegionPages, FromThePoolAreFaultedInWithoutBeingAsked) {
    World world;
    world.set_pool(1, "2048kB", 4);
    RegionSpec spec = large(8 * mib, NEAR_PAGES_2M);
    spec.prefault = NEAR_PREFAULT_NONE;
    EXPECT_EQ(world.made(spec)->placement().present_pages, 4U);
}

TEST(RegionPages, HugePicksBySize) {
    World world;
    world.set_pool(1, "2048kB", 100);
    EXPECT_EQ(world.made(large(8 * mib, NEAR_PAGES_HUGE))->placement().pages, NEAR_PAGES_2M);
    EXPECT_NE(world.made(large(mib, NEAR_PAGES_HUGE))->placement().pages, NEAR_PAGES_2M); // would be half wasted
    EXPECT_EQ(world.made(large(mib, NEAR_PAGES_HUGE))->placement().pages, NEAR_PAGES_BASE);
    EXPECT_NE(world.made(large(3 * mib, NEAR_PAGES_HUGE))->placement().pages, NEAR_PAGES_2M);
    // Strict takes what there is.
    world.set_pool(1, "2048kB", 0);
    EXPECT_NE(world.made(large(8 * mib, NEAR_PAGES_HUGE, true)), nullptr);
}

TEST(RegionPages, OfOneGibibyteFallToTwoMebibytes) {
    World world;
    world.set_pool(1, "2048kB", 100);
    const auto region = world.made(large(16 * mib, NEAR_PAGES_1G));
    EXPECT_EQ(region->placement().pages, NEAR_PAGES_2M);
    EXPECT_EQ(region->placement().pages_reason, NEAR_REASON_NO_HUGE_PAGES);
}

// N8: the size is in the flags; the system's default may be another.
TEST(RegionPages, AreAskedForByTheirSize) {
    struct Recorder final : MemoryPort {
        int map(std::size_t, int, int flags, int, uint64_t, void **) override {
            seen |= flags;
            return -ENOMEM;
        }
        int protect(void *, std::size_t, int) override { return 0; }
        int unmap(void *, std::size_t) override { return 0; }
        int advise(void *, std::size_t, int) override { return 0; }
        int lock(void *, std::size_t) override { return 0; }
        int unlock(void *, std::size_t) override { return 0; }
        int create_memfd(const char *, unsigned flags) override {
            memfd |= flags;
            return -ENOMEM;
        }
        int seen = 0;
        unsigned memfd = 0;
    };
    World world;
    Recorder recorder;
    const Ports ports{recorder,          world.inner.policy,  world.inner.affinity, world.inner.futex,
                      world.inner.files, world.inner.threads, world.inner.libraries};
    RegionSpec spec = large(8 * mib, NEAR_PAGES_2M, true);
    EXPECT_FALSE(Region::create(ports, world.topology, *world.crew, spec));
    EXPECT_EQ(recorder.seen & (63 << 26), sys::map_huge_2m);
    EXPECT_NE(recorder.seen & sys::map_hugetlb, 0);
    spec.backing = NEAR_BACKING_SHARED;
    EXPECT_FALSE(Region::create(ports, world.topology, *world.crew, spec));
    EXPECT_EQ(recorder.memfd, sys::memfd_close_on_exec | sys::memfd_hugetlb | sys::memfd_huge_2m);
    recorder.seen = 0;
    spec = large(std::size_t{1} << 30U, NEAR_PAGES_1G, true);
    EXPECT_FALSE(Region::create(ports, world.topology, *world.crew, spec));
    EXPECT_EQ(recorder.seen & (63 << 26), sys::map_huge_1g);
}

// N10: what madvise() answered is not ignored.
TEST(RegionPages, TransparentOnesThatAreRefusedAreReported) {
    World world;
    world.ports.fail_nth(Call::memory_advise, 1, EINVAL);
    const auto region = world.made(large(8 * mib, NEAR_PAGES_TRANSPARENT));
    const near_placement placement = region->placement();
    EXPECT_EQ(placement.pages_reason, NEAR_REASON_KERNEL);
    world.ports.fail_nth(Call::memory_advise, 1, EIO);
    const Result<std::unique_ptr<Region>> strict = world.make(large(8 * mib, NEAR_PAGES_BASE, true));
    ASSERT_FALSE(strict);
    EXPECT_EQ(strict.error().status, NEAR_E_STRICT);
}

TEST(RegionPages, OfThePoolCannotBeDiscarded) {
    World world;
    world.set_pool(1, "2048kB", 4);
    const auto region = world.made(large(8 * mib, NEAR_PAGES_2M));
    const Done done = region->advise(0, 2 * mib, NEAR_ADVICE_DISCARD);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().status, NEAR_E_UNSUPPORTED);
    EXPECT_FALSE(region->advise(base_page_bytes(), 2 * mib, NEAR_ADVICE_RANDOM)); // not a multiple of its page size
}

TEST(RegionPages, SplitPartsDoNotCutHugePages) {
    World world;
    RegionSpec spec = large(10 * mib, NEAR_PAGES_TRANSPARENT, true);
    spec.policy = NEAR_POLICY_SPLIT;
    spec.nodes = {0, 1};
    const auto region = world.made(spec);
    const std::size_t per_block = 2 * mib / base_page_bytes();
    EXPECT_EQ(histogram(region.get()), (Histogram{{0, 2 * per_block}, {1, 3 * per_block}}));
}

} // namespace
