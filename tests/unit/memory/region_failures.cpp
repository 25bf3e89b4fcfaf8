// SPDX-License-Identifier: Apache-2.0
// Every call to the outside fails once, and nothing is left behind.
#include "unit/memory/support.hpp"

#include <nearpool/region_change.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <initializer_list>

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

// What a region does while any call may fail: with one of the codes that the header lists, and keeping what it holds.
class User {
public:
    User(World *world, Region *region, bool writable) : world_(world), region_(region), writable_(writable) { write(); }

    void use() {
        const uint32_t node = 2;
        std::size_t moved = 0;
        EXPECT_LE(region_->placement().near_pages, region_->placement().page_count);
        const auto nodes = region_->nodes();
        expect(nodes ? Done() : nodes.error(), {NEAR_E_UNSUPPORTED, NEAR_E_NOMEM});
        expect(region_->rebind(NEAR_POLICY_BIND, &node, 1, 0), {}); // soft takes what comes
        expect(region_->rebind(NEAR_POLICY_SPLIT, &node, 1, 1),
               {NEAR_E_STRICT, NEAR_E_UNSUPPORTED, NEAR_E_NOMEM, NEAR_E_SYSTEM});
        expect(region_->migrate(1, &moved), {NEAR_E_BUSY, NEAR_E_UNSUPPORTED, NEAR_E_NOMEM, NEAR_E_SYSTEM});
        expect(region_->prefault(NEAR_PREFAULT_ON_NODE), {NEAR_E_STRICT, NEAR_E_NOMEM, NEAR_E_SYSTEM});
        discard();
    }

private:
    // Calls body(byte, value) for a byte of each page.
    template <class Body> void each_page(Body body) const {
        auto *data = static_cast<char *>(region_->data());
        for (std::size_t i = 0; writable_ && i * base_page_bytes() < region_->bytes(); i++) {
            body(&data[i * base_page_bytes()], static_cast<char>(i % 100 + 1));
        }
    }

    void write() const {
        each_page([](char *byte, char value) { *byte = value; });
    }

    void expect(const Done &done, std::initializer_list<near_status> allowed) {
        const bool listed = done || std::find(allowed.begin(), allowed.end(), done.error().status) != allowed.end();
        EXPECT_TRUE(listed) << done.error().status << ": " << done.error().message;
        std::size_t lost = 0;
        each_page([&](const char *byte, char value) { lost += *byte != value ? 1 : 0; });
        EXPECT_EQ(lost, 0U) << "pages lost what they held";
        EXPECT_EQ(world_->machine.nodes().kills(), 0U);
    }

    // No page finds its node when it comes back.
    void discard() {
        const Done done = region_->advise(0, region_->bytes(), NEAR_ADVICE_DISCARD);
        if (!done) {
            expect(done, {NEAR_E_UNSUPPORTED, NEAR_E_NOMEM, NEAR_E_SYSTEM});
        }
        for (const uint32_t node : {0U, 1U, 2U}) {
            world_->machine.nodes().set_room(node, 0);
        }
        write();
        static_cast<void>(region_->nodes());
        EXPECT_EQ(world_->machine.nodes().kills(), 0U);
    }

    World *world_;
    Region *region_;
    const bool writable_;
};

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
                    SCOPED_TRACE(std::string(each.name) + ", step " + std::to_string(n));
                    User(&world, region.value().get(), each.backing != NEAR_BACKING_FILE).use();
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
