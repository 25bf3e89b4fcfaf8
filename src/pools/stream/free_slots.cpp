// SPDX-License-Identifier: Apache-2.0
#include "pools/stream/free_slots.hpp"

namespace nearpool::stream {

namespace {

constexpr std::size_t most_shards = 16;

std::atomic<uint32_t> thread_count{0};
thread_local const uint32_t thread_number = thread_count.fetch_add(1, std::memory_order_relaxed);

std::size_t quotient_up(std::size_t number, std::size_t by) {
    return (number + by - 1) / by;
}

} // namespace

FreeSlots::FreeSlots(Slot *slots, std::size_t count)
    : shard_count_(quotient_up(count, quotient_up(count, most_shards))),
      shards_(std::make_unique<Shard[]>(shard_count_)) {
    const std::size_t size = quotient_up(count, most_shards);
    for (std::size_t i = 0; i < count; i++) {
        slots[i].shard = static_cast<uint32_t>(i / size);
        shard_of(slots[i]).append(slots[i]);
    }
}

// The multiplier is 2^32 divided by the golden ratio (D. Knuth, The Art of Computer Programming, volume 3,
// section 6.4).
std::size_t FreeSlots::home() const {
    const uint32_t spread = thread_number * UINT32_C(2654435769);
    return static_cast<std::size_t>(uint64_t{spread} * shard_count_ >> 32);
}

void FreeSlots::Shard::append(Slot &slot) {
    List &list = lists[slot.own.handle.load(std::memory_order_relaxed) != nullptr ? returned : empty];
    slot.next_free = nullptr;
    (list.last != nullptr ? list.last->next_free : list.first) = &slot;
    list.last = &slot;
    list.count.store(list.count.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

// Counted before it is missing: whoever misses it finds out why.
Claim FreeSlots::take(Kind kind, std::size_t shard_index) {
    Shard &shard = shards_[shard_index];
    List &list = shard.lists[kind];
    const std::lock_guard<std::mutex> lock(shard.lock);
    Slot *slot = list.first;
    if (slot == nullptr) {
        return {};
    }
    Shard::count(shard.taken);
    list.first = slot->next_free;
    list.last = list.first != nullptr ? list.last : nullptr;
    list.count.store(list.count.load(std::memory_order_relaxed) - 1, std::memory_order_release);
    return {this, slot};
}

// Counted as an arrival before it is no longer looked at, as arrivals() reads it the other way round.
void FreeSlots::put_back(Slot &slot, bool busy) {
    Shard &shard = shard_of(slot);
    const std::lock_guard<std::mutex> lock(shard.lock);
    shard.append(slot);
    if (!busy) {
        Shard::count(shard.arrivals);
    }
    Shard::count(shard.put_back);
}

void FreeSlots::give_back(Slot &slot) {
    Shard &shard = shard_of(slot);
    const std::lock_guard<std::mutex> lock(shard.lock);
    shard.append(slot);
    Shard::count(shard.arrivals);
    Shard::count(shard.given_back);
}

uint64_t FreeSlots::lent_count() const {
    uint64_t sum = 0;
    for (std::size_t i = 0; i < shard_count_; i++) {
        const std::lock_guard<std::mutex> lock(shards_[i].lock); // so that what is given back is counted as lent
        sum += shards_[i].lent.load(std::memory_order_relaxed) - shards_[i].given_back.load(std::memory_order_relaxed);
    }
    return sum;
}

// What was taken is read last: when it is no more than what was lent and put back before, nobody looked at a slot then.
bool FreeSlots::Shard::is_looked_at() const {
    const uint64_t settled = lent.load(std::memory_order_acquire) + put_back.load(std::memory_order_acquire);
    return taken.load(std::memory_order_acquire) != settled;
}

std::optional<uint64_t> FreeSlots::arrivals() const {
    uint64_t sum = 0;
    for (std::size_t i = 0; i < shard_count_; i++) {
        if (shards_[i].is_looked_at()) {
            return std::nullopt;
        }
        sum += shards_[i].arrivals.load(std::memory_order_acquire);
    }
    return sum;
}

uint64_t FreeSlots::takes() const {
    uint64_t sum = 0;
    for (std::size_t i = 0; i < shard_count_; i++) {
        sum += shards_[i].taken.load(std::memory_order_relaxed);
    }
    return sum;
}

} // namespace nearpool::stream
