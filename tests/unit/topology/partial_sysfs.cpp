// SPDX-License-Identifier: Apache-2.0
// A /sys of which a part is missing, or contradicts another: what one file does not say is read in another.
#include "support.hpp"

namespace nearpool::testing {
namespace {

using fakes::SysfsTree;

const std::string cpu_folder = "/sys/devices/system/cpu";
const std::string node_folder = "/sys/devices/system/node";

std::string cpu_file(uint32_t cpu, const std::string &name) {
    return cpu_folder + "/cpu" + std::to_string(cpu) + "/" + name;
}

std::string node_file(uint32_t node, const std::string &name) {
    return node_folder + "/node" + std::to_string(node) + "/" + name;
}

SysfsTree two_nodes() {
    return SysfsTree({{0, {0, 1, 2, 3}, 4096, {10, 20}, 0}, {1, {4, 5, 6, 7}, 4096, {20, 10}, 0}});
}

void add_cache(SysfsTree &tree, uint32_t cpu, const std::string &list) {
    tree.set(cpu_file(cpu, "cache/index3/level"), "3\n");
    tree.set(cpu_file(cpu, "cache/index3/type"), "Unified\n");
    tree.set(cpu_file(cpu, "cache/index3/size"), "8192K\n");
    if (!list.empty()) {
        tree.set(cpu_file(cpu, "cache/index3/shared_cpu_list"), list + "\n");
    }
}

TEST(PartialSysfs, ABitmapStandsForTheListOfANodesCpus) {
    SysfsTree tree = two_nodes();
    for (const uint32_t node : {0U, 1U}) {
        tree.remove(node_file(node, "cpulist"));
        tree.set(node_file(node, "cpumap"), node == 0 ? "00000000,0000000f\n" : "00000000,000000f0\n");
    }
    const auto topology = sysfs(tree);
    EXPECT_EQ(cpus_of(*topology, 0).text(), "0-3");
    EXPECT_EQ(cpus_of(*topology, 1).text(), "4-7");
    EXPECT_EQ(topology->cpu(7)->node, 1U);
}

TEST(PartialSysfs, AListThatIsNotUnderstoodIsReadAsTheBitmapBesideIt) {
    SysfsTree tree = two_nodes();
    tree.set(node_file(1, "cpulist"), "4-\n");
    tree.set(node_file(1, "cpumap"), "f0\n");
    EXPECT_EQ(cpus_of(*sysfs(tree), 1).text(), "4-7");
}

TEST(PartialSysfs, TheListWinsOverTheBitmap) {
    SysfsTree tree = two_nodes();
    tree.set(node_file(1, "cpumap"), "ff\n");
    EXPECT_EQ(cpus_of(*sysfs(tree), 1).text(), "4-7");
}

// The kernel links each CPU in the folder of its node.
TEST(PartialSysfs, TheLinksToItsCpusStandForBothListsOfANode) {
    SysfsTree tree = two_nodes();
    for (const uint32_t cpu : {4U, 5U, 6U, 7U}) {
        tree.link(node_file(1, "cpu" + std::to_string(cpu)), "../../cpu/cpu" + std::to_string(cpu));
    }
    tree.link(node_file(1, "cpufreq"), "nowhere"); // no CPU
    tree.remove(node_file(1, "cpulist"));
    EXPECT_EQ(cpus_of(*sysfs(tree), 1).text(), "4-7");
}

TEST(PartialSysfs, FoldersStandForTheListOfNodes) {
    SysfsTree tree({{0, {0, 1}, 4096, {10, 30}, 0}, {11, {2, 3}, 4096, {30, 10}, 0}});
    tree.remove(node_folder + "/online");
    tree.set(node_folder + "/nodes_are_here", "");
    const auto topology = sysfs(tree);
    EXPECT_FALSE(topology->synthetic_node());
    EXPECT_EQ(topology->node_numbers(), (NumberSet{0, 11}));
    EXPECT_EQ(topology->distance(0, 11), 30U);
    EXPECT_EQ(topology->node(11)->memory_bytes, 4096ULL << 10U);
}

TEST(PartialSysfs, FoldersWithTheirSwitchStandForTheListOfCpus) {
    SysfsTree tree = two_nodes();
    tree.remove(cpu_folder + "/online");
    tree.set(cpu_file(2, "online"), "0\n");
    tree.set(cpu_file(3, "online"), "1\n");
    tree.set(cpu_folder + "/cpufreq/boost", "1\n"); // no CPU
    EXPECT_EQ(sysfs(tree)->cpu_numbers().text(), "0-1,3-7");
}

TEST(PartialSysfs, ANodeWithoutAFolderIsEmptyAndServedByAnother) {
    SysfsTree tree = two_nodes();
    tree.set(node_folder + "/online", "0-2\n");
    tree.set(node_file(0, "distance"), "10 20 30\n");
    tree.set(node_file(1, "distance"), "20 10 15\n");
    const auto topology = sysfs(tree);
    ASSERT_NE(topology->node(2), nullptr);
    EXPECT_EQ(topology->node(2)->memory_bytes, 0U);
    EXPECT_FALSE(topology->node(2)->memory_allowed);
    EXPECT_EQ(topology->distance(1, 2), 15U);
    EXPECT_NE(topology->nearest_with_cpus(2), NEAR_NODE_UNKNOWN);
    EXPECT_EQ(topology->default_memory_nodes(), (std::vector<uint32_t>{0, 1}));
}

// Some kernels write a distance for each node that is possible.
TEST(PartialSysfs, ARowOfAllPossibleNodesIsReadByTheirNumbers) {
    SysfsTree tree({{1, {0}, 4096, {}, 0}, {3, {1}, 4096, {}, 0}});
    tree.set(node_folder + "/possible", "0-3\n");
    tree.set(node_file(1, "distance"), "99 10 98 25\n");
    tree.set(node_file(3, "distance"), "97 26 96 11\n");
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->link(1, 1).distance, 10U);
    EXPECT_EQ(topology->link(1, 3).distance, 25U);
    EXPECT_EQ(topology->link(3, 1).distance, 26U);
    EXPECT_EQ(topology->link(3, 3).distance, 11U);
}

TEST(PartialSysfs, OfflineCpusInSiblingListsCostNobodyHisPackageOrCache) {
    SysfsTree tree = two_nodes();
    tree.set(cpu_folder + "/online", "1-7\n");
    for (uint32_t cpu = 1; cpu < 8; cpu++) {
        add_cache(tree, cpu, cpu < 4 ? "0-3" : "4-7");
        tree.set(cpu_file(cpu, "topology/core_cpus_list"),
                 cpu % 2 == 0 ? std::to_string(cpu) + "-" + std::to_string(cpu + 1) + "\n"
                              : std::to_string(cpu - 1) + "-" + std::to_string(cpu) + "\n");
    }
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->counts().packages, 2U);
    EXPECT_EQ(topology->counts().caches, 2U);
    EXPECT_EQ(topology->counts().cores, 4U);
    EXPECT_EQ(topology->cpu(1)->package, topology->cpu(3)->package);
    EXPECT_EQ(topology->cpu(1)->cache, topology->cpu(3)->cache);
    EXPECT_EQ(topology->caches()[topology->cpu(1)->cache].bytes, 8ULL << 20U);
    EXPECT_EQ(topology->cpu(1)->smt, 0U); // the first of its core that is online
    EXPECT_EQ(topology->node(0)->package, topology->cpu(1)->package);
}

TEST(PartialSysfs, ACacheOverPackagesIsOneGroup) {
    SysfsTree tree = two_nodes();
    for (uint32_t cpu = 0; cpu < 8; cpu++) {
        add_cache(tree, cpu, "0-7");
    }
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->counts().packages, 2U);
    EXPECT_EQ(topology->counts().caches, 1U);
    EXPECT_EQ(topology->cpu(0)->cache, topology->cpu(7)->cache);
}

TEST(PartialSysfs, BitmapsStandForTheListsOfCoresPackagesAndCaches) {
    SysfsTree tree = two_nodes();
    for (uint32_t cpu = 0; cpu < 8; cpu++) {
        tree.remove(cpu_file(cpu, "topology/core_cpus_list"));
        tree.remove(cpu_file(cpu, "topology/package_cpus_list"));
        tree.set(cpu_file(cpu, "topology/core_cpus"), std::vector<std::string>{"03", "0c", "30", "c0"}[cpu / 2] + "\n");
        tree.set(cpu_file(cpu, "topology/package_cpus"), cpu < 4 ? "0f\n" : "f0\n");
        add_cache(tree, cpu, "");
        tree.set(cpu_file(cpu, "cache/index3/shared_cpu_map"), cpu < 4 ? "0f\n" : "f0\n");
    }
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->counts().cores, 4U);
    EXPECT_EQ(topology->counts().packages, 2U);
    EXPECT_EQ(topology->counts().caches, 2U);
    EXPECT_EQ(topology->cpu(5)->smt, 1U);
}

TEST(PartialSysfs, TheOlderNamesOfTheSameFilesAreRead) {
    SysfsTree tree = two_nodes();
    for (uint32_t cpu = 0; cpu < 8; cpu++) {
        tree.remove(cpu_file(cpu, "topology/core_cpus_list"));
        tree.remove(cpu_file(cpu, "topology/package_cpus_list"));
        tree.set(cpu_file(cpu, cpu < 4 ? "topology/thread_siblings_list" : "topology/thread_siblings"),
                 cpu < 4 ? "0-3\n" : "f0\n");
        tree.set(cpu_file(cpu, cpu < 4 ? "topology/core_siblings_list" : "topology/core_siblings"),
                 cpu < 4 ? "0-3\n" : "f0\n");
    }
    EXPECT_EQ(sysfs(tree)->counts().cores, 2U);
    EXPECT_EQ(sysfs(tree)->counts().packages, 2U);
}

TEST(PartialSysfs, TheNumbersOfPackagesAndCoresStandForLists) {
    SysfsTree tree = two_nodes();
    for (uint32_t cpu = 0; cpu < 8; cpu++) {
        tree.remove(cpu_file(cpu, "topology/core_cpus_list"));
        tree.remove(cpu_file(cpu, "topology/package_cpus_list"));
        tree.set(cpu_file(cpu, "topology/physical_package_id"), cpu < 4 ? "0\n" : "36\n");
        tree.set(cpu_file(cpu, "topology/core_id"), std::to_string(cpu % 4 / 2) + "\n"); // numbered in each package
    }
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->counts().packages, 2U);
    EXPECT_EQ(topology->counts().cores, 4U);
    EXPECT_EQ(topology->cpu(5)->core, topology->cpu(4)->core);
    for (uint32_t cpu = 0; cpu < 8; cpu++) { // as the kernel says that it does not know
        tree.set(cpu_file(cpu, "topology/physical_package_id"), "-1\n");
    }
    EXPECT_EQ(sysfs(tree)->counts().packages, 0U);
    EXPECT_EQ(sysfs(tree)->counts().cores, 8U);
}

// Device trees number cores in each cluster, and have one package.
TEST(PartialSysfs, CoresOfTheSameNumberInTwoClustersAreTwo) {
    SysfsTree tree = two_nodes();
    for (uint32_t cpu = 0; cpu < 8; cpu++) {
        tree.remove(cpu_file(cpu, "topology/core_cpus_list"));
        tree.set(cpu_file(cpu, "topology/physical_package_id"), "0\n");
        tree.set(cpu_file(cpu, "topology/cluster_id"), cpu < 4 ? "0\n" : "1\n");
        tree.set(cpu_file(cpu, "topology/core_id"), std::to_string(cpu % 4) + "\n");
    }
    EXPECT_EQ(sysfs(tree)->counts().cores, 8U);
}

TEST(PartialSysfs, ACpuWithoutListsIsInTheGroupOfItsNumber) {
    SysfsTree tree = two_nodes();
    for (uint32_t cpu = 0; cpu < 8; cpu++) {
        tree.set(cpu_file(cpu, "topology/physical_package_id"), cpu < 4 ? "0\n" : "1\n");
    }
    tree.remove(cpu_file(3, "topology/package_cpus_list"));
    for (const uint32_t cpu : {0U, 1U, 2U}) {
        tree.set(cpu_file(cpu, "topology/package_cpus_list"), "0-2\n");
    }
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->counts().packages, 2U);
    EXPECT_EQ(topology->cpu(3)->package, topology->cpu(0)->package);
}

// Seen where a hypervisor renumbers CPUs.
TEST(PartialSysfs, AListThatLacksItsOwnCpuIsNotThatCpus) {
    SysfsTree tree = two_nodes();
    for (uint32_t cpu = 0; cpu < 8; cpu++) {
        add_cache(tree, cpu, cpu == 0 ? "4-7" : cpu < 4 ? "0-3" : "4-7");
    }
    tree.set(cpu_file(0, "cache/index3/shared_cpu_map"), "0000000f\n");
    tree.set(cpu_file(5, "topology/core_cpus_list"), "0-1\n"); // and no other file says more
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->counts().caches, 2U);
    EXPECT_EQ(topology->cpu(0)->cache, topology->cpu(1)->cache);
    EXPECT_EQ(topology->counts().cores, 8U); // CPU 5 is a core of its own
}

TEST(PartialSysfs, ListsThatContradictEachOtherLoseNoCpu) {
    SysfsTree tree = two_nodes();
    tree.set(cpu_file(0, "topology/package_cpus_list"), "0-2\n");
    tree.set(cpu_file(3, "topology/package_cpus_list"), "2-5\n");
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->counts().packages, 3U);
    for (const Cpu &cpu : topology->cpus()) {
        EXPECT_NE(cpu.package, NEAR_NODE_UNKNOWN) << cpu.number;
    }
}

TEST(PartialSysfs, ACpuIsOfOneNodeAlsoWhereTwoClaimIt) {
    SysfsTree tree = two_nodes();
    tree.set(node_file(1, "cpulist"), "2-7\n");
    const auto topology = sysfs(tree);
    EXPECT_EQ(cpus_of(*topology, 0).text(), "0-3");
    EXPECT_EQ(cpus_of(*topology, 1).text(), "4-7");
}

} // namespace
} // namespace nearpool::testing
