// SPDX-License-Identifier: Apache-2.0
// Placement in a process that locks all of its memory, as databases and real-time programs do.
#include "contract/region_support.hpp"

#include <cerrno>
#include <cstring>
#include <sys/mman.h>

using namespace nearpool_region_test;

namespace {

// After mlockall(2) the kernel faults private pages in of its own accord, when it lets them be written to. Nobody moves
// them here: no prefault, no strict mode.
TEST(RegionLocked, WhereTheKernelLocksWhatIsMappedPagesAreOnTheirNodeFromTheBeginning) {
    const std::vector<uint32_t> nodes = nodes_with_room();
    if (nodes.size() < 2) {
        GTEST_SKIP() << "[numa] needs two nodes with free memory";
    }
    if (mlockall(MCL_FUTURE) != 0) {
        GTEST_SKIP() << "[mlockall] " << std::strerror(errno);
    }
    for (const int32_t backing : {NEAR_BACKING_ANONYMOUS, NEAR_BACKING_SHARED}) {
        for (const uint32_t node : nodes) {
            Options options(NEAR_POLICY_BIND, {node});
            options.prefault = NEAR_PREFAULT_NONE;
            options.backing = backing;
            const Region region(2 * mib, options);
            if (backing == NEAR_BACKING_SHARED) {
                std::memset(region.data(), 1, 2 * mib);
            }
            const auto [placement, histogram] = region.look();
            EXPECT_EQ(histogram, (Histogram{{node, placement.page_count}}))
                << "node " << node << ": " << text_of(placement);
        }
    }
    EXPECT_EQ(munlockall(), 0);
}

} // namespace
