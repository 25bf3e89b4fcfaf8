// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

namespace nearpool::testing {
namespace {

TEST(SyntheticTopology, HasTheNodesPackagesAndCpusThatItsTextSays) {
    const auto topology = synthetic("pack:2 numa:2 core:4 pu:2");
    EXPECT_FALSE(topology->this_machine());
    EXPECT_FALSE(topology->synthetic_node());
    EXPECT_EQ(topology->node_numbers(), (NumberSet{0, 1, 2, 3}));
    EXPECT_EQ(topology->cpus().size(), 32U);
    EXPECT_EQ(topology->counts().cores, 16U);
    EXPECT_EQ(topology->counts().packages, 2U);
    EXPECT_EQ(cpus_of(*topology, 2).text(), "16-23");
    EXPECT_EQ(topology->node(1)->package, 0U);
    EXPECT_EQ(topology->node(2)->package, 1U);
}

TEST(SyntheticTopology, TellsTheThreadsOfACoreApart) {
    const auto topology = synthetic("numa:1 core:2 pu:2");
    EXPECT_EQ(topology->cpu(2)->smt, 0U);
    EXPECT_EQ(topology->cpu(3)->smt, 1U);
    EXPECT_EQ(topology->cpu(2)->core, topology->cpu(3)->core);
    EXPECT_NE(topology->cpu(1)->core, topology->cpu(2)->core);
}

TEST(SyntheticTopology, AllOfItIsAllowed) {
    const auto topology = synthetic("numa:2 pu:2");
    EXPECT_EQ(topology->allowed_cpus(), topology->cpu_numbers());
    EXPECT_EQ(topology->allowed_nodes(), topology->node_numbers());
    EXPECT_TRUE(topology->node(1)->memory_allowed);
}

TEST(SyntheticTopology, WithoutANodeOneStandsForTheMachine) {
    const auto topology = synthetic("core:2 pu:2");
    EXPECT_TRUE(topology->synthetic_node());
    ASSERT_EQ(topology->nodes().size(), 1U);
    EXPECT_EQ(topology->nodes()[0].cpus, topology->cpu_numbers());
    EXPECT_TRUE(synthetic("4")->synthetic_node());
}

// hwloc knows a type by two letters, and makes nodes of one of several levels that have none.
TEST(SyntheticTopology, OfNodesThatAreNotCalledNumaNoneStandsForTheMachine) {
    for (const auto &[text, count] :
         {std::pair("nu:4 pu:1", 4U), std::pair("2 3 4", 6U), std::pair("1 4", 1U), std::pair("2 2 2 2 2 2 2 2 2", 8U),
          std::pair("2 [numa] 512 2", 2U), std::pair("NUMANode:1 pu:2", 1U), std::pair("pack:2 [numa] pu:2", 2U)}) {
        EXPECT_EQ(synthetic(text)->nodes().size(), count) << text;
        EXPECT_FALSE(synthetic(text)->synthetic_node()) << text;
    }
}

// Before hwloc makes sets of half a gigabyte each, or hundreds of levels of thousands of objects.
TEST(SyntheticTopology, NamesLimitAndValueOfWhatIsTooLarge) {
    const auto repeated = [](const std::string &text, int times) {
        std::string all;
        for (int i = 0; i < times; i++) {
            all += text;
        }
        return all;
    };
    struct Case {
        std::string text;
        std::string value;
        std::string limit;
    };
    for (const Case &each :
         {Case{"pack:2 core:8193 pu:1", "16386", "16384"},
          Case{"pack:4294967296 core:4294967296 pu:1", "18446744073709551615", "16384"},
          Case{"4096 4096 4096", "68719476736", "16384"}, Case{"300000 300000 pu:1", "90000000000", "16384"},
          Case{"pack:2(memory=1GB)8193 1", "16386", "16384"}, Case{"4097 2", "4097", "4096"},
          Case{"2\n16384 16384", "536870912", "16384"}, Case{"\npack:2\nnuma:4000 pu:1", "8000", "4096"},
          Case{"pack:41" + repeated("\n[numa]", 100) + " pu:1", "4100", "4096"},
          Case{"numa:2(memory=4096TB) pu:2", "4096000000000000", "2251799813685248"},
          Case{"numa:2 l3:1(size=4096TB) pu:2", "4096000000000000", "2251799813685248"},
          Case{"NUMA:4097 pu:1", "4097", "4096"}, Case{"pack:41 " + repeated("[numa] ", 100) + "pu:1", "4100", "4096"},
          Case{"pack:8192" + repeated(" group:1", 100) + " pu:1", "835585", "65536"},
          Case{"numa:2(indexes=0,65536) pu:1", "65536", "65536"},
          Case{"numa:2(indexes=0,4294967295) pu:1", "4294967295", "65536"},
          Case{"numa:1 pu:2(indexes=0,1048576)", "1048576", "65536"},
          Case{"pack:2 [numa(memory=1GB indexes=0,99999999)] pu:2", "99999999", "65536"},
          Case{repeated("indexes=", 131073), "1048584", "1048576"}}) {
        const auto refused = Topology::from_synthetic(each.text);
        ASSERT_FALSE(refused) << each.text.substr(0, 80);
        const Error &error = refused.error();
        EXPECT_EQ(error.status, NEAR_E_TOPOLOGY) << error.message;
        EXPECT_NE(error.message.find(" " + each.value), std::string::npos) << error.message;
        EXPECT_NE(error.message.find(" " + each.limit), std::string::npos) << error.message;
    }
    EXPECT_FALSE(Topology::from_synthetic(repeated("indexes=", 131072))); // soon
    EXPECT_EQ(synthetic("numa:2(indexes=3,65535) pu:1")->node_numbers(), (NumberSet{3, 65535}));
}

TEST(SyntheticTopology, WithoutPackagesNoNodeHasOne) {
    const auto topology = synthetic("numa:2 pu:2");
    EXPECT_EQ(topology->counts().packages, 0U);
    EXPECT_EQ(topology->node(0)->package, NEAR_NODE_UNKNOWN);
    EXPECT_EQ(topology->cpu(0)->package, NEAR_NODE_UNKNOWN);
}

TEST(SyntheticTopology, NodesOfOneLevelThatShareCpusGiveThemToTheFirst) { // DRAM and HBM side by side
    const auto topology = synthetic("pack:2 [numa(memory=1GB)] [numa(memory=1GB)] pu:2");
    ASSERT_EQ(topology->nodes().size(), 4U);
    std::size_t with_cpus = 0;
    for (const Node &node : topology->nodes()) {
        with_cpus += node.cpus.empty() ? 0 : 1;
    }
    EXPECT_EQ(with_cpus, 2U);
    for (const Cpu &cpu : topology->cpus()) {
        EXPECT_TRUE(topology->node(cpu.node)->cpus.contains(cpu.number));
    }
}

// N31: more than 1024 CPUs must parse, not fall back, not abort.
TEST(SyntheticTopology, N31HoldsMoreThan1024Cpus) {
    const auto topology = synthetic("pack:4 numa:2 core:128 pu:2");
    EXPECT_EQ(topology->cpus().size(), 2048U);
    EXPECT_EQ(topology->cpu(2047)->node, 7U);
    EXPECT_EQ(topology->cpu(2048), nullptr);
    EXPECT_EQ(cpus_of(*topology, 7).text(), "1792-2047");
}

// Acceptance 7: nodes 63, 64 and 127 are nodes like others.
TEST(SyntheticTopology, Row7HoldsMoreThan64Nodes) {
    const auto topology = synthetic("numa:130 pu:1");
    for (const uint32_t node : {0U, 63U, 64U, 127U, 129U}) {
        ASSERT_NE(topology->node(node), nullptr) << node;
        EXPECT_EQ(topology->nodes_by_distance(node)[0], node);
    }
    EXPECT_EQ(topology->node(130), nullptr);
    EXPECT_TRUE(topology->allowed_nodes().contains(127));
}

TEST(SyntheticTopology, NumbersCanHaveHoles) {
    const auto topology = synthetic("numa:2(indexes=8,0) pu:2");
    EXPECT_EQ(topology->node_numbers(), (NumberSet{0, 8}));
    EXPECT_EQ(cpus_of(*topology, 8).text(), "0-1");
    EXPECT_EQ(topology->cpu(2)->node, 0U);
}

TEST(SyntheticTopology, LastLevelCachesGroupTheCpus) {
    const auto topology = synthetic("pack:2 l3:2 l2:2 pu:2");
    EXPECT_EQ(topology->counts().caches, 4U);
    EXPECT_EQ(topology->cpu(0)->cache, topology->cpu(3)->cache);
    EXPECT_NE(topology->cpu(3)->cache, topology->cpu(4)->cache);
}

TEST(SyntheticTopology, TheLargestCacheGroupsWhereThereIsNoLevel3) {
    EXPECT_EQ(synthetic("pack:2 l2:4 pu:2")->counts().caches, 8U);
    EXPECT_EQ(synthetic("pack:2 core:4 pu:2")->counts().caches, 2U);
}

// hwloc would build whatever is asked for, for hours.
TEST(SyntheticTopology, MoreCpusThanLinuxCanHaveAreRefused) {
    for (const char *text : {"numa:2 core:8193 pu:1", "numa:65536 core:65536 pu:65536 pu:65536", "pu:16385"}) {
        const auto refused = Topology::from_synthetic(text);
        ASSERT_FALSE(refused) << text;
        EXPECT_EQ(refused.error().status, NEAR_E_TOPOLOGY);
        EXPECT_NE(refused.error().message.find("16384"), std::string::npos) << refused.error().message;
    }
}

TEST(SyntheticTopology, NumbersInAttributesAreNoCounts) {
    EXPECT_EQ(synthetic("numa:2 core:64 pu:2(indexes=1*128:128*2)")->cpus().size(), 256U);
}

TEST(SyntheticTopology, ARefusedTextIsNamedWithTheWordAndAnExample) {
    const auto refused = Topology::from_synthetic("pack:2 fruit:3 pu:2");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, NEAR_E_TOPOLOGY);
    EXPECT_EQ(refused.error().domain, NEAR_DOMAIN_ERRNO);
    for (const char *part :
         {"pack:2 fruit:3 pu:2", "at \"fruit:3\"", "pack:2 numa:2 core:4 pu:2", "Invalid argument"}) {
        EXPECT_NE(refused.error().message.find(part), std::string::npos) << refused.error().message;
    }
}

TEST(SyntheticTopology, TextsThatHwlocRefusesAreErrors) {
    for (const char *text :
         {"", " ", "pu", "pack:2", "pack:0 pu:1", "pack:-1 pu:1", "pu:2 pack:2", "numa:2 pu:99999999"}) {
        const auto refused = Topology::from_synthetic(text);
        EXPECT_FALSE(refused) << text;
    }
    EXPECT_FALSE(Topology::from_synthetic(std::string(10000, 'x')));
}

} // namespace
} // namespace nearpool::testing
