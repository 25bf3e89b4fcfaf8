// SPDX-License-Identifier: Apache-2.0
// Prefault, rebind, migrate, lock and advise, on any machine.
#include "contract/region_support.hpp"

#include <sys/resource.h>
#include <sys/wait.h>

using namespace nearpool_region_test;

namespace {

constexpr std::size_t region_bytes = 4 * mib;

class RegionChange : public testing::Test {
protected:
    RegionChange() : options_(NEAR_POLICY_PREFERRED, {nodes_with_room().front()}) {
        options_.prefault = NEAR_PREFAULT_NONE;
        options_.pages = NEAR_PAGES_BASE;
        EXPECT_EQ(near_region_create(nullptr, region_bytes, &options_, &region_, nullptr), NEAR_OK);
    }
    ~RegionChange() override { near_region_destroy(region_); }

    unsigned char *data() const { return static_cast<unsigned char *>(near_region_data(region_)); }
    near_placement placement() const {
        near_placement result{};
        result.struct_size = sizeof result;
        EXPECT_EQ(near_region_placement(region_, &result, nullptr), NEAR_OK);
        return result;
    }

    Options options_;
    near_region *region_ = nullptr;
    Error error_;
};

TEST_F(RegionChange, PrefaultKeepsWhatIsThere) {
    data()[page_bytes() * 3 + 5] = 200;
    for (const int32_t how : {NEAR_PREFAULT_HERE, NEAR_PREFAULT_ON_NODE}) {
        EXPECT_EQ(near_region_prefault(region_, how, &error_), NEAR_OK) << error_.message;
        EXPECT_EQ(data()[page_bytes() * 3 + 5], 200);
        EXPECT_EQ(data()[0], 0);
        EXPECT_EQ(placement().present_pages, placement().page_count);
    }
    EXPECT_EQ(placement().level, NEAR_LEVEL_STRICT) << text_of(placement());
}

TEST_F(RegionChange, PrefaultRefusesBadArguments) {
    EXPECT_EQ(near_region_prefault(nullptr, NEAR_PREFAULT_HERE, &error_), NEAR_E_INVALID);
    for (const int32_t how : std::vector<int32_t>{NEAR_PREFAULT_NONE, 3, -1}) {
        EXPECT_EQ(near_region_prefault(region_, how, &error_), NEAR_E_INVALID);
        EXPECT_TRUE(error_.says("near_region_prefault: prefault")) << error_.message;
    }
}

TEST_F(RegionChange, RebindChangesThePolicyInForce) {
    EXPECT_EQ(placement().policy, NEAR_POLICY_PREFERRED);
    const std::vector<uint32_t> nodes = nodes_with_room();
    const uint32_t node = nodes.back();
    data()[0] = 5;
    ASSERT_EQ(near_region_rebind(region_, NEAR_POLICY_BIND, &node, 1, 1, &error_), NEAR_OK) << error_.message;
    EXPECT_EQ(placement().policy, NEAR_POLICY_BIND);
    EXPECT_EQ(placement().level, NEAR_LEVEL_STRICT) << text_of(placement());
    EXPECT_EQ(data()[0], 5);
    for (int32_t policy = NEAR_POLICY_BIND; policy <= NEAR_POLICY_SPLIT; policy++) {
        const bool one = policy == NEAR_POLICY_PREFERRED;
        EXPECT_EQ(near_region_rebind(region_, policy, nodes.data(), one ? 1 : nodes.size(), 0, &error_), NEAR_OK)
            << error_.message;
        EXPECT_EQ(placement().near_pages, placement().page_count) << near_policy_name(policy);
    }
    EXPECT_EQ(data()[0], 5);
}

TEST_F(RegionChange, RebindRefusesBadArguments) {
    const uint32_t node = nodes_with_room().front();
    const uint32_t missing = 4000000;
    EXPECT_EQ(near_region_rebind(nullptr, NEAR_POLICY_LOCAL, nullptr, 0, 0, &error_), NEAR_E_INVALID);
    EXPECT_EQ(near_region_rebind(region_, 99, nullptr, 0, 0, &error_), NEAR_E_INVALID);
    EXPECT_EQ(near_region_rebind(region_, NEAR_POLICY_LOCAL, &node, 1, 0, &error_), NEAR_E_INVALID);
    EXPECT_EQ(near_region_rebind(region_, NEAR_POLICY_PREFERRED, nullptr, 0, 0, &error_), NEAR_E_INVALID);
    EXPECT_EQ(near_region_rebind(region_, NEAR_POLICY_BIND, nullptr, 1, 0, &error_), NEAR_E_INVALID);
    EXPECT_EQ(near_region_rebind(region_, NEAR_POLICY_BIND, &node, 1, 2, &error_), NEAR_E_INVALID);
    EXPECT_EQ(near_region_rebind(region_, NEAR_POLICY_BIND, &node, 0, 0, &error_), NEAR_E_EMPTY_SET);
    EXPECT_EQ(near_region_rebind(region_, NEAR_POLICY_BIND, &missing, 1, 0, &error_), NEAR_E_NO_NODE);
    EXPECT_EQ(placement().policy, NEAR_POLICY_PREFERRED);
}

TEST_F(RegionChange, MigrateLeavesPagesThatAreThere) {
    const uint32_t node = nodes_with_room().front();
    std::memset(data(), 6, region_bytes);
    std::size_t moved = 99;
    ASSERT_EQ(near_region_migrate(region_, node, &moved, &error_), NEAR_OK) << error_.message;
    EXPECT_LE(moved, region_bytes / page_bytes());
    ASSERT_EQ(near_region_migrate(region_, node, &moved, &error_), NEAR_OK);
    EXPECT_EQ(moved, 0U);
    EXPECT_EQ(near_region_migrate(region_, node, nullptr, nullptr), NEAR_OK);
    EXPECT_EQ(data()[region_bytes - 1], 6);
}

TEST_F(RegionChange, MigrateRefusesBadArguments) {
    std::size_t moved = 99;
    EXPECT_EQ(near_region_migrate(nullptr, 0, &moved, &error_), NEAR_E_INVALID);
    EXPECT_EQ(near_region_migrate(region_, 4000000, &moved, &error_), NEAR_E_NO_NODE);
    EXPECT_EQ(near_region_migrate(region_, NEAR_NODE_UNKNOWN, &moved, &error_), NEAR_E_NO_NODE);
    EXPECT_EQ(moved, 99U);
}

// The sanitizers answer mlock() themselves, with success, and do nothing.
bool mlock_is_real() {
    return std::getenv("NEARPOOL_TEST_SANITIZED") == nullptr;
}

TEST_F(RegionChange, LockFaultsIn) {
    if (!mlock_is_real()) {
        GTEST_SKIP() << "[mlock] a sanitizer stands in front of it";
    }
    Options small;
    small.prefault = NEAR_PREFAULT_NONE;
    const Region region(2 * page_bytes(), small);
    const near_status status = near_region_lock(region, 1, &error_);
    if (status == NEAR_E_NOT_ALLOWED) {
        GTEST_SKIP() << "[memlock] RLIMIT_MEMLOCK allows nothing: " << error_.message;
    }
    ASSERT_EQ(status, NEAR_OK) << error_.message;
    const near_placement placement = region.placement();
    EXPECT_EQ(placement.present_pages, placement.page_count);
    EXPECT_EQ(near_region_lock(region, 0, &error_), NEAR_OK);
}

TEST_F(RegionChange, LockRefusesBadArguments) {
    EXPECT_EQ(near_region_lock(nullptr, 1, &error_), NEAR_E_INVALID);
    EXPECT_EQ(near_region_lock(region_, 2, &error_), NEAR_E_INVALID);
}

// A child gives up its privileges, to which limits do not apply.
TEST_F(RegionChange, LockNamesTheLimitThatIsTooSmall) {
    if (!mlock_is_real()) {
        GTEST_SKIP() << "[mlock] a sanitizer stands in front of it";
    }
    const pid_t child = fork();
    if (child == 0) {
        const rlimit limit{page_bytes(), page_bytes()};
        if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 || (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)) {
            _exit(77);
        }
        const near_status status = near_region_lock(region_, 1, &error_);
        _exit(status == NEAR_E_NOT_ALLOWED && error_.says("RLIMIT_MEMLOCK") ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        GTEST_SKIP() << "[setuid] this process cannot give up its privileges";
    }
    EXPECT_EQ(status, 0);
}

TEST_F(RegionChange, DiscardGivesPagesBackAndTheNextReadSeesZeros) {
    for (const int32_t backing : {NEAR_BACKING_ANONYMOUS, NEAR_BACKING_SHARED}) {
        Options options;
        options.backing = backing;
        options.pages = NEAR_PAGES_BASE;
        const Region region(8 * page_bytes(), options);
        std::memset(region.data(), 1, 8 * page_bytes());
        ASSERT_EQ(near_region_advise(region, 2 * page_bytes(), page_bytes() + 1, NEAR_ADVICE_DISCARD, &error_), NEAR_OK)
            << error_.message;
        EXPECT_EQ(region.placement().present_pages, 6U);
        EXPECT_EQ(region.data()[2 * page_bytes()], 0);
        EXPECT_EQ(region.data()[4 * page_bytes() - 1], 0);
        EXPECT_EQ(region.data()[4 * page_bytes()], 1);
        EXPECT_EQ(region.data()[2 * page_bytes() - 1], 1);
    }
}

TEST_F(RegionChange, AdviceIsTakenOrUnsupported) {
    const bool huge = access("/sys/kernel/mm/transparent_hugepage", F_OK) == 0; // else this kernel has none
    for (int32_t advice = NEAR_ADVICE_NORMAL; advice <= NEAR_ADVICE_NO_HUGE; advice++) {
        const bool about_huge = advice == NEAR_ADVICE_HUGE || advice == NEAR_ADVICE_NO_HUGE;
        const near_status status = near_region_advise(region_, 0, region_bytes, advice, &error_);
        if (advice == NEAR_ADVICE_WILL_NEED) { // a kernel without swap has nothing to read ahead
            EXPECT_TRUE(status == NEAR_OK || status == NEAR_E_UNSUPPORTED) << error_.message;
        } else {
            EXPECT_EQ(status, about_huge && !huge ? NEAR_E_UNSUPPORTED : NEAR_OK) << advice << ": " << error_.message;
        }
    }
}

TEST_F(RegionChange, AdviseRefusesBadArguments) {
    EXPECT_EQ(near_region_advise(nullptr, 0, 1, NEAR_ADVICE_NORMAL, &error_), NEAR_E_INVALID);
    EXPECT_EQ(near_region_advise(region_, 0, 0, NEAR_ADVICE_NORMAL, &error_), NEAR_E_INVALID);
    EXPECT_EQ(near_region_advise(region_, 1, 1, NEAR_ADVICE_NORMAL, &error_), NEAR_E_INVALID);
    EXPECT_EQ(near_region_advise(region_, region_bytes, 1, NEAR_ADVICE_NORMAL, &error_), NEAR_E_INVALID);
    EXPECT_EQ(near_region_advise(region_, 0, region_bytes + 1, NEAR_ADVICE_NORMAL, &error_), NEAR_E_INVALID);
    EXPECT_EQ(near_region_advise(region_, 0, SIZE_MAX, NEAR_ADVICE_NORMAL, &error_), NEAR_E_INVALID);
    EXPECT_EQ(near_region_advise(region_, 0, 1, 8, &error_), NEAR_E_INVALID);
    EXPECT_EQ(near_region_advise(region_, 0, 1, -1, &error_), NEAR_E_INVALID);
}

TEST(RegionNames, AreThoseOfTheHeader) {
    EXPECT_STREQ(near_policy_name(NEAR_POLICY_BIND), "bind");
    EXPECT_STREQ(near_policy_name(-1), "unknown");
    EXPECT_STREQ(near_pages_name(NEAR_PAGES_2M), "2 MiB");
    EXPECT_STREQ(near_pages_name(99), "unknown");
    EXPECT_STREQ(near_prefault_name(NEAR_PREFAULT_ON_NODE), "on node");
    EXPECT_STREQ(near_prefault_name(99), "unknown");
}

} // namespace
