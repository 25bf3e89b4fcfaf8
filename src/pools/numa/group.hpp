// SPDX-License-Identifier: Apache-2.0
// Tasks that belong together.
//
// One word counts the pending tasks and says whether the handle is still held: whoever brings it to zero deletes the
// group. It says too whether the group is cancelled, so that a wait ends only the cancel of what it has waited for. A
// worker that ends the last task touches nothing of the group after its subtraction but its address, which waking a
// futex may do.
#pragma once

#include "base/error.hpp"
#include "base/fork_mark.hpp"
#include "base/ref.hpp"
#include "pools/numa/item.hpp"

#include <nearpool/numa_pool_group.h>

#include <atomic>
#include <mutex>

namespace nearpool::numa {

class Pool;

class Group {
public:
    explicit Group(Ref<Pool> pool) : pool_(std::move(pool)) {}

    Pool &pool() const { return *pool_; }
    const Ref<Pool> &pool_ref() const { return pool_; }

    // Before tasks are queued, and when they were refused after all.
    Status begin(std::size_t count);
    void retract(std::size_t count);

    // What became of one task; called by the worker. The group may be gone afterwards.
    void end_run(Status status, const char *failure);
    void end_discarded();

    // Until the next wait that finds nothing pending.
    bool cancelled() const { return (word_.load(std::memory_order_relaxed) & is_cancelled) != 0; }
    void cancel();
    bool done() const { return pending(word_.load(std::memory_order_acquire)) == 0; }

    // A worker is about to sleep until done(): before its last look, so that either it sees the end or is woken for it.
    // One of another pool has a ForeignWait by then.
    void expect_worker(const Pool &of) {
        word_.fetch_or(&of == pool_.get() ? worker_waits : foreign_waits, std::memory_order_seq_cst);
    }

    Done wait(uint64_t timeout_ns);
    bool wait_here(uint64_t deadline_ns); // the calling thread sleeps; false: the deadline has passed
    numa_pool_group_counts counts() const;

    // The handle is given back.
    void drop();

private:
    ~Group() = default;

    static constexpr uint64_t handle_held = 1ULL << 63;
    static constexpr uint64_t thread_waits = 1ULL << 62; // on the futex of the word's lower half
    static constexpr uint64_t worker_waits = 1ULL << 61; // in its team's parking
    static constexpr uint64_t is_cancelled = 1ULL << 60;
    static constexpr uint64_t foreign_waits = 1ULL << 59; // one of another pool, in its own parking; never taken back
    static uint32_t pending(uint64_t word) { return static_cast<uint32_t>(word); }

    void end(std::size_t count);
    std::atomic<uint32_t> *lower_half();
    void end_cancel();
    Done outcome();
    std::string sentence(uint64_t failures, uint64_t discarded) const;

    const Ref<Pool> pool_;
    std::atomic<uint64_t> word_{handle_held};
    std::atomic<uint64_t> accepted_{0};
    std::atomic<uint64_t> failed_{0};
    std::atomic<uint64_t> discarded_{0};
    std::mutex failure_mutex_;
    uint64_t unreported_failures_ = 0;
    uint64_t reported_discarded_ = 0;
    char first_failure_[failure_capacity]; // an array: to end a task needs no memory
};

} // namespace nearpool::numa
