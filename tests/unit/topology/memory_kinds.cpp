// SPDX-License-Identifier: Apache-2.0
// What kind of memory a node has and who says so, by every source, and where memory goes by default.
#include "support.hpp"

#include "fakes/machines/grace.hpp"
#include "fakes/machines/hmat.hpp"
#include "fakes/machines/xml_machine.hpp"

namespace nearpool::testing {
namespace {

using fakes::SysfsTree;

const std::string node_folder = "/sys/devices/system/node/node";

// Node 0 with CPUs, 1 and 2 without.
SysfsTree one_and_two() {
    return SysfsTree(
        {{0, {0, 1}, 4096, {10, 20, 30}, 0}, {1, {}, 4096, {20, 10, 30}, 0}, {2, {}, 4096, {30, 30, 10}, 0}});
}

void add_figures(SysfsTree &tree, uint32_t node, uint64_t read, uint64_t write = 0) {
    const std::string folder = node_folder + std::to_string(node) + "/access1/initiators";
    tree.link(folder + "/node0", "../../../node0");
    tree.set(folder + "/read_bandwidth", std::to_string(read) + "\n");
    if (write != 0) {
        tree.set(folder + "/write_bandwidth", std::to_string(write) + "\n");
        tree.set(folder + "/write_latency", "170\n");
    }
}

void add_dax(SysfsTree &tree, const std::string &name, const std::string &place, uint32_t node) {
    tree.link("/sys/bus/dax/devices/" + name, "../../../devices/" + place + "/" + name);
    tree.set("/sys/bus/dax/devices/" + name + "/target_node", std::to_string(node) + "\n");
}

void expect_kind(const Topology &topology, uint32_t node, int32_t kind, int32_t source) {
    EXPECT_EQ(topology.node(node)->memory.kind, kind) << "node " << node;
    EXPECT_EQ(topology.node(node)->memory.source, source) << "node " << node;
}

using Numbers = std::vector<uint32_t>;

TEST(MemoryKind, OfANodeWithCpusIsDramAndOfOneWithoutUnknown) {
    const auto topology = sysfs(one_and_two());
    expect_kind(*topology, 0, NEAR_MEMORY_DRAM, NEAR_KIND_SOURCE_CPUS);
    expect_kind(*topology, 1, NEAR_MEMORY_UNKNOWN, NEAR_KIND_SOURCE_NONE);
    EXPECT_EQ(topology->default_memory_nodes(), (Numbers{0, 1, 2})) << "what is unknown counts as DRAM";
}

TEST(MemoryKind, IsOfAGpuWhereNvidiasDriverNamesItsNode) {
    SysfsTree tree = one_and_two();
    tree.set("/proc/driver/nvidia/gpus/0009:01:00.0/numa_status", "Node:    2\nStatus:  online\n");
    tree.set("/proc/driver/nvidia/gpus/0019:01:00.0/numa_status", "Node:    -1\nStatus:  offline\n");
    const auto topology = sysfs(tree);
    expect_kind(*topology, 2, NEAR_MEMORY_GPU, NEAR_KIND_SOURCE_NVIDIA);
    expect_kind(*topology, 1, NEAR_MEMORY_UNKNOWN, NEAR_KIND_SOURCE_NONE);
    EXPECT_EQ(topology->default_memory_nodes(), (Numbers{0, 1}));
    EXPECT_FALSE(topology->node(2)->memory_by_default);
}

TEST(MemoryKind, OfADaxDeviceIsWhatTheDeviceHangsOn) {
    SysfsTree tree = one_and_two();
    add_dax(tree, "dax0.0", "LNXSYSTM:00/ACPI0012:00/ndbus0/region0/dax0.0", 1);
    add_dax(tree, "dax1.0", "platform/ACPI0017:00/root0/decoder0.0/region1/dax_region1", 2);
    const auto topology = sysfs(tree);
    expect_kind(*topology, 1, NEAR_MEMORY_NVM, NEAR_KIND_SOURCE_DAX);
    expect_kind(*topology, 2, NEAR_MEMORY_CXL, NEAR_KIND_SOURCE_CXL);
    EXPECT_EQ(topology->default_memory_nodes(), (Numbers{0}));
}

// "hmem" is memory that the firmware set aside for a purpose that it does not name: its figures tell.
TEST(MemoryKind, OfHmemIsWhatItsFiguresSay) {
    SysfsTree tree = one_and_two();
    add_dax(tree, "dax2.0", "platform/hmem.0", 1);
    expect_kind(*sysfs(tree), 1, NEAR_MEMORY_UNKNOWN, NEAR_KIND_SOURCE_NONE);
    add_figures(tree, 0, 100000);
    add_figures(tree, 1, 400000);
    expect_kind(*sysfs(tree), 1, NEAR_MEMORY_HBM, NEAR_KIND_SOURCE_GUESSED_FROM_HMAT);
}

TEST(MemoryKind, IsGuessedFromABandwidthFarFromTheOthers) {
    SysfsTree tree = one_and_two();
    add_figures(tree, 0, 100000);
    add_figures(tree, 1, 300000);
    add_figures(tree, 2, 20000);
    const auto topology = sysfs(tree);
    expect_kind(*topology, 0, NEAR_MEMORY_DRAM, NEAR_KIND_SOURCE_CPUS);
    expect_kind(*topology, 1, NEAR_MEMORY_HBM, NEAR_KIND_SOURCE_GUESSED_FROM_HMAT);
    expect_kind(*topology, 2, NEAR_MEMORY_UNKNOWN, NEAR_KIND_SOURCE_GUESSED_FROM_HMAT);
    EXPECT_EQ(topology->default_memory_nodes(), (Numbers{0, 2}));
}

TEST(MemoryKind, IsGuessedFromTheFiguresOfXmlToo) {
    const auto topology = xml(fakes::hmat_xml);
    expect_kind(*topology, 0, NEAR_MEMORY_DRAM, NEAR_KIND_SOURCE_CPUS);
    expect_kind(*topology, 2, NEAR_MEMORY_HBM, NEAR_KIND_SOURCE_GUESSED_FROM_HMAT);
    expect_kind(*topology, 3, NEAR_MEMORY_UNKNOWN, NEAR_KIND_SOURCE_GUESSED_FROM_HMAT);
    EXPECT_EQ(topology->default_memory_nodes(), (Numbers{0, 1, 3}));
}

TEST(MemoryKind, IsNotGuessedFromABandwidthLikeTheOthersOrWithoutOthers) {
    SysfsTree tree = one_and_two();
    add_figures(tree, 1, 300000);
    expect_kind(*sysfs(tree), 1, NEAR_MEMORY_UNKNOWN, NEAR_KIND_SOURCE_NONE);
    add_figures(tree, 0, 200000);
    expect_kind(*sysfs(tree), 1, NEAR_MEMORY_UNKNOWN, NEAR_KIND_SOURCE_NONE);
}

TEST(MemoryKind, FollowsTheKernelsMemoryTiers) {
    const auto with_tiers = [](const std::string &of_1, const std::string &of_2) {
        SysfsTree tree = one_and_two();
        const std::string folder = "/sys/devices/virtual/memory_tiering/memory_tier";
        tree.set(folder + "4/nodelist", "0\n");
        tree.set(folder + of_1 + "/nodelist", "1\n");
        tree.set(folder + of_2 + "/nodelist", "2\n");
        return tree;
    };
    const auto topology = sysfs(with_tiers("2", "22"));
    expect_kind(*topology, 0, NEAR_MEMORY_DRAM, NEAR_KIND_SOURCE_CPUS);
    expect_kind(*topology, 1, NEAR_MEMORY_HBM, NEAR_KIND_SOURCE_TIER);
    expect_kind(*topology, 2, NEAR_MEMORY_UNKNOWN, NEAR_KIND_SOURCE_TIER);
}

TEST(MemoryKind, IsOfNoGpuWhereTheNodeThatIsNamedHasCpus) {
    SysfsTree tree = one_and_two();
    tree.set("/proc/driver/nvidia/gpus/0009:01:00.0/numa_status", "Node: 0\n");
    expect_kind(*sysfs(tree), 0, NEAR_MEMORY_DRAM, NEAR_KIND_SOURCE_CPUS);
}

// Where the files of all nodes that say how much are hidden, the kinds choose all the same.
TEST(MemoryKind, ChoosesTheDefaultAlsoWhereNoNodeSaysHowMuchMemoryItHas) {
    SysfsTree tree = one_and_two();
    for (const char *node : {"0", "1", "2"}) {
        tree.remove(node_folder + node + "/meminfo");
    }
    tree.set("/proc/driver/nvidia/gpus/0009:01:00.0/numa_status", "Node: 1\n");
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->default_memory_nodes(), (Numbers{0, 2}));
    EXPECT_EQ(topology->nearest_with_memory(2), 2U);
    EXPECT_NE(topology->text().find("memory of unknown size"), std::string::npos) << topology->text();
    EXPECT_EQ(xml(topology->xml().value())->json(), topology->json());
}

// The usual tier is where the kernel puts what it knows nothing of.
TEST(MemoryKind, IsNotSaidByTheTierOfTheNodesWithCpus) {
    SysfsTree tree = one_and_two();
    tree.set("/sys/devices/virtual/memory_tiering/memory_tier4/nodelist", "0-2\n");
    expect_kind(*sysfs(tree), 1, NEAR_MEMORY_UNKNOWN, NEAR_KIND_SOURCE_NONE);
}

TEST(MemoryKind, IsWhatTheDriverSaysWhereSeveralSayOne) {
    SysfsTree tree = one_and_two();
    tree.set("/proc/driver/nvidia/gpus/0009:01:00.0/numa_status", "Node: 1\n");
    add_dax(tree, "dax1.0", "platform/ACPI0017:00/root0/decoder0.0/region1/dax_region1", 1);
    add_figures(tree, 0, 100000);
    add_figures(tree, 1, 400000);
    expect_kind(*sysfs(tree), 1, NEAR_MEMORY_GPU, NEAR_KIND_SOURCE_NVIDIA);
}

TEST(MemoryKind, IsHwlocsSubtypeInXml) {
    struct Said {
        const char *subtype;
        int32_t kind;
    };
    for (const Said &said :
         {Said{"DRAM", NEAR_MEMORY_DRAM}, Said{"HBM", NEAR_MEMORY_HBM}, Said{"MCDRAM", NEAR_MEMORY_HBM},
          Said{"NVM", NEAR_MEMORY_NVM}, Said{"CXL-NVM", NEAR_MEMORY_NVM}, Said{"CXL-DRAM", NEAR_MEMORY_CXL},
          Said{"CXL", NEAR_MEMORY_CXL}, Said{"CXL-HBM", NEAR_MEMORY_CXL}, Said{"CXL-SPM", NEAR_MEMORY_CXL},
          Said{"GPUMemory", NEAR_MEMORY_GPU}, Said{"CXL-GPUMemory", NEAR_MEMORY_GPU}}) {
        fakes::XmlNode other;
        other.number = 1;
        other.subtype = said.subtype;
        const auto topology = xml(fakes::xml_machine({{{0, 1}, {fakes::XmlNode{}, other}}}));
        expect_kind(*topology, 1, said.kind, NEAR_KIND_SOURCE_HWLOC);
        expect_kind(*topology, 0, NEAR_MEMORY_DRAM, NEAR_KIND_SOURCE_CPUS);
        EXPECT_EQ(cpus_of(*topology, 0).text(), "0-1") << said.subtype;
    }
}

// Versions of hwloc that say nothing in the subtype, or only that memory is special.
TEST(MemoryKind, IsWhatHwlocSaysBesideTheSubtypeInXml) {
    const std::string device = "<info name=\"CXLDevice\" value=\"0000:51:00.0\"/>\n";
    const std::string lasting = "<info name=\"DAXType\" value=\"NVM\"/>\n";
    struct Said {
        std::string infos;
        int32_t kind;
        int32_t source;
    };
    for (const Said &said :
         {Said{device, NEAR_MEMORY_CXL, NEAR_KIND_SOURCE_HWLOC}, Said{lasting, NEAR_MEMORY_NVM, NEAR_KIND_SOURCE_HWLOC},
          Said{device + lasting, NEAR_MEMORY_NVM, NEAR_KIND_SOURCE_HWLOC},
          Said{"<info name=\"DAXType\" value=\"SPM\"/>\n", NEAR_MEMORY_UNKNOWN, NEAR_KIND_SOURCE_NONE}}) {
        fakes::XmlNode other;
        other.number = 1;
        other.infos = said.infos;
        const auto topology = xml(fakes::xml_machine({{{0, 1}, {fakes::XmlNode{}, other}}}));
        expect_kind(*topology, 1, said.kind, said.source);
    }
}

// As on a Xeon Max in flat mode without DRAM: what is said of the memory counts, whoever has CPUs.
TEST(MemoryKind, OfANodeWithCpusIsWhatIsSaidOfIt) {
    fakes::XmlNode only;
    only.subtype = "HBM";
    const auto topology = xml(fakes::xml_machine({{{0, 1}, {only}}}));
    expect_kind(*topology, 0, NEAR_MEMORY_HBM, NEAR_KIND_SOURCE_HWLOC);
    EXPECT_EQ(cpus_of(*topology, 0).text(), "0-1");
    EXPECT_EQ(topology->default_memory_nodes(), (Numbers{0})) << "there is nothing else";
}

// hwloc 2.11 gives the nodes of GPUs the CPUs near them.
TEST(MemoryKind, OfAGpuTakesTheCpusFromNobodyAlsoWhereItsNumberIsTheLowest) {
    fakes::XmlNode gpu;
    gpu.subtype = "GPUMemory";
    fakes::XmlNode dram;
    dram.number = 1;
    const auto topology = xml(fakes::xml_machine({{{0, 1}, {gpu, dram}}}));
    EXPECT_TRUE(cpus_of(*topology, 0).empty());
    EXPECT_EQ(cpus_of(*topology, 1).text(), "0-1");
    EXPECT_EQ(topology->default_memory_nodes(), (Numbers{1}));
}

TEST(MemoryKind, OfEightNodesForEachGpuIsTheGpus) {
    const auto topology = sysfs(fakes::gh200());
    for (uint32_t node = 1; node <= 8; node++) {
        expect_kind(*topology, node, NEAR_MEMORY_GPU, NEAR_KIND_SOURCE_GUESSED_FROM_GPUS);
        EXPECT_EQ(topology->nearest_with_cpus(node), 0U);
    }
    EXPECT_EQ(topology->default_memory_nodes(), (Numbers{0}));
}

// Trees that users record leave out what they think nobody reads.
TEST(MemoryKind, OfEightNodesForEachGpuIsTheGpusAlsoWhereNoFileSaysTheMaker) {
    SysfsTree tree = fakes::gh200();
    tree.remove(fakes::grace_gpu_folder(0) + "/vendor");
    expect_kind(*sysfs(tree), 1, NEAR_MEMORY_GPU, NEAR_KIND_SOURCE_GUESSED_FROM_GPUS);
}

TEST(MemoryKind, IsNotGuessedFromGpusOfAnotherMakerOrNumber) {
    SysfsTree tree = fakes::gh200();
    tree.set(fakes::grace_gpu_folder(0) + "/vendor", "0x1002\n");
    expect_kind(*sysfs(tree), 1, NEAR_MEMORY_UNKNOWN, NEAR_KIND_SOURCE_NONE);
    tree = fakes::gh200();
    fakes::add_grace_gpu(tree, 1); // 16 nodes would be its and the other's
    expect_kind(*sysfs(tree), 1, NEAR_MEMORY_UNKNOWN, NEAR_KIND_SOURCE_NONE);
}

TEST(MemoryKind, OfGb200NamedByTheDriverOrGuessedIsTheGpus) {
    for (const bool named : {true, false}) {
        SysfsTree tree = fakes::gb200();
        if (!named) {
            tree.remove_folder("/proc/driver/nvidia");
        }
        const auto topology = sysfs(tree);
        ASSERT_EQ(topology->nodes().size(), 34U);
        EXPECT_EQ(topology->default_memory_nodes(), (Numbers{0, 1})) << named;
        for (uint32_t node = 2; node < 34; node++) { // also those that are empty until a GPU is partitioned
            EXPECT_EQ(topology->node(node)->memory.kind, NEAR_MEMORY_GPU) << node;
            EXPECT_EQ(topology->node(node)->memory_bytes != 0, node % 8 == 2) << node;
            EXPECT_EQ(topology->nearest_with_cpus(node), node < 18 ? 0U : 1U) << node;
        }
        expect_kind(*topology, 2, NEAR_MEMORY_GPU,
                    named ? NEAR_KIND_SOURCE_NVIDIA : NEAR_KIND_SOURCE_GUESSED_FROM_GPUS);
    }
}

TEST(DefaultMemory, IsHighBandwidthOnlyWhereThereIsNothingElse) {
    SysfsTree tree = one_and_two();
    add_figures(tree, 0, 100000);
    add_figures(tree, 1, 400000);
    tree.set("/proc/driver/nvidia/gpus/0009:01:00.0/numa_status", "Node: 2\n");
    EXPECT_EQ(sysfs(tree)->default_memory_nodes(), (Numbers{0}));
    tree.allow("0-1", "1-2"); // the memory of node 0 is not allowed
    EXPECT_EQ(sysfs(tree)->default_memory_nodes(), (Numbers{1}));
    tree.allow("0-1", "2"); // a GPU's is all that is allowed
    EXPECT_EQ(sysfs(tree)->default_memory_nodes(), (Numbers{2}));
}

TEST(DefaultMemory, IsWhereTheNearestMemoryIsLookedFor) {
    SysfsTree tree({{0, {0}, 0, {10, 20, 12}, 0}, {1, {1}, 4096, {20, 10, 12}, 0}, {2, {}, 4096, {12, 12, 10}, 0}});
    EXPECT_EQ(sysfs(tree)->nearest_with_memory(0), 2U);
    tree.set("/proc/driver/nvidia/gpus/0009:01:00.0/numa_status", "Node: 2\n");
    EXPECT_EQ(sysfs(tree)->nearest_with_memory(0), 1U);
    EXPECT_EQ(sysfs(tree)->nearest_with_memory(2), 2U);
}

TEST(MemoryFigures, OfWritesAndOfTheCacheInFrontAreRead) {
    SysfsTree tree = one_and_two();
    add_figures(tree, 1, 300000, 150000);
    tree.set(node_folder + "1/memory_side_cache/index1/size", "1073741824\n");
    tree.set(node_folder + "1/memory_side_cache/index2/size", "4294967296\n");
    const auto topology = sysfs(tree);
    const MemoryAccess access = topology->link(0, 1).access;
    EXPECT_EQ(access.read_mib_per_s, 300000U);
    EXPECT_EQ(access.write_mib_per_s, 150000U);
    EXPECT_EQ(access.write_ns, 170U);
    EXPECT_EQ(topology->node(1)->memory_side_cache_bytes, 4ULL << 30U);
    EXPECT_EQ(topology->node(2)->memory_side_cache_bytes, 0U);
}

TEST(MemoryFigures, FindTheBestMemory) {
    SysfsTree tree = one_and_two();
    tree.set(node_folder + "2/meminfo", "Node 2 MemTotal: 8192 kB\n");
    for (const uint32_t node : {0U, 1U, 2U}) {
        add_figures(tree, node, std::vector<uint64_t>{100000, 300000, 20000}[node]);
        tree.set(node_folder + std::to_string(node) + "/access1/initiators/read_latency",
                 std::vector<std::string>{"90", "120", "300"}[node]);
    }
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->best_memory(0, NEAR_BEST_BANDWIDTH), 1U);
    EXPECT_EQ(topology->best_memory(0, NEAR_BEST_LATENCY), 0U);
    EXPECT_EQ(topology->best_memory(0, NEAR_BEST_CAPACITY), 2U);
    EXPECT_EQ(topology->best_memory(1, NEAR_BEST_BANDWIDTH), NEAR_NODE_UNKNOWN) << "it has no CPUs to reach from";
    tree.allow("0-1", "0,2");
    EXPECT_EQ(sysfs(tree)->best_memory(0, NEAR_BEST_BANDWIDTH), 0U) << "node 1 is not allowed";
}

} // namespace
} // namespace nearpool::testing
