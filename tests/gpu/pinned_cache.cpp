// SPDX-License-Identifier: Apache-2.0
// What the cache of page-locked memory gives, and to whom: blocks cut and joined, aligned, never twice, and each kind
// of memory only to those who asked for that kind.
#include "gpu/pinned_play.hpp"

#include <algorithm>
#include <array>

using namespace nearpool_gpu;
using nearpool_test::Pool;

namespace {

class PinnedCache : public PinnedGpu {};
class PinnedCacheScript : public PinnedFakeGpu {};

TEST_F(PinnedCache, GivesWhatWasFreed) {
    const Devices devices;
    const Pool workers(1);
    Pinned first(workers, devices, 300 * kib);
    const char *data = first.data();
    EXPECT_EQ(pinned_stats(workers, devices).misses, 1U);
    EXPECT_EQ(pinned_stats(workers, devices).hits, 0U);
    first.free();
    const Pinned second(workers, devices, 200 * kib);
    const Pinned third(workers, devices, 40 * kib);
    EXPECT_GE(second.data(), data);
    EXPECT_LE(third.data() + third.bytes(), data + 2 * mib);
    EXPECT_EQ(pinned_stats(workers, devices).misses, 1U);
    EXPECT_EQ(pinned_stats(workers, devices).hits, 2U);
    const Pinned large(workers, devices, 5 * mib);
    EXPECT_EQ(pinned_stats(workers, devices).misses, 2U) << "nothing fitted";
}

// In whichever order four neighbours come back, they are one again.
TEST_F(PinnedCache, JoinsNeighbours) {
    const Devices devices;
    const Pool workers(1);
    Pinned(workers, devices, 2 * mib).free();
    ASSERT_EQ(pinned_stats(workers, devices).held_bytes, 2 * mib);
    std::array<std::size_t, 4> order{0, 1, 2, 3};
    do {
        std::array<Pinned, 4> parts;
        for (Pinned &part : parts) {
            part = Pinned(workers, devices, 512 * kib);
        }
        for (const std::size_t i : order) {
            parts[i].free();
        }
        Pinned(workers, devices, 2 * mib).free();
    } while (std::next_permutation(order.begin(), order.end()));
    EXPECT_EQ(pinned_stats(workers, devices).misses, 1U);
    EXPECT_EQ(pinned_stats(workers, devices).idle_bytes, 2 * mib);
}

TEST_F(PinnedCache, KnowsNoPowersOfTwo) {
    const Devices devices;
    const Pool workers(1);
    const Pinned large(workers, devices, 65 * mib + 4 * kib);
    EXPECT_LE(pinned_stats(workers, devices).held_bytes, 66 * mib);
    const Pinned rest(workers, devices, 900 * kib);
    EXPECT_EQ(pinned_stats(workers, devices).hits, 1U) << "the end of what was made is of use";
}

TEST_F(PinnedCache, AlignsAsAsked) {
    const Devices devices;
    const Pool workers(1);
    for (const int32_t pages : {NEAR_PAGES_HUGE, NEAR_PAGES_BASE}) {
        std::vector<Pinned> live;
        for (std::size_t alignment = 1; alignment <= 2 * mib; alignment *= 2) {
            near_pinned_options options = pinned_options();
            options.pages = pages;
            options.alignment = alignment;
            for (const std::size_t bytes : {1U, 100U, 4097U}) {
                live.emplace_back(workers, devices, bytes, options);
                const auto address = reinterpret_cast<uintptr_t>(live.back().data());
                EXPECT_EQ(address % std::max<std::size_t>(alignment, 64), 0U) << alignment << ", " << bytes;
                stamp(live.back().data(), bytes, live.size());
            }
        }
        live.emplace_back(workers, devices, 7);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(live.back().data()) % 64, 0U);
        stamp(live.back().data(), 7, live.size());
        for (std::size_t i = 0; i < live.size(); i++) {
            EXPECT_TRUE(has_stamp(live[i].data(), live[i].bytes(), i + 1)) << "block " << i << " was written to";
        }
    }
}

// Memory of cuMemHostAlloc() may begin anywhere in a page.
TEST_F(PinnedCacheScript, AlignsAsAskedWhereTheDriverDoesNot) {
    configure(R"({"host_alloc_offset":512})");
    const Devices devices;
    const Pool workers(1);
    const std::size_t bytes = 4 * kib; // nothing is left of the last page
    for (const uint32_t flags : {0U, uint32_t{NEAR_PINNED_NO_CACHE}}) {
        for (std::size_t alignment = 64; alignment <= 2 * mib; alignment *= 2) {
            near_pinned_options options = pinned_options(only(NEAR_PINNED_DRIVER), flags);
            options.alignment = alignment;
            const Pinned pinned(workers, devices, bytes, options);
            ASSERT_NE(pinned.data(), nullptr) << alignment;
            EXPECT_EQ(reinterpret_cast<uintptr_t>(pinned.data()) % alignment, 0U) << alignment;
            stamp(pinned.data(), bytes, alignment);
            EXPECT_TRUE(has_stamp(pinned.data(), bytes, alignment));
            const near_placement placement = pinned.placement();
            EXPECT_EQ(placement.present_pages, placement.page_count);
        }
    }
}

TEST_F(PinnedCache, BlocksKeepWhatIsInThem) {
    const Devices devices;
    const Pool workers(1);
    std::vector<Pinned> live;
    for (uint64_t i = 0; i < 200; i++) {
        live.emplace_back(workers, devices, 1 + i * i * 37 % (96 * kib));
        stamp(live[i].data(), live[i].bytes(), i);
    }
    for (uint64_t i = 0; i < live.size(); i += 2) {
        live[i].free();
    }
    for (uint64_t i = 0; i < live.size(); i += 2) {
        live[i] = Pinned(workers, devices, 1 + i * 411 % (64 * kib));
        stamp(live[i].data(), live[i].bytes(), 1000 + i);
    }
    for (uint64_t i = 0; i < live.size(); i++) {
        EXPECT_TRUE(has_stamp(live[i].data(), live[i].bytes(), i % 2 == 0 ? 1000 + i : i)) << i;
    }
}

// Each kind finds what its own kind has left, and nothing of the others'.
TEST_F(PinnedCache, KindsAreNotMixed) {
    const Devices devices;
    const Pool workers(1);
    const near_pinned_options kinds[] = {pinned_options(),
                                         pinned_options(0, NEAR_PINNED_FORK),
                                         base_pages(),
                                         base_pages(NEAR_PINNED_FORK),
                                         base_pages(NEAR_PINNED_NO_DUMP),
                                         pinned_options(only(NEAR_PINNED_DRIVER))};
    uint64_t kind = 0;
    for (const near_pinned_options &options : kinds) {
        Pinned(workers, devices, 100 * kib, options).free();
        EXPECT_EQ(pinned_stats(workers, devices).misses, ++kind) << "memory of another kind was given";
    }
    for (const near_pinned_options &options : kinds) {
        const Pinned again(workers, devices, 100 * kib, options);
        EXPECT_EQ(again.info().method == NEAR_PINNED_DRIVER, options.methods == only(NEAR_PINNED_DRIVER));
    }
    EXPECT_EQ(pinned_stats(workers, devices).misses, kind);
    EXPECT_EQ(pinned_stats(workers, devices).hits, kind);
}

TEST_F(PinnedCache, WhatIsAskedForByItselfIsNeitherGivenNorKept) {
    const Devices devices;
    const Pool workers(1);
    Pinned(workers, devices, mib).free();
    const uint64_t kept = pinned_stats(workers, devices).held_bytes;
    for (const uint32_t flags : {uint32_t{NEAR_PINNED_NO_CACHE}, uint32_t{NEAR_PINNED_SHARED}}) {
        Pinned alone(workers, devices, 100 * kib, pinned_options(0, flags));
        EXPECT_EQ(pinned_stats(workers, devices).hits, 0U) << flags << ": idle memory was given";
        EXPECT_EQ(pinned_stats(workers, devices).held_bytes, kept + alone.info().span_bytes);
        alone.free();
        EXPECT_EQ(pinned_stats(workers, devices).held_bytes, kept) << flags << ": it was kept";
    }
    trim_pinned(workers, devices);
    const Pinned alone(workers, devices, 100 * kib, pinned_options(0, NEAR_PINNED_NO_CACHE));
    const Pinned other(workers, devices, 60 * kib);
    EXPECT_EQ(pinned_stats(workers, devices).hits, 0U) << "the rest of its pages is nobody's";
}

// Made with room to align in: what is left over beside one block is not given to the next.
TEST_F(PinnedCache, WhatIsAskedForByItselfSharesNoPages) {
    const Devices devices;
    const Pool workers(1);
    near_pinned_options options = base_pages(NEAR_PINNED_NO_CACHE);
    std::vector<Pinned> live;
    for (unsigned i = 0; i < 24; i++) {
        options.alignment = i == 0 ? mib : 8 * kib << i % 6;
        live.emplace_back(workers, devices, 4 * kib, options);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(live.back().data()) % options.alignment, 0U);
    }
    uint64_t held = pinned_stats(workers, devices).held_bytes;
    for (Pinned &alone : live) {
        held -= alone.info().span_bytes;
        alone.free();
        EXPECT_EQ(pinned_stats(workers, devices).held_bytes, held);
    }
    EXPECT_EQ(held, 0U);
}

TEST_F(PinnedCache, IsOneForEachPairOfPools) {
    const Devices devices;
    const Devices other_devices;
    const Pool workers(1);
    const Pool other_workers(1);
    Pinned(workers, devices, mib).free();
    EXPECT_EQ(pinned_stats(workers, devices).idle_bytes, 2 * mib);
    for (const auto &[pool, gpus] : {std::pair<numa_pool *, device_pool *>(other_workers, devices),
                                     std::pair<numa_pool *, device_pool *>(workers, other_devices)}) {
        EXPECT_EQ(pinned_stats(pool, gpus).held_bytes, 0U) << "another pair's";
        EXPECT_EQ(trim_pinned(pool, gpus), 0U);
        const Pinned own(pool, gpus, mib);
        EXPECT_EQ(pinned_stats(pool, gpus).misses, 1U);
        EXPECT_EQ(pinned_stats(pool, gpus).hits, 0U);
    }
    EXPECT_EQ(pinned_stats(workers, devices).hits, 0U);
    EXPECT_EQ(pinned_stats(workers, devices).live_count, 0U);
}

TEST_F(PinnedCacheScript, ServesOtherGpusOfTheNode) {
    const Devices devices;
    const Pool workers(1);
    Pinned of_first(workers, devices, mib, 0);
    char *data = of_first.data();
    of_first.free();
    const Pinned of_second(workers, devices, mib, 1);
    EXPECT_EQ(of_second.data(), data);
    EXPECT_EQ(of_second.info().ordinal, 1);
    EXPECT_EQ(pinned_stats(workers, devices).hits, 1U);
}

TEST_F(PinnedCacheScript, MemoryOfTheDriverOnANodeServesOnlyItsGpu) {
    const Devices devices;
    const Pool workers(1);
    const near_pinned_options options = pinned_options(only(NEAR_PINNED_DRIVER_NODE));
    Pinned first;
    Error error;
    const near_status status = numa_pool_alloc_pinned(workers, devices, 0, mib, &options, first.out(), &error);
    if (status == NEAR_E_UNSUPPORTED) {
        GTEST_SKIP() << "[driver-node] " << error.message;
    }
    ASSERT_EQ(status, NEAR_OK) << error.message;
    const char *data = first.data();
    first.free();
    const Pinned of_second(workers, devices, mib, options, 1);
    EXPECT_NE(of_second.data(), data);
    EXPECT_EQ(pinned_stats(workers, devices).hits, 0U);
    const Pinned of_first(workers, devices, mib, options, 0);
    EXPECT_EQ(of_first.data(), data);
    EXPECT_EQ(pinned_stats(workers, devices).hits, 1U);
}

// A driver that locks nothing: what was only touched may move, so it was not seen to stay near.
TEST_F(PinnedCacheScript, StrictRequestsGetOnlyWhatWasSeenToBeNear) {
    use("{\"devices\":[" + device_at_home(R"("pageable_by_host_tables":true)") + "]}");
    const Devices devices;
    const Pool workers(1);
    Pinned(workers, devices, mib, pinned_options(only(NEAR_PINNED_TOUCHED))).free();
    ASSERT_EQ(pinned_stats(workers, devices).idle_bytes, 2 * mib);
    near_pinned_options strict = pinned_options(only(NEAR_PINNED_TOUCHED));
    strict.strict = 1;
    Pinned near;
    Error error;
    EXPECT_EQ(numa_pool_alloc_pinned(workers, devices, 0, mib, &strict, near.out(), &error), NEAR_E_STRICT)
        << "what is idle would fit";
    EXPECT_EQ(pinned_stats(workers, devices).hits, 0U);
    strict.methods = 0;
    const near_status status = numa_pool_alloc_pinned(workers, devices, 0, mib, &strict, near.out(), &error);
    EXPECT_EQ(pinned_stats(workers, devices).hits, 0U);
    if (status != NEAR_OK) {
        ASSERT_EQ(status, NEAR_E_STRICT) << error.message;
        GTEST_SKIP() << "[strict] " << error.message;
    }
    EXPECT_EQ(near.placement().level, NEAR_LEVEL_STRICT);
    const char *data = near.data();
    near.free();
    trim_pinned(workers, devices, 4 * mib);
    const Pinned again(workers, devices, mib, strict);
    EXPECT_EQ(again.data(), data) << "its own kind serves it";
    EXPECT_EQ(pinned_stats(workers, devices).hits, 1U);
}

// What somebody has asked for is not what another would get who leaves the choice to the library.
TEST_F(PinnedCacheScript, AWayThatWasAskedForServesOnlyThoseWhoAskForIt) {
    const Devices devices;
    const Pool workers(1);
    Pinned asked(workers, devices, mib, pinned_options(only(NEAR_PINNED_DRIVER)));
    const char *data = asked.data();
    asked.free();
    const Pinned any(workers, devices, mib);
    EXPECT_NE(any.info().method, NEAR_PINNED_DRIVER);
    EXPECT_NE(any.reason(NEAR_PINNED_PLACED), NEAR_REASON_NOT_ASKED);
    const Pinned again(workers, devices, mib, pinned_options(only(NEAR_PINNED_DRIVER)));
    EXPECT_EQ(again.data(), data);
    const uint32_t all =
        only(NEAR_PINNED_PLACED) | only(NEAR_PINNED_DRIVER_NODE) | only(NEAR_PINNED_TOUCHED) | only(NEAR_PINNED_DRIVER);
    const uint64_t hits = pinned_stats(workers, devices).hits;
    const Pinned named(workers, devices, 64 * kib, pinned_options(all));
    EXPECT_EQ(pinned_stats(workers, devices).hits, hits + 1) << "all four by name are the default";
}

} // namespace
