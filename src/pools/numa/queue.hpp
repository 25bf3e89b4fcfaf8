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
//
// A promise keeps a place and a slot for a task that comes later, so that it can always be stored then. It takes no
// ticket yet, for those behind it must not wait. Instead producers may reserve without the lock only the tickets below
// limit_, and behind that there are, linked or spare, slots for all promises. No promise lowers limit_; it adds slots
// where they do not suffice. A bounded queue has one more thing to count, promises and tickets at the same moment:
// while it has promises, a bit in tail_ sends its producers through the lock.
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

    // Reserves a place and a slot for a task that is stored later; obeys the capacity whoever promises.
    Status promise(Rules rules);

    // Stores the task of a promise, as the newest, also when the queue is closed. Allocates nothing, and settles it.
    void keep(const Item &item) noexcept;

    // Instead of keep(): as if it had never been promised.
    void take_back() noexcept;

    // A producer says so when it has left: a push counts from its reservation on, and a task may have run, and ended
    // all of this, before its producer has moved on.
    void settle(std::size_t count) { settled_.fetch_add(count, std::memory_order_release); }
    bool settled() const { return settled_.load(std::memory_order_acquire) == tickets(); }

    // Takes the oldest. False: there is none, its producer has not filled it yet, or another consumer is at it; look at
    // size() to know.
    bool pop(Item &item);

    // Tasks that wait, those being stored included.
    uint64_t size() const;

    // Every push and promise that obeys this and has not reserved its place yet is refused.
    void close();

    // Tasks that were ever stored; the ticket of the oldest that waits.
    uint64_t tickets() const { return tail_.load(std::memory_order_seq_cst) & ticket_mask; }
    uint64_t oldest() const { return head_.load(std::memory_order_acquire); }

    // Tasks that were ever stored or promised, but for promises taken back. Never less than when the call began, but
    // for these.
    uint64_t accepted() const;

    // What it costs; segments are given back with the queue only.
    std::size_t segment_count();
    static constexpr std::size_t segment_bytes() { return sizeof(Segment); }

private:
    static constexpr std::size_t segment_slots = 256;
    static constexpr uint64_t closed_bit = 1ULL << 63;
    static constexpr uint64_t promised_bit = 1ULL << 62; // the queue is bounded and has promises
    static constexpr uint64_t ticket_mask = promised_bit - 1;

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
    bool full(uint64_t ticket, uint64_t count) const;

    // Called under the lock.
    uint64_t promises() const;     // that were not kept
    void clear_promised_bit();     // when there are none
    bool extend(uint64_t tickets); // makes it the limit, or more; false: out of memory
    bool allocate_slots(uint64_t tickets);
    void link_spare() noexcept;

    Segment *segment_of(uint64_t ticket);
    void fill(Segment *&segment, uint64_t ticket, const Item &item);
    Slot *oldest_slot(uint64_t ticket);
    void recycle(Segment *segment);

    const uint64_t capacity_;

    alignas(128) std::atomic<uint64_t> tail_{0};   // next ticket to reserve, and the two bits
    alignas(128) std::atomic<uint64_t> head_{0};   // next ticket to take
    std::atomic<Segment *> head_segment_{nullptr}; // holds the slot of head_, or ends just before it
    std::atomic<bool> consuming_{false};

    alignas(128) std::atomic<uint64_t> settled_{0};

    // All that follows is written under the lock, which is taken once in segment_slots tickets, for promises, and
    // beside them in a bounded queue.
    alignas(128) std::atomic<uint64_t> limit_{0}; // tickets below this have a slot, and no promise needs it
    std::atomic<Segment *> last_{nullptr};
    alignas(128) std::atomic<uint64_t> promised_{0}; // ever, but for those taken back
    std::atomic<uint64_t> kept_{0};                  // of those, with their tickets taken before
    std::mutex mutex_;
    uint64_t linked_ = 0; // tickets below this have a slot
    std::vector<Segment *> spare_;
    std::vector<std::unique_ptr<Segment>> all_;
};

} // namespace nearpool::numa
