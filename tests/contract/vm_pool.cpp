// SPDX-License-Identifier: Apache-2.0
// Pools on real nodes, in the machines of tests/vm: where tasks run, who steals from whom, what control groups take
// away. The kernel is asked, inside the tasks. The same rules on machines made up: numa_pool_steal.cpp.
#include "contract/numa_pool_steal.hpp"
#include "contract/vm_support.hpp"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

using namespace nearpool_test;

namespace {

uint32_t cpus_of(uint32_t node) {
    near_node_info info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(near_topology_node_info(nullptr, node, &info), NEAR_OK);
    return info.cpu_count;
}

TEST(VmPool, TasksRunOnTheCpusOfTheirNodeUnderLocalOnly) {
    NEEDS_A_MACHINE();
    const Pool pool(options_for(nullptr, 2, NUMA_POOL_STEAL_LOCAL));
    for (const uint32_t node : nodes_of(pool)) {
        const numa_pool_node_info info = node_info_of(pool, node);
        EXPECT_EQ(seen_by(pool, node).first, std::set<uint32_t>{info.serving_node}) << "node " << node;
        EXPECT_EQ(info.serving_node == node, cpus_of(node) > 0);
        if (info.serving_node == node) {
            EXPECT_EQ(info.level, NEAR_LEVEL_STRICT) << info.reason;
        }
        EXPECT_EQ(counts_of(pool, node).run_remote, 0U);
    }
}

TEST(VmPool, AStrictPoolHasEveryWorkerOnItsNode) {
    NEEDS_A_MACHINE();
    std::vector<uint32_t> nodes;
    for (std::size_t i = 0; i < near_topology_node_count(nullptr); i++) {
        const uint32_t node = near_topology_node_at(nullptr, i);
        if (cpus_of(node) > 0) {
            nodes.push_back(node);
        }
    }
    numa_pool_options options = options_for(nullptr, 2, NUMA_POOL_STEAL_LOCAL);
    options.nodes = nodes.data();
    options.node_count = nodes.size();
    options.strict = 1;
    const Pool pool(options);
    EXPECT_EQ(info_of(pool).level, NEAR_LEVEL_STRICT) << info_of(pool).reason;
    for (const uint32_t node : nodes) {
        EXPECT_EQ(seen_by(pool, node).first, std::set<uint32_t>{node});
    }
}

TEST(VmPool, LoopsTouchTheSameMemoryFromTheSameNode) {
    NEEDS_A_MACHINE();
    const Pool pool(options_for(nullptr, 1, NUMA_POOL_STEAL_LOCAL));
    std::atomic<int> elsewhere{0};
    const numa_pool_range_fn body = [](std::size_t, std::size_t, uint32_t node, void *user_data) -> near_status {
        *static_cast<std::atomic<int> *>(user_data) += here().node == node ? 0 : 1;
        return NEAR_OK;
    };
    ASSERT_EQ(numa_pool_parallel_for(pool, 0, 1000, 10, body, &elsewhere, nullptr), NEAR_OK);
    EXPECT_EQ(elsewhere, 0);
}

// F8.
TEST(VmPool, TheDefaultPolicyStealsInTheOrderOfTheDistances) {
    NEEDS_MACHINE("four-nodes");
    prove_steal_order(nullptr, 1, {0, 3, 2});
    prove_steal_order(nullptr, 2, {3, 0, 1});
}

TEST(VmPool, TasksOfANodeWithoutCpusRunOnTheNearestNodeThatHasSome) {
    NEEDS_MACHINE("cpuless-node");
    const Pool pool(options_for(nullptr, 1, NUMA_POOL_STEAL_LOCAL));
    const numa_pool_node_info info = node_info_of(pool, 2);
    EXPECT_EQ(info.serving_node, 1U) << "distance 14, and not node 0 at 24";
    EXPECT_EQ(info.worker_count, 0U);
    EXPECT_EQ(info.reason_code, NEAR_REASON_NO_CPUS) << info.reason;
    EXPECT_EQ(seen_by(pool, 2).first, std::set<uint32_t>{1});
}

TEST(VmPool, AHoleInTheNumbersIsNoNode) { // peers N15 to N17
    NEEDS_MACHINE("hole");
    const Pool pool(options_for(nullptr, 1, NUMA_POOL_STEAL_LOCAL));
    EXPECT_EQ(nodes_of(pool), (std::vector<uint32_t>{0, 2}));
    EXPECT_EQ(numa_pool_submit(pool, 1, succeed, nullptr), NEAR_E_NO_NODE);
    EXPECT_EQ(seen_by(pool, 2).first, std::set<uint32_t>{2});
}

TEST(VmPool, NodesAbove63AreServedAndTheirMemoryIsTheirs) { // peers N2, N3, acceptance 7
    NEEDS_MACHINE("seventy-nodes");
    const Pool pool(options_for(nullptr, 1, NUMA_POOL_STEAL_LOCAL));
    EXPECT_EQ(nodes_of(pool).size(), 70U);
    EXPECT_EQ(info_of(pool).worker_count, 4U);
    EXPECT_EQ(seen_by(pool, 69).first, std::set<uint32_t>{69});
    for (const uint32_t node : {63U, 64U, 69U}) {
        near_region *region = nullptr;
        Error error;
        ASSERT_EQ(numa_pool_alloc(pool, node, 1 << 20, nullptr, &region, &error), NEAR_OK) << error.message;
        std::vector<near_node_pages> pages(70);
        std::size_t needed = 0;
        ASSERT_EQ(near_region_nodes(region, pages.data(), pages.size(), &needed, &error), NEAR_OK) << error.message;
        for (std::size_t i = 0; i < needed; i++) {
            EXPECT_TRUE(pages[i].node == node || pages[i].page_count == 0)
                << pages[i].page_count << " pages on node " << pages[i].node << " instead of " << node;
        }
        near_region_destroy(region);
    }
}

TEST(VmPool, PoolMemoryIsOnTheNodeAskedFor) {
    NEEDS_MACHINE("four-nodes");
    numa_pool_options options = options_for(nullptr);
    options.strict = 1;
    const Pool pool(options);
    for (const uint32_t node : nodes_of(pool)) {
        near_region *region = nullptr;
        Error error;
        ASSERT_EQ(numa_pool_alloc(pool, node, 8 << 20, nullptr, &region, &error), NEAR_OK) << error.message;
        near_placement placement{};
        placement.struct_size = sizeof placement;
        ASSERT_EQ(near_region_placement(region, &placement, nullptr), NEAR_OK);
        EXPECT_EQ(placement.level, NEAR_LEVEL_STRICT) << placement.reason;
        EXPECT_EQ(placement.near_pages, placement.page_count);
        near_region_destroy(region);
    }
}

// Peers N30, acceptance 8: only node 1 is left.
ALONE_TEST(VmControlGroup, ACpusetThatExcludesANodeIsObeyed) {
    NEEDS_MACHINE("two-nodes");
    ControlGroup group;
    ASSERT_TRUE(group.set("cpuset.cpus", "2-3") && group.set("cpuset.mems", "1") && group.enter());
    {
        const Pool pool(options_for(nullptr, 0, NUMA_POOL_STEAL_ANY));
        EXPECT_EQ(info_of(pool).worker_count, 2U);
        for (const uint32_t node : nodes_of(pool)) {
            EXPECT_EQ(node_info_of(pool, node).serving_node, 1U);
            EXPECT_EQ(seen_by(pool, node).first, std::set<uint32_t>{1});
        }
        EXPECT_EQ(node_info_of(pool, 1).level, NEAR_LEVEL_STRICT) << "a pin inside the cpuset is seen";
    }
    const uint32_t excluded[] = {0};
    numa_pool_options options = options_for(nullptr);
    options.nodes = excluded;
    options.node_count = 1;
    {
        const Pool pool(options); // soft: usable, and says why
        EXPECT_EQ(seen_by(pool, 0).first, std::set<uint32_t>{1});
        EXPECT_EQ(node_info_of(pool, 0).reason_code, NEAR_REASON_NOT_ALLOWED) << node_info_of(pool, 0).reason;
        near_region *region = nullptr;
        Error error;
        ASSERT_EQ(numa_pool_alloc(pool, 0, 1 << 20, nullptr, &region, &error), NEAR_OK) << error.message;
        std::memset(near_region_data(region), 1, 1 << 20);
        near_placement placement{};
        placement.struct_size = sizeof placement;
        ASSERT_EQ(near_region_placement(region, &placement, nullptr), NEAR_OK);
        EXPECT_NE(placement.level, NEAR_LEVEL_STRICT);
        EXPECT_EQ(placement.reason_code, NEAR_REASON_NOT_ALLOWED) << placement.reason;
        near_region_destroy(region);
    }
    options.strict = 1;
    numa_pool *never = nullptr;
    EXPECT_EQ(numa_pool_create(&options, &never, nullptr), NEAR_E_NOT_ALLOWED);
    EXPECT_EQ(never, nullptr);
}

ALONE_TEST(VmControlGroup, AStrictPoolWithoutAListTakesTheAllowedNodes) {
    NEEDS_MACHINE("four-nodes");
    ControlGroup group;
    ASSERT_TRUE(group.set("cpuset.cpus", "2-5") && group.set("cpuset.mems", "1-2") && group.enter());
    numa_pool_options options = options_for(nullptr, 0, NUMA_POOL_STEAL_LOCAL);
    options.strict = 1;
    const Pool pool(options);
    EXPECT_EQ(nodes_of(pool), (std::vector<uint32_t>{1, 2}));
    EXPECT_EQ(info_of(pool).level, NEAR_LEVEL_STRICT) << info_of(pool).reason;
    EXPECT_EQ(seen_by(pool, 2).first, std::set<uint32_t>{2});
}

// Nodes 1 and 2 are left: 0 and 3 exist, so strict mode says NOT_ALLOWED and not NO_NODE.
ALONE_TEST(VmControlGroup, StrictMemoryAndPinsOutsideTheCpusetAreNotAllowed) {
    NEEDS_MACHINE("four-nodes");
    ControlGroup group;
    ASSERT_TRUE(group.set("cpuset.cpus", "2-5") && group.set("cpuset.mems", "1-2") && group.enter());
    const uint32_t outside = 3;
    near_region *region = nullptr;
    Error error;
    EXPECT_EQ(create_region(outside, 1 << 20, 1, NEAR_PAGES_DEFAULT, &region, &error), NEAR_E_NOT_ALLOWED)
        << error.message;
    EXPECT_TRUE(error.says("near_region_create: ") && error.says("3")) << error.message;
    ASSERT_EQ(create_region(1, 1 << 20, 1, NEAR_PAGES_DEFAULT, &region, &error), NEAR_OK) << error.message;
    EXPECT_EQ(near_region_rebind(region, NEAR_POLICY_BIND, &outside, 1, 1, &error), NEAR_E_NOT_ALLOWED)
        << error.message;
    std::size_t moved = 77;
    EXPECT_EQ(near_region_migrate(region, outside, &moved, &error), NEAR_E_NOT_ALLOWED) << error.message;
    EXPECT_EQ(moved, 77U);
    EXPECT_EQ(near_region_migrate(region, 2, &moved, &error), NEAR_OK) << error.message;
    near_region_destroy(region);
    const uint32_t cpu = 6;
    const near_pin_options strict{sizeof strict, 1};
    near_pin *pin = nullptr;
    EXPECT_EQ(near_pin_cpus(nullptr, &cpu, 1, &strict, &pin, &error), NEAR_E_NOT_ALLOWED) << error.message;
    EXPECT_EQ(near_pin_node(nullptr, outside, &strict, &pin, &error), NEAR_E_NOT_ALLOWED) << error.message;
    EXPECT_EQ(pin, nullptr);
    EXPECT_EQ(near_affinity_set(&cpu, 1, &error), NEAR_E_SYSTEM) << "the kernel refuses it: " << error.message;
}

struct Quota {
    const char *cpu_max;
    uint32_t workers; // by default, in four-nodes: 8 cores on 4 nodes
};

uint32_t default_workers() {
    const Pool pool(0);
    return info_of(pool).worker_count;
}

void expect_workers(const Quota &quota) {
    ControlGroup group;
    ASSERT_TRUE(group.set("cpu.max", quota.cpu_max) && group.enter());
    EXPECT_EQ(default_workers(), quota.workers) << quota.cpu_max;
    const Pool pool(3);
    EXPECT_EQ(info_of(pool).worker_count, 12U) << "an explicit number is honoured";
    for (const uint32_t node : nodes_of(pool)) {
        EXPECT_GE(node_info_of(pool, node).worker_count, 1U);
    }
    numa_pool *shared = nullptr;
    ASSERT_EQ(numa_pool_default(&shared, nullptr), NEAR_OK);
    EXPECT_EQ(info_of(shared).worker_count, quota.workers) << "the default pool, " << quota.cpu_max;
}

ALONE_TEST(VmControlGroup, WithoutAQuotaThereIsAWorkerForEachCore) {
    NEEDS_MACHINE("four-nodes");
    expect_workers({"max 100000", 8});
}

ALONE_TEST(VmControlGroup, AQuotaBoundsTheDefaultNumberOfWorkers) {
    NEEDS_MACHINE("four-nodes");
    expect_workers({"600000 100000", 6});
}

ALONE_TEST(VmControlGroup, AQuotaBelowTheNumberOfNodesLeavesOneWorkerEach) {
    NEEDS_MACHINE("four-nodes");
    expect_workers({"50000 100000", 4});
}

ALONE_TEST(VmControlGroup, TheQuotaOfAnOuterGroupCountsToo) {
    NEEDS_MACHINE("four-nodes");
    std::ofstream("/sys/fs/cgroup/cgroup.subtree_control") << "+cpu" << std::flush;
    const std::string outer = "/sys/fs/cgroup/outer";
    ::mkdir(outer.c_str(), 0755);
    std::ofstream(outer + "/cpu.max") << "500000 100000" << std::flush;
    ::mkdir((outer + "/inner").c_str(), 0755);
    std::ofstream(outer + "/inner/cgroup.procs") << ::getpid() << std::flush;
    EXPECT_EQ(default_workers(), 5U);
    std::ofstream("/sys/fs/cgroup/cgroup.procs") << ::getpid() << std::flush;
    ::rmdir((outer + "/inner").c_str());
    ::rmdir(outer.c_str());
}

} // namespace
