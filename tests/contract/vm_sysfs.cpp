// SPDX-License-Identifier: Apache-2.0
// A /sys that is masked, hidden or wrong, and kinds of memory, in the machines of tests/vm, whose kernel knows better.
// Each looks at the machine from a program of its own, which this one becomes in a mount namespace of its own: what a
// process has read of its machine it keeps.
#include "contract/numa_pool_support.hpp"
#include "support/vm_machine.hpp"

#include <nearpool/topology_memory.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace nearpool_test;

namespace {

constexpr const char *inside = "NEARPOOL_TEST_INSIDE"; // set: this is the program that looks

struct Outcome {
    int status = -1;
    std::string output; // of both descriptors
};

Outcome drain(int from, pid_t child) {
    Outcome outcome;
    std::array<char, 4096> part{};
    for (ssize_t count = 0; (count = ::read(from, part.data(), part.size())) > 0;) {
        outcome.output.append(part.data(), static_cast<std::size_t>(count));
    }
    ::close(from);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return outcome;
}

// Runs this very test again after `change` has changed what the new program sees; 0: change done.
Outcome look(const std::function<int()> &change) {
    const testing::TestInfo &test = *testing::UnitTest::GetInstance()->current_test_info();
    const std::string filter = std::string("--gtest_filter=") + test.test_suite_name() + "." + test.name();
    std::array<int, 2> pipe{};
    EXPECT_EQ(::pipe(pipe.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(pipe[1], STDOUT_FILENO);
        ::dup2(pipe[1], STDERR_FILENO);
        ::close(pipe[0]);
        ::close(pipe[1]);
        ::setenv(inside, "1", 1);
        if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            change() != 0) {
            std::perror("the new program's /sys");
            ::_exit(99);
        }
        ::execl("/proc/self/exe", "looker", filter.c_str(), "--gtest_brief=1", nullptr);
        ::_exit(98);
    }
    ::close(pipe[1]);
    return drain(pipe[0], child);
}

bool is_inside() {
    return std::getenv(inside) != nullptr;
}

// All that GoogleTest prints of a test that passes in brief is its sum: whatever else is there, the library or hwloc
// printed.
void expect_quiet_success(const Outcome &outcome) {
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    std::istringstream lines(outcome.output);
    for (std::string line; std::getline(lines, line);) {
        const bool known = line.empty() || line.rfind("[====", 0) == 0 || line.rfind("[  PASSED", 0) == 0 ||
                           line.rfind("1 passed", 0) == 0 || line.rfind("Note: Google Test filter", 0) == 0;
        if (!known) {
            ADD_FAILURE() << outcome.output;
            return;
        }
    }
}

int mask(const char *folder) {
    ::mkdir("/tmp/empty", 0755);
    return ::mount("/tmp/empty", folder, nullptr, MS_BIND, nullptr);
}

int replace(const char *file, const std::string &text) {
    std::ofstream("/tmp/replacement") << text;
    return ::mount("/tmp/replacement", file, nullptr, MS_BIND, nullptr);
}

near_topology_info machine_info() {
    near_topology_info info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(near_topology_get_info(nullptr, &info), NEAR_OK);
    return info;
}

near_node_info node_info(uint32_t node) {
    near_node_info info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(near_topology_node_info(nullptr, node, &info), NEAR_OK);
    return info;
}

uint32_t allowed_cpus() {
    cpu_set_t set;
    EXPECT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
    return static_cast<uint32_t>(CPU_COUNT(&set));
}

// All its pages are on the one node that is known, and "all nodes" are more.
void expect_doubtful_memory() {
    near_region_options options{};
    options.struct_size = sizeof options;
    options.policy = NEAR_POLICY_INTERLEAVE;
    options.prefault = NEAR_PREFAULT_ON_NODE;
    near_region *region = nullptr;
    ASSERT_EQ(near_region_create(nullptr, std::size_t{1} << 20U, &options, &region, nullptr), NEAR_OK);
    near_placement placement{};
    placement.struct_size = sizeof placement;
    EXPECT_EQ(near_region_placement(region, &placement, nullptr), NEAR_OK);
    EXPECT_EQ(placement.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_NE(std::string(placement.reason).find("Mems_allowed"), std::string::npos) << placement.reason;
    near_region_destroy(region);
    options.strict = 1;
    EXPECT_EQ(near_region_create(nullptr, std::size_t{1} << 20U, &options, &region, nullptr), NEAR_E_STRICT);
}

// One node that stands for several: a pool runs, a region is made, and neither says strict.
void expect_doubt() {
    const near_topology_info info = machine_info();
    EXPECT_EQ(info.node_count, 1U);
    EXPECT_EQ(info.synthetic_node, 1U);
    EXPECT_NE(std::string(info.doubt).find("Mems_allowed"), std::string::npos) << info.doubt;
    EXPECT_EQ(info.allowed_cpus, allowed_cpus());
    near_error why{};
    why.struct_size = sizeof why;
    numa_pool_options options{};
    options.struct_size = sizeof options;
    options.strict = 1;
    numa_pool *pool = nullptr;
    EXPECT_EQ(numa_pool_create(&options, &pool, &why), NEAR_E_STRICT);
    EXPECT_NE(std::string(why.message).find("Mems_allowed"), std::string::npos) << why.message;
    options.strict = 0;
    const Pool soft(options);
    numa_pool_info facts{};
    facts.struct_size = sizeof facts;
    ASSERT_EQ(numa_pool_get_info(soft, &facts), NEAR_OK);
    EXPECT_EQ(facts.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_NE(std::string(facts.reason).find("Mems_allowed"), std::string::npos) << facts.reason;
    expect_doubtful_memory();
}

TEST(VmSysfs, AMaskedNodeFolderLeavesOneNodeInDoubt) {
    NEEDS_MACHINE("four-nodes");
    if (is_inside()) {
        expect_doubt();
        return;
    }
    expect_quiet_success(look([] { return mask("/sys/devices/system/node"); }));
}

TEST(VmSysfs, AHiddenSysLeavesTheCpusOfTheAffinityAndOneNodeInDoubt) {
    NEEDS_MACHINE("four-nodes");
    if (is_inside()) {
        expect_doubt();
        EXPECT_NE(machine_info().basis & NEAR_BASIS_AFFINITY, 0U);
        return;
    }
    expect_quiet_success(look([] { return ::mount("none", "/sys", "tmpfs", 0, nullptr); }));
}

// A pool is made, of the CPUs that the kernel allows.
TEST(VmSysfs, AFalseListOfOnlineCpusGivesWayToTheAffinity) {
    NEEDS_MACHINE("four-nodes");
    if (is_inside()) {
        EXPECT_EQ(machine_info().allowed_cpus, 3U);
        numa_pool_options options{};
        options.struct_size = sizeof options;
        const Pool pool(options);
        std::atomic<int> run{0};
        for (const uint32_t node : nodes_of(pool)) {
            EXPECT_EQ(submit(pool, node, [&] { run++; }), NEAR_OK);
        }
        EXPECT_EQ(wait_idle(pool), NEAR_OK);
        EXPECT_EQ(run, static_cast<int>(nodes_of(pool).size()));
        return;
    }
    expect_quiet_success(look([] {
        cpu_set_t set;
        CPU_ZERO(&set);
        for (const int cpu : {2, 5, 7}) {
            CPU_SET(cpu, &set);
        }
        const int done = replace("/sys/devices/system/cpu/online", "0-2\n");
        return done != 0 ? done : ::sched_setaffinity(0, sizeof set, &set);
    }));
}

// hwloc printed its banner here: nodes list CPUs that are not online.
TEST(VmSysfs, AListThatNamesTooFewCpusIsNoReasonToPrint) {
    NEEDS_MACHINE("four-nodes");
    if (is_inside()) {
        EXPECT_EQ(machine_info().node_count, 4U);
        return;
    }
    expect_quiet_success(look([] { return replace("/sys/devices/system/cpu/online", "2,5,7\n"); }));
}

// HMAT: 100 GB/s beside 40 is high-bandwidth memory; 10 is slow, and what it is nobody says.
TEST(VmSysfs, HmatTellsTheKindOfMemoryOnlyNodes) {
    NEEDS_MACHINE("hmat");
    EXPECT_EQ(node_info(0).memory_kind, NEAR_MEMORY_DRAM);
    EXPECT_EQ(node_info(0).kind_source, NEAR_KIND_SOURCE_CPUS);
    EXPECT_EQ(node_info(2).memory_kind, NEAR_MEMORY_HBM);
    EXPECT_EQ(node_info(2).kind_source, NEAR_KIND_SOURCE_GUESSED_FROM_HMAT);
    EXPECT_EQ(node_info(3).memory_kind, NEAR_MEMORY_UNKNOWN);
    EXPECT_EQ(node_info(3).kind_source, NEAR_KIND_SOURCE_GUESSED_FROM_HMAT);
    EXPECT_EQ(node_info(2).nearest_with_cpus, 0U);
    EXPECT_EQ(node_info(3).nearest_with_cpus, 1U);
    std::array<uint32_t, 4> nodes{};
    std::size_t needed = 0;
    ASSERT_EQ(near_topology_memory_nodes(nullptr, nodes.data(), nodes.size(), &needed), NEAR_OK);
    EXPECT_EQ(std::vector<uint32_t>(nodes.data(), nodes.data() + needed), (std::vector<uint32_t>{0, 1, 3}));
    uint32_t best = 0;
    ASSERT_EQ(near_topology_best_memory(nullptr, 0, NEAR_BEST_BANDWIDTH, &best), NEAR_OK);
    EXPECT_EQ(best, 2U);
    ASSERT_EQ(near_topology_best_memory(nullptr, 0, NEAR_BEST_LATENCY, &best), NEAR_OK);
    EXPECT_EQ(best, 0U);
}

// What names no node leaves high-bandwidth memory alone; what names it gets it. The kernel says where the pages are.
TEST(VmSysfs, InterleavingWithoutNodesLeavesHighBandwidthMemoryAlone) {
    NEEDS_MACHINE("hmat");
    near_region_options options{};
    options.struct_size = sizeof options;
    options.policy = NEAR_POLICY_INTERLEAVE;
    options.prefault = NEAR_PREFAULT_ON_NODE;
    const auto nodes_of_region = [&] {
        near_region *region = nullptr;
        EXPECT_EQ(near_region_create(nullptr, std::size_t{6} << 20U, &options, &region, nullptr), NEAR_OK);
        std::array<near_node_pages, 8> pages{};
        std::size_t needed = 0;
        EXPECT_EQ(near_region_nodes(region, pages.data(), pages.size(), &needed, nullptr), NEAR_OK);
        near_region_destroy(region);
        std::vector<uint32_t> nodes;
        for (std::size_t i = 0; i < needed; i++) {
            nodes.push_back(pages[i].node);
        }
        return nodes;
    };
    EXPECT_EQ(nodes_of_region(), (std::vector<uint32_t>{0, 1, 3}));
    const uint32_t fast = 2;
    options.policy = NEAR_POLICY_BIND;
    options.nodes = &fast;
    options.node_count = 1;
    EXPECT_EQ(nodes_of_region(), std::vector<uint32_t>{2});
}

} // namespace
