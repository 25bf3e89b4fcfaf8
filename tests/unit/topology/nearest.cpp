// SPDX-License-Identifier: Apache-2.0
// Which node serves one without CPUs: its initiators say, else the tree, else the distances. And which distances count.
#include "support.hpp"

#include "fakes/machines/xml_machine.hpp"

namespace nearpool::testing {
namespace {

using fakes::SysfsTree;
using fakes::xml_distances;
using fakes::xml_figure;
using fakes::xml_machine;
using fakes::XmlNode;

void add_initiators(SysfsTree &tree, uint32_t node, const std::string &access, const std::vector<uint32_t> &from) {
    const std::string folder = "/sys/devices/system/node/node" + std::to_string(node) + "/" + access + "/initiators/";
    for (const uint32_t one : from) {
        tree.link(folder + "node" + std::to_string(one), "../../../node" + std::to_string(one));
    }
}

XmlNode node_of(uint32_t number, const std::string &subtype = "") {
    XmlNode node;
    node.number = number;
    node.subtype = subtype;
    return node;
}

// Nodes 0 and 1 with CPUs, 2 and 3 without, all equally far.
SysfsTree two_and_two() {
    return SysfsTree({{0, {0, 1}, 4096, {10, 20, 20, 20}, 0},
                      {1, {2, 3}, 4096, {20, 10, 20, 20}, 0},
                      {2, {}, 4096, {20, 20, 10, 20}, 0},
                      {3, {}, 4096, {20, 20, 20, 10}, 0}});
}

TEST(ServingNode, IsTheInitiatorWhereDistancesAreEqual) {
    SysfsTree tree = two_and_two();
    add_initiators(tree, 2, "access1", {1});
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->nearest_with_cpus(2), 1U);
    EXPECT_EQ(topology->nearest_with_allowed_cpus(2), 1U);
    EXPECT_EQ(topology->node(2)->package, topology->node(1)->package);
    EXPECT_EQ(topology->node(2)->initiators, (NumberSet{1}));
}

TEST(ServingNode, IsTheInitiatorAlsoWhereTheDistanceSaysAnother) {
    SysfsTree tree = two_and_two();
    tree.set("/sys/devices/system/node/node2/distance", "12 40 10 20\n");
    add_initiators(tree, 2, "access1", {1});
    EXPECT_EQ(sysfs(tree)->nearest_with_cpus(2), 1U);
}

TEST(ServingNode, IsTheNearestOfSeveralInitiators) {
    SysfsTree tree = two_and_two();
    tree.set("/sys/devices/system/node/node3/distance", "30 25 20 10\n");
    add_initiators(tree, 3, "access1", {0, 1});
    EXPECT_EQ(sysfs(tree)->nearest_with_cpus(3), 1U);
}

// Class 1 names those that are CPUs, class 0 those of any kind: a device may be nearer.
TEST(ServingNode, IsTheInitiatorOfTheClassOfCpus) {
    SysfsTree tree = two_and_two();
    add_initiators(tree, 2, "access0", {3});
    EXPECT_EQ(sysfs(tree)->nearest_with_cpus(2), 0U); // node 3 has no CPUs: nothing is said, and 0 is the first
    add_initiators(tree, 2, "access1", {1});
    EXPECT_EQ(sysfs(tree)->nearest_with_cpus(2), 1U);
    tree = two_and_two();
    add_initiators(tree, 2, "access1", {3}); // no CPUs there either: the other class is asked
    add_initiators(tree, 2, "access0", {1});
    EXPECT_EQ(sysfs(tree)->nearest_with_cpus(2), 1U);
}

TEST(ServingNode, IsTheNearestByDistanceWhereNothingElseIsSaid) {
    const auto topology = sysfs(SysfsTree({{0, {0, 1}, 4096, {10, 20, 13, 23}, 0},
                                           {1, {2, 3}, 4096, {20, 10, 23, 13}, 0},
                                           {2, {}, 4096, {13, 23, 10, 23}, 0},
                                           {3, {}, 4096, {23, 13, 23, 10}, 0}}));
    EXPECT_EQ(topology->nearest_with_cpus(2), 0U);
    EXPECT_EQ(topology->nearest_with_cpus(3), 1U);
    EXPECT_EQ(topology->node(3)->package, topology->node(1)->package);
}

// High-bandwidth memory beside DRAM in each package, and not a word of distances.
TEST(ServingNode, IsWhereTheTreeHangsTheNodeWhereThereAreNoDistances) {
    const auto topology = xml(xml_machine({{{0, 1, 2, 3}, {node_of(0, "DRAM"), node_of(2, "HBM")}},
                                           {{4, 5, 6, 7}, {node_of(1, "DRAM"), node_of(3, "HBM")}}}));
    EXPECT_TRUE(cpus_of(*topology, 3).empty());
    EXPECT_EQ(topology->nearest_with_cpus(2), 0U);
    EXPECT_EQ(topology->nearest_with_cpus(3), 1U);
    EXPECT_EQ(topology->nearest_with_allowed_cpus(3), 1U);
    EXPECT_EQ(topology->node(3)->package, 1U);
    EXPECT_EQ(topology->nodes_by_distance(3), (std::vector<uint32_t>{3, 1, 0, 2}));
}

TEST(ServingNode, IsWhereTheTreeHangsTheNodeAlsoWhereDistancesSayAnother) {
    const auto topology = xml(xml_machine(
        {{{0, 1}, {node_of(0)}}, {{2, 3}, {node_of(1)}}, {{4, 5}, {node_of(2), node_of(3, "NVM")}}},
        "<distances2 type=\"NUMANode\" nbobjs=\"4\" kind=\"5\" name=\"NUMALatency\" indexing=\"os\">\n<indexes "
        "length=\"8\">0 1 2 3 </indexes>\n<u64values length=\"48\">10 20 20 17 20 10 20 30 20 20 10 30 17 30 30 10 "
        "</u64values>\n</distances2>\n"));
    EXPECT_EQ(topology->distance(3, 0), 17U);
    EXPECT_EQ(topology->nearest_with_cpus(3), 2U);
}

// Linux names the figures of the best initiators only, so that those from one node choose it, also against the tree.
TEST(ServingNode, IsTheOneFromWhichTheXmlHasFigures) {
    for (const char *name : {"Bandwidth", "Latency", "ReadBandwidth", "ReadLatency"}) {
        const auto topology = xml(xml_machine({{{0, 1}, {node_of(0), node_of(2, "HBM")}}, {{2, 3}, {node_of(1)}}},
                                              xml_figure(name, 2, {2, 3}, 500)));
        EXPECT_EQ(topology->node(2)->initiators, (NumberSet{1})) << name;
        EXPECT_EQ(topology->nearest_with_cpus(2), 1U) << name;
    }
}

TEST(ServingNode, IsThatOfTheLeastLatencyAmongEqualBandwidths) {
    const auto topology =
        xml(xml_machine({{{0, 1}, {node_of(0), node_of(2, "HBM")}}, {{2, 3}, {node_of(1)}}},
                        xml_figure("Latency", 2, {0, 1}, 300) + xml_figure("Latency", 2, {2, 3}, 90)));
    EXPECT_EQ(topology->node(2)->initiators, (NumberSet{1}));
    EXPECT_EQ(topology->nearest_with_cpus(2), 1U);
}

// Where all reach it equally well, nothing was said, and the tree is asked.
TEST(ServingNode, IsWhereTheTreeHangsTheNodeWhereAllAreInitiators) {
    const auto topology =
        xml(xml_machine({{{0, 1}, {node_of(0)}}, {{2, 3}, {node_of(1), node_of(2, "HBM")}}},
                        xml_figure("Bandwidth", 2, {0, 1}, 300) + xml_figure("Bandwidth", 2, {2, 3}, 300)));
    EXPECT_EQ(topology->nearest_with_cpus(2), 1U);
}

TEST(ServingNode, IsTheNextBestThatIsAllowed) {
    SysfsTree tree = two_and_two();
    add_initiators(tree, 2, "access1", {1});
    tree.allow("0-1", "0-3");
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->nearest_with_cpus(2), 1U);
    EXPECT_EQ(topology->nearest_with_allowed_cpus(2), 0U);
}

TEST(Distances, WithoutANameCount) {
    const auto topology =
        xml(xml_machine({{{0, 1}, {node_of(0)}}, {{2, 3}, {node_of(1)}}}, xml_distances("", "5", "10 21 22 10 ")));
    EXPECT_EQ(topology->distances_known(), Known::all);
    EXPECT_EQ(topology->link(0, 1).distance, 21U);
    EXPECT_EQ(topology->link(1, 0).distance, 22U);
}

TEST(Distances, OfAnotherNameCountWhereThereAreNoOthers) {
    const auto topology = xml(xml_machine({{{0, 1}, {node_of(0)}}, {{2, 3}, {node_of(1)}}},
                                          xml_distances(" name=\"MeasuredLatency\"", "6", "10 33 33 10 ")));
    EXPECT_EQ(topology->link(0, 1).distance, 33U);
}

TEST(Distances, OfTheKernelsNameWin) {
    const auto topology = xml(xml_machine({{{0, 1}, {node_of(0)}}, {{2, 3}, {node_of(1)}}},
                                          xml_distances("", "6", "10 33 33 10 ") +
                                              xml_distances(" name=\"NUMALatency\"", "5", "10 21 21 10 ")));
    EXPECT_EQ(topology->link(0, 1).distance, 21U);
}

TEST(Distances, AreNotBandwidths) {
    const auto topology = xml(xml_machine({{{0, 1}, {node_of(0)}}, {{2, 3}, {node_of(1)}}},
                                          xml_distances(" name=\"NUMABandwidth\"", "9", "900 300 300 900 ")));
    EXPECT_EQ(topology->distances_known(), Known::none);
    EXPECT_EQ(topology->link(0, 1).distance, 0U);
}

// Whose the numbers of such a row are is not known.
TEST(Distances, OfARowOfAnotherLengthAreNotKnown) {
    for (const char *row : {"10\n", "10 21 22\n", ""}) {
        SysfsTree tree({{0, {0, 1}, 4096, {10, 20}, 0}, {3, {2, 3}, 4096, {21, 10}, 0}});
        tree.set("/sys/devices/system/node/node0/distance", row);
        const auto topology = sysfs(tree);
        EXPECT_EQ(topology->link(0, 0).distance, 0U) << row;
        EXPECT_EQ(topology->link(0, 3).distance, 0U) << row;
        EXPECT_EQ(topology->link(3, 0).distance, 21U) << row;
        EXPECT_EQ(topology->distances_known(), Known::partly) << row;
    }
}

// Folders are what the kernel has, whatever a file `online` says that somebody put over its own.
TEST(Distances, AreThoseOfTheFoldersWhereTheListOfNodesIsFalse) {
    SysfsTree tree(
        {{0, {0, 1}, 4096, {10, 21, 31}, 0}, {1, {2, 3}, 4096, {21, 10, 41}, 0}, {2, {4}, 4096, {31, 41, 10}, 0}});
    for (const char *online : {"0,2\n", "0-3\n", "0-2,7\n"}) {
        tree.set("/sys/devices/system/node/online", online);
        EXPECT_EQ(sysfs(tree)->link(0, 2).distance, 31U) << online;
        EXPECT_EQ(sysfs(tree)->link(2, 0).distance, 31U) << online;
    }
}

// 21 is what most machines of two sockets say of each other; nobody knows that the node of which nothing is said is
// nearer than that.
TEST(Distances, ThatAreNotKnownAreNoShortOnes) {
    const auto topology = xml(
        xml_machine({{{0, 1}, {node_of(0)}}, {{2, 3}, {node_of(1)}}, {{4, 5}, {node_of(2)}}, {{6, 7}, {node_of(3)}}},
                    xml_distances("", "5", "10 31 21 31 10 21 21 31 10 ", "0 1 2 ")));
    EXPECT_EQ(topology->nodes_by_distance(0), (std::vector<uint32_t>{0, 2, 1, 3}));
    EXPECT_EQ(topology->nodes_by_distance(3), (std::vector<uint32_t>{3, 0, 1, 2}));
}

// Whatever is found out of its package afterwards.
TEST(ServingNode, IsTheSameWhereAllCpusAreAllowed) {
    SysfsTree tree({{0, {0, 1}, 4096, {10, 20, 40, 31}, 0},
                    {1, {2, 3}, 4096, {}, 0},
                    {2, {4, 5}, 4096, {40, 40, 10, 40}, 0},
                    {3, {}, 4096, {}, 0}});
    for (const char *cpu : {"/cpu0", "/cpu1", "/cpu2", "/cpu3"}) {
        tree.set(std::string("/sys/devices/system/cpu") + cpu + "/topology/package_cpus_list", "0-3\n");
    }
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->nearest_with_cpus(3), 0U);
    EXPECT_EQ(topology->nearest_with_allowed_cpus(3), 0U);
    EXPECT_EQ(topology->node(3)->package, topology->node(0)->package);
    EXPECT_EQ(topology->nodes_by_distance(3), (std::vector<uint32_t>{3, 0, 2, 1}));
}

// 16 is what two dies of one package may say; the memory beside its own CPUs is nearer all the same.
TEST(Distances, ThatAreNotKnownAreShortWithinAPackage) {
    const auto topology = xml(xml_machine({{{0, 1}, {node_of(0), node_of(2, "HBM")}}, {{2, 3}, {node_of(1)}}},
                                          xml_distances("", "5", "10 16 16 10 ")));
    EXPECT_EQ(topology->nodes_by_distance(0), (std::vector<uint32_t>{0, 2, 1}));
}

TEST(Distances, OfTheWayBackCountWhereThoseOfTheWayAreMissing) {
    SysfsTree tree({{0, {0}, 4096, {10, 21, 28}, 0}, {1, {1}, 4096, {21, 10, 17}, 0}, {2, {}, 4096, {}, 0}});
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->link(2, 1).distance, 0U);
    EXPECT_EQ(topology->nearest_with_cpus(2), 1U);
    EXPECT_EQ(topology->nodes_by_distance(2), (std::vector<uint32_t>{2, 1, 0}));
}

// hwloc 1 wrote them as multiples of the local one.
TEST(Distances, OfHwloc1Count) {
    const auto node = [](const std::string &number, const std::string &mask) {
        const std::string sets = " cpuset=\"" + mask + "\" complete_cpuset=\"" + mask + "\" online_cpuset=\"" + mask +
                                 "\" allowed_cpuset=\"" + mask + "\" nodeset=\"" + mask + "\" complete_nodeset=\"" +
                                 mask + "\" allowed_nodeset=\"" + mask + "\"";
        return "<object type=\"NUMANode\" os_index=\"" + number + "\"" + sets +
               " local_memory=\"1073741824\"><object type=\"PU\" os_index=\"" + number + "\"" + sets + "/></object>\n";
    };
    const auto topology =
        xml("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE topology SYSTEM \"hwloc.dtd\">\n<topology>\n<object "
            "type=\"Machine\" os_index=\"0\" cpuset=\"0x3\" complete_cpuset=\"0x3\" online_cpuset=\"0x3\" "
            "allowed_cpuset=\"0x3\" nodeset=\"0x3\" complete_nodeset=\"0x3\" allowed_nodeset=\"0x3\">\n<distances "
            "nbobjs=\"2\" relative_depth=\"1\" latency_base=\"10.000000\"><latency value=\"1.000000\"/><latency "
            "value=\"2.500000\"/><latency value=\"2.500000\"/><latency value=\"1.000000\"/></distances>\n" +
            node("0", "0x1") + node("1", "0x2") + "</object></topology>\n");
    EXPECT_EQ(topology->link(0, 1).distance, 25U);
    EXPECT_EQ(topology->link(1, 1).distance, 10U);
}

} // namespace
} // namespace nearpool::testing
