// SPDX-License-Identifier: Apache-2.0
// Nodes, their CPUs, distances and sizes, and what this process may use: as libnuma says. Each test names the
// differences that there are, and whose way is whose.
#include "numa/support.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>

using namespace nearpool_numa_test;

namespace {

class LibnumaNodes : public Libnuma {};

std::vector<uint32_t> nodes_with_memory() {
    std::vector<uint32_t> nodes;
    for (const uint32_t node : all_nodes()) {
        if (node_info(node).memory_bytes > 0) {
            nodes.push_back(node);
        }
    }
    return nodes;
}

TEST_F(LibnumaNodes, AreTheSameNumbers) {
    EXPECT_EQ(all_nodes(), numbers(numa_nodes_ptr));
    EXPECT_EQ(all_nodes().back(), static_cast<uint32_t>(numa_max_node()));
    for (const uint32_t node : all_nodes()) {
        EXPECT_LT(node, static_cast<uint32_t>(numa_num_possible_nodes()));
    }
}

// A difference: what libnuma counts as configured are the nodes with memory; we count those without too, for a task can
// be sent there.
TEST_F(LibnumaNodes, AreAsManyWithMemory) {
    EXPECT_EQ(nodes_with_memory().size(), static_cast<std::size_t>(numa_num_configured_nodes()));
}

TEST_F(LibnumaNodes, HaveTheSameCpus) {
    for (const uint32_t node : all_nodes()) {
        bitmask *cpus = numa_allocate_cpumask();
        ASSERT_EQ(numa_node_to_cpus(static_cast<int>(node), cpus), 0) << "node " << node;
        EXPECT_EQ(cpus_of(node), numbers_of(cpus)) << "node " << node;
        EXPECT_EQ(node_info(node).cpu_count, cpus_of(node).size());
    }
}

TEST_F(LibnumaNodes, AreTheSameForEachCpuAndForTheNumbersThatAreNoCpu) {
    const std::vector<uint32_t> known = cpus_of(NEAR_NODE_UNKNOWN);
    ASSERT_FALSE(known.empty());
    for (uint32_t cpu = 0; cpu < static_cast<uint32_t>(numa_num_possible_cpus()); cpu++) {
        const int theirs = numa_node_of_cpu(static_cast<int>(cpu));
        if (std::binary_search(known.begin(), known.end(), cpu)) {
            EXPECT_EQ(cpu_info(cpu).node, static_cast<uint32_t>(theirs)) << "CPU " << cpu;
        } else {
            EXPECT_EQ(theirs, -1) << "CPU " << cpu;
        }
    }
}

TEST_F(LibnumaNodes, AreAsFarFromEachOther) {
    for (const uint32_t from : all_nodes()) {
        for (const uint32_t to : all_nodes()) {
            EXPECT_EQ(distance(from, to),
                      static_cast<uint32_t>(numa_distance(static_cast<int>(from), static_cast<int>(to))))
                << "from " << from << " to " << to;
        }
    }
}

// A difference: libnuma answers 0 for a distance to a node that is not there, we answer an error; and both say of a
// number between two nodes that it is none.
TEST_F(LibnumaNodes, ThatAreNotThereAreSaidNotToBe) {
    const std::vector<uint32_t> nodes = all_nodes();
    near_link link{};
    link.struct_size = sizeof link;
    near_node_info info{};
    info.struct_size = sizeof info;
    for (uint32_t node = 0; node <= nodes.back() + 1; node++) {
        if (!std::binary_search(nodes.begin(), nodes.end(), node)) {
            EXPECT_EQ(numa_distance(static_cast<int>(nodes[0]), static_cast<int>(node)), 0) << "node " << node;
            EXPECT_EQ(near_topology_link(nullptr, nodes[0], node, &link), NEAR_E_NO_NODE) << "node " << node;
            EXPECT_EQ(numa_node_size64(static_cast<int>(node), nullptr), -1) << "node " << node;
            EXPECT_EQ(near_topology_node_info(nullptr, node, &info), NEAR_E_NO_NODE) << "node " << node;
        }
    }
}

TEST_F(LibnumaNodes, AreAsLarge) {
    for (const uint32_t node : all_nodes()) {
        EXPECT_EQ(static_cast<long long>(node_info(node).memory_bytes),
                  numa_node_size64(static_cast<int>(node), nullptr))
            << "node " << node;
    }
}

// A difference: the kernel allows the memory of nodes that have none, where no cpuset says otherwise; for us a node
// without memory is none whose memory is allowed.
TEST_F(LibnumaNodes, AreAllowedAsTheCpusetSays) {
    const std::vector<uint32_t> allowed = numbers_of(numa_get_mems_allowed());
    ASSERT_FALSE(allowed.empty());
    for (const uint32_t node : all_nodes()) {
        const bool theirs = std::binary_search(allowed.begin(), allowed.end(), node);
        const near_node_info info = node_info(node);
        EXPECT_EQ(info.memory_allowed != 0, theirs && info.memory_bytes > 0) << "node " << node;
    }
    EXPECT_EQ(memory_nodes(), numbers(numa_all_nodes_ptr));
}

// A difference: libnuma reads Cpus_allowed of /proc/self/status, where Linux 6.1 also names CPUs that may be plugged in
// later; ours are those that are there.
TEST_F(LibnumaNodes, HaveTheSameCpusAllowed) {
    const std::vector<uint32_t> cpus = cpus_of(NEAR_NODE_UNKNOWN);
    std::vector<uint32_t> allowed;
    std::copy_if(cpus.begin(), cpus.end(), std::back_inserter(allowed),
                 [](uint32_t cpu) { return cpu_info(cpu).allowed != 0; });
    std::vector<uint32_t> theirs = numbers(numa_all_cpus_ptr);
    theirs.erase(std::remove_if(theirs.begin(), theirs.end(),
                                [&](uint32_t cpu) { return !std::binary_search(cpus.begin(), cpus.end(), cpu); }),
                 theirs.end());
    EXPECT_EQ(allowed, theirs);
}

TEST_F(LibnumaNodes, BindAThreadToTheSameCpus) {
    bitmask *affinity = numa_allocate_cpumask();
    ASSERT_GT(numa_sched_getaffinity(0, affinity), 0);
    std::vector<uint32_t> cpus(static_cast<std::size_t>(numa_num_possible_cpus()));
    std::size_t needed = 0;
    ASSERT_EQ(near_affinity_get(cpus.data(), cpus.size(), &needed, nullptr), NEAR_OK);
    cpus.resize(needed);
    EXPECT_EQ(cpus, numbers_of(affinity));
    for (const uint32_t node : all_nodes()) {
        if (node_info(node).allowed_cpus == 0) {
            continue;
        }
        near_pin *pin = nullptr;
        ASSERT_EQ(near_pin_node(nullptr, node, nullptr, &pin, nullptr), NEAR_OK) << "node " << node;
        affinity = numa_allocate_cpumask();
        ASSERT_GT(numa_sched_getaffinity(0, affinity), 0);
        for (const uint32_t cpu : numbers_of(affinity)) {
            EXPECT_EQ(numa_node_of_cpu(static_cast<int>(cpu)), static_cast<int>(node)) << "CPU " << cpu;
        }
        EXPECT_EQ(near_pin_release(pin, nullptr), NEAR_OK);
    }
}

} // namespace
