// SPDX-License-Identifier: Apache-2.0
// The tasks sent to one node from outside its workers: first in, first out, unbounded or bounded.
//
// A producer reserves tickets with one compare-and-swap, then fills the slots of its tickets; no lock. Slots live in
// segments that are linked before their tickets can be reserved, so that running out of memory leaves no hole.
// Consumers take turns under a lock that producers never touch. (Ticket and slot: cf. Morrison and Afek, "Fast
// concurrent queues for x86 processors", PPoPP 2013; segments: as in many unbounded variants of it.)
//
// Segments are recycled and freed with the queue only. A producer that was held up while it walked the list may stand
// on a segment that has been recycled meanwhile; it sees that by the segment's first ticket and starts again.
#pragma once

#include "base/error.hpp"
#include "pools/numa/item.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace nearpool::numa {

class Queue {
public:
    explicit Queue(uint64_t capacity); // 0: unbounded
    ~Queue();
    Queue(const Queue &) = delete;
    Queue &operator=(const Queue &) = delete;

    // What a push obeys.
    struct Rules {
        bool capacity = true;
        bool close = true; // not for the pool's own tasks, which may submit while it drains
    };

    // Stores all, or none: NEAR_OK, NEAR_E_AGAIN, NEAR_E_SHUTDOWN, NEAR_E_NOMEM. A store is sequentially consistent
    // with size(): whoever sees a size of zero afterwards has not seen the store.
    Status push(const Item *items, std::size_t count, Rules rules);

    // A producer says so when it has left: a push counts from its reservation on, and a task may have run, and ended
    // all of this, before its producer has moved on.
    void settle(std::size_t count) { settled_.fetch_add(count, std::memory_order_release); }
    bool settled() const { return settled_.load(std::memory_order_acquire) == accepted(); }

    // Takes the oldest. False: there is none, its producer has not filled it yet, or another consumer is at it; look at
    // size() to know.
    bool pop(Item &item);

    // Tasks that wait, those being stored included.
    uint64_t size() const;

    // Every push that obeys this and has not reserved its tickets yet is refused.
    void close();

    // Tasks that were ever accepted; the ticket of the oldest that waits.
    uint64_t accepted() const { return tail_.load(std::memory_order_seq_cst) & ~closed_bit; }
    uint64_t oldest() const { return head_.load(std::memory_order_acquire); }

    // What it costs; segments are given back with the queue only.
    std::size_t segment_count();
    static constexpr std::size_t segment_bytes() { return sizeof(Segment); }

private:
    static constexpr std::size_t segment_slots = 256;
    static constexpr uint64_t closed_bit = 1ULL << 63;

    struct Slot {
        std::atomic<numa_pool_task_fn> run{nullptr}; // not NULL: the slot is filled
        numa_pool_discard_fn discard = nullptr;
        void *user_data = nullptr;
        Group *group = nullptr;
    };

    struct Segment {
        std::atomic<uint64_t> first{0}; // ticket of its first slot
        std::atomic<Segment *> next{nullptr};
        std::array<Slot, segment_slots> slots;
    };

    Status reserve(std::size_t count, Rules rules, uint64_t &ticket);
    bool full(uint64_t ticket, std::size_t count) const;
    bool extend(uint64_t tickets);
    void append_segment();
    Segment *segment_of(uint64_t ticket);
    void fill(Segment *&segment, uint64_t ticket, const Item &item);
    Slot *oldest_slot(uint64_t ticket);
    void recycle(Segment *segment);

    const uint64_t capacity_;

    alignas(128) std::atomic<uint64_t> tail_{0};   // next ticket to reserve, and closed_bit
    alignas(128) std::atomic<uint64_t> head_{0};   // next ticket to take
    std::atomic<Segment *> head_segment_{nullptr}; // holds the slot of head_, or ends just before it
    std::atomic<bool> consuming_{false};

    alignas(128) std::atomic<uint64_t> settled_{0};

    alignas(128) std::atomic<uint64_t> linked_{0}; // tickets below this have a slot
    std::atomic<Segment *> last_{nullptr};
    std::mutex segments_mutex_; // guards the list's end and the spare segments; taken once in segment_slots tickets
    std::vector<Segment *> spare_;
    std::vector<std::unique_ptr<Segment>> all_;
};

} // namespace nearpool::numa
