// SPDX-License-Identifier: Apache-2.0
// Limits of control groups: what they leave, and what becomes of regions that would need more.
#include "memory/ceiling.hpp"

#include "unit/memory/support.hpp"

#include <nearpool/level.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <thread>

using namespace nearpool;
using namespace nearpool::test;
using fakes::Call;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

void set_groups(fakes::FakeFiles &files, const std::string &own) {
    files.set("/proc/self/cgroup", own);
    files.set("/proc/self/mountinfo", "30 24 0:26 / /cg rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
                                      "31 24 0:27 / /cg1 rw - cgroup cgroup rw,memory,hugetlb\n");
    files.hide("/cg");
    files.hide("/cg1");
}

// A group of version 2 with a limit, of which so much is used, of that so much in the page cache.
void set_limit(fakes::FakeFiles &files, const std::string &group, std::size_t limit, std::size_t used,
               std::size_t cached = 0, std::size_t dirty = 0, std::size_t slab = 0) {
    const std::string folder = "/cg" + group;
    files.set(folder + "/memory.max", std::to_string(limit) + "\n");
    files.set(folder + "/memory.current", std::to_string(used) + "\n");
    files.set(folder + "/memory.stat", "anon 1\ninactive_file " + std::to_string(cached / 2) + "\nactive_file " +
                                           std::to_string(cached - cached / 2) + "\nfile_dirty " +
                                           std::to_string(dirty / 2) + "\nfile_writeback " +
                                           std::to_string(dirty - dirty / 2) + "\nslab_reclaimable " +
                                           std::to_string(slab) + "\n");
}

TEST(Ceiling, IsNoneWhereNoGroupHasALimit) {
    fakes::FakeFiles files;
    set_groups(files, "0::/a\n");
    EXPECT_EQ(Ceiling(files).room().bytes, SIZE_MAX);
    files.set("/cg/a/memory.max", "max\n");
    EXPECT_EQ(Ceiling(files).room().bytes, SIZE_MAX);
    EXPECT_TRUE(Ceiling(files).begin(SIZE_MAX / 2));
}

TEST(Ceiling, IsWhatTheTightestGroupLeavesLessAMargin) {
    fakes::FakeFiles files;
    set_groups(files, "0::/a/b\n");
    set_limit(files, "/a/b", 640 * mib, 100 * mib);
    EXPECT_EQ(Ceiling(files).room().bytes, 530 * mib);
    EXPECT_EQ(Ceiling(files).room().file, "/cg/a/b/memory.max");
    set_limit(files, "/a", 64 * mib, 60 * mib);
    EXPECT_EQ(Ceiling(files).room().bytes, 3 * mib);
    EXPECT_EQ(Ceiling(files).room().text(), "the control group's limit of 64.0 MiB (/cg/a/memory.max) leaves 3.0 MiB");
    set_limit(files, "/a", 64 * mib, 64 * mib);
    EXPECT_EQ(Ceiling(files).room().bytes, 0U);
}

TEST(Ceiling, WhatTheKernelCanDropIsRoom) {
    fakes::FakeFiles files;
    set_groups(files, "0::/a\n");
    set_limit(files, "/a", 64 * mib, 64 * mib, 40 * mib, 0, 2 * mib);
    EXPECT_EQ(Ceiling(files).room().bytes, 41 * mib);
    set_limit(files, "/a", 64 * mib, 64 * mib, 40 * mib, 10 * mib, 2 * mib);
    EXPECT_EQ(Ceiling(files).room().bytes, 31 * mib) << "what is to be written first is not";
}

TEST(Ceiling, OfVersion1IsReadWithTheGroupsBelow) {
    fakes::FakeFiles files;
    set_groups(files, "4:memory,hugetlb:/jobs\n0::/\n");
    files.set("/cg1/jobs/memory.limit_in_bytes", "9223372036854771712\n");
    EXPECT_EQ(Ceiling(files).room().bytes, SIZE_MAX);
    files.set("/cg1/jobs/memory.limit_in_bytes", std::to_string(64 * mib) + "\n");
    files.set("/cg1/jobs/memory.usage_in_bytes", std::to_string(50 * mib) + "\n");
    files.set("/cg1/jobs/memory.stat", "inactive_file 7\ntotal_inactive_file 1048576\ntotal_active_file 1048576\n"
                                       "total_dirty 1048576\ntotal_writeback 0\n");
    EXPECT_EQ(Ceiling(files).room().bytes, 14 * mib);
    EXPECT_EQ(Ceiling(files).room().file, "/cg1/jobs/memory.limit_in_bytes");
}

TEST(Ceiling, ThoseUnderWayAreWaitedForBeforeAnyIsRefused) {
    fakes::FakeFiles files;
    set_groups(files, "0::/a\n");
    set_limit(files, "/a", 64 * mib, 33 * mib);
    Ceiling ceiling(files);
    ASSERT_TRUE(ceiling.begin(20 * mib)); // of 30
    std::atomic<int> answer{-1};
    std::thread second([&] { answer = ceiling.begin(20 * mib) ? 1 : 0; });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(answer, -1) << "the first may not have taken its room yet";
    ceiling.end(20 * mib);
    second.join();
    EXPECT_EQ(answer, 1);
    set_limit(files, "/a", 64 * mib, 53 * mib);
    ceiling.end(20 * mib);
    EXPECT_FALSE(ceiling.begin(20 * mib));
    ASSERT_TRUE(ceiling.refusal());
    EXPECT_EQ(ceiling.refusal()->bytes, 10 * mib);
    EXPECT_FALSE(ceiling.begin(1)) << "one no ends all";
    EXPECT_TRUE(Ceiling(files).begin(1)) << "of its own";
    ceiling.end(1);
}

// Two that fault in at once have one room.
TEST(Ceiling, AllOfTheProcessCountTogether) {
    fakes::FakeFiles files;
    set_groups(files, "0::/a\n");
    set_limit(files, "/a", 64 * mib, 13 * mib);
    Ceiling first(files);
    Ceiling second(files);
    ASSERT_TRUE(first.begin(40 * mib)); // of 50
    std::atomic<int> answer{-1};
    std::thread other([&] { answer = second.begin(40 * mib) ? 1 : 0; });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(answer, -1);
    set_limit(files, "/a", 64 * mib, 53 * mib);
    first.end(40 * mib);
    other.join();
    EXPECT_EQ(answer, 0);
}

TEST(Ceiling, SmallRequestsAreLookedAtTogether) {
    EXPECT_TRUE(is_due(mib));
    int due = 0;
    for (int i = 0; i < 256; i++) {
        due += is_due(4096) ? 1 : 0;
    }
    EXPECT_EQ(due, 2);
}

TEST(Ceiling, HugePagesHaveLimitsOfTheirOwn) {
    fakes::FakeFiles files;
    set_groups(files, "4:memory,hugetlb:/jobs\n0::/a\n");
    std::string file;
    EXPECT_EQ(huge_page_room(files, 2 * mib, &file), std::nullopt);
    files.set("/cg/a/hugetlb.2MB.max", std::to_string(16 * mib) + "\n");
    files.set("/cg/a/hugetlb.2MB.current", std::to_string(6 * mib) + "\n");
    EXPECT_EQ(huge_page_room(files, 2 * mib, &file), 5U);
    EXPECT_EQ(file, "/cg/a/hugetlb.2MB.max");
    files.set("/cg1/jobs/hugetlb.2MB.limit_in_bytes", std::to_string(4 * mib) + "\n");
    files.set("/cg1/jobs/hugetlb.2MB.usage_in_bytes", "0\n");
    EXPECT_EQ(huge_page_room(files, 2 * mib, &file), 2U);
    EXPECT_EQ(huge_page_room(files, std::size_t{1} << 30, &file), std::nullopt);
}

// A machine in a group, whose pages count as used there.
class Limited : public testing::Test {
protected:
    void limit(std::size_t bytes, std::size_t used) {
        set_groups(world_.machine.files(), "0::/a\n");
        set_limit(world_.machine.files(), "/a", bytes, used);
        world_.machine.files().set("/cg/a/memory.current", [this, used] {
            return std::to_string(used + pages_in() * base_page_bytes() + stolen_) + "\n";
        });
    }
    std::size_t pages_in() {
        std::size_t pages = 0;
        for (const uint32_t node : {0U, 1U, 2U, 3U}) {
            pages += (std::size_t{1} << 20U) - world_.machine.nodes().room(node);
        }
        return pages;
    }
    RegionSpec spec(std::size_t megabytes, bool strict = false) const {
        return spec_of(megabytes * mib / base_page_bytes(), NEAR_POLICY_BIND, {1}, strict);
    }

    World world_;
    std::atomic<std::size_t> stolen_{0}; // by others of the group
};

TEST_F(Limited, WhatTheLimitDoesNotLetExistIsRefusedBeforeAPageIsIn) {
    limit(64 * mib, 32 * mib);
    for (const bool strict : {false, true}) {
        const Result<std::unique_ptr<Region>> region = world_.make(spec(32, strict));
        ASSERT_FALSE(region);
        EXPECT_EQ(region.error().status, NEAR_E_NOMEM) << region.error().message;
        EXPECT_EQ(region.error().reason, NEAR_REASON_LIMIT);
        EXPECT_NE(region.error().message.find("/cg/a/memory.max"), std::string::npos) << region.error().message;
        EXPECT_EQ(pages_in(), 0U);
        EXPECT_EQ(world_.ports.held().mapped_bytes, 0U);
        EXPECT_TRUE(world_.made(spec(24, strict)));
    }
}

TEST_F(Limited, OthersThatTakeTheRoomMeanwhileEndIt) {
    limit(256 * mib, 0);
    world_.machine.files().set("/cg/a/memory.stat", [this] { // read with each look
        stolen_ += pages_in() > 0 ? 200 * mib : 0;
        return std::string("anon 0\n");
    });
    const Result<std::unique_ptr<Region>> region = world_.make(spec(200));
    ASSERT_FALSE(region);
    EXPECT_EQ(region.error().status, NEAR_E_NOMEM) << region.error().message;
    EXPECT_EQ(pages_in(), 0U) << "what was in is given back";
    EXPECT_EQ(world_.ports.held().mapped_bytes, 0U);
}

TEST_F(Limited, PagesThatAreInNeedNoMore) {
    limit(64 * mib, 0);
    const auto region = world_.made(spec(40));
    EXPECT_TRUE(region->prefault(NEAR_PREFAULT_ON_NODE));
    EXPECT_EQ(pages_in(), 40 * mib / base_page_bytes());
}

TEST_F(Limited, LockingFaultsInWhatIsMissingAndIsRefusedAlike) {
    limit(64 * mib, 60 * mib);
    RegionSpec wanted = spec(32);
    wanted.prefault = NEAR_PREFAULT_NONE;
    const auto region = world_.made(wanted);
    const Done done = region->lock(1);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().status, NEAR_E_NOMEM) << done.error().message;
    EXPECT_NE(done.error().message.find("/cg/a/memory.max"), std::string::npos) << done.error().message;
    EXPECT_EQ(world_.ports.calls(Call::memory_lock), 0U);
}

TEST_F(Limited, WithoutPrefaultNothingIsTaken) {
    limit(64 * mib, 60 * mib);
    RegionSpec wanted = spec(32);
    wanted.prefault = NEAR_PREFAULT_NONE;
    const auto region = world_.made(wanted);
    EXPECT_EQ(region->prefault(NEAR_PREFAULT_HERE).error().status, NEAR_E_NOMEM);
    EXPECT_EQ(pages_in(), 0U);
}

TEST_F(Limited, HugePagesBeyondTheirLimitAreNotTouched) {
    set_groups(world_.machine.files(), "0::/a\n");
    world_.machine.files().set("/cg/a/hugetlb.2MB.max", std::to_string(4 * mib) + "\n");
    world_.machine.files().set("/cg/a/hugetlb.2MB.current", "0\n");
    world_.set_pool(1, "2048kB", 100);
    RegionSpec wanted = spec(8, true);
    wanted.pages = NEAR_PAGES_2M;
    const Result<std::unique_ptr<Region>> region = world_.make(wanted);
    ASSERT_FALSE(region);
    EXPECT_EQ(region.error().reason, NEAR_REASON_LIMIT) << region.error().message;
    EXPECT_NE(region.error().message.find("hugetlb.2MB.max"), std::string::npos) << region.error().message;
    EXPECT_EQ(pages_in(), 0U);
}

} // namespace
