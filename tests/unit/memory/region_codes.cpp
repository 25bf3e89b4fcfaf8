// SPDX-License-Identifier: Apache-2.0
// The error codes that the headers list, where a machine that is made up is needed to meet them.
#include "unit/memory/support.hpp"

#include <nearpool/level.h>
#include <nearpool/region_change.h>

#include <cerrno>
#include <cstring>

using namespace nearpool;
using namespace nearpool::test;
using fakes::Call;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20U;

near_status status_of(const Done &done) {
    return done ? NEAR_OK : done.error().status;
}

TEST(RegionCodes, OfRebind) {
    World world(four_nodes(), {0, 1, 2});
    const auto region = world.made(spec_of(16, NEAR_POLICY_BIND, {1}));
    const auto rebind = [&](int32_t policy, uint32_t node) { return status_of(region->rebind(policy, &node, 1, 1)); };
    EXPECT_EQ(rebind(NEAR_POLICY_BIND, 3), NEAR_E_NOT_ALLOWED);
    EXPECT_EQ(rebind(NEAR_POLICY_BIND, 7), NEAR_E_NO_NODE);
    world.ports.fail_nth(Call::policy_bind, 1, EINVAL);
    EXPECT_EQ(rebind(NEAR_POLICY_WEIGHTED_INTERLEAVE, 2), NEAR_E_UNSUPPORTED);
    for (const auto &[error, status] : {std::pair{ENOMEM, NEAR_E_NOMEM}, std::pair{EIO, NEAR_E_SYSTEM}}) {
        world.ports.fail_always(Call::memory_advise, error);
        EXPECT_EQ(rebind(NEAR_POLICY_BIND, 2), status);
        world.ports.fail_nothing();
    }
    EXPECT_EQ(region->placement().policy, NEAR_POLICY_BIND);
    EXPECT_EQ(region->placement().near_pages, 16U) << "all as before";
    EXPECT_EQ(rebind(NEAR_POLICY_BIND, 2), NEAR_OK);
}

TEST(RegionCodes, OfMigrate) {
    World world;
    const auto region = world.made(spec_of(64, NEAR_POLICY_LOCAL, {}));
    std::size_t moved = 99;
    for (const uint64_t look : {1U, 3U}) { // the looks before and after; the second belongs to moving
        world.ports.fail_nth(Call::policy_query, look, ENOMEM);
        EXPECT_EQ(status_of(region->migrate(1, &moved)), NEAR_E_NOMEM) << look;
        world.ports.fail_nth(Call::policy_query, look, EPERM);
        EXPECT_EQ(status_of(region->migrate(2, &moved)), NEAR_E_UNSUPPORTED) << look;
    }
    world.ports.fail_nth(Call::policy_query, 2, ENOMEM);
    EXPECT_EQ(status_of(region->migrate(1, &moved)), NEAR_E_NOMEM);
    EXPECT_EQ(moved, 99U) << "written where nothing was seen";
    EXPECT_EQ(status_of(region->migrate(1, &moved)), NEAR_OK);
}

TEST(RegionCodes, OfPrefaultAndNodes) {
    World world;
    const auto region = world.made(spec_of(16, NEAR_POLICY_BIND, {1}));
    for (const auto &[error, status] : {std::pair{ENOMEM, NEAR_E_NOMEM}, std::pair{EIO, NEAR_E_SYSTEM}}) {
        world.ports.fail_always(Call::memory_advise, error);
        EXPECT_EQ(status_of(region->prefault(NEAR_PREFAULT_HERE)), status);
        EXPECT_EQ(status_of(region->prefault(NEAR_PREFAULT_ON_NODE)), status);
    }
    world.machine.files().refuse("/proc/self/numa_maps");
    world.ports.fail_always(Call::policy_query, ENOMEM);
    EXPECT_EQ(region->nodes().error().status, NEAR_E_NOMEM);
    world.ports.fail_always(Call::policy_query, ENOSYS);
    EXPECT_EQ(region->nodes().error().status, NEAR_E_UNSUPPORTED);
}

TEST(RegionCodes, OfAdvise) {
    World world;
    const auto region = world.made(spec_of(16, NEAR_POLICY_BIND, {1}));
    for (const auto &[error, status] :
         {std::pair{ENOMEM, NEAR_E_NOMEM}, std::pair{EIO, NEAR_E_SYSTEM}, std::pair{EINVAL, NEAR_E_UNSUPPORTED}}) {
        world.ports.fail_nth(Call::memory_advise, 1, error);
        EXPECT_EQ(status_of(region->advise(0, region->bytes(), NEAR_ADVICE_COLD)), status);
    }
}

TEST(RegionCodes, OfLockAndALockThatFailsKeepsAnEarlierOne) {
    World world;
    world.machine.files().set("/proc/self/limits", "Max locked memory         unlimited            unlimited  bytes\n");
    const auto region = world.made(spec_of(2, NEAR_POLICY_BIND, {1}));
    const auto fails_with = [&](int error) {
        world.ports.fail_nth(Call::memory_lock, 1, error);
        return status_of(region->lock(1));
    };
    EXPECT_EQ(fails_with(ENOMEM), NEAR_E_NOMEM);
    EXPECT_EQ(fails_with(EIO), NEAR_E_SYSTEM);
    EXPECT_EQ(fails_with(EPERM), NEAR_E_NOT_ALLOWED);
    EXPECT_EQ(world.ports.calls(Call::memory_unlock), 3U) << "what was locked before it failed";
    world.ports.fail_nth(Call::memory_unlock, 1, EIO);
    EXPECT_EQ(status_of(region->lock(0)), NEAR_E_SYSTEM);
    if (status_of(region->lock(1)) != NEAR_OK) {
        GTEST_SKIP() << "[memlock] RLIMIT_MEMLOCK allows nothing";
    }
    const uint64_t before = world.ports.calls(Call::memory_unlock);
    EXPECT_EQ(fails_with(EIO), NEAR_E_SYSTEM);
    EXPECT_EQ(world.ports.calls(Call::memory_unlock), before) << "it was locked";
    EXPECT_EQ(status_of(region->lock(0)), NEAR_OK);
    EXPECT_EQ(fails_with(EIO), NEAR_E_SYSTEM);
    EXPECT_EQ(world.ports.calls(Call::memory_unlock), before + 2);
}

// A file of pages of the pool, stood for by one of base pages.
RegionSpec pool_file(const std::string &path) {
    RegionSpec spec = spec_of(1, NEAR_POLICY_BIND, {1}, true);
    spec.bytes = 3 * mib;
    spec.backing = NEAR_BACKING_FILE;
    spec.pages = NEAR_PAGES_DEFAULT;
    spec.path = path;
    return spec;
}

TEST(RegionCodes, OfFilesOfThePool) {
    World world;
    const Ports &real = real_ports();
    const int descriptor = real.memory.create_memfd("pool", sys::memfd_close_on_exec);
    ASSERT_EQ(real.files.truncate(descriptor, 8 * mib), 0);
    RegionSpec spec = pool_file("/proc/self/fd/" + std::to_string(descriptor));
    world.machine.files().claim_filesystem(sys::filesystem_hugetlbfs, 2 * mib);
    const auto region = world.made(spec);
    ASSERT_NE(region, nullptr);
    EXPECT_EQ(region->placement().page_count, 2U) << "rounded up to whole pages of the file system";
    EXPECT_EQ(region->placement().pages, NEAR_PAGES_2M);
    EXPECT_EQ(region->placement().level, NEAR_LEVEL_STRICT) << text_of(region->placement());

    spec.file_offset = mib;
    const Result<std::unique_ptr<Region>> crooked = world.make(spec);
    ASSERT_FALSE(crooked);
    EXPECT_EQ(crooked.error().status, NEAR_E_INVALID);
    EXPECT_NE(crooked.error().message.find("2097152"), std::string::npos) << crooked.error().message;
    spec.file_offset = 2 * mib;
    EXPECT_NE(world.made(spec), nullptr);
    spec.pages = NEAR_PAGES_2M;
    EXPECT_NE(world.made(spec), nullptr);
    for (const int32_t pages : {NEAR_PAGES_BASE, NEAR_PAGES_1G}) {
        spec.pages = pages;
        spec.strict = true;
        EXPECT_EQ(world.make(spec).error().status, NEAR_E_STRICT) << pages_name(pages);
        spec.strict = false;
        EXPECT_EQ(world.made(spec)->placement().pages_reason, NEAR_REASON_FILE) << pages_name(pages);
    }
    real.files.close(descriptor);
}

} // namespace
