// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include "fakes/machines/hmat.hpp"
#include "support/vm_machine.hpp"

#include <nlohmann/json.hpp>

namespace nearpool::testing {
namespace {

TEST(TopologyText, SaysNodesCpusMemoryAndDistances) {
    fakes::SysfsTree tree = fakes::sparse_machine();
    tree.allow("0-2", "0");
    EXPECT_EQ(
        sysfs(tree)->text(),
        "another machine: 2 nodes, 2 packages, 4 cores, 4 CPUs (allowed 0-2), 2 last-level cache groups, 3 GiB "
        "(rests on /sys)\n"
        "node 0: CPUs 0-1, 1 GiB, package 0, kind dram (has CPUs)\n"
        "node 8: CPUs 2-3 (allowed 2), 2 GiB (not allowed), package 1, kind dram (has CPUs), 7 huge pages of 2 MiB\n"
        "distances\n"
        "        0    8\n"
        "   0   10   32\n"
        "   8   32   10\n");
}

TEST(TopologyText, SaysWhatANodeLacksAndWhatIsNotKnown) {
    const std::string text = synthetic("core:1 pu:1")->text();
    EXPECT_NE(text.find("1 node (stands for a machine that shows none)"), std::string::npos) << text;
    EXPECT_NE(text.find("distances: not known"), std::string::npos) << text;
    const std::string bare = sysfs(fakes::SysfsTree({{0, {0}, 0, {10, 20}, 0}, {1, {}, 512, {20, 10}, 0}}))->text();
    EXPECT_NE(bare.find("node 0: CPUs 0, no memory"), std::string::npos) << bare;
    EXPECT_NE(bare.find("node 1: no CPUs, 512 KiB, package 0, kind unknown, served by node 0\n"), std::string::npos)
        << bare;
}

TEST(TopologyText, HasTheHmatFigures) {
    EXPECT_NE(xml(fakes::hmat_xml)->text().find("from node 0 to the memory of node 2: 102400 MiB/s 120 ns"),
              std::string::npos);
}

TEST(TopologyText, NamesTheInitiatorsOfANodeAndWhatTheTopologyRestsOn) {
    fakes::SysfsTree tree({{0, {0}, 1 << 20, {10, 20}, 0}, {1, {}, 1 << 20, {20, 10}, 0}});
    tree.set("/sys/devices/system/node/node1/access1/initiators/node0/uevent", "");
    const std::string text = sysfs(tree)->text();
    EXPECT_NE(text.find("served by node 0, initiators 0\n"), std::string::npos) << text;
    const std::string described = synthetic("node:1 core:1 pu:1")->text();
    EXPECT_NE(described.find("(rests on a synthetic description)\n"), std::string::npos) << described;
}

TEST(TopologyJson, HoldsEverythingAndParses) {
    const auto topology = xml(fakes::hmat_xml);
    const nlohmann::json json = nlohmann::json::parse(topology->json());
    EXPECT_EQ(json["this_machine"], false);
    ASSERT_EQ(json["nodes"].size(), 4U);
    EXPECT_EQ(json["nodes"][1]["node"], 1);
    EXPECT_EQ(json["nodes"][1]["cpus"], nlohmann::json({2, 3}));
    EXPECT_EQ(json["nodes"][2]["cpus"].size(), 0U);
    EXPECT_EQ(json["nodes"][2]["memory_bytes"], topology->node(2)->memory_bytes);
    EXPECT_EQ(json["nodes"][0]["huge_pools"][0]["page_bytes"], 2 << 20);
    ASSERT_EQ(json["cpus"].size(), 4U);
    EXPECT_EQ(json["cpus"][3]["node"], 1);
    ASSERT_EQ(json["distances"].size(), 4U);
    EXPECT_EQ(json["distances"][0][2], 14);
    const auto to_node_2 = std::find_if(json["links"].begin(), json["links"].end(), [](const nlohmann::json &link) {
        return link["from"] == 0 && link["to"] == 2;
    });
    ASSERT_NE(to_node_2, json["links"].end());
    EXPECT_EQ((*to_node_2)["bandwidth_mib_per_s"], 102400);
    EXPECT_EQ((*to_node_2)["write_latency_ns"], 120);
    EXPECT_TRUE(json["nodes"][0]["memory_side_cache_bytes"] == 0);
}

TEST(TopologyJson, AndTextSayKindsInitiatorsFiguresAndCaches) {
    fakes::SysfsTree tree({{0, {0}, 1 << 20, {10, 20}, 0}, {1, {}, 1 << 20, {20, 10}, 0}});
    const std::string node = "/sys/devices/system/node/node1";
    tree.set(node + "/access1/initiators/node0/uevent", "");
    tree.set(node + "/access1/initiators/write_bandwidth", "300000\n");
    tree.set(node + "/access1/initiators/write_latency", "130\n");
    tree.set(node + "/memory_side_cache/index1/size", "1048576\n");
    tree.set("/proc/driver/nvidia/gpus/0009:01:00.0/numa_status", "Node: 1\n");
    const auto topology = sysfs(tree);
    const nlohmann::json json = nlohmann::json::parse(topology->json())["nodes"][1];
    EXPECT_EQ(json["memory_kind"], "gpu");
    EXPECT_EQ(json["kind_source"], "NVIDIA's driver");
    EXPECT_EQ(json["memory_by_default"], false);
    EXPECT_EQ(json["initiators"], nlohmann::json({0}));
    EXPECT_EQ(json["memory_side_cache_bytes"], 1048576);
    EXPECT_EQ(json["nearest_with_cpus"], 0);
    const std::string text = topology->text();
    EXPECT_NE(text.find("kind gpu (NVIDIA's driver), memory-side cache of 1 MiB, served by node 0, initiators 0\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("from node 0 to the memory of node 1:, writes 300000 MiB/s 130 ns\n"), std::string::npos)
        << text;
}

// As a matrix, and what is said of nodes once each.
TEST(TopologyJson, OfAThousandNodesIsNoLongerThanItsDistances) {
    SKIP_IN_A_VM();
    constexpr uint32_t count = 1024;
    std::vector<fakes::SysfsNodeFacts> nodes;
    for (uint32_t number = 0; number < count; number++) {
        nodes.push_back({number, {number}, 4096, std::vector<uint32_t>(count, 20), 0});
        nodes.back().distances[number] = 10;
    }
    const auto topology = sysfs(fakes::SysfsTree(nodes));
    ASSERT_EQ(topology->nodes().size(), std::size_t{count});
    EXPECT_EQ(topology->link(1023, 1023).distance, 10U);
    EXPECT_LT(topology->json().size(), std::size_t{5} << 20U);
}

TEST(TopologyJson, WritesNullForWhatIsNotKnown) {
    const nlohmann::json json = nlohmann::json::parse(synthetic("numa:2 pu:1")->json());
    EXPECT_TRUE(json["nodes"][0]["package"].is_null());
    EXPECT_TRUE(json["distances"].is_null());
}

} // namespace
} // namespace nearpool::testing
