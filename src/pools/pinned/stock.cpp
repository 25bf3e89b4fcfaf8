// SPDX-License-Identifier: Apache-2.0
#include "pools/pinned/stock.hpp"

#include "base/checked.hpp"
#include "base/clock.hpp"
#include "pools/stream/pool.hpp"

#include <algorithm>
#include <cinttypes>
#include <new>

namespace nearpool::pinned {

stream::Mark::State Marks::state() noexcept {
    using State = stream::Mark::State;
    State worst = State::passed;
    for (std::size_t i = 0; i < marks_.size();) {
        const State state = marks_[i].state();
        if (state == State::passed) {
            marks_[i] = std::move(marks_.back());
            marks_.pop_back();
            continue;
        }
        worst = state;
        i++;
    }
    return worst;
}

bool Lot::Kind::operator==(const Kind &other) const {
    return method == other.method && pages == other.pages && ordinal == other.ordinal &&
           node_known == other.node_known && forks == other.forks && strict == other.strict && kept == other.kept;
}

bool Lot::serves(const Wish &wish, const Gpu &gpu) const {
    return kind_.kept && wish.asks_for(kind_.method) && kind_.pages == wish.pages &&
           kind_.node_known == gpu.node_known && kind_.forks == wish.has(NEAR_PINNED_FORK) &&
           (kind_.strict || !wish.strict) && (kind_.ordinal < 0 || kind_.ordinal == gpu.device->facts().ordinal);
}

// In a child of fork() nothing here is touched; elsewhere close() has come before, and the last block.
Stock::~Stock() = default;

Block *Stock::take(const Wish &wish, const Gpu &gpu) noexcept {
    if (wish.has(NEAR_PINNED_SHARED) || wish.has(NEAR_PINNED_NO_CACHE)) {
        return nullptr;
    }
    if (Block *block = find(wish, gpu); block != nullptr) {
        return block;
    }
    stream::Mark::State ignored{};
    return collect(&ignored) ? find(wish, gpu) : nullptr;
}

Block *Stock::find(const Wish &wish, const Gpu &gpu) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto &lot : lots_) {
        if (!closed_ && lot->serves(wish, gpu)) {
            if (Block *block = lot->heap.take(wish.bytes, wish.alignment); block != nullptr) {
                hits_++;
                return lend(block, wish.bytes, gpu.device->facts().ordinal);
            }
        }
    }
    return nullptr;
}

Block *Stock::lend(Block *block, std::size_t bytes, int32_t ordinal) noexcept {
    block->ordinal = ordinal;
    block->use = Block::Use{bytes, nullptr};
    live_bytes_ += bytes;
    live_count_++;
    peak_bytes_ = std::max(peak_bytes_, live_bytes_);
    return block;
}

void Stock::count_miss() noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    misses_++;
}

std::size_t Stock::held_bytes() const noexcept {
    std::size_t bytes = ordered_bytes_;
    for (const auto &lot : lots_) {
        bytes += lot->heap.span_bytes();
    }
    return bytes;
}

std::size_t Stock::idle_bytes() const noexcept {
    std::size_t bytes = 0;
    for (const auto &lot : lots_) {
        bytes += lot->heap.span_bytes() - lot->heap.live_bytes();
    }
    return bytes;
}

Result<Order> Stock::order(const Wish &wish) {
    const bool alone = wish.has(NEAR_PINNED_SHARED) || wish.has(NEAR_PINNED_NO_CACHE);
    const std::size_t slack = wish.alignment > base_page_bytes() ? wish.alignment : 0;
    Order order;
    order.kept = !alone;
    order.least_bytes = wish.bytes + slack; // wish_of() has seen that it does not overflow
    Gone gone;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) {
        return fail(NEAR_E_SHUTDOWN, "the pool is being destroyed");
    }
    const std::size_t held = held_bytes();
    order.bytes = alone ? order.least_bytes : std::max(span_size(order.least_bytes, held), order.least_bytes);
    if (saturating_add(held, order.bytes) > limit_bytes_) {
        order.bytes = order.least_bytes;
    }
    while (saturating_add(held_bytes(), order.bytes) > limit_bytes_) {
        std::unique_ptr<Memory> idle = take_idle();
        if (idle == nullptr) {
            break;
        }
        gone.push_back(std::move(idle));
    }
    if (saturating_add(held_bytes(), order.bytes) > limit_bytes_) {
        if (wish.strict) {
            return fail(NEAR_E_STRICT, "node %u: %zu bytes are page-locked, and %zu more exceed the limit of %" PRIu64,
                        node_, held_bytes(), order.bytes, limit_bytes_);
        }
        order.kept = false;
    }
    ordered_bytes_ += order.bytes;
    return order;
}

void Stock::forget(const Order &order) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    ordered_bytes_ -= order.bytes;
}

Lot &Stock::lot(const Lot::Kind &kind) {
    for (const auto &lot : lots_) {
        if (lot->kind() == kind) {
            return *lot;
        }
    }
    lots_.push_back(std::make_unique<Lot>(*this, kind));
    return *lots_.back();
}

Block *Stock::add(std::unique_ptr<Memory> memory, const Order &order, const Wish &wish, const Gpu &gpu,
                  uint64_t took_ns) {
    Lot::Kind kind;
    kind.method = memory->method();
    kind.pages = wish.pages;
    kind.ordinal = memory->only_its_device() ? gpu.device->facts().ordinal : -1;
    kind.node_known = gpu.node_known;
    kind.forks = wish.has(NEAR_PINNED_FORK);
    kind.strict = memory->proven();
    kind.kept = order.kept;
    const std::lock_guard<std::mutex> lock(mutex_);
    pinning_ns_ += took_ns;
    Lot &place = lot(kind);
    const Range range = memory->range();
    Block *block = place.heap.add(memory.get(), range.data, range.bytes);
    memory->lot = &place;
    if (reinterpret_cast<uintptr_t>(range.data) % wish.alignment == 0) {
        place.heap.shrink(block, wish.bytes);
    } else {
        Block *whole = place.heap.give(block);
        block = place.heap.take_from(whole, wish.bytes, wish.alignment); // what is not kept shares no span
        if (block == nullptr) {
            place.heap.remove(whole);
            throw std::bad_alloc();
        }
    }
    static_cast<void>(memory.release()); // the heap's span has it
    return lend(block, wish.bytes, gpu.device->facts().ordinal);
}

Block *Stock::add_adopted(std::unique_ptr<Memory> memory, const Gpu &gpu, uint64_t took_ns) {
    Lot::Kind kind;
    kind.method = NEAR_PINNED_ADOPTED;
    kind.node_known = gpu.node_known;
    kind.kept = false;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) {
        return nullptr;
    }
    pinning_ns_ += took_ns;
    Lot &place = lot(kind);
    const Range range = memory->range();
    Block *block =
        place.heap.add(memory.get(), range.data, checked_round_up(range.bytes, block_unit).value_or(range.bytes));
    memory.release()->lot = &place;
    return lend(block, range.bytes, gpu.device->facts().ordinal);
}

// What is to go, whole, when the block was the last of it; the caller frees it without the lock.
std::unique_ptr<Memory> Stock::retire(Block *block) noexcept {
    live_bytes_ -= block->use.requested;
    live_count_--;
    Lot &lot = *block->memory->lot;
    Block *free = lot.heap.give(block);
    if (!free->whole() || (lot.kind().kept && !closed_ && held_bytes() <= limit_bytes_)) {
        return nullptr;
    }
    std::unique_ptr<Memory> memory(free->memory);
    lot.heap.remove(free);
    return memory;
}

void Stock::give(Block *block) noexcept {
    std::unique_ptr<Memory> gone;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (block->use.marks == nullptr) {
        gone = retire(block);
        return;
    }
    block->use.marks->next = waiting_;
    waiting_ = block;
    waiting_count_++;
    waiting_bytes_ += block->bytes;
}

void Stock::use(Block *block, stream::Mark mark) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto fresh = block->use.marks == nullptr ? std::make_unique<Marks>() : nullptr;
    (fresh != nullptr ? *fresh : *block->use.marks).add(std::move(mark));
    if (fresh != nullptr) {
        block->use.marks = fresh.release();
    }
}

// The list is taken out while the driver is asked: nobody else asks for the same.
bool Stock::collect(stream::Mark::State *worst) noexcept {
    Block *list = nullptr;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        list = std::exchange(waiting_, nullptr);
    }
    bool any = false;
    *worst = stream::Mark::State::passed;
    while (list != nullptr) {
        Block *block = list;
        Marks *marks = block->use.marks;
        list = marks->next;
        const stream::Mark::State state = marks->state();
        std::unique_ptr<Memory> gone;
        if (state == stream::Mark::State::passed) {
            delete marks;
        }
        const std::lock_guard<std::mutex> lock(mutex_);
        if (state != stream::Mark::State::passed) {
            *worst = state;
            marks->next = std::exchange(waiting_, block);
            continue;
        }
        any = true;
        waiting_count_--;
        waiting_bytes_ -= block->bytes;
        block->use.marks = nullptr;
        gone = retire(block);
    }
    return any;
}

std::unique_ptr<Memory> Stock::take_idle() noexcept {
    for (const auto &lot : lots_) {
        if (Block *idle = lot->heap.idle(); idle != nullptr) {
            std::unique_ptr<Memory> memory(idle->memory);
            lot->heap.remove(idle);
            return memory;
        }
    }
    return nullptr;
}

std::size_t Stock::trim(std::size_t keep_bytes) noexcept {
    stream::Mark::State ignored{};
    collect(&ignored);
    std::size_t freed = 0;
    for (;;) {
        std::unique_ptr<Memory> idle;
        const std::lock_guard<std::mutex> lock(mutex_);
        if (idle_bytes() <= keep_bytes || (idle = take_idle()) == nullptr) {
            return freed;
        }
        freed += idle->range().bytes;
    }
}

void Stock::close(FutexPort &futex) noexcept {
    constexpr int most_refusals = 50; // one after the other
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        closed_ = true;
    }
    std::atomic<uint32_t> word{0};
    int refusals = 0;
    for (uint64_t pause = 0;; pause = std::min(pause + 5 * NEAR_US, stream::longest_pause_ns)) {
        stream::Mark::State worst{};
        collect(&worst);
        refusals = worst == stream::Mark::State::refused ? refusals + 1 : 0;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (waiting_count_ == 0 || refusals == most_refusals) {
                break;
            }
        }
        futex.wait(&word, 0, now_ns() + pause);
    }
    trim(0);
}

near_pinned_stats Stock::stats() noexcept {
    stream::Mark::State ignored{};
    collect(&ignored);
    const std::lock_guard<std::mutex> lock(mutex_);
    near_pinned_stats stats{};
    stats.hits = hits_;
    stats.misses = misses_;
    stats.live_count = live_count_;
    stats.live_bytes = live_bytes_;
    stats.waiting_bytes = waiting_bytes_;
    stats.peak_live_bytes = peak_bytes_;
    stats.idle_bytes = idle_bytes();
    stats.held_bytes = held_bytes() - ordered_bytes_;
    stats.limit_bytes = limit_bytes_;
    stats.pinning_ns = pinning_ns_;
    for (const auto &lot : lots_) {
        stats.bookkeeping_bytes += lot->heap.bookkeeping_bytes();
    }
    return stats;
}

void add(const near_pinned_stats &more, near_pinned_stats *sum) {
    sum->hits += more.hits;
    sum->misses += more.misses;
    sum->live_count += more.live_count;
    sum->live_bytes += more.live_bytes;
    sum->waiting_bytes += more.waiting_bytes;
    sum->idle_bytes += more.idle_bytes;
    sum->held_bytes += more.held_bytes;
    sum->peak_live_bytes = saturating_add(sum->peak_live_bytes, more.peak_live_bytes);
    sum->limit_bytes = saturating_add(sum->limit_bytes, more.limit_bytes);
    sum->pinning_ns += more.pinning_ns;
    sum->bookkeeping_bytes += more.bookkeeping_bytes;
}

} // namespace nearpool::pinned
