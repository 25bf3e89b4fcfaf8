// SPDX-License-Identifier: Apache-2.0
// The end of a pool: timed shutdown, draining, destroy from anywhere, threads that end, workers that sleep.
#include "contract/numa_pool_support.hpp"

#include <atomic>
#include <dirent.h>
#include <fstream>
#include <map>

using namespace nearpool_test;

namespace {

constexpr uint32_t local = NUMA_POOL_NODE_LOCAL;

// F9, peers N20, acceptance 4, and the issue's own words.
TEST(PoolShutdown, OfFiftyMillisecondsTimesOutWithOneTaskLeftAndASecondCallSucceeds) {
    Latch latch;
    const Pool pool(1);
    ASSERT_EQ(submit(pool, local, [&] { latch.wait(); }), NEAR_OK);
    ASSERT_TRUE(latch.await_waiting(1));
    uint64_t left = 77;
    Error error;
    const Stopwatch watch;
    EXPECT_EQ(numa_pool_shutdown(pool, 50 * NEAR_MS, &left, &error), NEAR_E_TIMEOUT);
    EXPECT_GE(watch.ns(), 50 * NEAR_MS) << "it did not wait";
    EXPECT_EQ(left, 1U);
    EXPECT_TRUE(error.says("numa_pool_shutdown: ") && error.says("1")) << error.message;
    latch.open();
    EXPECT_EQ(numa_pool_shutdown(pool, long_enough_ns, &left, &error), NEAR_OK) << error.message;
    EXPECT_EQ(left, 0U);
    EXPECT_TRUE(no_worker_is_left());
    EXPECT_EQ(counts_of(pool).run_local + counts_of(pool).run_remote, 1U);
}

// F14, F15: the whole way of a program, with 100 tasks to all nodes in turn and two workers on each.
TEST(PoolShutdown, EndsTheWayThatBeganWithTheCapabilities) {
    near_capabilities *capabilities = nullptr;
    ASSERT_EQ(near_capabilities_create(nullptr, &capabilities, nullptr), NEAR_OK);
    near_capability strict{};
    strict.struct_size = sizeof strict;
    EXPECT_EQ(near_capabilities_get(capabilities, NEAR_CAPABILITY_STRICT, &strict), NEAR_OK);
    EXPECT_STRNE(strict.text, "");
    near_capabilities_destroy(capabilities);
    const Pool pool(2);
    const std::vector<uint32_t> nodes = nodes_of(pool);
    EXPECT_EQ(nodes.size(), near_topology_node_count(nullptr));
    std::atomic<int> run{0};
    for (std::size_t i = 0; i < 100; i++) {
        ASSERT_EQ(submit(pool, nodes[i % nodes.size()], [&] { run++; }), NEAR_OK);
    }
    ASSERT_EQ(numa_pool_shutdown(pool, long_enough_ns, nullptr, nullptr), NEAR_OK);
    EXPECT_EQ(run, 100);
    EXPECT_EQ(counts_of(pool).run_local + counts_of(pool).run_remote, 100U);
    expect_counts_add_up(pool);
}

TEST(PoolShutdown, CountsWhatWaitsAndWhatRuns) {
    Latch latch;
    const Pool pool(options_for(nullptr, 1, NUMA_POOL_STEAL_LOCAL));
    const uint32_t node = nodes_of(pool)[0];
    ASSERT_EQ(submit(pool, node, [&] { latch.wait(); }), NEAR_OK);
    ASSERT_TRUE(latch.await_waiting(1));
    for (int i = 0; i < 10; i++) {
        ASSERT_EQ(numa_pool_submit(pool, node, succeed, nullptr), NEAR_OK);
    }
    uint64_t left = 0;
    EXPECT_EQ(numa_pool_shutdown(pool, 0, &left, nullptr), NEAR_E_TIMEOUT);
    EXPECT_EQ(left, 11U);
    latch.open();
    EXPECT_EQ(numa_pool_shutdown(pool, long_enough_ns, &left, nullptr), NEAR_OK);
    EXPECT_EQ(counts_of(pool).run_local, 11U) << "accepted tasks run, also after the intake has stopped";
}

// No task is left, but threads may be: then the count says so, and the next call waits for them.
TEST(PoolShutdown, WithoutTimeOfAnIdlePoolLeavesNoTask) {
    for (int i = 0; i < 20; i++) {
        const Pool pool(2);
        uint64_t left = 77;
        const near_status status = numa_pool_shutdown(pool, 0, &left, nullptr);
        EXPECT_TRUE(status == NEAR_OK || status == NEAR_E_TIMEOUT) << near_status_name(status);
        EXPECT_EQ(left, 0U);
        EXPECT_EQ(numa_pool_shutdown(pool, long_enough_ns, &left, nullptr), NEAR_OK);
    }
}

TEST(PoolShutdown, StopsTheIntakeFromOutside) {
    const Pool pool(1);
    const Group group(pool);
    ASSERT_EQ(numa_pool_shutdown(pool, long_enough_ns, nullptr, nullptr), NEAR_OK);
    const near_task task{succeed, nullptr, nullptr};
    const numa_pool_range_fn body = [](std::size_t, std::size_t, uint32_t, void *) { return near_status{NEAR_OK}; };
    Error error;
    EXPECT_EQ(numa_pool_submit(pool, local, succeed, nullptr), NEAR_E_SHUTDOWN);
    EXPECT_EQ(numa_pool_submit_tasks(pool, local, &task, 1, nullptr), NEAR_E_SHUTDOWN);
    EXPECT_EQ(numa_pool_group_submit(group, local, succeed, nullptr), NEAR_E_SHUTDOWN);
    EXPECT_EQ(numa_pool_parallel_for(pool, 0, 10, 1, body, nullptr, &error), NEAR_E_SHUTDOWN);
    EXPECT_TRUE(error.says("numa_pool_parallel_for: ")) << error.message;
    EXPECT_EQ(numa_pool_wait_idle(pool, 0, nullptr), NEAR_OK);
    EXPECT_EQ(wait_group(group), NEAR_OK);
    EXPECT_EQ(numa_pool_shutdown(pool, 0, nullptr, nullptr), NEAR_OK) << "twice is allowed";
    EXPECT_EQ(counts_of(pool).accepted, 0U);
}

TEST(PoolShutdown, LetsRunningTasksSubmitWhileDraining) {
    Latch latch;
    const Pool pool(2);
    const uint32_t node = nodes_of(pool)[0];
    std::atomic<int> run{0};
    std::atomic<int> refused{0};
    std::function<void(int)> spread = [&](int depth) {
        run++;
        for (int i = 0; i < 2 && depth > 0; i++) {
            refused += submit(pool, node, [&spread, depth] { spread(depth - 1); }) == NEAR_OK ? 0 : 1;
        }
    };
    ASSERT_EQ(submit(pool, node,
                     [&] {
                         latch.wait();
                         spread(9);
                     }),
              NEAR_OK);
    ASSERT_TRUE(latch.await_waiting(1));
    uint64_t left = 0;
    EXPECT_EQ(numa_pool_shutdown(pool, 0, &left, nullptr), NEAR_E_TIMEOUT);
    EXPECT_EQ(numa_pool_submit(pool, node, succeed, nullptr), NEAR_E_SHUTDOWN);
    latch.open();
    EXPECT_EQ(numa_pool_shutdown(pool, long_enough_ns, &left, nullptr), NEAR_OK);
    EXPECT_EQ(run, 1023);
    EXPECT_EQ(refused, 0);
}

TEST(PoolShutdown, FromATaskOfThePoolIsBusyAndChangesNothing) {
    const Pool pool(1);
    const Pool other(1);
    near_status own = NEAR_OK;
    near_status foreign = NEAR_E_INTERNAL;
    Error error;
    ASSERT_EQ(submit(pool, local,
                     [&] {
                         own = numa_pool_shutdown(pool, NEAR_FOREVER, nullptr, &error);
                         foreign = numa_pool_shutdown(other, NEAR_FOREVER, nullptr, nullptr);
                     }),
              NEAR_OK);
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(own, NEAR_E_BUSY);
    EXPECT_TRUE(error.says("numa_pool_shutdown: ")) << error.message;
    EXPECT_EQ(foreign, NEAR_OK);
    EXPECT_EQ(numa_pool_submit(pool, local, succeed, nullptr), NEAR_OK) << "the intake was stopped";
}

TEST(PoolShutdown, ManyThreadsMayAskForIt) {
    Latch latch;
    const Pool pool(2);
    ASSERT_EQ(submit(pool, local, [&] { latch.wait(); }), NEAR_OK);
    std::atomic<int> done{0};
    std::vector<std::thread> askers;
    for (int i = 0; i < 4; i++) {
        askers.emplace_back(
            [&] { done += numa_pool_shutdown(pool, long_enough_ns, nullptr, nullptr) == NEAR_OK ? 1 : 0; });
    }
    give_it_time();
    EXPECT_EQ(done, 0);
    latch.open();
    for (std::thread &asker : askers) {
        asker.join();
    }
    EXPECT_EQ(done, 4);
    EXPECT_TRUE(no_worker_is_left());
}

// Peers N21: dropping without a shutdown left every thread polling.
TEST(PoolDestroy, RunsWhatWasAcceptedAndLeavesNoThread) {
    std::atomic<int> run{0};
    {
        const Topology four = four_nodes();
        const Pool pool(options_for(four, 2));
        for (int i = 0; i < 2000; i++) {
            ASSERT_EQ(submit(pool, static_cast<uint32_t>(i) % 4, [&] { run++; }), NEAR_OK);
        }
    }
    EXPECT_EQ(run, 2000);
    EXPECT_TRUE(no_worker_is_left());
}

TEST(PoolDestroy, FromATaskOnlyDetachesAndTheLastWorkerFrees) {
    Latch latch;
    std::atomic<int> run{0};
    Pool made(2);
    numa_pool *pool = made.detach();
    const uint32_t node = nodes_of(pool)[0];
    ASSERT_EQ(submit(pool, node,
                     [&] {
                         latch.wait();
                         numa_pool_destroy(pool);
                         run++;
                     }),
              NEAR_OK);
    for (int i = 0; i < 100; i++) {
        ASSERT_EQ(submit(pool, node, [&] { run++; }), NEAR_OK);
    }
    latch.open();
    // First the tasks: threads that have just started have no name yet, and would not be counted.
    EXPECT_TRUE(eventually([&] { return run == 101; })) << run << " of 101 tasks ran";
    EXPECT_TRUE(eventually([&] { return count_threads("numa-w") == 0; })) << "the workers go on after destroy";
}

// Of a pool whose shutdown has timed out; the first of the two to stop has ended when the second destroys the pool.
// ThreadSanitizer tells of threads that nobody has given up.
TEST(PoolDestroy, FromTheStopOfItsLastThreadGivesUpTheOthersToo) {
    struct Seen {
        Latch ready;
        numa_pool *pool = nullptr;
        std::atomic<int> stopped{0};
        std::atomic<bool> destroyed{false};
        static void stop(uint32_t, uint32_t, void *user_data) {
            auto &seen = *static_cast<Seen *>(user_data);
            seen.ready.wait();
            if (seen.stopped++ == 1) {
                EXPECT_TRUE(eventually([] { return count_threads("numa-w") == 1; }));
                numa_pool_destroy(seen.pool);
                seen.destroyed = true;
            }
        }
    } seen;
    const Topology machine("numa:1 pu:2");
    numa_pool_options options = options_for(machine, 2);
    options.thread_stop = Seen::stop;
    options.user_data = &seen;
    seen.pool = Pool(options).detach();
    EXPECT_EQ(numa_pool_shutdown(seen.pool, 0, nullptr, nullptr), NEAR_E_TIMEOUT);
    seen.ready.open();
    EXPECT_TRUE(eventually([&] { return seen.destroyed.load(); }));
    EXPECT_TRUE(no_worker_is_left());
}

TEST(PoolDestroy, AfterAShutdownThatTimedOutWaitsForTheRest) {
    Latch latch;
    std::atomic<bool> ended{false};
    std::thread opener;
    {
        const Pool pool(1);
        ASSERT_EQ(submit(pool, local,
                         [&] {
                             latch.wait();
                             ended = true;
                         }),
                  NEAR_OK);
        EXPECT_EQ(numa_pool_shutdown(pool, 0, nullptr, nullptr), NEAR_E_TIMEOUT);
        opener = std::thread([&] {
            give_it_time();
            latch.open();
        });
    }
    EXPECT_TRUE(ended);
    opener.join();
}

TEST(PoolDestroy, ManyPoolsComeAndGo) {
    const Topology four = four_nodes();
    std::atomic<int> run{0};
    for (int i = 0; i < 100 / slowness(); i++) {
        const Pool pool(options_for(four, 1));
        ASSERT_EQ(submit(pool, static_cast<uint32_t>(i) % 4, [&] { run++; }), NEAR_OK);
    }
    EXPECT_EQ(run, 100 / slowness());
    EXPECT_TRUE(no_worker_is_left());
}

// The times that each worker has gone to sleep, by its thread's number.
std::map<std::string, long> sleeps() {
    std::map<std::string, long> result;
    DIR *folder = ::opendir("/proc/self/task");
    for (const dirent *entry = ::readdir(folder); entry != nullptr; entry = ::readdir(folder)) {
        std::ifstream file(std::string("/proc/self/task/") + entry->d_name + "/status");
        std::string line;
        bool worker = false;
        while (std::getline(file, line)) {
            worker = worker || line.rfind("Name:\tnuma-w", 0) == 0;
            if (worker && line.rfind("voluntary_ctxt_switches:", 0) == 0) {
                result[entry->d_name] = std::stol(line.substr(line.find(':') + 1));
            }
        }
    }
    ::closedir(folder);
    return result;
}

// Peers N21, N22, N24, acceptance 3: four idle workers polled 23 000 times a second, each time with the steal order
// sorted anew.
TEST(PoolIdle, WorkersAreNotWokenOnceInASecond) {
    const Topology four = four_nodes();
    const Pool pool(options_for(four, 1));
    for (uint32_t node = 0; node < 4; node++) {
        ASSERT_EQ(numa_pool_submit(pool, node, succeed, nullptr), NEAR_OK);
    }
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    const auto rest = [&](int seconds) {
        const std::map<std::string, long> before = sleeps();
        const uint64_t busy = counts_of(pool).busy_ns;
        std::this_thread::sleep_for(std::chrono::seconds(seconds));
        return before.size() == 4 && sleeps() == before && counts_of(pool).busy_ns == busy;
    };
    // The last one lies down when it does. Who polls has no such second, and who wakes now and then no three after it.
    EXPECT_TRUE(eventually([&] { return rest(1); }));
    EXPECT_TRUE(rest(3));
}

TEST(PoolIdle, AWorkerThatSleepsIsWokenByATask) { // peers N22: no wake-up on submit
    const Pool pool(options_for(nullptr, 1, NUMA_POOL_STEAL_LOCAL));
    const uint32_t node = nodes_of(pool)[0];
    EXPECT_TRUE(eventually([&] { // sooner or later it sleeps when the next task comes
        EXPECT_EQ(numa_pool_submit(pool, node, succeed, nullptr), NEAR_OK);
        EXPECT_EQ(wait_idle(pool), NEAR_OK);
        return counts_of(pool, node).wakeups >= 1;
    })) << "wake-ups are not counted";
}

} // namespace
