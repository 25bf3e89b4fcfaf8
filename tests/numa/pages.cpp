// SPDX-License-Identifier: Apache-2.0
// Where pages are, and under which policy: what libnuma's calls say of our regions, and what we say of pages that
// libnuma has moved.
#include "numa/support.hpp"

#include <algorithm>
#include <numaif.h>

using namespace nearpool_numa_test;

namespace {

using Histogram = std::map<uint32_t, std::size_t>;

class LibnumaPages : public Libnuma {
protected:
    void SetUp() override {
        Libnuma::SetUp();
        if (!IsSkipped()) {
            nodes_ = nodes_with_room();
            ASSERT_FALSE(nodes_.empty());
        }
    }

    static constexpr std::size_t pages = 64;
    static std::size_t bytes() { return pages * page_bytes(); }

    // What libnuma says of each page of a region; with targets, when it has moved them there. A page that the kernel is
    // moving is nowhere for that while: then it is asked again.
    static std::vector<int> states(const Region &region, const std::vector<int> &targets = {}) {
        std::vector<void *> addresses(pages);
        for (std::size_t i = 0; i < pages; i++) {
            addresses[i] = region.data() + i * page_bytes();
        }
        std::vector<int> result(pages, -1);
        const int *wish = targets.empty() ? nullptr : targets.data();
        for (int turn = 0; turn < 100; turn++) {
            EXPECT_EQ(
                numa_move_pages(0, pages, addresses.data(), wish, result.data(), wish == nullptr ? 0 : MPOL_MF_MOVE),
                0);
            if (std::all_of(result.begin(), result.end(), [](int state) { return state >= 0; })) {
                break;
            }
        }
        return result;
    }

    static Histogram histogram_of(const std::vector<int> &states) {
        Histogram result;
        for (const int node : states) {
            EXPECT_GE(node, 0) << "the page is not there: " << std::strerror(-node);
            result[static_cast<uint32_t>(node)]++;
        }
        return result;
    }

    // The policy of a region's first page, as get_mempolicy() of libnuma says.
    static std::pair<int, std::vector<uint32_t>> policy_of(const Region &region) {
        int mode = -1;
        bitmask *nodes = numa_allocate_nodemask();
        EXPECT_EQ(get_mempolicy(&mode, nodes->maskp, nodes->size + 1, region.data(), MPOL_F_ADDR), 0);
        return {mode, numbers_of(nodes)};
    }

    std::vector<uint32_t> nodes_;
};

TEST_F(LibnumaPages, OfABoundRegionAreOnItsNodeForBoth) {
    for (const uint32_t node : nodes_) {
        Options options(NEAR_POLICY_BIND, {node});
        options.pages = NEAR_PAGES_BASE;
        options.strict = 1;
        const Region region(bytes(), options);
        ASSERT_EQ(region.status, NEAR_OK) << "node " << node;
        EXPECT_EQ(histogram_of(states(region)), (Histogram{{node, pages}}));
        EXPECT_EQ(region.histogram(), (Histogram{{node, pages}}));
    }
}

TEST_F(LibnumaPages, OfRegionsOverAllNodesAreWhereBothSay) {
    for (const int32_t policy : {NEAR_POLICY_INTERLEAVE, NEAR_POLICY_SPLIT, NEAR_POLICY_PREFERRED_MANY}) {
        Options options(policy, nodes_);
        options.pages = NEAR_PAGES_BASE;
        const Region region(bytes(), options);
        ASSERT_EQ(region.status, NEAR_OK) << near_policy_name(policy);
        EXPECT_EQ(region.histogram(), histogram_of(states(region))) << near_policy_name(policy);
    }
}

TEST_F(LibnumaPages, ThatLibnumaHasMovedAreFoundWhereTheyAre) {
    if (nodes_.size() < 2) {
        GTEST_SKIP() << "[numa] needs two nodes with free memory";
    }
    Options options(NEAR_POLICY_PREFERRED, {nodes_.front()});
    options.pages = NEAR_PAGES_BASE;
    const Region region(bytes(), options);
    std::vector<int> targets(pages, static_cast<int>(nodes_.front()));
    std::fill(targets.begin(), targets.begin() + pages / 4, static_cast<int>(nodes_.back()));
    EXPECT_EQ(states(region, targets), targets);
    EXPECT_EQ(region.histogram(), (Histogram{{nodes_.front(), pages - pages / 4}, {nodes_.back(), pages / 4}}));
    EXPECT_EQ(region.placement().near_pages, pages - pages / 4) << text_of(region.placement());
}

TEST_F(LibnumaPages, HaveThePolicyThatWasAskedForUnderLibnumasNumbers) {
    Options bound(NEAR_POLICY_BIND, {nodes_.back()});
    bound.strict = 1;
    const Region one(bytes(), bound);
    EXPECT_EQ(policy_of(one), (std::pair<int, std::vector<uint32_t>>{MPOL_BIND, {nodes_.back()}}));
    const Region many(bytes(), Options(NEAR_POLICY_INTERLEAVE, nodes_));
    EXPECT_EQ(policy_of(many), (std::pair<int, std::vector<uint32_t>>{MPOL_INTERLEAVE, nodes_}));
}

} // namespace
