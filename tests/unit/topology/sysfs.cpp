// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <cerrno>

namespace nearpool::testing {
namespace {

using fakes::SysfsTree;

TEST(SysfsTopology, IsAnotherMachineEvenWhenItIsThisOne) {
    const auto topology = taken(Topology::from_sysfs(real_ports(), "/"));
    EXPECT_FALSE(topology->this_machine());
}

// N29 and acceptance 2: numbers are not indices.
TEST(SysfsTopology, N29DistancesOfSparseNodesAreFoundByNumber) {
    const auto topology = sysfs(fakes::sparse_machine());
    EXPECT_EQ(topology->node_numbers(), (NumberSet{0, 8}));
    EXPECT_EQ(topology->link(0, 8).distance, 32U);
    EXPECT_EQ(topology->distance(8, 0), 32U);
    EXPECT_EQ(topology->link(8, 8).distance, 10U);
    EXPECT_EQ(cpus_of(*topology, 8).text(), "2-3");
    EXPECT_EQ(topology->node(1), nullptr);
    EXPECT_EQ(topology->node(8)->memory_bytes, 2048ULL << 20);
}

TEST(SysfsTopology, HasHugePagePoolsPackagesAndCores) {
    const auto topology = sysfs(fakes::sparse_machine());
    ASSERT_EQ(topology->node(8)->huge_pools.size(), 1U);
    EXPECT_EQ(topology->node(8)->huge_pools[0].page_bytes, 2U << 20);
    EXPECT_EQ(topology->node(8)->huge_pools[0].page_count, 7U);
    EXPECT_EQ(topology->counts().packages, 2U);
    EXPECT_EQ(topology->node(8)->package, 1U);
    EXPECT_EQ(topology->counts().cores, 4U);
}

TEST(SysfsTopology, ReadsCoresOfSeveralThreadsAndTheirLastLevelCache) {
    SysfsTree tree({{0, {0, 1, 2, 3}, 1024, {10}, 0}});
    for (uint32_t cpu = 0; cpu < 4; cpu++) {
        const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(cpu);
        const std::string pair = cpu < 2 ? "0-1\n" : "2-3\n";
        tree.set(folder + "/topology/core_cpus_list", pair);
        tree.set(folder + "/cache/index0/level", "1\n");
        tree.set(folder + "/cache/index0/type", "Instruction\n");
        tree.set(folder + "/cache/index0/shared_cpu_list", "0-3\n");
        tree.set(folder + "/cache/index2/level", "2\n");
        tree.set(folder + "/cache/index2/type", "Unified\n");
        tree.set(folder + "/cache/index2/size", "512K\n");
        tree.set(folder + "/cache/index2/shared_cpu_list", pair);
    }
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->counts().cores, 2U);
    EXPECT_EQ(topology->cpu(3)->smt, 1U);
    EXPECT_EQ(topology->counts().caches, 2U);
    EXPECT_EQ(topology->cpu(0)->cache, topology->cpu(1)->cache);
}

TEST(SysfsTopology, NodesWithoutCpusAndWithoutMemoryAreThere) {
    const auto topology = sysfs(SysfsTree(
        {{0, {0, 1}, 4096, {10, 20, 24}, 0}, {1, {2, 3}, 0, {20, 10, 14}, 0}, {4, {}, 4096, {24, 14, 10}, 0}}));
    EXPECT_EQ(topology->node_numbers(), (NumberSet{0, 1, 4}));
    EXPECT_EQ(topology->node(1)->memory_bytes, 0U);
    EXPECT_TRUE(cpus_of(*topology, 4).empty());
    EXPECT_EQ(topology->nearest_with_cpus(4), 1U);
    EXPECT_EQ(topology->nearest_with_memory(1), 4U);
    EXPECT_EQ(topology->node(4)->package, 1U); // where it is nearest
}

TEST(SysfsTopology, AMachineThatShowsNoNodesGetsOne) {
    SysfsTree tree({{0, {0, 1}, 4096, {10}, 0}});
    tree.remove_folder("/sys/devices/system/node");
    const auto topology = sysfs(tree);
    EXPECT_TRUE(topology->synthetic_node());
    ASSERT_EQ(topology->nodes().size(), 1U);
    EXPECT_EQ(topology->nodes()[0].cpus.text(), "0-1");
    EXPECT_EQ(topology->nodes()[0].memory_bytes, 4096000ULL << 10);
}

// N30 and acceptance 8: what the process may not use is known.
TEST(SysfsTopology, N30KnowsWhatItsProcessMayUse) {
    SysfsTree tree = fakes::sparse_machine();
    tree.allow("1-2", "8");
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->allowed_cpus().text(), "1-2");
    EXPECT_EQ(topology->allowed_nodes().text(), "8");
    EXPECT_EQ(topology->node(0)->allowed_cpus.text(), "1");
    EXPECT_FALSE(topology->node(0)->memory_allowed);
    EXPECT_TRUE(topology->node(8)->memory_allowed);
    EXPECT_FALSE(topology->cpu(0)->allowed);
    EXPECT_TRUE(topology->cpu(2)->allowed);
}

TEST(SysfsTopology, N31HoldsMoreThan1024Cpus) {
    std::vector<uint32_t> low;
    std::vector<uint32_t> high;
    for (uint32_t cpu = 0; cpu < 700; cpu++) {
        low.push_back(cpu);
        high.push_back(2000 + cpu);
    }
    const auto topology = sysfs(SysfsTree({{0, low, 4096, {10, 21}, 0}, {200, high, 4096, {21, 10}, 0}}));
    EXPECT_EQ(topology->cpus().size(), 1400U);
    EXPECT_EQ(topology->cpu(2699)->node, 200U);
    EXPECT_EQ(topology->cpu(700), nullptr);
    EXPECT_EQ(topology->distance(200, 0), 21U);
}

TEST(SysfsTopology, HmatFiguresBelongToTheInitiators) {
    SysfsTree tree({{0, {0}, 4096, {10, 20}, 0}, {3, {}, 4096, {20, 10}, 0}});
    const std::string folder = "/sys/devices/system/node/node3/access1/initiators";
    tree.set(folder + "/read_bandwidth", "2048\n");
    tree.set(folder + "/read_latency", "150\n");
    tree.set(folder + "/node0/uevent", "");
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->link(0, 3).access.read_mib_per_s, 2048U);
    EXPECT_EQ(topology->link(0, 3).access.read_ns, 150U);
    EXPECT_EQ(topology->link(0, 0).access.read_mib_per_s, 0U);
}

TEST(SysfsTopology, AFolderWithoutSysIsASystemError) {
    const fakes::TemporaryFolder folder;
    const auto refused = Topology::from_sysfs(real_ports(), folder.path());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, NEAR_E_SYSTEM);
    EXPECT_EQ(refused.error().code, ENOENT);
    EXPECT_NE(refused.error().message.find(folder.path()), std::string::npos);
}

TEST(SysfsTopology, AnUnreadableCpuListIsRefused) {
    for (const char *list : {"\n", "0-", "3-1", "x", "0,,1", "4294967296"}) {
        SysfsTree tree({{0, {0}, 4096, {10}, 0}});
        tree.set("/sys/devices/system/cpu/online", list);
        const fakes::TemporaryFolder folder;
        tree.write(folder.path());
        const auto refused = Topology::from_sysfs(real_ports(), folder.path());
        ASSERT_FALSE(refused) << list;
        EXPECT_EQ(refused.error().status, NEAR_E_TOPOLOGY) << list;
    }
}

TEST(SysfsTopology, FilesThatAreNotUnderstoodCountAsMissing) {
    SysfsTree tree = fakes::sparse_machine();
    tree.set("/sys/devices/system/node/node8/cpulist", "many");
    tree.set("/sys/devices/system/node/node8/meminfo", "no figures");
    tree.set("/sys/devices/system/node/node8/distance", "32 10 99 77");
    tree.set("/sys/devices/system/node/node0/distance", "ten");
    const auto topology = sysfs(tree);
    EXPECT_TRUE(cpus_of(*topology, 8).empty());
    EXPECT_EQ(topology->node(8)->memory_bytes, 0U);
    EXPECT_EQ(topology->link(8, 0).distance, 0U);
    EXPECT_EQ(topology->link(0, 8).distance, 0U);
    EXPECT_EQ(topology->distance(0, 8), UINT32_MAX);
    EXPECT_EQ(topology->cpu(3)->node, NEAR_NODE_UNKNOWN);
}

} // namespace
} // namespace nearpool::testing
