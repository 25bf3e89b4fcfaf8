// SPDX-License-Identifier: Apache-2.0
// Files that are made to be expensive, or to name what a machine cannot have.
#include "support.hpp"

#include "support/limits.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nearpool::testing {
namespace {

using fakes::SysfsTree;

SysfsTree one_node() {
    return SysfsTree({{0, {0, 1}, 4096, {10}, 0}});
}

const std::string node0 = "/sys/devices/system/node/node0";

TEST(HostileFiles, ACountOfPagesThatOverflowsSaysNothingOfTheirSize) {
    SysfsTree tree = one_node();
    tree.set(node0 + "/meminfo", "Node 0 MemTotal: 4096 kB\nNode 0 MemFree: 500 kB\n");
    tree.set(node0 + "/vmstat", "nr_free_pages 4503599627370496\n");
    EXPECT_EQ(sysfs(tree)->page_bytes(), 4096U);
}

TEST(HostileFiles, PagesOfEightKibibytesAreSeen) {
    SysfsTree tree = one_node();
    tree.set(node0 + "/meminfo", "Node 0 MemTotal: 4096 kB\nNode 0 MemFree: 800 kB\n");
    tree.set(node0 + "/vmstat", "nr_free_pages 100\n");
    EXPECT_EQ(sysfs(tree)->page_bytes(), 8192U);
}

// A description whose brackets do not match must not hide its counts. hwloc would work for minutes.
TEST(HostileDescriptions, CountsBehindAStrayBracketAreCounted) {
    for (const char *text : {"pack:2(indexes=]) core:200000 pu:1", "pack:2[numa) core:200000 pu:1"}) {
        const auto refused = Topology::from_synthetic(text);
        ASSERT_FALSE(refused) << text;
        EXPECT_EQ(refused.error().status, NEAR_E_TOPOLOGY) << text;
    }
    EXPECT_NE(Topology::from_synthetic("pack:2(indexes=]) core:200000 pu:1").error().message.find("16384"),
              std::string::npos);
}

// A pipe without a writer, and a file without an end, where a file of /sys should be. In a child, which a hang ends.
TEST(HostileFiles, APipeAndAFileWithoutAnEndHangNobody) {
    const fakes::TemporaryFolder folder;
    one_node().write(folder.path());
    const std::string meminfo = folder.path() + node0 + "/meminfo";
    const std::string distance = folder.path() + node0 + "/distance";
    ASSERT_EQ(::unlink(meminfo.c_str()), 0);
    ASSERT_EQ(::mkfifo(meminfo.c_str(), 0600), 0);
    ASSERT_EQ(::unlink(distance.c_str()), 0);
    ASSERT_EQ(::symlink("/dev/zero", distance.c_str()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        nearpool_test::limit_this_process();
        const auto refused = Topology::from_sysfs(real_ports(), folder.path());
        const bool right = !refused && refused.error().status == NEAR_E_TOPOLOGY &&
                           refused.error().message.find("1048576 bytes") != std::string::npos;
        ::_exit(right ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

// /dev/null over a file is how containers hide it: no byte is no answer.
TEST(MaskedFiles, WithoutAByteAreReadTheOtherWay) {
    SysfsTree tree({{0, {0, 1}, 4096, {10, 20}, 0}, {1, {2, 3}, 4096, {20, 10}, 0}});
    tree.set("/sys/devices/system/node/online", "");
    tree.set("/sys/devices/system/cpu/online", "");
    tree.set("/sys/devices/system/node/node1/cpulist", "");
    tree.set("/sys/devices/system/node/node1/cpumap", "c\n");
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->node_numbers(), (NumberSet{0, 1}));
    EXPECT_EQ(cpus_of(*topology, 1).text(), "2-3");
}

TEST(MaskedFiles, AFolderThatTheKernelWouldNotNameIsNoNode) {
    SysfsTree tree = one_node();
    tree.remove("/sys/devices/system/node/online");
    tree.set("/sys/devices/system/node/node01/cpulist", "0\n");
    EXPECT_EQ(sysfs(tree)->node_numbers(), NumberSet{0});
}

TEST(MaskedFiles, TheOneNodeOfAMachineHasItsMemory) {
    SysfsTree tree = one_node();
    tree.remove(node0 + "/meminfo");
    EXPECT_EQ(sysfs(tree)->node(0)->memory_bytes, 4096000ULL << 10U);
}

// A container's own /sys: none of the CPUs that it shows is one that the process may use.
TEST(MaskedFiles, AnAffinityOutsideAllNodesIsServed) {
    SysfsTree tree = one_node();
    tree.allow("8-9", "0");
    fakes::FakeMachine machine({{0, {8, 9}}});
    tree.fill(machine.files());
    const auto topology = taken(Topology::discover(machine.ports()));
    EXPECT_EQ(topology->allowed_cpus().text(), "8-9");
    EXPECT_EQ(topology->nearest_with_allowed_cpus(topology->nodes()[0].number), topology->nodes()[0].number);
}

void add_memory_only(SysfsTree &tree, uint32_t node, const std::string &file, const std::string &text) {
    tree.set("/sys/devices/system/node/node" + std::to_string(node) + file, text);
}

TEST(KindsThatDisagree, ADaxDeviceBesideDramLeavesItDram) {
    SysfsTree tree = one_node();
    tree.link("/sys/bus/dax/devices/dax0.0", "../../../devices/LNXSYSTM:00/ACPI0012:00/ndbus0/region0/dax0.0");
    tree.set("/sys/bus/dax/devices/dax0.0/target_node", "0\n");
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->node(0)->memory.kind, NEAR_MEMORY_DRAM);
    EXPECT_TRUE(topology->node(0)->memory_by_default);
}

TEST(KindsThatDisagree, WhatADeviceReachesSaysNothingOfTheKind) {
    SysfsTree tree({{0, {0, 1}, 4096, {10, 20, 20}, 0}, {1, {}, 4096, {20, 10, 20}, 0}, {2, {}, 0, {20, 20, 10}, 0}});
    for (const auto &[file, figure] : {std::pair<std::string, std::string>{"node0/access1/initiators", "100000"},
                                       {"node1/access1/initiators", "60000"}}) {
        tree.set("/sys/devices/system/node/" + file + "/node0/uevent", "");
        tree.set("/sys/devices/system/node/" + file + "/read_bandwidth", figure + "\n");
    }
    tree.set("/sys/devices/system/node/node1/access0/initiators/node2/uevent", "");
    add_memory_only(tree, 1, "/access0/initiators/read_bandwidth", "2000000\n");
    EXPECT_NE(sysfs(tree)->node(1)->memory.kind, NEAR_MEMORY_HBM);
}

TEST(KindsThatDisagree, ATierAmongThoseOfTheCpusSaysNothing) {
    SysfsTree tree({{0, {0}, 4096, {10, 20, 20}, 0}, {1, {1}, 4096, {20, 10, 20}, 0}, {2, {}, 4096, {20, 20, 10}, 0}});
    tree.set("/sys/devices/virtual/memory_tiering/memory_tier3/nodelist", "0,2\n");
    tree.set("/sys/devices/virtual/memory_tiering/memory_tier4/nodelist", "1\n");
    EXPECT_EQ(sysfs(tree)->node(2)->memory.source, NEAR_KIND_SOURCE_NONE);
}

// Only CXL memory and a GPU's are allowed: the GPU's stays untouched.
TEST(DefaultMemory, GoesToAGpuOnlyWhereNothingElseIsAllowed) {
    SysfsTree tree({{0, {0}, 4096, {10, 20, 20}, 0}, {1, {}, 4096, {20, 10, 20}, 0}, {2, {}, 4096, {20, 20, 10}, 0}});
    tree.link("/sys/bus/dax/devices/dax0.0", "../../../devices/platform/ACPI0017:00/root0/dax_region0/dax0.0");
    tree.set("/sys/bus/dax/devices/dax0.0/target_node", "1\n");
    tree.set("/proc/driver/nvidia/gpus/0000:01:00.0/numa_status", "Node: 2\n");
    tree.allow("0", "1-2");
    EXPECT_EQ(sysfs(tree)->default_memory_nodes(), std::vector<uint32_t>{1});
    tree.allow("0", "2");
    EXPECT_EQ(sysfs(tree)->default_memory_nodes(), std::vector<uint32_t>{2});
    EXPECT_EQ(sysfs(tree)->nearest_with_memory(0), 0U);
}

} // namespace
} // namespace nearpool::testing
