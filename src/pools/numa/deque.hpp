// SPDX-License-Identifier: Apache-2.0
// The tasks that one worker has sent to its own node: the owner works at the bottom, thieves take from the top.
//
// Chase and Lev, "Dynamic circular work-stealing deque", SPAA 2005, with the C11 orders of Lê, Pop, Cohen and Zappa
// Nardelli, PPoPP 2013; sequentially consistent operations stand where they have fences, which ThreadSanitizer does not
// know. Bounded: a full deque sends its owner to the node's queue.
#pragma once

#include "pools/numa/item.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace nearpool::numa {

class Deque {
public:
    // The owner. False: no room for all; nothing was stored. The store is sequentially consistent with size().
    bool push(const Item *items, std::size_t count);
    bool pop(Item &item);

    // Anybody. False: empty, or another thief was faster.
    bool steal(Item &item);
    uint64_t size() const;
    int64_t oldest() const { return top_.load(std::memory_order_acquire); }
    int64_t end() const { return bottom_.load(std::memory_order_acquire); }

    // The owner, once, before anybody else sees the deque: on its own thread, so that the cells are on its node.
    void allocate();

private:
    static constexpr int64_t capacity = 8192;

    struct Cell {
        std::atomic<numa_pool_task_fn> run;
        std::atomic<numa_pool_discard_fn> discard;
        std::atomic<void *> user_data;
        std::atomic<Group *> group;
    };
    struct Free {
        void operator()(Cell *cells) const;
    };

    Cell &cell(int64_t index) const { return cells_[static_cast<std::size_t>(index & (capacity - 1))]; }
    static void write(Cell &cell, const Item &item);
    static Item read(const Cell &cell);

    alignas(128) std::atomic<int64_t> top_{0};
    alignas(128) std::atomic<int64_t> bottom_{0};
    std::unique_ptr<Cell[], Free> cells_;
};

} // namespace nearpool::numa
