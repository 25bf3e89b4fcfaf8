// SPDX-License-Identifier: Apache-2.0
// topology_memory.h: each promise and each error of each function, and the fields of the structs that tell of kinds.
#include "contract/machines.hpp"
#include "fakes/machines/grace.hpp"

#include <functional>

using nearpool::fakes::SysfsTree;
using nearpool_test::Error;
using nearpool_test::SysfsMachine;

namespace {

const std::string node_folder = "/sys/devices/system/node/node";

// Node 0 has CPUs, a fast and an efficient core; 1 is high-bandwidth memory next to it with a cache in front, 2 a
// GPU's.
SysfsTree kinds_of_memory() {
    SysfsTree tree(
        {{0, {0, 1}, 4096, {10, 20, 40}, 0}, {1, {}, 2048, {20, 10, 40}, 0}, {2, {}, 8192, {40, 40, 10}, 0}});
    for (const char *node : {"0", "1"}) {
        const std::string folder = node_folder + node + "/access1/initiators";
        tree.set(folder + "/node0/uevent", "");
        tree.set(folder + "/read_bandwidth", *node == '0' ? "100000\n" : "400000\n");
        tree.set(folder + "/write_bandwidth", *node == '0' ? "90000\n" : "300000\n");
        tree.set(folder + "/read_latency", *node == '0' ? "80\n" : "120\n");
        tree.set(folder + "/write_latency", *node == '0' ? "85\n" : "130\n");
    }
    tree.set(node_folder + "1/memory_side_cache/index1/size", "1048576\n");
    tree.set("/proc/driver/nvidia/gpus/0009:01:00.0/numa_status", "Node: 2\n");
    tree.set("/sys/devices/cpu_core/cpus", "0\n");
    tree.set("/sys/devices/cpu_atom/cpus", "1\n");
    return tree;
}

near_node_info node_info_of(const near_topology *topology, uint32_t node) {
    near_node_info info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(near_topology_node_info(topology, node, &info), NEAR_OK);
    return info;
}

// The rules of an output list (nearpool.h) for a call that lists `expected`.
void expect_list(const std::vector<uint32_t> &expected,
                 const std::function<near_status(uint32_t *, size_t, size_t *)> &ask) {
    size_t needed = 99;
    EXPECT_EQ(ask(nullptr, 0, &needed), NEAR_OK);
    EXPECT_EQ(needed, expected.size());
    std::vector<uint32_t> list(expected.size() + 1);
    EXPECT_EQ(ask(list.data(), list.size(), &needed), NEAR_OK);
    list.resize(needed);
    EXPECT_EQ(list, expected);
    EXPECT_EQ(ask(nullptr, 1, &needed), NEAR_E_INVALID);
    EXPECT_EQ(ask(list.data(), list.size(), nullptr), NEAR_E_INVALID);
    if (!expected.empty()) {
        needed = 0;
        std::vector<uint32_t> shorter(expected.size());
        EXPECT_EQ(ask(shorter.data(), expected.size() - 1, &needed), NEAR_E_CAPACITY);
        EXPECT_EQ(needed, expected.size());
    }
}

TEST(TopologyInitiators, ListsTheNodesThatTheMachineNames) {
    const SysfsMachine machine(kinds_of_memory());
    expect_list({0}, [&](uint32_t *nodes, size_t capacity, size_t *needed) {
        return near_topology_initiators(machine, 1, nodes, capacity, needed);
    });
    expect_list({}, [&](uint32_t *nodes, size_t capacity, size_t *needed) {
        return near_topology_initiators(machine, 2, nodes, capacity, needed);
    });
    size_t needed = 7;
    EXPECT_EQ(near_topology_initiators(machine, 3, nullptr, 0, &needed), NEAR_E_NO_NODE);
    EXPECT_EQ(near_topology_initiators(machine, NEAR_NODE_UNKNOWN, nullptr, 0, &needed), NEAR_E_NO_NODE);
}

TEST(TopologyMemoryNodes, ListsWhereMemoryGoesThatNamesNoNode) {
    const SysfsMachine machine(kinds_of_memory());
    expect_list({0}, [&](uint32_t *nodes, size_t capacity, size_t *needed) {
        return near_topology_memory_nodes(machine, nodes, capacity, needed);
    });
    const SysfsMachine grace(nearpool::fakes::gb200());
    expect_list({0, 1}, [&](uint32_t *nodes, size_t capacity, size_t *needed) {
        return near_topology_memory_nodes(grace, nodes, capacity, needed);
    });
}

TEST(TopologyMemoryNodes, OfThisMachineAreThoseOfItsNodes) {
    size_t count = 0;
    ASSERT_EQ(near_topology_memory_nodes(nullptr, nullptr, 0, &count), NEAR_OK);
    std::vector<uint32_t> listed(count);
    ASSERT_EQ(near_topology_memory_nodes(nullptr, listed.data(), count, &count), NEAR_OK);
    std::vector<uint32_t> marked;
    for (size_t i = 0; i < near_topology_node_count(nullptr); i++) {
        const near_node_info info = node_info_of(nullptr, near_topology_node_at(nullptr, i));
        if (info.memory_by_default != 0) {
            marked.push_back(info.node);
        }
    }
    EXPECT_EQ(listed, marked);
}

TEST(TopologyBestMemory, IsByBandwidthLatencyOrCapacity) {
    const SysfsMachine machine(kinds_of_memory());
    uint32_t node = 99;
    EXPECT_EQ(near_topology_best_memory(machine, 0, NEAR_BEST_BANDWIDTH, &node), NEAR_OK);
    EXPECT_EQ(node, 1U);
    EXPECT_EQ(near_topology_best_memory(machine, 0, NEAR_BEST_LATENCY, &node), NEAR_OK);
    EXPECT_EQ(node, 0U);
    EXPECT_EQ(near_topology_best_memory(machine, 0, NEAR_BEST_CAPACITY, &node), NEAR_OK);
    EXPECT_EQ(node, 2U) << "of every kind";
    EXPECT_EQ(near_topology_best_memory(machine, 2, NEAR_BEST_LATENCY, &node), NEAR_OK);
    EXPECT_EQ(node, NEAR_NODE_UNKNOWN) << "no CPUs are there, so no figures";
}

TEST(TopologyBestMemory, ChecksItsArguments) {
    const SysfsMachine machine(kinds_of_memory());
    uint32_t node = 99;
    EXPECT_EQ(near_topology_best_memory(machine, 0, NEAR_BEST_BANDWIDTH, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_topology_best_memory(machine, 0, -1, &node), NEAR_E_INVALID);
    EXPECT_EQ(near_topology_best_memory(machine, 0, NEAR_BEST_CAPACITY + 1, &node), NEAR_E_INVALID);
    EXPECT_EQ(near_topology_best_memory(machine, 3, NEAR_BEST_CAPACITY, &node), NEAR_E_NO_NODE);
    EXPECT_EQ(node, 99U) << "untouched";
}

TEST(KindNames, AreWordsForEachValueAndForThoseThatAreNone) {
    const std::vector<std::string> kinds = {"unknown", "dram", "hbm", "nvm", "cxl", "gpu"};
    for (int32_t kind = NEAR_MEMORY_UNKNOWN; kind <= NEAR_MEMORY_GPU; kind++) {
        EXPECT_EQ(near_memory_kind_name(kind), kinds[static_cast<size_t>(kind)]);
    }
    const std::vector<std::string> cores = {"unknown", "performance", "efficient"};
    for (int32_t kind = NEAR_CORE_UNKNOWN; kind <= NEAR_CORE_EFFICIENT; kind++) {
        EXPECT_EQ(near_core_kind_name(kind), cores[static_cast<size_t>(kind)]);
    }
    std::vector<std::string> sources;
    for (int32_t source = NEAR_KIND_SOURCE_NONE; source <= NEAR_KIND_SOURCE_GUESSED_FROM_GPUS; source++) {
        for (const std::string &other : sources) {
            EXPECT_NE(near_memory_kind_source_name(source), other);
        }
        sources.emplace_back(near_memory_kind_source_name(source));
    }
    EXPECT_EQ(sources[NEAR_KIND_SOURCE_NONE], "nobody");
    EXPECT_EQ(sources[NEAR_KIND_SOURCE_GUESSED_FROM_HMAT], "HMAT, guessed");
    for (const int32_t none : {-1, 9, 1000, INT32_MAX, INT32_MIN}) {
        EXPECT_STREQ(near_memory_kind_name(none), "unknown") << none;
        EXPECT_STREQ(near_core_kind_name(none), "unknown") << none;
        EXPECT_STREQ(near_memory_kind_source_name(none), "nobody") << none;
    }
}

TEST(KindsInStructs, OfANode) {
    const SysfsMachine machine(kinds_of_memory());
    const near_node_info plain = node_info_of(machine, 0);
    EXPECT_EQ(plain.memory_kind, NEAR_MEMORY_DRAM);
    EXPECT_EQ(plain.kind_source, NEAR_KIND_SOURCE_CPUS);
    EXPECT_EQ(plain.memory_by_default, 1U);
    EXPECT_EQ(plain.nearest_with_cpus, 0U);
    EXPECT_EQ(plain.memory_side_cache_bytes, 0U);
    const near_node_info fast = node_info_of(machine, 1);
    EXPECT_EQ(fast.memory_kind, NEAR_MEMORY_HBM);
    EXPECT_EQ(fast.kind_source, NEAR_KIND_SOURCE_GUESSED_FROM_HMAT);
    EXPECT_EQ(fast.memory_by_default, 0U);
    EXPECT_EQ(fast.nearest_with_cpus, 0U);
    EXPECT_EQ(fast.memory_side_cache_bytes, 1048576U);
    EXPECT_EQ(node_info_of(machine, 2).memory_kind, NEAR_MEMORY_GPU);
    EXPECT_EQ(node_info_of(machine, 2).kind_source, NEAR_KIND_SOURCE_NVIDIA);
}

TEST(KindsInStructs, OfACpuAndOfALink) {
    const SysfsMachine machine(kinds_of_memory());
    near_cpu_info cpu{};
    cpu.struct_size = sizeof cpu;
    ASSERT_EQ(near_topology_cpu_info(machine, 0, &cpu), NEAR_OK);
    EXPECT_EQ(cpu.core_kind, NEAR_CORE_PERFORMANCE);
    ASSERT_EQ(near_topology_cpu_info(machine, 1, &cpu), NEAR_OK);
    EXPECT_EQ(cpu.core_kind, NEAR_CORE_EFFICIENT);
    near_link link{};
    link.struct_size = sizeof link;
    ASSERT_EQ(near_topology_link(machine, 0, 1, &link), NEAR_OK);
    EXPECT_EQ(link.bandwidth_mib_per_s, 400000U);
    EXPECT_EQ(link.write_bandwidth_mib_per_s, 300000U);
    EXPECT_EQ(link.latency_ns, 120U);
    EXPECT_EQ(link.write_latency_ns, 130U);
    ASSERT_EQ(near_topology_link(machine, 0, 2, &link), NEAR_OK);
    EXPECT_EQ(link.write_bandwidth_mib_per_s, 0U);
    EXPECT_EQ(link.write_latency_ns, 0U);
}

TEST(KindsInStructs, OfTheTopologyIsWhatItRestsOnAndItsPages) {
    SysfsTree tree = kinds_of_memory();
    tree.set(node_folder + "0/vmstat", "nr_free_pages 64\n"); // 4096 KiB are free
    const SysfsMachine machine(tree);
    near_topology_info info{};
    info.struct_size = sizeof info;
    ASSERT_EQ(near_topology_get_info(machine, &info), NEAR_OK);
    EXPECT_EQ(info.page_bytes, 65536U);
    EXPECT_EQ(info.basis, static_cast<uint32_t>(NEAR_BASIS_SYSFS));
    EXPECT_STREQ(info.basis_text, "/sys");
    EXPECT_STREQ(info.doubt, "");
    const nearpool_test::Topology made("numa:2 pu:1");
    ASSERT_EQ(near_topology_get_info(made, &info), NEAR_OK);
    EXPECT_EQ(info.basis, static_cast<uint32_t>(NEAR_BASIS_SYNTHETIC));
    EXPECT_STREQ(info.basis_text, "a synthetic description");
    ASSERT_EQ(near_topology_get_info(nullptr, &info), NEAR_OK);
    EXPECT_NE(info.basis, 0U);
    EXPECT_STRNE(info.basis_text, "");
}

near_status pool_of_kind(const near_topology *topology, int32_t kind, uint32_t strict, numa_pool **pool, Error &error) {
    numa_pool_options options = nearpool_test::options_for(topology, 0);
    options.core_kind = kind;
    options.strict = strict;
    return numa_pool_create(&options, pool, &error);
}

TEST(PoolCoreKind, TakesTheCoresOfThatKind) {
    const SysfsMachine machine(kinds_of_memory());
    for (const int32_t kind : {NEAR_CORE_PERFORMANCE, NEAR_CORE_EFFICIENT, NEAR_CORE_UNKNOWN}) {
        numa_pool *pool = nullptr;
        Error error;
        ASSERT_EQ(pool_of_kind(machine, kind, 0, &pool, error), NEAR_OK) << error.message;
        EXPECT_EQ(nearpool_test::info_of(pool).worker_count, kind == NEAR_CORE_UNKNOWN ? 2U : 1U) << kind;
        numa_pool_destroy(pool);
    }
}

TEST(PoolCoreKind, WithoutSuchCoresIsBestEffortWithTheReasonOrFailsStrictly) {
    near_cpu_info cpu{};
    cpu.struct_size = sizeof cpu;
    size_t needed = 0;
    ASSERT_EQ(near_topology_cpus(nullptr, NEAR_NODE_UNKNOWN, nullptr, 0, &needed), NEAR_OK);
    std::vector<uint32_t> cpus(needed);
    ASSERT_EQ(near_topology_cpus(nullptr, NEAR_NODE_UNKNOWN, cpus.data(), needed, &needed), NEAR_OK);
    ASSERT_EQ(near_topology_cpu_info(nullptr, cpus[0], &cpu), NEAR_OK);
    if (cpu.core_kind != NEAR_CORE_UNKNOWN) {
        GTEST_SKIP() << "[cores] this machine has several kinds";
    }
    numa_pool *pool = nullptr;
    Error error;
    ASSERT_EQ(pool_of_kind(nullptr, NEAR_CORE_EFFICIENT, 0, &pool, error), NEAR_OK) << error.message;
    const numa_pool_node_info info = nearpool_test::node_info_of(pool, near_topology_node_at(nullptr, 0));
    EXPECT_NE(info.level, NEAR_LEVEL_STRICT);
    EXPECT_NE(std::strstr(info.reason, "efficient"), nullptr) << info.reason;
    numa_pool_destroy(pool);
    pool = nullptr;
    EXPECT_EQ(pool_of_kind(nullptr, NEAR_CORE_EFFICIENT, 1, &pool, error), NEAR_E_STRICT);
    EXPECT_TRUE(error.says("efficient")) << error.message;
    EXPECT_EQ(pool, nullptr);
}

TEST(PoolCoreKind, ThatIsNoneIsInvalid) {
    for (const int32_t kind : {-1, NEAR_CORE_EFFICIENT + 1, INT32_MAX}) {
        numa_pool *pool = nullptr;
        Error error;
        EXPECT_EQ(pool_of_kind(nullptr, kind, 0, &pool, error), NEAR_E_INVALID);
        EXPECT_TRUE(error.says("core kind")) << error.message;
        EXPECT_EQ(pool, nullptr);
    }
}

} // namespace
