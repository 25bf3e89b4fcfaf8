// SPDX-License-Identifier: Apache-2.0
// Limits of control groups that are lower than what is asked for, in the machines of tests/vm: an error or another kind
// of page, and never a kill. A test that is killed is seen: each is a process of its own.
#include "contract/vm_support.hpp"

using namespace nearpool_test;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

ALONE_TEST(VmLimits, MemoryBeyondTheGroupsLimitIsRefusedAndKillsNobody) {
    NEEDS_MACHINE("four-nodes");
    ControlGroup group;
    ASSERT_TRUE(group.set("memory.max", "64M") && group.enter());
    for (const uint32_t strict : {0U, 1U}) {
        for (const int32_t pages : {NEAR_PAGES_BASE, NEAR_PAGES_TRANSPARENT}) {
            near_region *region = nullptr;
            Error error;
            EXPECT_EQ(create_region(1, 96 * mib, strict, pages, &region, &error), NEAR_E_NOMEM) << error.message;
            EXPECT_TRUE(error.says("/memory.max")) << error.message;
            ASSERT_EQ(create_region(1, 40 * mib, strict, pages, &region, &error), NEAR_OK) << error.message;
            std::memset(near_region_data(region), 1, 40 * mib);
            near_region *more = nullptr;
            EXPECT_EQ(create_region(1, 40 * mib, strict, pages, &more, &error), NEAR_E_NOMEM) << error.message;
            EXPECT_EQ(near_region_prefault(region, NEAR_PREFAULT_ON_NODE, &error), NEAR_OK) << error.message;
            near_region_destroy(region);
        }
    }
}

ALONE_TEST(VmLimits, SmallRegionsOneAfterTheOtherAreRefusedToo) {
    NEEDS_MACHINE("four-nodes");
    ControlGroup group;
    ASSERT_TRUE(group.set("memory.max", "16M") && group.enter());
    std::vector<near_region *> regions;
    near_status status = NEAR_OK;
    Error error;
    while (status == NEAR_OK && regions.size() < 1000) {
        near_region *region = nullptr;
        status = create_region(1, 64 << 10, 0, NEAR_PAGES_BASE, &region, &error);
        if (status == NEAR_OK) {
            regions.push_back(region);
        }
    }
    EXPECT_EQ(status, NEAR_E_NOMEM) << error.message;
    EXPECT_GT(regions.size(), 100U);
    for (near_region *region : regions) {
        near_region_destroy(region);
    }
}

ALONE_TEST(VmLimits, HugePagesBeyondTheGroupsLimitAreOtherPagesOrAnError) {
    NEEDS_MACHINE("four-nodes");
    ASSERT_TRUE(write_file("/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages", "16"));
    ControlGroup group;
    ASSERT_TRUE(group.set("hugetlb.2MB.max", "4M") && group.enter()) << "no limit of what is reserved";
    near_region *region = nullptr;
    Error error;
    EXPECT_EQ(create_region(1, 16 * mib, 1, NEAR_PAGES_2M, &region, &error), NEAR_E_STRICT) << error.message;
    EXPECT_TRUE(error.says("hugetlb.2MB.max")) << error.message;
    ASSERT_EQ(create_region(1, 16 * mib, 0, NEAR_PAGES_2M, &region, &error), NEAR_OK) << error.message;
    std::memset(near_region_data(region), 1, 16 * mib);
    near_placement placement{};
    placement.struct_size = sizeof placement;
    EXPECT_EQ(near_region_placement(region, &placement, &error), NEAR_OK);
    EXPECT_NE(placement.pages, NEAR_PAGES_2M);
    EXPECT_EQ(placement.pages_reason, NEAR_REASON_LIMIT);
    near_region_destroy(region);
    ASSERT_EQ(create_region(1, 4 * mib, 1, NEAR_PAGES_2M, &region, &error), NEAR_OK) << error.message;
    std::memset(near_region_data(region), 1, 4 * mib);
    near_region_destroy(region);
    EXPECT_TRUE(write_file("/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages", "0"));
}

} // namespace
