// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/queue.hpp"

#include <new>

namespace nearpool::numa {

Queue::Queue(uint64_t capacity) : capacity_(capacity) {}

Queue::~Queue() = default;

Status Queue::push(const Item *items, std::size_t count, Rules rules) {
    uint64_t ticket = 0;
    if (const Status status = reserve(count, rules, ticket); status != NEAR_OK) {
        return status;
    }
    Segment *segment = segment_of(ticket);
    for (std::size_t i = 0; i < count; i++) {
        fill(segment, ticket + i, items[i]);
    }
    return NEAR_OK;
}

Status Queue::reserve(std::size_t count, Rules rules, uint64_t &ticket) {
    uint64_t tail = tail_.load(std::memory_order_relaxed);
    for (;;) {
        if ((tail & closed_bit) != 0 && rules.close) {
            return NEAR_E_SHUTDOWN;
        }
        ticket = tail & ~closed_bit;
        if (rules.capacity && full(ticket, count)) {
            return NEAR_E_AGAIN;
        }
        if (ticket + count > linked_.load(std::memory_order_acquire) && !extend(ticket + count)) {
            return NEAR_E_NOMEM;
        }
        if (tail_.compare_exchange_weak(tail, tail + count, std::memory_order_seq_cst, std::memory_order_relaxed)) {
            return NEAR_OK;
        }
    }
}

// The head may have passed a tail that was read long ago; the compare-and-swap will notice.
bool Queue::full(uint64_t ticket, std::size_t count) const {
    const uint64_t head = head_.load(std::memory_order_acquire);
    const uint64_t waiting = ticket > head ? ticket - head : 0;
    return capacity_ != 0 && waiting + count > capacity_;
}

bool Queue::extend(uint64_t tickets) {
    const std::lock_guard<std::mutex> lock(segments_mutex_);
    try {
        while (linked_.load(std::memory_order_relaxed) < tickets) {
            append_segment();
        }
    } catch (const std::bad_alloc &) {
        return false;
    }
    return true;
}

void Queue::append_segment() {
    Segment *segment = nullptr;
    if (spare_.empty()) {
        // Room to give every segment back is made now, so that recycling never allocates.
        spare_.reserve(all_.size() + 1);
        all_.push_back(std::make_unique<Segment>());
        segment = all_.back().get();
    } else {
        segment = spare_.back();
        spare_.pop_back();
    }
    const uint64_t first = linked_.load(std::memory_order_relaxed);
    segment->next.store(nullptr, std::memory_order_relaxed);
    segment->first.store(first, std::memory_order_release);
    Segment *last = last_.exchange(segment, std::memory_order_acq_rel);
    if (last == nullptr) {
        head_segment_.store(segment, std::memory_order_release);
    } else {
        last->next.store(segment, std::memory_order_release);
    }
    linked_.store(first + segment_slots, std::memory_order_release);
}

// The segments from the head's to the ticket's own cannot all be recycled, because the ticket is not filled yet; but
// those before its own can be, while we walk. Every step is checked against the number that the segment must have.
Queue::Segment *Queue::segment_of(uint64_t ticket) {
    const uint64_t wanted = ticket - ticket % segment_slots;
    Segment *segment = last_.load(std::memory_order_acquire);
    if (segment->first.load(std::memory_order_acquire) == wanted) {
        return segment;
    }
    for (;;) {
        segment = head_segment_.load(std::memory_order_acquire);
        uint64_t first = segment->first.load(std::memory_order_acquire);
        while (first < wanted) {
            Segment *next = segment->next.load(std::memory_order_acquire);
            if (next == nullptr || segment->first.load(std::memory_order_acquire) != first ||
                next->first.load(std::memory_order_acquire) != first + segment_slots) {
                break;
            }
            segment = next;
            first += segment_slots;
        }
        if (first == wanted) {
            return segment;
        }
    }
}

void Queue::fill(Segment *&segment, uint64_t ticket, const Item &item) {
    if (ticket % segment_slots == 0 && segment->first.load(std::memory_order_relaxed) != ticket) {
        segment = segment_of(ticket);
    }
    Slot &slot = segment->slots[ticket % segment_slots];
    slot.discard = item.discard;
    slot.user_data = item.user_data;
    slot.group = item.group;
    slot.run.store(item.run, std::memory_order_release);
}

bool Queue::pop(Item &item) {
    const uint64_t seen = head_.load(std::memory_order_relaxed);
    if (seen == accepted() || consuming_.load(std::memory_order_relaxed) ||
        consuming_.exchange(true, std::memory_order_acquire)) {
        return false;
    }
    const uint64_t ticket = head_.load(std::memory_order_relaxed);
    Slot *slot = oldest_slot(ticket);
    const numa_pool_task_fn run = slot != nullptr ? slot->run.load(std::memory_order_acquire) : nullptr;
    if (run != nullptr) {
        item = Item{run, slot->discard, slot->user_data, slot->group};
        slot->run.store(nullptr, std::memory_order_relaxed);
        head_.store(ticket + 1, std::memory_order_seq_cst);
    }
    consuming_.store(false, std::memory_order_release);
    return run != nullptr;
}

// Called by the consumer whose turn it is. Leaves a segment behind when all of it was taken and the next is linked.
Queue::Slot *Queue::oldest_slot(uint64_t ticket) {
    Segment *segment = head_segment_.load(std::memory_order_acquire);
    if (segment == nullptr) {
        return nullptr;
    }
    if (segment->first.load(std::memory_order_relaxed) + segment_slots == ticket) {
        Segment *next = segment->next.load(std::memory_order_acquire);
        if (next == nullptr) {
            return nullptr;
        }
        head_segment_.store(next, std::memory_order_release);
        recycle(segment);
        segment = next;
    }
    return &segment->slots[ticket % segment_slots];
}

void Queue::recycle(Segment *segment) {
    const std::lock_guard<std::mutex> lock(segments_mutex_);
    spare_.push_back(segment);
}

uint64_t Queue::size() const {
    const uint64_t head = head_.load(std::memory_order_seq_cst);
    return accepted() - head;
}

std::size_t Queue::segment_count() {
    const std::lock_guard<std::mutex> lock(segments_mutex_);
    return all_.size();
}

void Queue::close() {
    tail_.fetch_or(closed_bit, std::memory_order_seq_cst);
}

} // namespace nearpool::numa
