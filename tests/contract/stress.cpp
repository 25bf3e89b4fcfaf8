// SPDX-License-Identifier: Apache-2.0
// A million tasks from two producers, stealing, failing, cancelled, submitting, with a shutdown in between: what was
// accepted is run or discarded, each exactly once (acceptance 5), through queues that take no lock on the usual path
// (peers N23).
#include "contract/numa_pool_support.hpp"

#include <algorithm>
#include <atomic>
#include <random>
#include <stdexcept>

using namespace nearpool_test;

namespace {

const std::size_t accepted_wanted = 1000000 / static_cast<std::size_t>(slowness()); // before the shutdown begins
constexpr std::size_t producers = 2;
constexpr std::size_t batch = 64;

enum Mark : uint8_t { // sums, so that two of anything show
    ran = 1,
    discarded = 8,
    refused = 64
};

struct Stress;

struct Task {
    Stress *stress = nullptr;
    std::atomic<uint8_t> mark{0};
};

struct Stress {
    Stress() : machine(four_nodes()), pool(options_for(machine, 2)), tasks(accepted_wanted * 2) {
        for (Task &task : tasks) {
            task.stress = this;
        }
    }

    Topology machine;
    Pool pool;
    std::vector<Task> tasks;
    std::atomic<std::size_t> next{0};
    std::atomic<std::size_t> accepted{0};
    std::atomic<bool> refused_by_shutdown{false};

    Task *take() {
        const std::size_t index = next++;
        return index < tasks.size() ? &tasks[index] : nullptr;
    }

    // Every thirty-second task sends another; some fail, some throw.
    static near_status run(void *user_data) {
        auto *task = static_cast<Task *>(user_data);
        task->mark += ran;
        Stress &stress = *task->stress;
        const auto index = static_cast<std::size_t>(task - stress.tasks.data());
        if (index % 32 == 5) {
            stress.send_one(stress.take(), static_cast<uint32_t>(index / 32 % 4), nullptr);
        }
        if (index % 1024 == 7) {
            throw std::runtime_error("thrown");
        }
        return index % 16 == 3 ? near_task_fail("failed") : near_status{NEAR_OK};
    }

    static void discard(void *user_data) { static_cast<Task *>(user_data)->mark += discarded; }

    void send_one(Task *task, uint32_t node, numa_pool_group *group) {
        if (task == nullptr) {
            return;
        }
        const near_task sent{run, discard, task};
        note(task, numa_pool_submit_tasks(pool, node, &sent, 1, group));
    }

    void note(Task *task, near_status status) {
        if (status == NEAR_OK) {
            accepted++;
        } else {
            task->mark += refused;
            refused_by_shutdown = refused_by_shutdown || status == NEAR_E_SHUTDOWN;
        }
    }

    void send_array(uint32_t node, numa_pool_group *group) {
        std::vector<near_task> sent;
        std::vector<Task *> own;
        for (std::size_t i = 0; i < batch; i++) {
            if (Task *task = take(); task != nullptr) {
                own.push_back(task);
                sent.push_back(near_task{run, discard, task});
            }
        }
        if (own.empty()) {
            return;
        }
        const near_status status = numa_pool_submit_tasks(pool, node, sent.data(), sent.size(), group);
        for (Task *task : own) {
            note(task, status);
        }
    }

    void await_theft() const {
        EXPECT_TRUE(current_node() != 0 || eventually([&] { return counts_of(pool).run_remote > 0; }));
    }

    // Until the shutdown is met, however late it comes.
    void produce(unsigned seed) {
        std::minstd_rand random(seed);
        Group group(pool);
        while (next < tasks.size() && !refused_by_shutdown) {
            const auto choice = static_cast<uint32_t>(random());
            const uint32_t node = choice % 8 < 4 ? 0 : choice % 4; // lopsided, so that there is something to steal
            switch (choice / 8 % 8) {
            case 0:
                send_array(node, nullptr);
                break;
            case 1:
                send_array(node, group);
                break;
            case 2:
                for (int i = 0; i < 16; i++) {
                    send_one(take(), node, group);
                }
                if (choice / 64 % 8 == 0) {
                    EXPECT_EQ(numa_pool_group_cancel(group), NEAR_OK);
                    const near_status status = wait_group(group);
                    EXPECT_TRUE(status == NEAR_OK || status == NEAR_E_TASK || status == NEAR_E_CANCELLED) << status;
                }
                break;
            default:
                for (int i = 0; i < 16; i++) {
                    send_one(take(), node, nullptr);
                }
            }
        }
    }

    void expect_each_once() const {
        std::size_t run_count = 0;
        std::size_t discarded_count = 0;
        const std::size_t handed_out = std::min(next.load(), tasks.size());
        for (std::size_t i = 0; i < tasks.size(); i++) {
            const uint8_t mark = tasks[i].mark;
            const bool once = mark == ran || mark == discarded || mark == refused;
            ASSERT_TRUE(i < handed_out ? once : mark == 0) << "task " << i << " has the mark " << int{mark};
            run_count += mark == ran ? 1 : 0;
            discarded_count += mark == discarded ? 1 : 0;
        }
        EXPECT_EQ(accepted, run_count + discarded_count);
        EXPECT_GE(accepted, accepted_wanted);
        const numa_pool_counts counts = counts_of(pool);
        EXPECT_EQ(counts.accepted, accepted + 2); // with those that waited for the theft
        EXPECT_EQ(counts.run_local + counts.run_remote, run_count + 2);
        EXPECT_EQ(counts.discarded, discarded_count);
        EXPECT_GT(counts.discarded, 0U) << "nothing was cancelled: the test proves too little";
        EXPECT_GT(counts.run_remote, 0U) << "nothing was stolen: the test proves too little";
        EXPECT_GT(counts.failed, run_count / 32);
    }
};

TEST(Stress, AMillionTasksAreEachRunOrDiscardedOnce) {
    Stress stress;
    for (int worker = 0; worker < 2; worker++) { // those of node 0 stand still until somebody steals from there
        ASSERT_EQ(submit(stress.pool, 0, [&stress] { stress.await_theft(); }), NEAR_OK);
    }
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < producers; i++) {
        threads.emplace_back([&stress, i] { stress.produce(i + 1); });
    }
    threads.emplace_back([&stress] { // while the producers go on
        eventually([&stress] { return stress.accepted >= accepted_wanted; });
        uint64_t left = 0;
        while (numa_pool_shutdown(stress.pool, NEAR_MS, &left, nullptr) == NEAR_E_TIMEOUT) {
        }
        EXPECT_EQ(left, 0U);
    });
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_TRUE(stress.refused_by_shutdown) << "no submit met the shutdown: the test proves too little";
    stress.expect_each_once();
    expect_counts_add_up(stress.pool);
}

TEST(Stress, BoundedQueuesLoseNothing) {
    const Topology machine = four_nodes();
    numa_pool_options options = options_for(machine, 1);
    options.queue_capacity = 32;
    const Pool pool(options);
    const std::size_t count = 100000 / static_cast<std::size_t>(slowness());
    std::vector<std::atomic<uint8_t>> runs(count);
    std::atomic<std::size_t> full{0};
    for (uint32_t node = 0; node < 4; node++) { // each worker stands still until a queue is full
        ASSERT_EQ(submit(pool, node, [&] { EXPECT_TRUE(eventually([&] { return full > 0; })); }), NEAR_OK);
    }
    const numa_pool_task_fn mark = [](void *user_data) -> near_status {
        static_cast<std::atomic<uint8_t> *>(user_data)->fetch_add(1);
        return NEAR_OK;
    };
    const auto produce = [&](std::size_t begin) {
        for (std::size_t i = begin; i < count; i += producers) {
            near_status status = NEAR_E_AGAIN;
            while ((status = numa_pool_submit(pool, static_cast<uint32_t>(i % 4), mark, &runs[i])) == NEAR_E_AGAIN) {
                full++;
                std::this_thread::yield();
            }
            ASSERT_EQ(status, NEAR_OK);
        }
    };
    std::thread other(produce, 1);
    produce(0);
    other.join();
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(std::count(runs.begin(), runs.end(), 1), static_cast<std::ptrdiff_t>(count));
    expect_counts_add_up(pool);
}

// Threads come and go while others submit, wait and cancel: what a race between the end of a wait and its next use
// shows.
TEST(Stress, GroupsAreReusedAndDestroyedAtOnce) {
    const Topology machine = four_nodes();
    const Pool pool(options_for(machine, 1));
    std::atomic<int> run{0};
    std::vector<std::thread> threads;
    const int turns = 2000 / slowness();
    for (uint32_t home = 0; home < 4; home++) {
        threads.emplace_back([&, home] {
            for (int turn = 0; turn < turns; turn++) {
                const Group group(pool);
                for (int use = 0; use < 2; use++) {
                    ASSERT_EQ(submit(
                                  pool, home, [&] { run++; }, group),
                              NEAR_OK);
                    ASSERT_EQ(submit(
                                  pool, (home + 1) % 4, [&] { run++; }, group),
                              NEAR_OK);
                    ASSERT_EQ(wait_group(group), NEAR_OK);
                }
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(run, 4 * turns * 4);
}

} // namespace
