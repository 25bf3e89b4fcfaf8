// SPDX-License-Identifier: Apache-2.0
// What is believed of the kernel, tried on the kernel that runs.
#include "unit/memory/support.hpp"

#include <nearpool/level.h>

#include <cerrno>
#include <sched.h>

using namespace nearpool;
using namespace nearpool::test;
using fakes::Call;

namespace {

class RegionReal : public testing::Test {
protected:
    void SetUp() override {
        Result<Ref<const Topology>> found = Topology::discover(ports_.ports());
        ASSERT_TRUE(found);
        topology_ = found.value();
        for (const uint32_t node : topology_->allowed_nodes()) {
            if (has_room(node)) {
                nodes_.push_back(node);
            }
        }
        ASSERT_FALSE(nodes_.empty());
        crew_ = std::make_unique<Crew>(ports_.ports());
    }

    // Nodes of a small machine may be full of other things.
    bool has_room(uint32_t node) {
        std::string text;
        real_ports().files.read("/sys/devices/system/node/node" + std::to_string(node) + "/meminfo", &text);
        const std::size_t place = text.find("MemFree:");
        return place == std::string::npos || std::strtoull(text.c_str() + place + 8, nullptr, 10) > 12 * 1024;
    }

    std::unique_ptr<Region> made(const RegionSpec &spec) {
        Result<std::unique_ptr<Region>> result = Region::create(ports_.ports(), topology_, *crew_, spec);
        EXPECT_TRUE(result) << (result ? "" : result.error().message);
        return result ? result.take() : nullptr;
    }

    fakes::FailingPorts ports_;
    Ref<const Topology> topology_;
    std::unique_ptr<Crew> crew_;
    std::vector<uint32_t> nodes_;
};

// The rotation that the report takes for granted is the kernel's: nothing has to be moved to be near.
TEST_F(RegionReal, InterleavingIsCountedAsTheKernelCounts) {
    if (nodes_.size() < 2) {
        GTEST_SKIP() << "[numa] needs two nodes with memory";
    }
    // Also a number of nodes that is no power of two: before 6.9 the kernel counts in 32 bits.
    const std::vector<uint32_t> fewer(nodes_.begin(), nodes_.end() - (nodes_.size() > 2 ? 1 : 0));
    for (const std::vector<uint32_t> &nodes : {nodes_, fewer}) {
        for (const int32_t pages : {NEAR_PAGES_BASE, NEAR_PAGES_TRANSPARENT}) {
            for (const int32_t backing : {NEAR_BACKING_ANONYMOUS, NEAR_BACKING_SHARED}) {
                RegionSpec spec = spec_of(nodes.size() > 8 ? 300 : 1700, NEAR_POLICY_INTERLEAVE, nodes, true);
                spec.pages = pages;
                spec.backing = backing;
                const auto region = made(spec);
                ASSERT_NE(region, nullptr);
                EXPECT_EQ(ports_.calls(Call::policy_move), 0U) << pages_name(pages) << ", backing " << backing;
            }
        }
    }
}

TEST_F(RegionReal, NumaMapsAgreesWithMovePages) {
    RegionSpec spec = spec_of(600, NEAR_POLICY_SPLIT, nodes_);
    spec.pages = NEAR_PAGES_BASE;
    const auto region = made(spec);
    const Histogram seen = histogram(region.get());
    ports_.fail_always(Call::policy_query, EPERM);
    const Result<std::vector<near_node_pages>> nodes = region->nodes();
    if (!nodes) {
        GTEST_SKIP() << "[numa_maps] this kernel has no /proc/self/numa_maps";
    }
    EXPECT_EQ(histogram(region.get()), seen);
    const near_placement placement = region->placement();
    EXPECT_EQ(placement.near_pages, 600U) << text_of(placement);
    EXPECT_EQ(placement.level, NEAR_LEVEL_STRICT);
}

// Docker's default filter: nothing can be bound and nobody may look, and yet pages are where they should be.
TEST_F(RegionReal, WithoutPoliciesFirstTouchByTheCrewPlacesPages) {
    ports_.forbid_policies(EPERM);
    for (const uint32_t node : nodes_) {
        if (topology_->node(node)->allowed_cpus.empty()) {
            continue; // nobody can touch there first
        }
        const auto region = made(spec_of(1000, NEAR_POLICY_BIND, {node}));
        ASSERT_NE(region, nullptr);
        const near_placement placement = region->placement();
        EXPECT_EQ(placement.near_pages, 1000U) << "node " << node << ": " << text_of(placement);
        EXPECT_EQ(placement.level, NEAR_LEVEL_BEST_EFFORT);
        EXPECT_EQ(placement.reason_code, NEAR_REASON_FORBIDDEN);
    }
}

// numactl --interleave=all, before this program.
TEST_F(RegionReal, AnInheritedPolicyDecidesNothing) {
    if (real_ports().policy.set_thread(sys::policy_interleave, NumberSet(nodes_)) != 0) {
        GTEST_SKIP() << "[mempolicy] set_mempolicy() is refused here";
    }
    RegionSpec spec = spec_of(512, NEAR_POLICY_PREFERRED, {nodes_.back()});
    spec.prefault = NEAR_PREFAULT_HERE;
    const auto here = made(spec);
    ports_.fail_always(Call::policy_bind, EPERM);
    spec.nodes = {nodes_.front()};
    spec.prefault = NEAR_PREFAULT_ON_NODE;
    const auto by_crew = made(spec);
    EXPECT_EQ(real_ports().policy.set_thread(sys::policy_default, {}), 0);
    EXPECT_EQ(histogram(here.get()), (Histogram{{nodes_.back(), 512}}));
    if (!topology_->node(nodes_.front())->allowed_cpus.empty()) {
        EXPECT_EQ(histogram(by_crew.get()), (Histogram{{nodes_.front(), 512}}));
    }
}

TEST_F(RegionReal, EveryFailedStepGivesEverythingBack) {
    uint64_t failed = 0;
    for (uint64_t n = 1; n < 500; n++) {
        crew_ = std::make_unique<Crew>(ports_.ports());
        const uint64_t before = ports_.failures();
        ports_.fail_step(n, ENOMEM);
        {
            RegionSpec spec = spec_of(64, NEAR_POLICY_BIND, {nodes_.front()}, n % 2 == 0);
            spec.backing = n % 3 == 0 ? NEAR_BACKING_SHARED : NEAR_BACKING_ANONYMOUS;
            const Result<std::unique_ptr<Region>> region = Region::create(ports_.ports(), topology_, *crew_, spec);
        }
        crew_.reset();
        ports_.fail_nothing();
        EXPECT_EQ(ports_.held(), fakes::Held{}) << "step " << n;
        if (ports_.failures() == before) {
            break;
        }
        failed = n;
    }
    EXPECT_GT(failed, 5U);
    crew_ = std::make_unique<Crew>(ports_.ports());
}

} // namespace
