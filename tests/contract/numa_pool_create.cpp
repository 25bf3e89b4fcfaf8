// SPDX-License-Identifier: Apache-2.0
// Making pools: what is refused, and what a pool then is.
#include "contract/numa_pool_support.hpp"

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <unistd.h>

using namespace nearpool_test;

namespace {

near_status create(const numa_pool_options &options, Error *error = nullptr) {
    auto *const untouched = reinterpret_cast<numa_pool *>(0x10);
    numa_pool *pool = untouched;
    const std::size_t threads = thread_names().size();
    const near_status status = numa_pool_create(&options, &pool, error);
    if (status == NEAR_OK) {
        numa_pool_destroy(pool);
    } else {
        EXPECT_EQ(pool, untouched) << "the output was written on failure";
        EXPECT_TRUE(no_more_threads_than(threads)) << "threads were left by a failed create (peers N28)";
    }
    return status;
}

// A machine in files, as the source NEAR_TOPOLOGY_SYSFS reads them.
class MadeTree {
public:
    explicit MadeTree(const std::vector<std::pair<std::string, std::string>> &files) {
        for (const auto &[name, text] : files) {
            std::filesystem::create_directories(std::filesystem::path(folder_ + "/" + name).parent_path());
            std::ofstream(folder_ + "/" + name) << text;
        }
        near_topology_options options{};
        options.struct_size = sizeof options;
        options.source = NEAR_TOPOLOGY_SYSFS;
        options.text = folder_.c_str();
        Error error;
        EXPECT_EQ(near_topology_create(&options, &topology_, &error), NEAR_OK) << error.message;
    }
    MadeTree(const MadeTree &) = delete;
    MadeTree &operator=(const MadeTree &) = delete;
    ~MadeTree() {
        near_topology_release(topology_);
        std::filesystem::remove_all(folder_);
    }
    const near_topology *topology() const { return topology_; }

private:
    std::string folder_ = testing::TempDir() + "nearpool-tree-" + std::to_string(::getpid());
    near_topology *topology_ = nullptr;
};

TEST(PoolCreate, RefusesAPoolThatIsNull) {
    Error error;
    EXPECT_EQ(numa_pool_create(nullptr, nullptr, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("numa_pool_create: ")) << error.message;
    EXPECT_TRUE(error.says("pool is NULL")) << error.message;
    EXPECT_EQ(error.status, NEAR_E_INVALID);
}

TEST(PoolCreate, RefusesAnUnknownStealPolicy) {
    for (const int32_t policy : {-1, 3, INT32_MAX}) {
        Error error;
        EXPECT_EQ(create(options_for(nullptr, 1, policy), &error), NEAR_E_INVALID);
        EXPECT_TRUE(error.says(std::to_string(policy).c_str())) << error.message;
    }
}

TEST(PoolCreate, RefusesANodeListedTwice) {
    const uint32_t nodes[] = {0, 0};
    numa_pool_options options = options_for(nullptr);
    options.nodes = nodes;
    options.node_count = 2;
    EXPECT_EQ(create(options), NEAR_E_INVALID);
}

TEST(PoolCreate, RefusesNullNodesWithACountAndNodesWithoutOne) {
    const uint32_t nodes[] = {0};
    numa_pool_options options = options_for(nullptr);
    options.node_count = 1;
    EXPECT_EQ(create(options), NEAR_E_INVALID);
    options.nodes = nodes;
    options.node_count = 0;
    Error error;
    EXPECT_EQ(create(options, &error), NEAR_E_EMPTY_SET);
    EXPECT_TRUE(error.says("nodes")) << error.message;
}

TEST(PoolCreate, RefusesACountThatNoMemoryHolds) {
    const uint32_t nodes[] = {0};
    numa_pool_options options = options_for(nullptr);
    options.nodes = nodes;
    for (const std::size_t count : {SIZE_MAX, SIZE_MAX / 4, SIZE_MAX / 8 + 1}) {
        options.node_count = count;
        Error error;
        EXPECT_EQ(create(options, &error), NEAR_E_INVALID) << count;
        EXPECT_TRUE(error.says("nodes") && error.says(std::to_string(count).c_str())) << error.message;
    }
}

TEST(PoolCreate, LooksNoFurtherThanToTheFirstBadNodeOfAList) {
    const Topology four = four_nodes();
    const std::vector<uint32_t> nodes{3, 2, 1, 0, 3};
    numa_pool_options options = options_for(four);
    options.nodes = nodes.data();
    options.node_count = std::size_t{1} << 40U; // more than there are in any memory here
    Error error;
    EXPECT_EQ(create(options, &error), NEAR_E_INVALID) << error.message;
    EXPECT_TRUE(error.says("node 3 is listed twice")) << error.message;
}

TEST(PoolCreate, RefusesAMachineNoneOfWhoseCpusIsAllowed) {
    const MadeTree tree({{"sys/devices/system/cpu/online", "0-1"},
                         {"sys/devices/system/node/online", "0"},
                         {"sys/devices/system/node/node0/cpulist", "0-1"},
                         {"proc/self/status", "Cpus_allowed_list:\t7\nMems_allowed_list:\t0\n"}});
    const numa_pool_options options = options_for(tree.topology());
    Error error;
    EXPECT_EQ(create(options, &error), NEAR_E_NO_CPU) << error.message;
    EXPECT_TRUE(error.says("no CPU of this machine may be used")) << error.message;
}

TEST(PoolCreate, RefusesMoreWorkersThanItCanCount) {
    EXPECT_EQ(create(options_for(nullptr, 70000)), NEAR_E_INVALID);
    EXPECT_EQ(create(options_for(nullptr, UINT32_MAX)), NEAR_E_INVALID);
    const Topology four = four_nodes();
    EXPECT_EQ(create(options_for(four, 20000)), NEAR_E_INVALID) << "4 x 20000";
}

TEST(PoolCreate, RefusesOptionsOfAnotherVersion) {
    for (const uint32_t size : {0U, 4U, 7U, 12U, 20U, 28U, 1U << 30U}) { // 12: half of the topology
        numa_pool_options options = options_for(nullptr);
        options.struct_size = size;
        EXPECT_EQ(create(options), NEAR_E_VERSION) << size;
    }
    struct Later {
        numa_pool_options known;
        uint64_t added;
    } later{options_for(nullptr), 1};
    later.known.struct_size = sizeof later;
    EXPECT_EQ(create(later.known), NEAR_E_VERSION);
    later.added = 0;
    EXPECT_EQ(create(later.known), NEAR_OK);
}

TEST(PoolCreate, RefusesAnErrorOfAnotherVersion) {
    numa_pool *pool = nullptr;
    Error error;
    error.struct_size = 3;
    EXPECT_EQ(numa_pool_create(nullptr, &pool, &error), NEAR_E_VERSION);
    EXPECT_EQ(pool, nullptr);
}

TEST(PoolCreate, RefusesANodeThatDoesNotExistInBothModes) {
    const uint32_t nodes[] = {0, 4001};
    numa_pool_options options = options_for(nullptr);
    options.nodes = nodes;
    options.node_count = 2;
    for (const uint32_t strict : {0U, 1U}) {
        options.strict = strict;
        Error error;
        EXPECT_EQ(create(options, &error), NEAR_E_NO_NODE);
        EXPECT_TRUE(error.says("4001")) << error.message;
    }
}

TEST(PoolCreate, RefusesStrictOnAnotherMachineAndSaysWhy) {
    const Topology four = four_nodes();
    numa_pool_options options = options_for(four);
    options.strict = 1;
    Error error;
    EXPECT_EQ(create(options, &error), NEAR_E_STRICT);
    EXPECT_TRUE(error.says("machine")) << error.message;
}

TEST(PoolCreate, WithoutOptionsServesThisMachine) {
    numa_pool *made = nullptr;
    ASSERT_EQ(numa_pool_create(nullptr, &made, nullptr), NEAR_OK);
    const numa_pool_info info = info_of(made);
    EXPECT_EQ(info.steal_policy, NUMA_POOL_STEAL_NEAREST);
    EXPECT_EQ(info.strict, 0U);
    EXPECT_EQ(info.node_count, nodes_of(made).size());
    EXPECT_GE(info.worker_count, 1U);
    near_topology_info machine{};
    machine.struct_size = sizeof machine;
    ASSERT_EQ(near_topology_get_info(nullptr, &machine), NEAR_OK);
    EXPECT_LE(info.worker_count, std::max(machine.core_count, machine.node_count)) << "more than one a core";
    EXPECT_NE(numa_pool_topology(made), nullptr);
    numa_pool_destroy(made);
}

TEST(PoolCreate, ATopologyIsKeptAlive) {
    auto topology = std::make_unique<Topology>(four_nodes());
    const Pool pool(options_for(*topology));
    EXPECT_EQ(numa_pool_topology(pool), static_cast<const near_topology *>(*topology));
    topology.reset();
    EXPECT_EQ(near_topology_node_count(numa_pool_topology(pool)), 4U);
    EXPECT_EQ(numa_pool_topology(nullptr), nullptr);
}

// Peers N19: zero workers were accepted, and no task ever ran.
TEST(PoolCreate, ZeroWorkersPerNodeIsTheDefaultAndNeverNone) {
    const Topology four = four_nodes();
    const Pool pool(options_for(four, 0));
    EXPECT_GE(info_of(pool).worker_count, 4U);
    EXPECT_LE(info_of(pool).worker_count, 8U);
    std::atomic<int> run{0};
    for (uint32_t node = 0; node < 4; node++) {
        EXPECT_GE(node_info_of(pool, node).worker_count, 1U);
        ASSERT_EQ(submit(pool, node, [&] { run++; }), NEAR_OK);
    }
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(run, 4);
}

// F7.
TEST(PoolCreate, AnExplicitNumberOfWorkersIsHonoured) {
    const Pool pool(3);
    for (const uint32_t node : nodes_of(pool)) {
        const numa_pool_node_info info = node_info_of(pool, node);
        EXPECT_EQ(info.worker_count, info.serving_node == node ? 3U : 0U);
    }
}

TEST(PoolCreate, WorkersAreNamedByNodeAndIndex) {
    const Topology sparse("pack:2 numa:1(indexes=0,8) core:2 pu:1");
    {
        const Pool pool(options_for(sparse, 2));
        const std::set<std::string> wanted{"numa-w0-0", "numa-w0-1", "numa-w8-0", "numa-w8-1"};
        EXPECT_TRUE(eventually([&] { return count_threads("numa-w") == 4; }));
        std::set<std::string> found;
        for (const std::string &name : thread_names()) {
            if (name.rfind("numa-w", 0) == 0) {
                found.insert(name);
            }
        }
        EXPECT_EQ(found, wanted);
    }
    EXPECT_TRUE(no_worker_is_left()) << "threads outlive their pool (peers N21)";
}

struct Callbacks {
    std::mutex mutex;
    std::multiset<std::pair<uint32_t, uint32_t>> started;
    std::multiset<std::pair<uint32_t, uint32_t>> stopped;
    std::set<std::thread::id> threads;
    std::atomic<int> run_before_start{0};

    static void start(uint32_t node, uint32_t worker, void *user_data) {
        auto *own = static_cast<Callbacks *>(user_data);
        const std::lock_guard<std::mutex> lock(own->mutex);
        own->started.emplace(node, worker);
        own->threads.insert(std::this_thread::get_id());
    }
    static void stop(uint32_t node, uint32_t worker, void *user_data) {
        auto *own = static_cast<Callbacks *>(user_data);
        const std::lock_guard<std::mutex> lock(own->mutex);
        own->stopped.emplace(node, worker);
    }
    bool knows_this_thread() {
        const std::lock_guard<std::mutex> lock(mutex);
        return threads.count(std::this_thread::get_id()) != 0;
    }
};

TEST(PoolCreate, CallbacksRunOnceOnEachWorkerBeforeItsTasksAndAfterThem) {
    const Topology four = four_nodes();
    Callbacks callbacks;
    numa_pool_options options = options_for(four, 2);
    options.thread_start = Callbacks::start;
    options.thread_stop = Callbacks::stop;
    options.user_data = &callbacks;
    {
        const Pool pool(options);
        for (int i = 0; i < 200; i++) {
            ASSERT_EQ(submit(pool, static_cast<uint32_t>(i) % 4,
                             [&] { callbacks.run_before_start += callbacks.knows_this_thread() ? 0 : 1; }),
                      NEAR_OK);
        }
        ASSERT_EQ(wait_idle(pool), NEAR_OK);
        EXPECT_TRUE(callbacks.stopped.empty());
    }
    EXPECT_EQ(callbacks.run_before_start, 0);
    EXPECT_EQ(callbacks.started.size(), 8U);
    EXPECT_EQ(std::set(callbacks.started.begin(), callbacks.started.end()).size(), 8U);
    EXPECT_EQ(callbacks.started, callbacks.stopped);
}

// design.md section 2: the host's handlers get its signals, its crash reporter and profiler work on our threads.
TEST(PoolCreate, WorkersBlockAsynchronousSignalsOnly) {
    const Pool pool(1);
    sigset_t blocked{};
    ASSERT_EQ(submit(pool, NUMA_POOL_NODE_LOCAL, [&] { pthread_sigmask(SIG_BLOCK, nullptr, &blocked); }), NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    for (const int open : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) {
        EXPECT_EQ(sigismember(&blocked, open), 0) << open;
    }
    for (const int closed : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGALRM, SIGCHLD, SIGPIPE}) {
        EXPECT_EQ(sigismember(&blocked, closed), 1) << closed;
    }
}

TEST(PoolCreate, OnAnotherMachineNothingIsPinnedAndThatIsSaid) {
    const Topology four = four_nodes();
    const Pool pool(options_for(four));
    EXPECT_EQ(info_of(pool).level, NEAR_LEVEL_NONE);
    EXPECT_EQ(info_of(pool).reason_code, NEAR_REASON_NOT_THIS_MACHINE);
    EXPECT_STRNE(info_of(pool).reason, "");
    EXPECT_EQ(node_info_of(pool, 2).level, NEAR_LEVEL_NONE);
    EXPECT_EQ(node_info_of(pool, 2).reason_code, NEAR_REASON_NOT_THIS_MACHINE);
}

// F1, peers N27: every worker looks where it is, and says so.
TEST(PoolCreate, OnThisMachineEveryNodeSaysHowFarItsWorkersArePinned) {
    const Pool pool(1);
    int32_t lowest = NEAR_LEVEL_STRICT;
    for (const uint32_t node : nodes_of(pool)) {
        const numa_pool_node_info info = node_info_of(pool, node);
        EXPECT_EQ(info.node, node);
        EXPECT_GE(info.level, NEAR_LEVEL_NONE);
        EXPECT_EQ(info.level == NEAR_LEVEL_STRICT, info.reason_code == NEAR_REASON_NONE);
        EXPECT_EQ(info.level == NEAR_LEVEL_STRICT, info.reason[0] == '\0') << info.reason;
        lowest = std::min(lowest, info.level);
    }
    EXPECT_EQ(info_of(pool).level, lowest);
}

// Peers N15, N16, N17, acceptance 2: node 8 was used as an index, and every worker died.
TEST(PoolNodes, OfASparseMachineAreReachedByTheirNumbers) {
    const Topology sparse("pack:2 numa:1(indexes=0,8) core:2 pu:1");
    const Pool pool(options_for(sparse, 1, NUMA_POOL_STEAL_LOCAL));
    EXPECT_EQ(nodes_of(pool), (std::vector<uint32_t>{0, 8}));
    std::atomic<int> right{0};
    for (int i = 0; i < 200; i++) {
        const uint32_t node = i % 2 == 0 ? 0 : 8;
        ASSERT_EQ(submit(pool, node, [&right, node] { right += current_node() == node ? 1 : 0; }), NEAR_OK);
    }
    for (const uint32_t absent : {1U, 2U, 7U, 9U, NEAR_NODE_UNKNOWN}) {
        EXPECT_EQ(numa_pool_submit(pool, absent, succeed, nullptr), NEAR_E_NO_NODE) << absent;
    }
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(right, 200);
    EXPECT_EQ(counts_of(pool, 8).run_local, 100U);
    EXPECT_EQ(counts_of(pool).accepted, 200U) << "a refused task was counted";
}

TEST(PoolNodes, OfAPoolAreThoseAskedForInThatOrder) {
    const Topology four = four_nodes();
    const uint32_t nodes[] = {3, 1};
    numa_pool_options options = options_for(four);
    options.nodes = nodes;
    options.node_count = 2;
    const Pool pool(options);
    EXPECT_EQ(nodes_of(pool), (std::vector<uint32_t>{3, 1}));
    EXPECT_EQ(info_of(pool).worker_count, 2U);
    EXPECT_EQ(numa_pool_submit(pool, 0, succeed, nullptr), NEAR_E_NO_NODE);
    EXPECT_EQ(node_info_of(pool, 3).package, 1U);
}

TEST(PoolNodes, WithoutCpusAreServedByTheNearestAndSaySo) {
    const Topology expander({{0, 0, {0, 1}}, {1, 1, {2, 3}}, {2, 1, {}}}, {10, 20, 24, 20, 10, 14, 24, 14, 10});
    const Pool pool(options_for(expander, 1, NUMA_POOL_STEAL_LOCAL));
    const numa_pool_node_info info = node_info_of(pool, 2);
    EXPECT_EQ(info.serving_node, 1U);
    EXPECT_EQ(info.worker_count, 0U);
    EXPECT_EQ(info_of(pool).node_count, 3U);
    EXPECT_EQ(info_of(pool).worker_count, 2U);
    std::atomic<int> right{0};
    for (int i = 0; i < 50; i++) {
        ASSERT_EQ(submit(pool, 2, [&] { right += current_node() == 1 ? 1 : 0; }), NEAR_OK);
    }
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(right, 50);
    EXPECT_EQ(counts_of(pool, 2).run_local, 50U);
    EXPECT_EQ(counts_of(pool, 1).taken, 0U) << "a node that is served is no victim";
    expect_counts_add_up(pool);
}

TEST(PoolCreate, NamesItsNodesWhereOneIsAskedForThatItHasNot) {
    const Topology machine("numa:4 pu:1");
    const Pool pool(options_for(machine, 1));
    near_region *region = nullptr;
    Error error;
    EXPECT_EQ(numa_pool_alloc(pool, 4, 1, nullptr, &region, &error), NEAR_E_NO_NODE);
    EXPECT_TRUE(error.says("node 4 is not in this pool (nodes 0-3)")) << error.message;
}

} // namespace
