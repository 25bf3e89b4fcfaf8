// SPDX-License-Identifier: Apache-2.0
// Looking at memory that somebody else has mapped, or at a part of it.
#include "memory/range.hpp"

#include "unit/memory/support.hpp"

#include <cerrno>

using namespace nearpool;
using namespace nearpool::test;
using fakes::Call;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20U;

// 64 pages: the first half is on node 1, the second on node 2.
class RangeLook : public testing::Test {
protected:
    void SetUp() override {
        SKIP_IN_A_VM();
        region_ = world_.made(spec_of(64, NEAR_POLICY_SPLIT, {1, 2}));
        ASSERT_NE(region_, nullptr);
        data_ = static_cast<char *>(region_->data());
    }

    Census look(std::size_t begin, std::size_t bytes, uint32_t node = 1, bool sample = false) {
        const Site site{world_.ports.ports(), *world_.topology, *world_.crew};
        return look_at(site, Range{data_ + begin, bytes, page_}, node, sample);
    }

    const std::size_t page_ = base_page_bytes();
    World world_;
    std::unique_ptr<Region> region_;
    char *data_ = nullptr;
};

void expect_pages(const Census &census, std::size_t pages, std::size_t near) {
    EXPECT_EQ(census.look, Look::pages);
    EXPECT_FALSE(census.sampled);
    EXPECT_TRUE(census.exact);
    EXPECT_EQ(census.looked, pages);
    EXPECT_EQ(census.present, pages);
    EXPECT_EQ(census.near, near);
}

TEST_F(RangeLook, CountsThePagesOfAllOfIt) {
    const Census census = look(0, 64 * page_);
    expect_pages(census, 64, 32);
    EXPECT_EQ(census.nodes, (Histogram{{1, 32}, {2, 32}}));
    expect_pages(look(0, 64 * page_, 2), 64, 32);
    expect_pages(look(0, 64 * page_, 3), 64, 0);
    expect_pages(look(0, 64 * page_, NEAR_NODE_UNKNOWN), 64, 0);
}

TEST_F(RangeLook, CountsEachPageThatAPartTouches) {
    expect_pages(look(0, 1), 1, 1);
    expect_pages(look(page_ - 1, 1), 1, 1);
    expect_pages(look(page_ - 1, 2), 2, 2);
    expect_pages(look(100, page_), 2, 2);
    expect_pages(look(64, page_ - 64), 1, 1);
    expect_pages(look(31 * page_ + 64, page_), 2, 1);  // over the border
    expect_pages(look(32 * page_ - 64, 128), 2, 1);    // with a few bytes
    expect_pages(look(32 * page_, 32 * page_), 32, 0); // after it
    expect_pages(look(63 * page_ + 100, 200), 1, 0);
}

TEST_F(RangeLook, AsksOfNoOtherPage) {
    const Census census = look(31 * page_ + 5, 10);
    expect_pages(census, 1, 1);
    EXPECT_EQ(census.nodes, (Histogram{{1, 1}})) << "its neighbour is on node 2";
}

TEST_F(RangeLook, WhatIsNotInIsNotPresent) {
    ASSERT_EQ(world_.under.memory.advise(data_ + 4 * page_, 8 * page_, sys::advice_dont_need), 0);
    const Census census = look(0, 16 * page_);
    EXPECT_EQ(census.looked, 16U);
    EXPECT_EQ(census.present, 8U);
    EXPECT_EQ(census.near, 8U);
}

TEST_F(RangeLook, ThatIsRefusedKnowsTheSumsOfTheWholeMappingOrNothing) {
    world_.forbid_looking();
    const Census all = look(0, 64 * page_);
    EXPECT_EQ(all.look, Look::numa_maps);
    EXPECT_EQ(all.near, 32U);
    world_.machine.files().refuse("/proc/self/numa_maps", EACCES);
    const Census nothing = look(0, 64 * page_);
    EXPECT_EQ(nothing.look, Look::not_at_all);
    EXPECT_EQ(nothing.error, EPERM);
    EXPECT_EQ(nothing.near + nothing.present, 0U);
}

// Sums are of a mapping: those of a part would be a guess.
TEST_F(RangeLook, OfAPartThatIsRefusedClaimsNoMoreThanThePartHas) {
    world_.forbid_looking();
    const Census part = look(30 * page_, 4 * page_);
    EXPECT_LE(part.near, 2U);
    EXPECT_TRUE(part.look == Look::not_at_all || part.looked == 4);
}

TEST(RangeSample, LooksAtSomeOfManyPagesAndSaysSo) {
    SKIP_IN_A_VM();
    World world;
    const std::size_t bytes = 384 * mib; // address space: a sample is no smaller than 65536 pages
    void *data = nullptr;
    ASSERT_EQ(
        world.under.memory.map(bytes, sys::protect_read_write, sys::map_private | sys::map_anonymous, -1, 0, &data), 0);
    const Site site{world.ports.ports(), *world.topology, *world.crew};
    const Range range{static_cast<char *>(data), bytes, base_page_bytes()};
    const Census some = look_at(site, range, 1, true);
    EXPECT_TRUE(some.sampled);
    EXPECT_EQ(some.looked, 65536U);
    EXPECT_EQ(some.present, 0U) << "looking faults nothing in";
    const Census all = look_at(site, range, 1, false);
    EXPECT_FALSE(all.sampled);
    EXPECT_EQ(all.looked, bytes / base_page_bytes());
    const Census few = look_at(site, Range{range.data, 8 * mib, range.page_bytes}, 1, true);
    EXPECT_FALSE(few.sampled) << "few pages are all looked at";
    world.under.memory.unmap(data, bytes);
}

// A page size larger than the kernel's base pages: a part touches few of them.
TEST(RangePages, AreOfTheSizeThatIsAskedFor) {
    SKIP_IN_A_VM();
    World world;
    world.set_pool(1, "2048kB", 10);
    RegionSpec spec = spec_of(1, NEAR_POLICY_BIND, {1});
    spec.bytes = 8 * mib;
    spec.pages = NEAR_PAGES_2M;
    const auto region = world.made(spec);
    ASSERT_NE(region, nullptr);
    const Site site{world.ports.ports(), *world.topology, *world.crew};
    auto *data = static_cast<char *>(region->data());
    const std::size_t page = region->settled().placement.page_bytes;
    ASSERT_EQ(page, 2 * mib);
    expect_pages(look_at(site, Range{data, 8 * mib, page}, 1, false), 4, 4);
    expect_pages(look_at(site, Range{data + mib, 2 * mib, page}, 1, false), 2, 2);
    expect_pages(look_at(site, Range{data + 64, 64, page}, 1, false), 1, 1);
}

} // namespace
