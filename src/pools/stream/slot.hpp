// SPDX-License-Identifier: Apache-2.0
// A place in the table of leases. Its word is the id of the lease while it is lent, and a state otherwise; whoever
// changes it to `claimed` owns the slot until he writes it again. No lock is held over a call of the driver.
#pragma once

#include "cuda/types.hpp"
#include "pools/stream/tickets.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

namespace nearpool::stream {

struct Stream {
    std::atomic<cuda::CUstream> handle{nullptr};
    std::atomic<uint64_t> reserved_bytes{0};
};

struct alignas(128) Slot {
    // Words below the first id: tickets start at 1.
    static constexpr uint64_t empty = 0;
    static constexpr uint64_t claimed = 1;
    static constexpr uint64_t returned = 2; // its own stream, given back, perhaps with work to do

    bool claim(uint64_t from) {
        return word.load(std::memory_order_relaxed) == from &&
               word.compare_exchange_strong(from, claimed, std::memory_order_acquire, std::memory_order_relaxed);
    }
    // A state comes again, an id does not: whoever lends, or gives back, or finds a stream done, counts it first.
    void changed() { changes.store(changes.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
    void leave(uint64_t as) { word.store(as, std::memory_order_release); }
    Stream &lent_stream() const { return *stream.load(std::memory_order_acquire); } // after lent_as()
    bool lent_as(uint64_t id) const { return word.load(std::memory_order_acquire) == id; }
    static bool is_lent(uint64_t word) { return word > slot_mask; }

    std::atomic<uint64_t> word{empty};
    std::atomic<uint64_t> changes{0};        // written by the claimer
    std::atomic<Stream *> stream{nullptr};   // what is lent: own, or a shared one
    std::mutex reserving;                    // of this lease: its release ends what it has reserved
    std::atomic<uint64_t> reserved_bytes{0}; // by this lease
    Stream own;                              // made here once and kept, or adopted for one lease
    TicketBlock tickets;                     // the claimer's
    bool adopted = false;                    // the claimer's: own is somebody else's stream
};

// A claimed slot goes back to the state from before, unless it is kept.
class Claim {
public:
    Claim(Slot *slot, uint64_t before) : slot_(slot), before_(before) {}
    Claim(Claim &&other) noexcept : slot_(std::exchange(other.slot_, nullptr)), before_(other.before_) {}
    Claim &operator=(Claim &&) = delete;
    ~Claim() {
        if (slot_ != nullptr) {
            slot_->leave(before_);
        }
    }

    explicit operator bool() const { return slot_ != nullptr; }
    Slot &operator*() const { return *slot_; }
    Slot *operator->() const { return slot_; }
    bool was_empty() const { return before_ == Slot::empty; }
    Slot *keep() { return std::exchange(slot_, nullptr); } // who calls leaves it

private:
    Slot *slot_;
    const uint64_t before_;
};

} // namespace nearpool::stream
