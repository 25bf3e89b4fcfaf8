// SPDX-License-Identifier: Apache-2.0
// The slots that are not lent, so that an acquire finds one without passing those that are: what it takes does not grow
// with the pool. In a few shards, so that threads, which begin to look far from each other, seldom meet. A shard's lock
// is held for a few instructions, and never over a call of the driver.
#pragma once

#include "pools/stream/slot.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <optional>

namespace nearpool::stream {

class FreeSlots;

// A slot taken out, for whoever looks whether it can be lent. It goes back, unless it is kept.
class Claim {
public:
    Claim() = default;
    Claim(FreeSlots *from, Slot *slot) : from_(from), slot_(slot) {}
    Claim(Claim &&other) noexcept
        : from_(other.from_), slot_(std::exchange(other.slot_, nullptr)), busy_(other.busy_) {}
    Claim &operator=(Claim &&) = delete;
    inline ~Claim();

    explicit operator bool() const { return slot_ != nullptr; }
    Slot &operator*() const { return *slot_; }
    Slot *operator->() const { return slot_; }
    void found_busy() { busy_ = true; }                    // it goes back as what nobody can have now
    Slot *keep() { return std::exchange(slot_, nullptr); } // who calls lends it

private:
    FreeSlots *from_ = nullptr;
    Slot *slot_ = nullptr;
    bool busy_ = false;
};

class FreeSlots {
public:
    // Without a stream of its own; with one, given back, perhaps with work to do.
    enum Kind : uint8_t {
        empty,
        returned
    };

    FreeSlots(Slot *slots, std::size_t count); // all free, and empty

    std::size_t shard_count() const { return shard_count_; }
    std::size_t home() const; // the shard at which the calling thread begins
    std::size_t after(std::size_t shard) const { return shard + 1 < shard_count_ ? shard + 1 : 0; }

    // How many a shard has, not counting those that somebody looks at.
    std::size_t count(Kind kind, std::size_t shard) const {
        return shards_[shard].lists[kind].count.load(std::memory_order_acquire);
    }
    // The one that was put in first, for its work is the likeliest to be done; no slot: there is none.
    Claim take(Kind kind, std::size_t shard);

    void lent(const Slot &slot) { shard_of(slot).lent.fetch_add(1, std::memory_order_release); } // that was taken
    void give_back(Slot &slot);                                                                  // one that was lent
    uint64_t lent_count() const;

    // How many slots came to be free so far. Nothing while somebody looks at one, which may yet come back. Equal
    // numbers before and after a look at all shards say that whoever looked missed none: what went meanwhile is lent,
    // and what another put back he had found busy meanwhile.
    std::optional<uint64_t> arrivals() const;

    uint64_t takes() const; // how often a slot was taken to be looked at so far

private:
    friend class Claim;
    struct List {
        Slot *first = nullptr;
        Slot *last = nullptr;
        std::atomic<std::size_t> count{0};
    };
    struct alignas(128) Shard {
        void append(Slot &slot); // with the lock
        bool is_looked_at() const;
        static void count(std::atomic<uint64_t> &events) { // with the lock, so that this is no atomic addition
            events.store(events.load(std::memory_order_relaxed) + 1, std::memory_order_release);
        }

        mutable std::mutex lock;
        std::array<List, 2> lists;
        // How often a slot was taken, then lent or put back, and given back when it was lent. All but `lent` are
        // written with the lock.
        std::atomic<uint64_t> taken{0};
        std::atomic<uint64_t> lent{0};
        std::atomic<uint64_t> put_back{0};
        std::atomic<uint64_t> given_back{0};
        std::atomic<uint64_t> arrivals{0};
    };
    Shard &shard_of(const Slot &slot) { return shards_[slot.shard]; }
    void put_back(Slot &slot, bool busy);

    const std::size_t shard_count_;
    const std::unique_ptr<Shard[]> shards_;
};

Claim::~Claim() {
    if (slot_ != nullptr) {
        from_->put_back(*slot_, busy_);
    }
}

} // namespace nearpool::stream
