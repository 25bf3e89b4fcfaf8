// SPDX-License-Identifier: Apache-2.0
// A topology that was written as XML is read again as it was: its JSON, which holds everything, is the same.
#include "support.hpp"

#include "fakes/machines/four_nodes.hpp"
#include "fakes/machines/grace.hpp"
#include "fakes/machines/hmat.hpp"
#include "fakes/machines/memoryless_node.hpp"
#include "fakes/machines/xml_machine.hpp"

namespace nearpool::testing {
namespace {

using fakes::SysfsTree;

const std::string system_folder = "/sys/devices/system";

void expect_the_same(const Topology &topology) {
    const Result<std::string> written = topology.xml();
    ASSERT_TRUE(written) << written.error().message;
    const auto again = xml(written.value());
    EXPECT_EQ(again->json(), topology.json());
    EXPECT_EQ(again->text(), topology.text());
    const Result<std::string> twice = again->xml();
    ASSERT_TRUE(twice) << twice.error().message;
    EXPECT_EQ(xml(twice.value())->json(), topology.json());
}

// hwloc gives the memory-only node the CPUs of the other, and it has the lower number.
TEST(RoundTrip, KeepsTheCpusWithTheirNodeWhereAMemoryOnlyNodeComesFirst) {
    const auto topology = sysfs(SysfsTree({{0, {}, 4096, {10, 20}, 0}, {1, {0, 1, 2, 3}, 4096, {20, 10}, 0}}));
    expect_the_same(*topology);
    const auto again = xml(topology->xml().value());
    EXPECT_TRUE(cpus_of(*again, 0).empty());
    EXPECT_EQ(cpus_of(*again, 1).text(), "0-3");
}

TEST(RoundTrip, KeepsRecordedMachines) {
    for (const char *text : {fakes::four_nodes_xml, fakes::hmat_xml, fakes::memoryless_node_xml}) {
        expect_the_same(*xml(text));
    }
    for (const char *description : {"pack:2 numa:2 l3:2 core:2 pu:2", "core:2 pu:2", "numa:70 pu:1",
                                    "pack:2 [numa(memory=1GB)] [numa(memory=2GB)] pu:2"}) {
        expect_the_same(*synthetic(description));
    }
    expect_the_same(*sysfs(fakes::gh200()));
}

TEST(RoundTrip, KeepsKindsFiguresAndCaches) {
    SysfsTree tree({{0, {0, 1}, 4096, {10, 20, 30, 40}, 0},
                    {1, {}, 4096, {20, 10, 30, 40}, 3},
                    {2, {}, 4096, {30, 30, 10, 40}, 0},
                    {3, {}, 4096, {40, 40, 40, 10}, 0}});
    const std::string folder = system_folder + "/node/node";
    for (const char *node : {"0", "1"}) {
        const std::string access = folder + node + "/access1/initiators";
        tree.link(access + "/node0", "../../../node0");
        tree.set(access + "/read_bandwidth", *node == '0' ? "100000\n" : "400000\n");
        tree.set(access + "/read_latency", "110\n");
        tree.set(access + "/write_bandwidth", "50000\n");
        tree.set(access + "/write_latency", "130\n");
    }
    tree.set(folder + "1/memory_side_cache/index1/size", "1073741824\n");
    tree.set("/proc/driver/nvidia/gpus/0009:01:00.0/numa_status", "Node: 2\n");
    tree.set("/sys/devices/cpu_core/cpus", "0\n");
    tree.set("/sys/devices/cpu_atom/cpus", "1\n");
    const auto topology = sysfs(tree);
    ASSERT_EQ(topology->node(1)->memory.kind, NEAR_MEMORY_HBM);
    expect_the_same(*topology);
}

// hwloc guesses kinds of its own from figures, of which our reader says nothing.
TEST(RoundTrip, KeepsThatNobodySaysAKind) {
    SysfsTree tree({{0, {0, 1}, 4096, {10, 20}, 0}, {1, {}, 4096, {20, 10}, 0}});
    for (const char *node : {"0", "1"}) {
        const std::string access = system_folder + "/node/node" + node + "/access1/initiators";
        tree.link(access + "/node0", "../../../node0");
        tree.set(access + "/read_bandwidth", *node == '0' ? "100000\n" : "150000\n");
    }
    const auto topology = sysfs(tree);
    ASSERT_EQ(topology->node(1)->memory.source, NEAR_KIND_SOURCE_NONE);
    expect_the_same(*topology);
}

TEST(RoundTrip, KeepsDistancesOfWhichSomeAreNotKnown) {
    SysfsTree tree({{0, {0}, 4096, {10, 20, 30}, 0}, {4, {1}, 4096, {}, 0}, {9, {2}, 4096, {30, 20, 10}, 0}});
    const auto topology = sysfs(tree);
    ASSERT_EQ(topology->distances_known(), Known::partly);
    expect_the_same(*topology);
}

TEST(RoundTrip, KeepsThePageSizeAndWhatIsAllowed) {
    SysfsTree tree = fakes::sparse_machine();
    tree.set(system_folder + "/node/node0/vmstat", "nr_free_pages 16384\n"); // of 64 KiB
    tree.allow("1-2", "8");
    const auto topology = sysfs(tree);
    ASSERT_EQ(topology->page_bytes(), 65536U);
    expect_the_same(*topology);
}

TEST(RoundTrip, KeepsOneNodeThatStandsForTheMachine) {
    SysfsTree tree({{0, {0, 1}, 4096, {10}, 0}});
    tree.remove_folder(system_folder + "/node");
    expect_the_same(*sysfs(tree));
}

TEST(RoundTrip, KeepsACacheOverPackages) {
    SysfsTree tree({{0, {0, 1}, 4096, {10, 20}, 0}, {1, {2, 3}, 4096, {20, 10}, 0}});
    for (const char *cpu : {"0", "1", "2", "3"}) {
        const std::string cache = system_folder + "/cpu/cpu" + cpu + "/cache/index3";
        tree.set(cache + "/level", "3\n");
        tree.set(cache + "/size", "8192K\n");
        tree.set(cache + "/shared_cpu_list", "0-3\n");
    }
    const auto topology = sysfs(tree);
    ASSERT_EQ(topology->counts().caches, 1U);
    ASSERT_EQ(topology->counts().packages, 2U);
    expect_the_same(*topology);
}

// Then hwloc has packages at two depths, and none where it is asked for "the" depth of packages.
TEST(RoundTrip, KeepsPackagesInsideACacheBesideACacheInsideAPackage) {
    SysfsTree tree({{0, {0, 1, 2}, 4096, {10, 20}, 0}, {1, {3, 4}, 4096, {20, 10}, 0}});
    for (uint32_t cpu = 0; cpu < 5; cpu++) {
        const std::string folder = system_folder + "/cpu/cpu" + std::to_string(cpu);
        tree.set(folder + "/topology/package_cpus_list", cpu < 2 ? "0-1\n" : cpu < 3 ? "2\n" : "3-4\n");
        tree.set(folder + "/cache/index3/level", "3\n");
        tree.set(folder + "/cache/index3/size", "8192K\n");
        tree.set(folder + "/cache/index3/shared_cpu_list", cpu < 3 ? "0-2\n" : "3-4\n");
    }
    const auto topology = sysfs(tree);
    ASSERT_EQ(topology->counts().packages, 3U);
    expect_the_same(*topology);
}

// hwloc's objects nest; nodes, packages and caches of a machine need not.
TEST(RoundTrip, KeepsWhatOverlapsWithoutNesting) {
    SysfsTree tree({{0, {0, 1, 2, 3, 4, 5}, 4096, {10, 20}, 0}, {1, {6, 7}, 4096, {20, 10}, 0}});
    for (uint32_t cpu = 0; cpu < 8; cpu++) {
        const std::string folder = system_folder + "/cpu/cpu" + std::to_string(cpu);
        tree.set(folder + "/topology/package_cpus_list", cpu < 4 ? "0-3\n" : "4-7\n");
        tree.set(folder + "/cache/index3/level", "3\n");
        tree.set(folder + "/cache/index3/size", "8192K\n");
        tree.set(folder + "/cache/index3/shared_cpu_list", cpu < 2 ? "0-1\n" : cpu < 7 ? "2-6\n" : "7\n");
    }
    const auto topology = sysfs(tree);
    ASSERT_EQ(topology->counts().packages, 2U);
    ASSERT_EQ(topology->counts().caches, 3U);
    expect_the_same(*topology);
}

} // namespace
} // namespace nearpool::testing
