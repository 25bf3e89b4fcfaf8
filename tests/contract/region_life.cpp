// SPDX-License-Identifier: Apache-2.0
// What a region outlives: its topology, many threads at once, a fork; and what it leaves.
#include "contract/region_support.hpp"
#include "support/mapping_flags.hpp"

#include <atomic>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>

using namespace nearpool_region_test;

namespace {

uint32_t one_node() {
    return nodes_with_room().front();
}

TEST(RegionLife, KeepsItsTopologyAlive) {
    near_topology *topology = nullptr;
    near_topology_options source{};
    source.struct_size = sizeof source;
    ASSERT_EQ(near_topology_create(&source, &topology, nullptr), NEAR_OK);
    const Region region(3 * mib, Options(NEAR_POLICY_BIND, {one_node()}), NEAR_OK, topology);
    near_topology_release(topology);
    EXPECT_EQ(region.placement().level, NEAR_LEVEL_STRICT);
}

// N14: one region, many threads.
TEST(RegionLife, AnyThreadMayAskAndChange) {
    const Region region(4 * mib, Options(NEAR_POLICY_INTERLEAVE));
    std::vector<std::thread> threads;
    std::atomic<int> failures{0};
    const int rounds = std::getenv("NEARPOOL_VM_MACHINE") != nullptr ? 4 : 20; // all is slow there
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([&, i] {
            for (int round = 0; round < rounds; round++) {
                near_placement placement{};
                placement.struct_size = sizeof placement;
                failures += near_region_placement(region, &placement, nullptr) != NEAR_OK ? 1 : 0;
                const int32_t policy = i % 2 == 0 ? NEAR_POLICY_BIND : NEAR_POLICY_SPLIT;
                failures += near_region_rebind(region, policy, nullptr, 0, 0, nullptr) != NEAR_OK ? 1 : 0;
                failures += near_region_prefault(region, NEAR_PREFAULT_ON_NODE, nullptr) != NEAR_OK ? 1 : 0;
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(failures, 0);
}

// Exit status of a child that runs `body`.
template <class Body> int in_child(Body body) {
    const pid_t child = fork();
    if (child == 0) {
        nearpool_test::limit_this_process();
        _exit(body());
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

TEST(RegionLife, AChildOfForkHasItsOwnCopyAndCanLookAndChange) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "[fork] ThreadSanitizer allows no threads in a forked child";
#endif
    const Region region(4 * mib, Options(NEAR_POLICY_BIND, {one_node()}));
    std::memset(region.data(), 3, 4 * mib);
    EXPECT_EQ(in_child([&] {
                  std::memset(region.data(), 4, 4 * mib);
                  near_placement placement{};
                  placement.struct_size = sizeof placement;
                  if (near_region_placement(region, &placement, nullptr) != NEAR_OK || placement.near_pages == 0) {
                      return 1;
                  }
                  if (near_region_prefault(region, NEAR_PREFAULT_ON_NODE, nullptr) != NEAR_OK) {
                      return 2;
                  }
                  if (near_region_rebind(region, NEAR_POLICY_INTERLEAVE, nullptr, 0, 0, nullptr) != NEAR_OK) {
                      return 3;
                  }
                  near_region_destroy(region);
                  near_region *own = nullptr;
                  Options options;
                  return near_region_create(nullptr, 4 * mib, &options, &own, nullptr) == NEAR_OK ? 0 : 4;
              }),
              0);
    EXPECT_EQ(region.data()[4 * mib - 1], 3);
}

TEST(RegionLife, WithNoForkAChildNeitherHasNorUnmapsThePages) {
    Options options;
    options.flags = NEAR_REGION_NO_FORK;
    const Region region(4 * page_bytes(), options);
    EXPECT_EQ(in_child([&] {
                  unsigned char present = 0;
                  if (mincore(region.data(), page_bytes(), &present) == 0) {
                      return 1; // it is there
                  }
                  // Something else takes its place, and must stay.
                  void *other = mmap(region.data(), page_bytes(), PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
                  std::memset(other, 1, page_bytes());
                  const uint32_t node = one_node();
                  const near_status statuses[] = {
                      near_region_advise(region, 0, page_bytes(), NEAR_ADVICE_DISCARD, nullptr),
                      near_region_prefault(region, NEAR_PREFAULT_ON_NODE, nullptr),
                      near_region_rebind(region, NEAR_POLICY_BIND, &node, 1, 0, nullptr),
                      near_region_migrate(region, node, nullptr, nullptr), near_region_lock(region, 1, nullptr)};
                  for (const near_status status : statuses) {
                      if (status != NEAR_E_FORKED) {
                          return 2;
                      }
                  }
                  const auto [placement, histogram] = region.look();
                  if (placement.present_pages != 0 || !histogram.empty()) {
                      return 3; // seen, but not its own
                  }
                  near_region_destroy(region);
                  return *static_cast<unsigned char *>(other) == 1 ? 0 : 4;
              }),
              0);
    region.data()[0] = 1;
}

TEST(RegionLife, WithNoDumpThePagesAreNotInCoreDumps) {
    for (const int32_t backing : {NEAR_BACKING_ANONYMOUS, NEAR_BACKING_SHARED}) {
        for (const uint32_t flags :
             {0U, uint32_t{NEAR_REGION_NO_DUMP}, uint32_t{NEAR_REGION_NO_DUMP} | NEAR_REGION_NO_FORK}) {
            Options options;
            options.backing = backing;
            options.flags = flags;
            const Region region(4 * page_bytes(), options);
            const std::string seen = nearpool_test::mapping_flags(region.data());
            if (seen.empty()) {
                GTEST_SKIP() << "[smaps] this kernel shows no flags of mappings";
            }
            EXPECT_EQ(seen.find(" dd ") != std::string::npos, (flags & NEAR_REGION_NO_DUMP) != 0) << seen;
            EXPECT_EQ(seen.find(" dc ") != std::string::npos, (flags & NEAR_REGION_NO_FORK) != 0) << seen;
        }
    }
}

TEST(RegionLife, GivesEverythingBack) {
    const auto descriptors = [] {
        int count = 0;
        for (int i = 0; i < 256; i++) {
            count += fcntl(i, F_GETFD) >= 0 ? 1 : 0;
        }
        return count;
    };
    const auto round = [] {
        for (const int32_t backing : {NEAR_BACKING_ANONYMOUS, NEAR_BACKING_SHARED}) {
            Options options(NEAR_POLICY_SPLIT);
            options.backing = backing;
            const Region region(16 * mib, options);
        }
    };
    round(); // the crew's threads start
    const std::size_t before = mapped_bytes();
    const int open = descriptors();
    for (int i = 0; i < 5; i++) {
        round();
    }
    EXPECT_LT(mapped_bytes(), before + 16 * mib);
    EXPECT_EQ(descriptors(), open);
}

} // namespace
