// SPDX-License-Identifier: Apache-2.0
// NEAR_E_NOMEM of each function that needs memory: its first allocation fails, then its second, until none does. The
// library allocates with this program's operator new, for -Bsymbolic binds only what the library defines itself.
#include "contract/numa_pool_support.hpp"
#include "support/limited_memory.hpp"

#include <atomic>

using namespace nearpool_test;

namespace {

class OutOfMemory : public testing::Test {
protected:
    Topology machine_ = four_nodes();
    Error error_;
};

// In a process that has logged nothing yet: a message must not fail a call whose threads have started.
ALONE_TEST(OutOfMemoryAlone, PoolCreateLeavesNothingAndSaysSo) {
    const Topology machine = four_nodes();
    Error error;
    const numa_pool_options options = options_for(machine, 2);
    std::thread([] {}).join(); // with the first thread comes ThreadSanitizer's own
    const std::size_t threads = thread_names().size();
    numa_pool *pool = nullptr;
    EXPECT_GT(call_until_memory_suffices([&] {
                  EXPECT_EQ(pool, nullptr) << "written by a call that failed";
                  return numa_pool_create(&options, &pool, &error);
              }),
              4U);
    EXPECT_EQ(error.status, NEAR_E_NOMEM);
    numa_pool_destroy(pool);
    EXPECT_TRUE(no_more_threads_than(threads));
    limit_allocations(1);
    EXPECT_EQ(numa_pool_create(nullptr, &pool, nullptr), NEAR_E_NOMEM);
    limit_allocations(UINT64_MAX);
}

// design.md section 4: a failed creation is retried, from the discovery of the machine on.
ALONE_TEST(OutOfMemoryAlone, TheDefaultPoolIsTriedAgain) {
    numa_pool *pool = nullptr;
    EXPECT_GT(call_until_memory_suffices([&] { return numa_pool_default(&pool, nullptr); }), 4U);
    EXPECT_EQ(numa_pool_submit(pool, NUMA_POOL_NODE_LOCAL, succeed, nullptr), NEAR_OK);
    EXPECT_EQ(wait_idle(pool), NEAR_OK);
}

TEST_F(OutOfMemory, SubmitQueuesNothing) {
    const Pool pool(options_for(machine_));
    EXPECT_GT(call_until_memory_suffices([&] {
                  EXPECT_EQ(counts_of(pool).accepted, 0U);
                  return numa_pool_submit(pool, 2, succeed, nullptr);
              }),
              0U);
    EXPECT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(counts_of(pool, 2).run_local + counts_of(pool, 2).run_remote, 1U);
}

TEST_F(OutOfMemory, SubmitTasksQueuesNothingAndTheGroupCountsNothing) {
    const Pool pool(options_for(machine_));
    const Group group(pool);
    const std::vector<near_task> tasks(1000, near_task{succeed, nullptr, nullptr});
    EXPECT_GT(call_until_memory_suffices([&] {
                  EXPECT_EQ(counts_of_group(group).accepted, 0U);
                  return numa_pool_submit_tasks(pool, 1, tasks.data(), tasks.size(), group);
              }),
              1U);
    EXPECT_EQ(wait_group(group), NEAR_OK);
    EXPECT_EQ(counts_of_group(group).run, tasks.size());
}

TEST_F(OutOfMemory, GroupSubmitQueuesNothing) {
    const Pool pool(options_for(machine_));
    const Group group(pool);
    EXPECT_GT(call_until_memory_suffices([&] { return numa_pool_group_submit(group, 3, succeed, nullptr); }), 1U);
    EXPECT_EQ(wait_group(group), NEAR_OK);
    EXPECT_EQ(counts_of_group(group).run, 1U);
}

TEST_F(OutOfMemory, GroupCreateMakesNone) {
    const Pool pool(options_for(machine_));
    numa_pool_group *group = nullptr;
    EXPECT_GT(call_until_memory_suffices([&] { return numa_pool_group_create(pool, &group, &error_); }), 0U);
    EXPECT_TRUE(error_.says("numa_pool_group_create: out of memory") || error_.message[0] == '\0') << error_.message;
    numa_pool_group_destroy(group);
}

// Whatever fails, no task is left that looks at the call's own memory after its return.
TEST_F(OutOfMemory, ParallelForLeavesNothingRunning) {
    std::atomic<int> running{0};
    std::atomic<int> run{0};
    struct Both {
        std::atomic<int> *running;
        std::atomic<int> *run;
    } both{&running, &run};
    const numa_pool_range_fn body = [](std::size_t, std::size_t, uint32_t, void *user_data) -> near_status {
        const Both &counts = *static_cast<Both *>(user_data);
        ++*counts.running;
        ++*counts.run;
        --*counts.running;
        return NEAR_OK;
    };
    EXPECT_GT(call_until_memory_suffices([&] {
                  const uint64_t enough = limit_allocations(UINT64_MAX);
                  const Pool pool(options_for(machine_)); // whose queues have no memory yet
                  run = 0;
                  limit_allocations(enough);
                  const near_status status = numa_pool_parallel_for(pool, 0, 100, 1, body, &both, &error_);
                  limit_allocations(UINT64_MAX);
                  EXPECT_EQ(running, 0);
                  return status;
              }),
              0U);
    EXPECT_EQ(run, 100);
}

TEST_F(OutOfMemory, AllocMakesNoRegion) {
    const Pool pool(options_for(machine_));
    near_region *region = nullptr;
    EXPECT_GT(call_until_memory_suffices([&] { return numa_pool_alloc(pool, 0, 4096, nullptr, &region, &error_); }),
              0U);
    near_region_destroy(region);
}

TEST_F(OutOfMemory, WhatIsReadFromAPoolIsNotWritten) {
    const Pool pool(options_for(machine_));
    std::vector<uint32_t> nodes(4);
    std::size_t needed = 0;
    EXPECT_GT(call_until_memory_suffices([&] {
                  EXPECT_EQ(needed, 0U);
                  return numa_pool_nodes(pool, nodes.data(), nodes.size(), &needed);
              }),
              0U);
    std::vector<uint64_t> matrix(16);
    needed = 0;
    EXPECT_GT(call_until_memory_suffices([&] {
                  EXPECT_EQ(needed, 0U);
                  return numa_pool_get_steals(pool, matrix.data(), matrix.size(), &needed);
              }),
              0U);
}

TEST_F(OutOfMemory, PinsLeaveTheThreadWhereItWas) {
    std::vector<uint32_t> before(4096);
    std::size_t count = 0;
    ASSERT_EQ(near_affinity_get(before.data(), before.size(), &count, nullptr), NEAR_OK);
    ASSERT_GE(near_topology_node_count(nullptr), 1U); // discovered, so that what fails is the pin
    const auto expect_unpinned = [&] {
        std::vector<uint32_t> now(4096);
        std::size_t left = 0;
        EXPECT_EQ(near_affinity_get(now.data(), now.size(), &left, nullptr), NEAR_OK);
        EXPECT_EQ(now, before);
    };
    near_pin *pin = nullptr;
    EXPECT_GT(
        call_until_memory_suffices([&] { return near_pin_cpus(nullptr, before.data(), 1, nullptr, &pin, &error_); }),
        0U);
    EXPECT_EQ(near_pin_release(std::exchange(pin, nullptr), nullptr), NEAR_OK);
    expect_unpinned();
    const uint32_t node = near_topology_node_at(nullptr, 0);
    EXPECT_GT(call_until_memory_suffices([&] { return near_pin_nearest(nullptr, node, nullptr, &pin, &error_); }), 0U);
    EXPECT_EQ(near_pin_release(std::exchange(pin, nullptr), nullptr), NEAR_OK);
    expect_unpinned();
    EXPECT_GT(call_until_memory_suffices([&] { return near_pin_node(machine_, 0, nullptr, &pin, &error_); }), 0U);
    EXPECT_EQ(near_pin_release(pin, nullptr), NEAR_OK);
    EXPECT_GT(call_until_memory_suffices([&] { return near_affinity_set(before.data(), count, &error_); }), 0U);
    count = 0;
    EXPECT_GT(call_until_memory_suffices([&] {
                  EXPECT_EQ(count, 0U);
                  return near_affinity_get(before.data(), before.size(), &count, &error_);
              }),
              0U);
}

TEST_F(OutOfMemory, CapabilitiesAndTopologiesAreNotMade) {
    near_capabilities *capabilities = nullptr;
    EXPECT_GT(call_until_memory_suffices([&] { return near_capabilities_create(machine_, &capabilities, &error_); }),
              0U);
    near_capabilities_destroy(std::exchange(capabilities, nullptr));
    EXPECT_GT(call_until_memory_suffices([&] { return near_capabilities_create(nullptr, &capabilities, &error_); }),
              0U);
    near_capabilities_destroy(capabilities);
    near_topology_options options{};
    options.struct_size = sizeof options;
    options.source = NEAR_TOPOLOGY_SYNTHETIC;
    options.text = "numa:2 pu:2";
    near_topology *topology = nullptr;
    EXPECT_GT(call_until_memory_suffices([&] { return near_topology_create(&options, &topology, &error_); }), 0U);
    std::size_t needed = 0;
    for (const int32_t format : {NEAR_FORMAT_TEXT, NEAR_FORMAT_XML}) { // the JSON library ends the process
        EXPECT_GT(call_until_memory_suffices(
                      [&] { return near_topology_format(topology, format, nullptr, 0, &needed, &error_); }),
                  0U);
    }
    near_topology_release(topology);
}

// On the worker itself there is no memory, neither for what a failed task says nor for a look at what others could
// give.
TEST_F(OutOfMemory, WorkersGoOn) {
    Latch latch;
    const Pool pool(options_for(machine_));
    const Group group(pool);
    for (uint32_t node = 1; node < 4; node++) {
        ASSERT_EQ(submit(pool, node, [&] { latch.wait(); }), NEAR_OK);
    }
    ASSERT_TRUE(latch.await_waiting(3));
    std::atomic<int> status{1};
    ASSERT_EQ(submit(pool, 0,
                     [&] {
                         for (uint32_t node = 0; node < 2; node++) { // its own, and one to steal
                             const auto failing = [] {
                                 return near_task_fail("a text that does not fit into a string");
                             };
                             ASSERT_EQ(submit_job(pool, node, group, failing), NEAR_OK);
                         }
                         limit_allocations(0);
                         const near_status waited = numa_pool_group_wait(group, NEAR_FOREVER, nullptr);
                         limit_allocations(UINT64_MAX);
                         status = waited;
                     }),
              NEAR_OK);
    EXPECT_TRUE(eventually([&] { return status != 1; }));
    EXPECT_EQ(status, NEAR_E_TASK);
    EXPECT_EQ(counts_of_group(group).failed, 2U);
    EXPECT_EQ(counts_of_group(group).run, 2U);
    latch.open();
    EXPECT_EQ(wait_idle(pool), NEAR_OK);
}

} // namespace
