// SPDX-License-Identifier: Apache-2.0
// Placement where it is real: on machines with several nodes (tests/vm). With one node these tests are skipped.
#include "contract/region_support.hpp"

#include <algorithm>
#include <sys/wait.h>

using namespace nearpool_region_test;

namespace {

class RegionNodes : public testing::Test {
protected:
    void SetUp() override {
        nodes_ = nodes_with_room();
        if (nodes_.size() < 2) {
            GTEST_SKIP() << "[numa] needs two nodes with free memory";
        }
        // Nodes with little memory take little.
        std::size_t least = SIZE_MAX;
        for (const uint32_t node : nodes_) {
            least = std::min(least, free_bytes(node));
        }
        bytes_ = std::min<std::size_t>(16 * mib, least / 4 / (4 * mib) * (4 * mib)); // halves of whole huge pages
        bytes_ = std::max<std::size_t>(bytes_, 2 * mib);
    }

    std::size_t pages() const { return bytes_ / page_bytes(); }

    // The node that is filled soonest, and another.
    uint32_t smallest() const {
        return *std::min_element(nodes_.begin() + 1, nodes_.end(),
                                 [](uint32_t a, uint32_t b) { return free_bytes(a) < free_bytes(b); });
    }

    // Takes all memory of a node: a soft region that is larger than what is free there.
    std::size_t more_than_free(uint32_t node) const { return free_bytes(node) + 24 * mib; }

    std::vector<uint32_t> nodes_;
    std::size_t bytes_ = 0;
};

TEST_F(RegionNodes, StrictBindPutsAllPagesOnEveryNodeThatHasMemory) {
    for (const uint32_t node : nodes_) {
        for (const int32_t pages_kind : {NEAR_PAGES_BASE, NEAR_PAGES_TRANSPARENT}) {
            for (const int32_t prefault : {NEAR_PREFAULT_HERE, NEAR_PREFAULT_ON_NODE}) {
                Options options(NEAR_POLICY_BIND, {node});
                options.strict = 1;
                options.pages = pages_kind;
                options.prefault = prefault;
                const Region region(bytes_, options);
                ASSERT_EQ(region.status, NEAR_OK) << "node " << node;
                const auto [placement, histogram] = region.look();
                EXPECT_EQ(placement.level, NEAR_LEVEL_STRICT) << text_of(placement);
                EXPECT_EQ(histogram, (Histogram{{node, pages()}}));
            }
        }
    }
}

TEST_F(RegionNodes, EachPolicyHasItsHistogram) {
    const uint32_t a = nodes_[0];
    const uint32_t b = nodes_[1];
    for (const int32_t backing : {NEAR_BACKING_ANONYMOUS, NEAR_BACKING_SHARED}) {
        std::pair<int, int> ends; // nodes of the first and the last page
        const auto histogram = [&](int32_t policy, std::vector<uint32_t> list) {
            Options options(policy, std::move(list));
            options.strict = 1;
            options.pages = NEAR_PAGES_BASE;
            options.backing = backing;
            const Region region(bytes_, options);
            const auto [placement, pages_by_node] = region.look();
            EXPECT_EQ(placement.near_pages, pages()) << text_of(placement);
            ends = {node_of(region.data()), node_of(region.data() + bytes_ - 1)};
            return pages_by_node;
        };
        EXPECT_EQ(histogram(NEAR_POLICY_BIND, {b}), (Histogram{{b, pages()}}));
        EXPECT_EQ(histogram(NEAR_POLICY_PREFERRED, {b}), (Histogram{{b, pages()}}));
        EXPECT_EQ(histogram(NEAR_POLICY_INTERLEAVE, {a, b}), (Histogram{{a, pages() / 2}, {b, pages() / 2}}));
        EXPECT_EQ(histogram(NEAR_POLICY_SPLIT, {b, a}), (Histogram{{a, pages() / 2}, {b, pages() / 2}}));
        EXPECT_EQ(ends, std::pair(static_cast<int>(b), static_cast<int>(a)))
            << "the first part is for the first node listed";
        const Histogram many = histogram(NEAR_POLICY_PREFERRED_MANY, {a, b});
        EXPECT_EQ((many.count(a) != 0 ? many.at(a) : 0) + (many.count(b) != 0 ? many.at(b) : 0), pages());
    }
}

TEST_F(RegionNodes, InterleaveGoesRoundAllNodesAlsoInHugePages) {
    Options options(NEAR_POLICY_INTERLEAVE, nodes_);
    options.strict = 1;
    options.pages = NEAR_PAGES_TRANSPARENT;
    const std::size_t bytes = nodes_.size() * 2 * mib;
    const Region region(bytes, options);
    Histogram histogram = region.histogram();
    for (const uint32_t node : nodes_) {
        EXPECT_EQ(histogram[node], 2 * mib / page_bytes()) << "node " << node;
    }
}

TEST_F(RegionNodes, WeightedInterleaveFollowsTheWeightsOrSaysThatTheKernelCannot) {
    const std::string folder = "/sys/kernel/mm/mempolicy/weighted_interleave/node";
    Options options(NEAR_POLICY_WEIGHTED_INTERLEAVE, {nodes_[0], nodes_[1]});
    options.pages = NEAR_PAGES_BASE;
    std::ofstream weight(folder + std::to_string(nodes_[0]));
    if (!weight) { // Linux before 6.9
        const Region region(bytes_, options);
        const near_placement placement = region.placement();
        EXPECT_EQ(placement.policy, NEAR_POLICY_INTERLEAVE);
        EXPECT_EQ(placement.reason_code, NEAR_REASON_KERNEL) << text_of(placement);
        options.strict = 1;
        const Region strict(bytes_, options, NEAR_E_UNSUPPORTED);
        return;
    }
    weight << 3 << std::flush;
    options.strict = 1;
    const Region region(bytes_, options);
    const auto [placement, histogram] = region.look();
    EXPECT_EQ(placement.level, NEAR_LEVEL_STRICT) << text_of(placement);
    EXPECT_EQ(histogram, (Histogram{{nodes_[0], pages() / 4 * 3}, {nodes_[1], pages() / 4}}));
    weight << 1 << std::flush;
}

TEST_F(RegionNodes, LocalFollowsTheThreadThatCreates) {
    for (const uint32_t node : nodes_) {
        if (node_info(node).allowed_cpus == 0) {
            continue;
        }
        near_pin *pin = nullptr;
        ASSERT_EQ(near_pin_node(nullptr, node, nullptr, &pin, nullptr), NEAR_OK);
        const Region region(bytes_, Options());
        EXPECT_EQ(near_pin_release(pin, nullptr), NEAR_OK);
        const auto [placement, histogram] = region.look();
        EXPECT_EQ(histogram, (Histogram{{node, pages()}}));
        EXPECT_EQ(placement.level, NEAR_LEVEL_STRICT) << text_of(placement);
    }
}

TEST_F(RegionNodes, ARegionThatIsTouchedLaterIsOnItsNode) {
    Options options(NEAR_POLICY_BIND, {nodes_.back()});
    options.prefault = NEAR_PREFAULT_NONE;
    const Region region(bytes_, options);
    std::memset(region.data(), 1, bytes_);
    const auto [placement, histogram] = region.look();
    EXPECT_EQ(histogram, (Histogram{{nodes_.back(), pages()}}));
    EXPECT_EQ(placement.level, NEAR_LEVEL_STRICT) << text_of(placement);
}

TEST_F(RegionNodes, MigrationMovesPagesAndKeepsWhatTheyHold) {
    for (const int32_t pages_kind : {NEAR_PAGES_BASE, NEAR_PAGES_TRANSPARENT}) {
        Options options(NEAR_POLICY_PREFERRED, {nodes_[0]});
        options.pages = pages_kind;
        const Region region(bytes_, options);
        for (std::size_t i = 0; i < bytes_; i += page_bytes()) {
            region.data()[i] = static_cast<unsigned char>(i / page_bytes());
        }
        std::size_t moved = 0;
        Error error;
        ASSERT_EQ(near_region_migrate(region, nodes_[1], &moved, &error), NEAR_OK) << error.message;
        EXPECT_EQ(moved, pages());
        const auto [placement, histogram] = region.look();
        EXPECT_EQ(histogram, (Histogram{{nodes_[1], pages()}}));
        EXPECT_EQ(placement.near_pages, 0U); // the policy stays
        EXPECT_EQ(placement.reason_code, NEAR_REASON_ELSEWHERE) << text_of(placement);
        for (std::size_t i = 0; i < bytes_; i += page_bytes()) {
            ASSERT_EQ(region.data()[i], static_cast<unsigned char>(i / page_bytes()));
        }
    }
}

TEST_F(RegionNodes, RebindMovesWhatIsThere) {
    Options options(NEAR_POLICY_BIND, {nodes_[0]});
    options.strict = 1;
    options.pages = NEAR_PAGES_BASE;
    const Region region(bytes_, options);
    Error error;
    ASSERT_EQ(near_region_rebind(region, NEAR_POLICY_BIND, &nodes_[1], 1, 1, &error), NEAR_OK) << error.message;
    EXPECT_EQ(region.histogram(), (Histogram{{nodes_[1], pages()}}));
    const uint32_t both[] = {nodes_[1], nodes_[0]};
    ASSERT_EQ(near_region_rebind(region, NEAR_POLICY_SPLIT, both, 2, 1, &error), NEAR_OK) << error.message;
    EXPECT_EQ(region.histogram(), (Histogram{{nodes_[0], pages() / 2}, {nodes_[1], pages() / 2}}));
    EXPECT_EQ(node_of(region.data()), static_cast<int>(nodes_[1]));
    const uint32_t swapped[] = {nodes_[0], nodes_[1]};
    ASSERT_EQ(near_region_rebind(region, NEAR_POLICY_SPLIT, swapped, 2, 1, &error), NEAR_OK) << error.message;
    EXPECT_EQ(node_of(region.data()), static_cast<int>(nodes_[0]));
    ASSERT_EQ(near_region_rebind(region, NEAR_POLICY_INTERLEAVE, nodes_.data(), nodes_.size(), 1, &error), NEAR_OK)
        << error.message;
    EXPECT_EQ(region.placement().near_pages, pages());
}

// In a child, so that a kill is a failure and not the end of the tests.
template <class Body> void survive(Body body) {
    const pid_t child = fork();
    if (child == 0) {
        nearpool_test::limit_this_process(200);
        body();
        _exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << (WIFSIGNALED(status) ? "killed" : "failed");
}

TEST_F(RegionNodes, OnANodeTooFullTheCallerSurvivesAndSoftSaysHowMuchIsElsewhere) {
    const uint32_t node = smallest();
    for (const int32_t pages_kind : {NEAR_PAGES_BASE, NEAR_PAGES_TRANSPARENT}) {
        survive([&] {
            Options options(NEAR_POLICY_BIND, {node});
            options.pages = pages_kind;
            const std::size_t bytes = more_than_free(node);
            const Region region(bytes, options);
            ASSERT_EQ(region.status, NEAR_OK);
            auto [placement, histogram] = look_when_all_are_in(region);
            EXPECT_EQ(placement.level, NEAR_LEVEL_BEST_EFFORT) << text_of(placement);
            EXPECT_EQ(placement.reason_code, NEAR_REASON_ELSEWHERE);
            EXPECT_EQ(placement.near_pages, histogram[node]);
            EXPECT_GT(placement.near_pages, 0U);
            EXPECT_NE(
                std::strstr(placement.reason, std::to_string(placement.page_count - placement.near_pages).c_str()),
                nullptr)
                << placement.reason;
            std::memset(region.data(), 1, bytes);
        });
    }
}

TEST_F(RegionNodes, OnANodeTooFullStrictKeepsNothing) {
    const uint32_t node = smallest();
    survive([&] {
        Options options(NEAR_POLICY_BIND, {node});
        options.strict = 1;
        const std::size_t bytes = more_than_free(node);
        { const Region first(page_bytes(), options); } // the crew's threads start
        const std::size_t mapped = mapped_bytes();
        const std::size_t free = free_bytes(node);
        const Region region(bytes, options, NEAR_E_STRICT);
        EXPECT_TRUE(region.error.says("elsewhere")) << region.error.message;
        EXPECT_LT(mapped_bytes(), mapped + bytes / 2);
        EXPECT_GT(free_bytes(node), free / 2); // given back
    });
}

TEST_F(RegionNodes, OnANodeTooFullNeitherTouchingNorDiscardingNorMovingKills) {
    const uint32_t node = smallest();
    survive([&] {
        Options soft(NEAR_POLICY_BIND, {node});
        soft.prefault = NEAR_PREFAULT_NONE;
        const Region later(8 * mib, soft);
        const Region moved(4 * mib, Options(NEAR_POLICY_PREFERRED, {nodes_[0]}));
        // Of a huge page that it splits, Linux 6.12 gives back the parts that hold nothing but zeros.
        std::memset(moved.data(), 1, 4 * mib);
        Options strict(NEAR_POLICY_BIND, {node});
        strict.strict = 1;
        const Region bound(2 * mib, strict);
        Error error;
        ASSERT_EQ(near_region_advise(bound, 0, 2 * mib, NEAR_ADVICE_DISCARD, &error), NEAR_OK) << error.message;

        const Region filler(more_than_free(node), Options(NEAR_POLICY_PREFERRED, {node}));
        std::memset(later.data(), 1, 8 * mib);
        std::memset(bound.data(), 1, 2 * mib);
        const near_placement touched = later.placement();
        EXPECT_LT(touched.near_pages, touched.page_count);
        std::size_t count = 0;
        const near_status status = near_region_migrate(moved, node, &count, &error);
        EXPECT_EQ(status, count == 4 * mib / page_bytes() ? NEAR_OK : NEAR_E_BUSY) << error.message;
        EXPECT_GE(look_when_all_are_in(moved).second[node], count) << "counted, and not there";
        EXPECT_EQ(near_region_rebind(moved, NEAR_POLICY_BIND, &node, 1, 0, &error), NEAR_OK) << error.message;
        std::memset(moved.data(), 1, 4 * mib);
    });
}

// Of a bound region half of these pages would kill: each side's first write takes a page of the node.
TEST_F(RegionNodes, AChildMayWriteToAPreferredRegionOfMoreThanHalfItsNode) {
    const uint32_t node = smallest();
    survive([&] {
        const std::size_t bytes = free_bytes(node) / 3 * 2 / mib * mib;
        const Region region(bytes, Options(NEAR_POLICY_PREFERRED, {node}));
        std::memset(region.data(), 1, bytes);
        survive([&] { std::memset(region.data(), 2, bytes); });
        EXPECT_EQ(region.data()[bytes - 1], 1);
    });
}

// The pool of huge pages of one node: counted, taken from there, and never SIGBUS.
TEST_F(RegionNodes, HugePagesOfThePoolAreTakenFromTheNode) {
    const uint32_t node = nodes_.back();
    const std::string folder = "/sys/devices/system/node/node";
    const auto set_pool = [&](uint32_t where, int count) {
        std::ofstream file(folder + std::to_string(where) + "/hugepages/hugepages-2048kB/nr_hugepages");
        file << count << std::flush;
        return file.good();
    };
    const auto free_pool = [&](uint32_t where) {
        std::ifstream file(folder + std::to_string(where) + "/hugepages/hugepages-2048kB/free_hugepages");
        int count = 0;
        file >> count;
        return count;
    };
    set_pool(nodes_[0], 4);
    set_pool(node, 4);
    if (free_pool(node) != 4 || free_pool(nodes_[0]) != 4) {
        set_pool(nodes_[0], 0);
        set_pool(node, 0);
        GTEST_SKIP() << "[huge pages] this process may not change the pool, or the node is too small";
    }
    for (const int32_t backing : {NEAR_BACKING_ANONYMOUS, NEAR_BACKING_SHARED}) {
        Options options(NEAR_POLICY_BIND, {node});
        options.pages = NEAR_PAGES_2M;
        options.strict = 1;
        options.backing = backing;
        const Region region(8 * mib - 5, options);
        const auto [placement, histogram] = region.look();
        EXPECT_EQ(placement.pages, NEAR_PAGES_2M);
        EXPECT_EQ(placement.huge_bytes, 8 * mib);
        EXPECT_EQ(histogram, (Histogram{{node, 4}}));
        const Region strict(2 * mib, options, NEAR_E_STRICT); // none is left there, though node 0 has some
        options.strict = 0;
        const Region soft(2 * mib, options);
        EXPECT_EQ(soft.placement().pages_reason, NEAR_REASON_NO_HUGE_PAGES);
        std::memset(soft.data(), 1, 2 * mib);
        std::size_t moved = 0;
        EXPECT_EQ(near_region_migrate(region, nodes_[0], &moved, nullptr), NEAR_OK);
        EXPECT_EQ(moved, 4U);
    }
    EXPECT_EQ(free_pool(node), 4); // N9: all given back
    set_pool(nodes_[0], 0);
    set_pool(node, 0);
}

// N2 and N3: a mask of 64 bits loses node 63, and has no 64.
TEST_F(RegionNodes, SixtyThreeSixtyFourAndSixtyNineReachTheKernel) {
    if (near_topology_node_count(nullptr) < 70) {
        GTEST_SKIP() << "[seventy-nodes] needs nodes 63, 64 and 69";
    }
    for (const uint32_t node : {63U, 64U, 69U}) {
        for (const int32_t policy : {NEAR_POLICY_BIND, NEAR_POLICY_PREFERRED, NEAR_POLICY_INTERLEAVE}) {
            Options options(policy, {node});
            options.strict = 1;
            options.pages = NEAR_PAGES_BASE;
            const Region region(2 * mib, options);
            EXPECT_EQ(region.histogram(), (Histogram{{node, 2 * mib / page_bytes()}}));
        }
    }
    Options options(NEAR_POLICY_INTERLEAVE, {63, 64, 69});
    options.strict = 1;
    options.pages = NEAR_PAGES_BASE;
    const Region region(300 * page_bytes(), options);
    EXPECT_EQ(region.histogram(), (Histogram{{63, 100}, {64, 100}, {69, 100}}));
}

TEST_F(RegionNodes, ANodeWithoutCpusHoldsPages) {
    bool found = false;
    for (const uint32_t node : nodes_) {
        if (node_info(node).cpu_count == 0) {
            found = true;
            Options options(NEAR_POLICY_BIND, {node});
            options.strict = 1;
            const Region region(2 * mib, options);
            EXPECT_EQ(region.histogram(), (Histogram{{node, 2 * mib / page_bytes()}}));
        }
    }
    if (!found) {
        GTEST_SKIP() << "[cpuless-node] every node has CPUs";
    }
}

// Acceptance 1.
TEST_F(RegionNodes, ANodeWithoutMemoryIsServedByTheNearestAndSaysSo) {
    bool found = false;
    for (const uint32_t node : all_nodes()) {
        if (node_info(node).memory_bytes != 0) {
            continue;
        }
        found = true;
        for (const int32_t policy : {NEAR_POLICY_BIND, NEAR_POLICY_PREFERRED, NEAR_POLICY_SPLIT}) {
            Options options(policy, {node});
            const Region region(bytes_, options);
            std::memset(region.data(), 1, bytes_);
            const near_placement placement = region.placement();
            EXPECT_EQ(placement.level, NEAR_LEVEL_BEST_EFFORT);
            EXPECT_EQ(placement.reason_code, NEAR_REASON_NO_MEMORY) << text_of(placement);
            options.strict = 1;
            const Region strict(bytes_, options, NEAR_E_STRICT);
            Error error;
            EXPECT_EQ(near_region_migrate(region, node, nullptr, &error), NEAR_E_NOT_ALLOWED);
        }
    }
    if (!found) {
        GTEST_SKIP() << "[memoryless-node] every node has memory";
    }
}

} // namespace
