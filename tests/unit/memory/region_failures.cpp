// SPDX-License-Identifier: Apache-2.0
// Every call to the outside fails once, and nothing is left behind.
#include "unit/memory/support.hpp"

#include <nearpool/region_change.h>

#include <cerrno>
#include <cstring>

using namespace nearpool;
using namespace nearpool::test;
using fakes::Held;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20U;

struct Case {
    const char *name;
    int32_t policy;
    std::vector<uint32_t> nodes;
    int32_t pages;
    int32_t backing;
    uint32_t flags;
    bool strict;
};

std::vector<Case> cases() {
    return {
        {"bind", NEAR_POLICY_BIND, {1}, NEAR_PAGES_BASE, NEAR_BACKING_ANONYMOUS, 0, false},
        {"strict bind", NEAR_POLICY_BIND, {1, 2}, NEAR_PAGES_BASE, NEAR_BACKING_ANONYMOUS, 0, true},
        {"split memfd", NEAR_POLICY_SPLIT, {3, 0}, NEAR_PAGES_TRANSPARENT, NEAR_BACKING_SHARED, 0, false},
        {"strict pool", NEAR_POLICY_BIND, {1}, NEAR_PAGES_2M, NEAR_BACKING_ANONYMOUS, 0, true},
        {"pool memfd", NEAR_POLICY_INTERLEAVE, {1, 2}, NEAR_PAGES_2M, NEAR_BACKING_SHARED, 0, false},
        {"file", NEAR_POLICY_LOCAL, {}, NEAR_PAGES_DEFAULT, NEAR_BACKING_FILE, NEAR_REGION_NO_FORK, false},
        {"local", NEAR_POLICY_LOCAL, {}, NEAR_PAGES_HUGE, NEAR_BACKING_ANONYMOUS, NEAR_REGION_NO_FORK, false},
        {"weighted", NEAR_POLICY_WEIGHTED_INTERLEAVE, {0, 1}, NEAR_PAGES_BASE, NEAR_BACKING_ANONYMOUS, 0, true},
    };
}

RegionSpec spec_of_case(const Case &each) {
    RegionSpec spec = spec_of(1, each.policy, each.nodes, each.strict);
    spec.bytes = each.pages == NEAR_PAGES_BASE ? mib / 8 : 2 * mib;
    spec.pages = each.pages;
    spec.backing = each.backing;
    spec.flags = each.flags;
    if (each.backing == NEAR_BACKING_FILE) {
        spec.bytes = 4096;
        spec.path = "/proc/self/exe";
        spec.flags |= NEAR_REGION_READ_ONLY;
    }
    return spec;
}

void prepare(World *world) {
    for (const uint32_t node : {0U, 1U, 2U, 3U}) {
        world->set_pool(node, "2048kB", 100);
    }
}

// A region lives through every change, whatever fails, and stays memory.
void use(Region *region, bool writable) {
    static_cast<void>(region->placement());
    static_cast<void>(region->nodes());
    const uint32_t node = 2;
    std::size_t moved = 0;
    static_cast<void>(region->rebind(NEAR_POLICY_BIND, &node, 1, 0));
    static_cast<void>(region->rebind(NEAR_POLICY_SPLIT, &node, 1, 1));
    static_cast<void>(region->migrate(1, &moved));
    static_cast<void>(region->prefault(NEAR_PREFAULT_ON_NODE));
    static_cast<void>(region->advise(0, region->bytes(), NEAR_ADVICE_DISCARD));
    if (writable) {
        std::memset(region->data(), 1, region->bytes());
    }
}

class RegionFailures : public testing::TestWithParam<int> {};

TEST_P(RegionFailures, OfAnyCallLeaveNothingBehind) {
    SKIP_IN_A_VM();
    const World first;
    for (const Case &each : cases()) {
        uint64_t failed = 0;
        for (uint64_t n = 1; n < 2000; n++) {
            World world(four_nodes(), first.topology);
            prepare(&world);
            const Held before = world.ports.held();
            world.ports.fail_step(n, GetParam());
            {
                const Result<std::unique_ptr<Region>> region = world.make(spec_of_case(each));
                if (!region) {
                    EXPECT_EQ(world.ports.held().mapped_bytes, before.mapped_bytes) << each.name << " step " << n;
                    EXPECT_EQ(world.ports.held().descriptors, before.descriptors) << each.name << " step " << n;
                    EXPECT_FALSE(region.error().message.empty());
                    EXPECT_NE(region.error().status, NEAR_E_INTERNAL);
                } else {
                    use(region.value().get(), each.backing != NEAR_BACKING_FILE);
                }
            }
            world.crew.reset();
            EXPECT_EQ(world.ports.held(), before) << each.name << " step " << n;
            if (world.ports.failures() == 0) {
                break;
            }
            failed = n;
        }
        EXPECT_GT(failed, 10U) << each.name << ": no call failed, so nothing was proven";
    }
}

INSTANTIATE_TEST_SUITE_P(Errors, RegionFailures, testing::Values(ENOMEM, EPERM, EINVAL));

TEST(RegionFailuresSoft, MemoryThatThereIsIsHandedOutWhateverElseFails) {
    for (const fakes::Call call : {fakes::Call::policy_bind, fakes::Call::policy_query, fakes::Call::policy_move,
                                   fakes::Call::affinity_current, fakes::Call::affinity_set, fakes::Call::threads_start,
                                   fakes::Call::files_read, fakes::Call::policy_set_thread}) {
        World world;
        world.ports.fail_always(call, EPERM);
        const auto region = world.made(spec_of(64, NEAR_POLICY_INTERLEAVE, {0, 3}));
        ASSERT_NE(region, nullptr);
        std::memset(region->data(), 1, region->bytes());
    }
}

} // namespace
