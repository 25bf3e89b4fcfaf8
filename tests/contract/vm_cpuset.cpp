// SPDX-License-Identifier: Apache-2.0
// What a pool and a pin say while their cpuset moves and their CPUs go offline and come back, in the machines of
// tests/vm. The kernel is asked, inside the tasks.
#include "contract/vm_support.hpp"

#include <sched.h>

using namespace nearpool_test;

namespace {

using Cpus = std::set<uint32_t>;

numa_pool_options strict_options() {
    numa_pool_options options = options_for(nullptr, 2, NUMA_POOL_STEAL_LOCAL);
    options.strict = 1;
    return options;
}

near_pin_report report_of(const near_pin *pin) {
    near_pin_report report{};
    report.struct_size = sizeof report;
    EXPECT_EQ(near_pin_get_report(pin, &report), NEAR_OK);
    return report;
}

// Each node of four-nodes has two CPUs, 2n and 2n + 1.
void expect_on_own_cpus(numa_pool *pool, uint32_t node) {
    const numa_pool_node_info info = node_info_of(pool, node);
    EXPECT_EQ(info.level, NEAR_LEVEL_STRICT) << "node " << node << ": " << info.reason;
    EXPECT_EQ(seen_by(pool, node).first, Cpus{node});
}

ALONE_TEST(VmCpuset, AStrictPoolThatWasMovedSaysSoAndIsPinnedAgainWhenItMayBe) {
    NEEDS_MACHINE("four-nodes");
    ControlGroup group;
    ASSERT_TRUE(group.set("cpuset.cpus", "0-3") && group.enter());
    const Pool pool(strict_options());
    ASSERT_EQ(nodes_of(pool), (std::vector<uint32_t>{0, 1}));
    expect_on_own_cpus(pool, 0);
    ASSERT_TRUE(group.set("cpuset.cpus", "4-7"));
    for (const uint32_t node : {0U, 1U}) {
        const numa_pool_node_info info = node_info_of(pool, node);
        EXPECT_EQ(info.level, NEAR_LEVEL_BEST_EFFORT);
        EXPECT_EQ(info.reason_code, NEAR_REASON_NOT_ALLOWED) << info.reason;
        EXPECT_NE(std::string(info.reason).find("may run on CPUs 4-7"), std::string::npos) << info.reason;
    }
    EXPECT_EQ(info_of(pool).level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(info_of(pool).strict, 1U) << "what was asked for stays";
    ASSERT_TRUE(group.set("cpuset.cpus", "2-7")); // node 1 may be used again, node 0 not
    expect_on_own_cpus(pool, 1);
    EXPECT_EQ(node_info_of(pool, 0).level, NEAR_LEVEL_BEST_EFFORT);
    ASSERT_TRUE(group.set("cpuset.cpus", "0-7"));
    expect_on_own_cpus(pool, 0);
    expect_on_own_cpus(pool, 1);
    EXPECT_EQ(info_of(pool).level, NEAR_LEVEL_STRICT) << info_of(pool).reason;
}

ALONE_TEST(VmCpuset, CpusThatGoOfflineAndComeBackAreSeen) {
    NEEDS_MACHINE("four-nodes");
    const Pool pool(strict_options());
    near_pin *pin = nullptr;
    const near_pin_options strict{sizeof strict, 1};
    ASSERT_EQ(near_pin_node(nullptr, 1, &strict, &pin, nullptr), NEAR_OK);
    ASSERT_TRUE(write_file("/sys/devices/system/cpu/cpu2/online", "0"));
    EXPECT_EQ(node_info_of(pool, 1).level, NEAR_LEVEL_BEST_EFFORT) << "one of two CPUs is left";
    ASSERT_TRUE(write_file("/sys/devices/system/cpu/cpu3/online", "0"));
    EXPECT_EQ(node_info_of(pool, 1).level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(node_info_of(pool, 1).reason_code, NEAR_REASON_NOT_ALLOWED) << node_info_of(pool, 1).reason;
    EXPECT_EQ(report_of(pin).level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(report_of(pin).reason_code, NEAR_REASON_NOT_ALLOWED) << report_of(pin).reason;
    for (const uint32_t other : {0U, 2U, 3U}) {
        expect_on_own_cpus(pool, other);
    }
    ASSERT_TRUE(write_file("/sys/devices/system/cpu/cpu2/online", "1"));
    ASSERT_TRUE(write_file("/sys/devices/system/cpu/cpu3/online", "1"));
    expect_on_own_cpus(pool, 1);
    EXPECT_EQ(report_of(pin).level, NEAR_LEVEL_STRICT) << report_of(pin).reason;
    EXPECT_EQ(report_of(pin).cpu_count, 2U);
    EXPECT_EQ(here().node, 1U);
    EXPECT_EQ(near_pin_release(pin, nullptr), NEAR_OK);
}

Cpus own_mask() {
    Cpus cpus;
    cpu_set_t mask;
    EXPECT_EQ(::sched_getaffinity(0, sizeof mask, &mask), 0);
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &mask)) {
            cpus.insert(cpu);
        }
    }
    return cpus;
}

// The kernel spreads no threads over isolated CPUs: two that shared a mask would stay on one of them.
ALONE_TEST(VmCpuset, OnIsolatedCpusEachWorkerHasOneOfItsOwn) {
    NEEDS_MACHINE("four-nodes");
    ControlGroup group;
    ASSERT_TRUE(group.set("cpuset.cpus", "4-7") && group.set("cpuset.cpus.partition", "isolated") && group.enter());
    struct Masks {
        std::mutex mutex;
        std::set<std::pair<uint32_t, Cpus>> seen; // by node
    } masks;
    numa_pool_options options = options_for(nullptr, 2, NUMA_POOL_STEAL_LOCAL);
    options.strict = 1;
    options.user_data = &masks;
    options.thread_start = [](uint32_t node, uint32_t, void *user_data) {
        auto *all = static_cast<Masks *>(user_data);
        const std::lock_guard<std::mutex> lock(all->mutex);
        all->seen.emplace(node, own_mask());
    };
    {
        const Pool pool(options);
        EXPECT_EQ(info_of(pool).level, NEAR_LEVEL_STRICT) << info_of(pool).reason;
        EXPECT_EQ(seen_by(pool, 2).first, Cpus{2});
    }
    EXPECT_EQ(masks.seen, (std::set<std::pair<uint32_t, Cpus>>{{2, {4}}, {2, {5}}, {3, {6}}, {3, {7}}}));
    EXPECT_TRUE(group.set("cpuset.cpus.partition", "member"));
}

ALONE_TEST(VmCpuset, WorkersRunOnTheCpusOfTheListAlone) {
    NEEDS_MACHINE("four-nodes");
    const uint32_t listed[] = {1, 2, 3};
    const uint32_t excluded[] = {3};
    numa_pool_options options = options_for(nullptr, 2, NUMA_POOL_STEAL_LOCAL);
    options.strict = 1;
    options.cpus = listed;
    options.cpu_count = 3;
    options.excluded_cpus = excluded;
    options.excluded_count = 1;
    const Pool pool(options);
    EXPECT_EQ(nodes_of(pool), (std::vector<uint32_t>{0, 1}));
    EXPECT_EQ(seen_by(pool, 0).second, Cpus{1});
    EXPECT_EQ(seen_by(pool, 1).second, Cpus{2});
}

} // namespace
