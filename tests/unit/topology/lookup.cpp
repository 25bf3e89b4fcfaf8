// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

namespace nearpool::testing {
namespace {

using fakes::SysfsTree;

Ref<const Topology> ring() { // 0 and 5 are near each other; 2 has memory only; 9 has CPUs only
    return sysfs(SysfsTree({{0, {0, 1}, 4096, {10, 40, 20, 30}, 0},
                            {2, {}, 4096, {40, 10, 30, 20}, 0},
                            {5, {2, 3}, 4096, {20, 30, 10, 30}, 0},
                            {9, {4, 5}, 0, {30, 20, 30, 10}, 0}}));
}

TEST(Lookup, NodesComeNearestFirstAndTiesByNumber) {
    EXPECT_EQ(ring()->nodes_by_distance(0), (std::vector<uint32_t>{0, 5, 9, 2}));
    EXPECT_EQ(ring()->nodes_by_distance(5), (std::vector<uint32_t>{5, 0, 2, 9}));
}

TEST(Lookup, ANodeIsNearestToItselfWhateverTheFirmwareSays) {
    const auto topology = sysfs(SysfsTree({{0, {0}, 4096, {50, 10}, 0}, {1, {1}, 4096, {10, 50}, 0}}));
    EXPECT_EQ(topology->nodes_by_distance(1), (std::vector<uint32_t>{1, 0}));
    EXPECT_EQ(topology->nodes_by_distance(0), (std::vector<uint32_t>{0, 1}));
}

TEST(Lookup, TheNearestNodeWithCpusOrMemoryIsTheNodeItselfIfItHas) {
    const auto topology = ring();
    EXPECT_EQ(topology->nearest_with_cpus(5), 5U);
    EXPECT_EQ(topology->nearest_with_cpus(2), 9U);
    EXPECT_EQ(topology->nearest_with_memory(2), 2U);
    EXPECT_EQ(topology->nearest_with_memory(9), 2U);
}

TEST(Lookup, TheNearestAllowedCpusSkipNodesOutsideTheCpuset) {
    SysfsTree tree({{0, {0, 1}, 4096, {10, 20}, 0}, {1, {2, 3}, 4096, {20, 10}, 0}});
    tree.allow("0-1", "0-1");
    EXPECT_EQ(sysfs(tree)->nearest_with_allowed_cpus(1), 0U);
    EXPECT_EQ(sysfs(tree)->nearest_with_cpus(1), 1U);
    tree.allow("7", "0-1");
    EXPECT_EQ(sysfs(tree)->nearest_with_allowed_cpus(1), NEAR_NODE_UNKNOWN);
}

TEST(Lookup, WithoutDistancesNodesOfOnePackageAreNearerThanOthers) {
    const auto topology = synthetic("pack:2 numa:2 pu:1");
    EXPECT_EQ(topology->link(0, 1).distance, 0U);
    EXPECT_EQ(topology->distance(2, 2), 0U);
    EXPECT_EQ(topology->distance(2, 3), 1U);
    EXPECT_EQ(topology->distance(2, 0), UINT32_MAX);
    EXPECT_EQ(topology->nodes_by_distance(2), (std::vector<uint32_t>{2, 3, 0, 1}));
}

TEST(Lookup, UnknownNumbersAreNotFound) {
    const auto topology = ring();
    EXPECT_EQ(topology->node(1), nullptr);
    EXPECT_EQ(topology->node(10), nullptr);
    EXPECT_EQ(topology->node(NEAR_NODE_UNKNOWN), nullptr);
    EXPECT_EQ(topology->cpu(6), nullptr);
}

TEST(Lookup, TheSentenceForAnUnknownNodeNamesThoseThatExist) {
    EXPECT_EQ(ring()->no_node(7).message, "node 7 is not in this topology (nodes 0,2,5,9)");
    EXPECT_EQ(ring()->no_node(7).status, NEAR_E_NO_NODE);
    EXPECT_NE(ring()->no_node(NEAR_NODE_UNKNOWN).message.find("unknown"), std::string::npos);
}

TEST(Lookup, MemoryIsTheSumOfTheNodes) {
    EXPECT_EQ(ring()->memory_bytes(), 3 * 4096ULL * 1024);
}

} // namespace
} // namespace nearpool::testing
