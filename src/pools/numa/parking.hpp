// SPDX-License-Identifier: Apache-2.0
// Where the workers of a team sleep.
//
// An event count whose sleepers, searchers and wake-up in flight live in one atomic word: a waker that is held up
// between two words could leave a wake-up in flight for ever. At most one wake-up is in flight; the woken worker, when
// it has found work, wakes the next one if work is left. (Vyukov's event count, as in Eigen's EventCount.)
//
// No wake-up is lost, because in the one total order of the sequentially consistent operations either the store of new
// work comes before the sleeper's last look, or the sleeper's registration comes before the producer's look at it.
#pragma once

#include "sys/ports.hpp"

#include <atomic>
#include <cstdint>

namespace nearpool::numa {

class Parking {
public:
    explicit Parking(FutexPort &futex) : futex_(futex) {}

    // A worker that has run out of work begins to look for more, and stops.
    void begin_search() { state_.fetch_add(one_searcher, std::memory_order_seq_cst); }
    void end_search() { state_.fetch_sub(one_searcher, std::memory_order_seq_cst); }

    bool anyone_searching() const { return searchers(load()) != 0; }
    bool all_busy() const { return (load() & (searcher_mask | sleeper_mask)) == 0; }

    // False: nobody sleeps here.
    bool wake_one();
    void wake_all();

    // Called by a searcher; `idle` is its last look, made after it is registered. True: it was woken by somebody.
    template <class Idle> bool sleep(uint64_t deadline_ns, Idle &&idle) {
        // The epoch is read before the registration: a waker that sees it registered changes the epoch afterwards. The
        // other way round a late waker, sent for earlier work, could spend its wake-up between the two, and leave it in
        // flight while this worker sleeps.
        const uint32_t epoch = epoch_.load(std::memory_order_seq_cst);
        state_.fetch_add(one_sleeper - one_searcher, std::memory_order_seq_cst);
        const bool woken = idle() && futex_.wait(&epoch_, epoch, deadline_ns) == 0;
        state_.fetch_add(one_searcher - one_sleeper, std::memory_order_seq_cst);
        // Also when somebody else was meant: it only allows one more wake-up. We look again after this.
        state_.fetch_and(~wake_in_flight, std::memory_order_seq_cst);
        return woken;
    }

private:
    static constexpr uint64_t one_sleeper = 1;
    static constexpr uint64_t sleeper_mask = 0xffff;
    static constexpr uint64_t one_searcher = 1ULL << 16;
    static constexpr uint64_t searcher_mask = 0xffffULL << 16;
    static constexpr uint64_t wake_in_flight = 1ULL << 32;

    uint64_t load() const { return state_.load(std::memory_order_seq_cst); }
    static uint64_t searchers(uint64_t state) { return (state & searcher_mask) >> 16; }

    FutexPort &futex_;
    alignas(128) std::atomic<uint64_t> state_{0};
    std::atomic<uint32_t> epoch_{0};
};

} // namespace nearpool::numa
