// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/queue.hpp"

#include <algorithm>
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

// Once the lock is needed it is held to the end.
Status Queue::reserve(std::size_t count, Rules rules, uint64_t &ticket) {
    std::unique_lock<std::mutex> lock(mutex_, std::defer_lock);
    uint64_t tail = tail_.load(std::memory_order_relaxed);
    for (;;) {
        if ((tail & closed_bit) != 0 && rules.close) {
            return NEAR_E_SHUTDOWN;
        }
        const bool beside_promises = rules.capacity && (tail & promised_bit) != 0;
        if (beside_promises && !lock) {
            lock.lock();
            tail = tail_.load(std::memory_order_relaxed);
            continue;
        }
        ticket = tail & ticket_mask;
        if (rules.capacity && full(ticket, count + (beside_promises ? promises() : 0))) {
            return NEAR_E_AGAIN;
        }
        if (ticket + count > limit_.load(std::memory_order_acquire)) {
            if (!lock) {
                lock.lock();
            }
            if (!extend(ticket + count)) {
                return NEAR_E_NOMEM;
            }
        }
        if (tail_.compare_exchange_weak(tail, tail + count, std::memory_order_seq_cst, std::memory_order_relaxed)) {
            return NEAR_OK;
        }
    }
}

// The head may have passed a tail that was read long ago; the compare-and-swap will notice.
bool Queue::full(uint64_t ticket, uint64_t count) const {
    const uint64_t head = head_.load(std::memory_order_acquire);
    const uint64_t waiting = ticket > head ? ticket - head : 0;
    return capacity_ != 0 && waiting + count > capacity_;
}

uint64_t Queue::promises() const {
    return promised_.load(std::memory_order_relaxed) - kept_.load(std::memory_order_relaxed);
}

// The bit is set before the look at the tail: a producer that has not seen it, and reserves after the look, fails.
Status Queue::promise(Rules rules) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const uint64_t tail = capacity_ != 0 ? tail_.fetch_or(promised_bit, std::memory_order_seq_cst)
                                         : tail_.load(std::memory_order_seq_cst);
    Status status = NEAR_OK;
    if ((tail & closed_bit) != 0 && rules.close) {
        status = NEAR_E_SHUTDOWN;
    } else if (full(tail & ticket_mask, promises() + 1)) {
        status = NEAR_E_AGAIN;
    } else if (!allocate_slots(limit_.load(std::memory_order_relaxed) + promises() + 1)) {
        status = NEAR_E_NOMEM;
    }
    if (status == NEAR_OK) {
        promised_.fetch_add(1, std::memory_order_release);
    } else {
        clear_promised_bit();
    }
    return status;
}

void Queue::clear_promised_bit() {
    if (capacity_ != 0 && promises() == 0) {
        tail_.fetch_and(~promised_bit, std::memory_order_seq_cst);
    }
}

// Without the lock nobody reserves beyond limit_. So the ticket lies below it, or is the limit itself, which then moves
// by one, into the slots that were kept for promises.
void Queue::keep(const Item &item) noexcept {
    uint64_t ticket = 0;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        ticket = tail_.fetch_add(1, std::memory_order_seq_cst) & ticket_mask;
        if (ticket == limit_.load(std::memory_order_relaxed)) {
            if (ticket == linked_) {
                link_spare();
            }
            limit_.store(ticket + 1, std::memory_order_release);
        }
        kept_.fetch_add(1, std::memory_order_release);
        clear_promised_bit();
    }
    Segment *segment = segment_of(ticket);
    fill(segment, ticket, item);
    settle(1);
}

void Queue::take_back() noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    promised_.fetch_sub(1, std::memory_order_release);
    clear_promised_bit();
}

// A promise that is kept meanwhile counts twice, never not at all.
uint64_t Queue::accepted() const {
    const uint64_t kept = kept_.load(std::memory_order_acquire);
    const uint64_t stored = tickets();
    return stored + promised_.load(std::memory_order_acquire) - kept;
}

bool Queue::extend(uint64_t tickets) {
    if (!allocate_slots(tickets + promises())) {
        return false;
    }
    while (linked_ < tickets) {
        link_spare();
    }
    const uint64_t free = linked_ + spare_.size() * segment_slots - promises();
    limit_.store(std::min(linked_, free), std::memory_order_release);
    return true;
}

bool Queue::allocate_slots(uint64_t tickets) {
    try {
        while (linked_ + spare_.size() * segment_slots < tickets) {
            // Room to give every segment back is made now, so that recycling never allocates.
            spare_.reserve(all_.size() + 1);
            all_.push_back(std::make_unique<Segment>());
            spare_.push_back(all_.back().get());
        }
    } catch (const std::bad_alloc &) {
        return false;
    }
    return true;
}

void Queue::link_spare() noexcept {
    Segment *segment = spare_.back();
    spare_.pop_back();
    segment->next.store(nullptr, std::memory_order_relaxed);
    segment->first.store(linked_, std::memory_order_release);
    Segment *last = last_.exchange(segment, std::memory_order_acq_rel);
    if (last == nullptr) {
        head_segment_.store(segment, std::memory_order_release);
    } else {
        last->next.store(segment, std::memory_order_release);
    }
    linked_ += segment_slots;
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
    if (seen == tickets() || consuming_.load(std::memory_order_relaxed) ||
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
    const std::lock_guard<std::mutex> lock(mutex_);
    spare_.push_back(segment);
}

uint64_t Queue::size() const {
    const uint64_t head = head_.load(std::memory_order_seq_cst);
    return tickets() - head;
}

std::size_t Queue::segment_count() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return all_.size();
}

void Queue::close() {
    tail_.fetch_or(closed_bit, std::memory_order_seq_cst);
}

} // namespace nearpool::numa
