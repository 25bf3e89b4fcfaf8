// SPDX-License-Identifier: Apache-2.0
// What is believed of the kernel, tried on the kernel that runs.
#include "unit/memory/support.hpp"

#include <nearpool/level.h>

#include <algorithm>
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

// Another thread that maps memory at the very moment when a call of ours has failed.
class Neighbour final : public MemoryPort {
public:
    ~Neighbour() override {
        for (void *address : mapped_) {
            inner_.unmap(address, bytes);
        }
    }
    int map(std::size_t size, int protection, int flags, int descriptor, uint64_t offset, void **address) override {
        return seen(inner_.map(size, protection, flags, descriptor, offset, address));
    }
    int protect(void *address, std::size_t size, int protection) override {
        return seen(inner_.protect(address, size, protection));
    }
    int unmap(void *address, std::size_t size) override { return inner_.unmap(address, size); }
    int advise(void *address, std::size_t size, int advice) override { return inner_.advise(address, size, advice); }
    int lock(void *address, std::size_t size) override { return inner_.lock(address, size); }
    int unlock(void *address, std::size_t size) override { return inner_.unlock(address, size); }
    int create_memfd(const char *name, unsigned flags) override { return inner_.create_memfd(name, flags); }

    // Of what was mapped, how much is no longer there.
    std::size_t lost() {
        return static_cast<std::size_t>(std::count_if(mapped_.begin(), mapped_.end(), [&](void *address) {
            return inner_.advise(address, bytes, sys::advice_normal) != 0; // ENOMEM: not mapped
        }));
    }
    std::size_t mapped() const { return mapped_.size(); }

private:
    int seen(int error) {
        for (int i = 0; error != 0 && i < 64; i++) {
            void *address = nullptr;
            const int flags = sys::map_private | sys::map_anonymous;
            if (inner_.map(bytes, sys::protect_read_write, flags, -1, 0, &address) == 0) {
                mapped_.push_back(address);
            }
        }
        return error;
    }

    static constexpr std::size_t bytes = std::size_t{128} << 10U;
    MemoryPort &inner_ = real_ports().memory;
    std::vector<void *> mapped_;
};

// The kernel unmaps what is in the way of a mapping at a given place, and only then finds that it has no huge pages.
TEST_F(RegionReal, NothingOfAnotherThreadIsUnmappedWhenAMappingFails) {
    Neighbour neighbour;
    const Ports &all = ports_.ports();
    const Ports ports{neighbour, all.policy, all.affinity, all.futex, all.files, all.threads, all.libraries};
    for (const int32_t pages : {NEAR_PAGES_1G, NEAR_PAGES_2M, NEAR_PAGES_BASE}) {
        for (const int32_t backing : {NEAR_BACKING_ANONYMOUS, NEAR_BACKING_SHARED}) {
            RegionSpec spec = spec_of(1, NEAR_POLICY_BIND, {nodes_.front()});
            spec.bytes = std::size_t{4000} << 30U; // base pages: more than is committed to, unless all is
            spec.pages = pages;
            spec.backing = backing;
            spec.prefault = NEAR_PREFAULT_NONE;
            { const auto region = Region::create(ports, topology_, *crew_, spec); }
            EXPECT_EQ(neighbour.lost(), 0U) << pages_name(pages) << ", backing " << backing;
        }
    }
    EXPECT_GT(neighbour.mapped(), 0U) << "nothing failed, so nothing was proven";
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
