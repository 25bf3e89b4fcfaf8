// SPDX-License-Identifier: Apache-2.0
// Proofs about stealing that hold on a machine made up and on a real one alike.
#pragma once

#include "contract/numa_pool_support.hpp"

#include <atomic>

namespace nearpool_test {

// A pool with one worker per node, each of which a task keeps busy until it is let go. No task is ever overdue.
class BusyPool {
public:
    BusyPool(const near_topology *topology, int32_t steal_policy) : pool_(options(topology, steal_policy)) {
        const std::vector<uint32_t> nodes = nodes_of(pool_);
        latches_ = std::vector<Latch>(nodes.size());
        for (std::size_t i = 0; i < nodes.size(); i++) {
            EXPECT_EQ(submit(pool_, nodes[i],
                             [this, i, node = nodes[i]] {
                                 EXPECT_EQ(current_node(), node);
                                 latches_[i].wait();
                             }),
                      NEAR_OK);
        }
        for (Latch &latch : latches_) {
            EXPECT_TRUE(latch.await_waiting(1));
        }
    }
    ~BusyPool() { let_all_go(); }
    BusyPool(const BusyPool &) = delete;
    BusyPool &operator=(const BusyPool &) = delete;

    void let_go(std::size_t node_index) { latches_[node_index].open(); }
    void let_all_go() {
        for (Latch &latch : latches_) {
            latch.open();
        }
    }
    operator numa_pool *() const { return pool_; } // NOLINT(google-explicit-constructor)

private:
    static numa_pool_options options(const near_topology *topology, int32_t steal_policy) {
        numa_pool_options options = options_for(topology, 1, steal_policy);
        options.steal_delay_ns = NEAR_NONE;
        return options;
    }

    std::vector<Latch> latches_; // outlives the pool
    Pool pool_;
};

// On nodes 0 and 1 in one package, 2 and 3 in another: the worker of node `thief` takes from the others in the order of
// `victims`, nearest first, and from each only while more tasks wait there than it has workers.
inline void prove_steal_order(const near_topology *topology, uint32_t thief, const std::vector<uint32_t> &victims) {
    constexpr std::size_t waiting = 4;
    BusyPool pool(topology, NUMA_POOL_STEAL_NEAREST);
    ASSERT_EQ(nodes_of(pool), (std::vector<uint32_t>{0, 1, 2, 3}));
    std::mutex mutex;
    std::vector<uint32_t> taken; // the homes of the tasks that the thief ran, in that order
    for (std::size_t i = 0; i < waiting; i++) {
        for (const uint32_t home : victims) {
            ASSERT_EQ(submit(pool, home,
                             [&, home] {
                                 const std::lock_guard<std::mutex> lock(mutex);
                                 if (current_node() == thief) {
                                     taken.push_back(home);
                                 }
                             }),
                      NEAR_OK);
        }
    }
    pool.let_go(thief);
    const auto taken_so_far = [&] {
        const std::lock_guard<std::mutex> lock(mutex);
        return taken;
    };
    std::vector<uint32_t> wanted; // all but one of each: one waiting task per worker stays
    for (const uint32_t home : victims) {
        wanted.insert(wanted.end(), waiting - 1, home);
    }
    EXPECT_TRUE(eventually([&] { return taken_so_far().size() >= wanted.size(); }));
    give_it_time();
    EXPECT_EQ(taken_so_far(), wanted);
    pool.let_all_go();
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    const std::vector<uint64_t> matrix = steals_of(pool);
    for (const uint32_t home : victims) {
        EXPECT_GE(matrix[thief * 4 + home], waiting - 1) << "thief " << thief << ", home " << home;
    }
    EXPECT_EQ(counts_of(pool).accepted, 4 + waiting * victims.size());
    expect_counts_add_up(pool);
}

} // namespace nearpool_test
