// SPDX-License-Identifier: Apache-2.0
// near_region_create() and what a region says of itself, on any machine.
#include "contract/region_support.hpp"

using namespace nearpool_region_test;

namespace {

uint32_t one_node() {
    return nodes_with_room().front();
}

near_status create(std::size_t bytes, const near_region_options *options, Error *error) {
    near_region *region = reinterpret_cast<near_region *>(1);
    const near_status status = near_region_create(nullptr, bytes, options, &region, error);
    if (status == NEAR_OK) {
        near_region_destroy(region);
    } else {
        EXPECT_EQ(region, reinterpret_cast<near_region *>(1)) << "written on failure";
        EXPECT_TRUE(error->says("near_region_create: ")) << error->message;
        EXPECT_EQ(error->status, status);
    }
    return status;
}

TEST(Region, WithoutOptionsIsZeroedMemory) {
    near_region *region = nullptr;
    ASSERT_EQ(near_region_create(nullptr, 100000, nullptr, &region, nullptr), NEAR_OK);
    const auto *bytes = static_cast<unsigned char *>(near_region_data(region));
    ASSERT_NE(bytes, nullptr);
    EXPECT_EQ(near_region_bytes(region), 100000U);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes) % page_bytes(), 0U);
    EXPECT_EQ(bytes[0] + bytes[99999], 0);
    near_region_destroy(region);
    near_region_destroy(nullptr);
    EXPECT_EQ(near_region_data(nullptr), nullptr);
    EXPECT_EQ(near_region_bytes(nullptr), 0U);
}

TEST(Region, RefusesBadArguments) {
    const uint32_t node = one_node();
    const uint32_t missing = 4000000;
    Error error;
    EXPECT_EQ(create(0, nullptr, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("zero"));
    EXPECT_EQ(create(SIZE_MAX, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_region_create(nullptr, 1, nullptr, nullptr, &error), NEAR_E_INVALID);

    const auto with = [&](auto change) {
        Options options;
        change(options);
        return create(4096, &options, &error);
    };
    EXPECT_EQ(with([](Options &o) { o.policy = 99; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.pages = 99; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.prefault = 99; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.backing = 99; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.strict = 99; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.flags = 1U << 31U; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.path = "/tmp"; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.backing = NEAR_BACKING_FILE; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.node_count = 3; }), NEAR_E_INVALID);
    EXPECT_EQ(with([](Options &o) { o.policy = NEAR_POLICY_PREFERRED; }), NEAR_E_INVALID);
    EXPECT_EQ(with([&](Options &o) {
                  o.nodes = &node;
                  o.node_count = 1;
              }),
              NEAR_E_INVALID); // local takes no nodes
    EXPECT_EQ(with([&](Options &o) {
                  o.policy = NEAR_POLICY_BIND;
                  o.nodes = &node;
              }),
              NEAR_E_EMPTY_SET);
    for (const uint32_t strict : {0U, 1U}) { // no node is no node, in both modes
        EXPECT_EQ(with([&](Options &o) {
                      o.policy = NEAR_POLICY_BIND;
                      o.nodes = &missing;
                      o.node_count = 1;
                      o.strict = strict;
                  }),
                  NEAR_E_NO_NODE);
        EXPECT_TRUE(error.says("4000000")) << error.message;
    }
}

TEST(Region, RefusesOptionsOfAnotherVersion) {
    struct Longer {
        near_region_options known;
        uint64_t tail;
    } longer{};
    longer.known.struct_size = sizeof longer;
    Error error;
    EXPECT_EQ(create(1, &longer.known, &error), NEAR_OK);
    longer.tail = 1;
    EXPECT_EQ(create(1, &longer.known, &error), NEAR_E_VERSION);
    near_region_options none{};
    EXPECT_EQ(create(1, &none, &error), NEAR_E_VERSION);
}

TEST(Region, MoreThanThereIsAddressSpaceIsNoMemory) {
    Error error;
    EXPECT_EQ(create(std::size_t{1} << 60U, nullptr, &error), NEAR_E_NOMEM);
}

// N1, N4, acceptance 6, with real pages.
TEST(Region, StrictBindIsVerified) {
    Options options(NEAR_POLICY_BIND, {one_node()});
    options.strict = 1;
    const Region region(8 * mib, options);
    const auto [placement, histogram] = region.look();
    EXPECT_EQ(placement.level, NEAR_LEVEL_STRICT) << text_of(placement);
    EXPECT_EQ(placement.reason_code, NEAR_REASON_NONE);
    EXPECT_STREQ(placement.reason, "");
    EXPECT_EQ(placement.near_pages, placement.page_count);
    EXPECT_EQ(placement.page_count, 8 * mib / placement.page_bytes);
    EXPECT_EQ(histogram, (Histogram{{one_node(), placement.page_count}}));
}

TEST(Region, EveryPolicyPageSizePrefaultAndBackingIsMemory) {
    for (int32_t policy = NEAR_POLICY_LOCAL; policy <= NEAR_POLICY_SPLIT; policy++) {
        for (int32_t pages = NEAR_PAGES_DEFAULT; pages <= NEAR_PAGES_HUGE; pages++) {
            for (const int32_t backing : {NEAR_BACKING_ANONYMOUS, NEAR_BACKING_SHARED}) {
                Options options(policy, policy == NEAR_POLICY_LOCAL ? std::vector<uint32_t>{} : nodes_with_room());
                options.node_count = policy == NEAR_POLICY_PREFERRED ? 1 : options.node_count;
                options.pages = pages;
                options.prefault = pages % 3;
                options.backing = backing;
                const std::size_t bytes = pages == NEAR_PAGES_1G ? 5000 : 3 * mib + 5;
                const Region region(bytes, options);
                ASSERT_NE(region.data(), nullptr);
                std::memset(region.data(), 9, bytes);
                const near_placement placement = region.placement();
                EXPECT_GE(placement.present_pages * placement.page_bytes, bytes);
                EXPECT_NE(placement.level, NEAR_LEVEL_NONE) << text_of(placement);
                // Where the caller runs there may be no memory.
                EXPECT_TRUE(placement.near_pages == placement.present_pages || policy == NEAR_POLICY_LOCAL)
                    << near_policy_name(policy) << ", " << near_pages_name(pages) << ": " << text_of(placement);
            }
        }
    }
}

TEST(Region, WithoutPagesThereIsNothingToVerify) {
    Options options(NEAR_POLICY_BIND, {one_node()});
    options.prefault = NEAR_PREFAULT_NONE;
    options.pages = NEAR_PAGES_BASE;
    const Region region(16 * page_bytes(), options);
    auto [placement, histogram] = region.look();
    EXPECT_EQ(placement.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(placement.reason_code, NEAR_REASON_NOT_FAULTED) << text_of(placement);
    EXPECT_EQ(placement.present_pages, 0U);
    EXPECT_TRUE(histogram.empty());
    std::memset(region.data(), 1, 16 * page_bytes());
    placement = region.placement();
    EXPECT_EQ(placement.level, NEAR_LEVEL_STRICT) << text_of(placement);
}

// N11: the last, partial page is part of the region.
TEST(Region, PrefaultHereFaultsInTheLastPartialPageToo) {
    for (const int32_t pages : {NEAR_PAGES_BASE, NEAR_PAGES_TRANSPARENT}) {
        Options options;
        options.prefault = NEAR_PREFAULT_HERE;
        options.pages = pages;
        const Region region(2 * mib + page_bytes() + 1, options);
        const near_placement placement = region.placement();
        EXPECT_EQ(placement.page_count, 2 * mib / page_bytes() + 2);
        EXPECT_EQ(placement.present_pages, placement.page_count);
    }
}

TEST(Region, ReportsTransparentHugePagesOnlyWhereTheKernelSaysSo) {
    Options options;
    options.pages = NEAR_PAGES_TRANSPARENT;
    const Region region(8 * mib, options);
    const near_placement placement = region.placement();
    if (placement.huge_bytes == 0) {
        EXPECT_EQ(placement.pages, NEAR_PAGES_BASE);
        EXPECT_NE(placement.pages_reason, NEAR_REASON_NONE);
    } else {
        EXPECT_EQ(placement.pages, NEAR_PAGES_TRANSPARENT);
        EXPECT_EQ(placement.pages_reason, NEAR_REASON_NONE);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(region.data()) % (2 * mib), 0U);
    }
    options.pages = NEAR_PAGES_BASE;
    EXPECT_EQ(Region(8 * mib, options).placement().huge_bytes, 0U);
}

TEST(Region, APageSizeThatIsNotToBeHadIsStrict) {
    Options options(NEAR_POLICY_BIND, {one_node()});
    options.pages = NEAR_PAGES_1G;
    options.strict = 1;
    Error error;
    EXPECT_EQ(create(std::size_t{4000} << 30U, &options, &error), NEAR_E_STRICT);
    EXPECT_TRUE(error.says("1 GiB")) << error.message;
}

TEST(Region, PlacementAndNodesRefuseBadArguments) {
    const Region region(10 * page_bytes(), Options());
    Error error;
    near_placement placement{};
    EXPECT_EQ(near_region_placement(region, &placement, &error), NEAR_E_VERSION);
    EXPECT_TRUE(error.says("set it to sizeof(near_placement)")) << error.message;
    EXPECT_EQ(near_region_placement(region, nullptr, &error), NEAR_E_INVALID);
    placement.struct_size = sizeof placement;
    EXPECT_EQ(near_region_placement(nullptr, &placement, &error), NEAR_E_INVALID);

    near_node_pages nodes[1];
    std::size_t needed = 99;
    EXPECT_EQ(near_region_nodes(nullptr, nodes, 1, &needed, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_region_nodes(region, nodes, 1, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_region_nodes(region, nullptr, 1, &needed, &error), NEAR_E_INVALID);
    EXPECT_EQ(needed, 99U);
    EXPECT_EQ(near_region_nodes(region, nullptr, 0, &needed, &error), NEAR_OK);
    EXPECT_GE(needed, 1U);
    needed = 99;
    EXPECT_EQ(near_region_nodes(region, nodes, 0, &needed, &error), NEAR_E_CAPACITY);
    EXPECT_GE(needed, 1U);
}

// What the report counts is what the histogram says, whatever the policy.
TEST(Region, AReportAndItsHistogramAreOfOneLook) {
    for (const int32_t policy : {NEAR_POLICY_LOCAL, NEAR_POLICY_BIND, NEAR_POLICY_INTERLEAVE, NEAR_POLICY_SPLIT}) {
        Options options(policy, policy == NEAR_POLICY_LOCAL ? std::vector<uint32_t>{} : nodes_with_room());
        options.sample = 1; // which this look does not take
        const Region region(4 * mib, options);
        const auto [placement, histogram] = region.look();
        std::size_t pages = 0;
        for (const auto &[node, count] : histogram) {
            pages += count;
        }
        EXPECT_EQ(placement.present_pages, pages) << near_policy_name(policy) << ": " << text_of(placement);
        EXPECT_EQ(placement.looked_at_pages, placement.page_count);
    }
}

TEST(Region, LookRefusesBadArgumentsAndThenWritesNothing) {
    const Region region(10 * page_bytes(), Options());
    Error error;
    near_placement placement{};
    near_node_pages nodes[1];
    std::size_t needed = 99;
    EXPECT_EQ(near_region_look(region, &placement, nodes, 1, &needed, &error), NEAR_E_VERSION);
    placement.struct_size = sizeof placement;
    EXPECT_EQ(near_region_look(nullptr, &placement, nodes, 1, &needed, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_region_look(region, nullptr, nodes, 1, &needed, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_region_look(region, &placement, nullptr, 1, &needed, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_region_look(region, &placement, nodes, 1, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(needed, 99U);
    EXPECT_EQ(near_region_look(region, &placement, nodes, 0, &needed, &error), NEAR_E_CAPACITY);
    EXPECT_TRUE(error.says("near_region_look: nodes has room for 0")) << error.message;
    EXPECT_GE(needed, 1U);
    EXPECT_EQ(placement.page_count, 0U);
    EXPECT_EQ(near_region_look(region, &placement, nullptr, 0, &needed, &error), NEAR_OK);
    EXPECT_EQ(placement.page_count, 10U);
}

TEST(Region, OnAnotherMachinesTopologyIsMemoryAndNothingElse) {
    near_topology_options source{};
    source.struct_size = sizeof source;
    source.source = NEAR_TOPOLOGY_SYNTHETIC;
    source.text = "pack:2 numa:4 pu:2";
    near_topology *topology = nullptr;
    ASSERT_EQ(near_topology_create(&source, &topology, nullptr), NEAR_OK);
    Options options(NEAR_POLICY_BIND, {7});
    {
        const Region region(3 * mib, options, NEAR_OK, topology);
        std::memset(region.data(), 1, 3 * mib);
        const near_placement placement = region.placement();
        EXPECT_EQ(placement.level, NEAR_LEVEL_NONE);
        EXPECT_EQ(placement.reason_code, NEAR_REASON_NOT_THIS_MACHINE);
        EXPECT_EQ(placement.near_pages, 0U);
        Error error;
        EXPECT_EQ(near_region_migrate(region, 3, nullptr, &error), NEAR_E_UNSUPPORTED);
        EXPECT_EQ(near_region_migrate(region, 8, nullptr, &error), NEAR_E_NO_NODE);
        EXPECT_EQ(near_region_rebind(region, NEAR_POLICY_INTERLEAVE, nullptr, 0, 0, &error), NEAR_OK);
        EXPECT_EQ(near_region_rebind(region, NEAR_POLICY_INTERLEAVE, nullptr, 0, 1, &error), NEAR_E_STRICT);
    }
    options.strict = 1;
    const Region strict(3 * mib, options, NEAR_E_STRICT, topology);
    near_topology_release(topology);
}

} // namespace
