// SPDX-License-Identifier: Apache-2.0
#include "pools/pinned/stock.hpp"

#include "base/checked.hpp"

#include <algorithm>
#include <cinttypes>

namespace nearpool::pinned {

Block *Stock::take(const Wish &wish, const Gpu &gpu) noexcept {
    if (wish.alone()) {
        return nullptr;
    }
    if (Block *block = find(wish, gpu); block != nullptr) {
        return block;
    }
    return collect(Collect::quickly) ? find(wish, gpu) : nullptr;
}

Block *Stock::find(const Wish &wish, const Gpu &gpu) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto &lot : lots_) {
        if (!closed_ && lot->serves(wish, gpu)) {
            if (Block *block = lot->heap.take(wish.bytes, wish.alignment); block != nullptr) {
                hits_++;
                return lend(block, wish, gpu);
            }
        }
    }
    return nullptr;
}

Block *Stock::lend(Block *block, const Wish &wish, const Gpu &gpu) noexcept {
    block->ordinal = gpu.device->facts().ordinal;
    block->use = Block::Use{wish.bytes, nullptr};
    live_bytes_ += wish.bytes;
    live_count_++;
    peak_bytes_ = std::max(peak_bytes_, live_bytes_);
    return block;
}

// What was adopted is not this stock's to bound.
std::size_t Stock::held_bytes() const noexcept {
    std::size_t bytes = ordered_bytes_;
    for (const auto &lot : lots_) {
        bytes += lot->adopted() ? 0 : lot->heap.span_bytes();
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
    const std::size_t slack = wish.alignment > base_page_bytes() ? wish.alignment : 0;
    Order order;
    order.kept = !wish.alone();
    order.least_bytes = wish.bytes + slack; // wish_of() has seen that it does not overflow
    collect(Collect::wholly);
    Gone gone;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) {
        return fail(NEAR_E_SHUTDOWN, "the pool is being destroyed");
    }
    misses_++;
    const auto fits = [&] { return saturating_add(held_bytes(), order.bytes) <= limit_.bytes; };
    order.bytes =
        order.kept ? std::max(span_size(order.least_bytes, held_bytes()), order.least_bytes) : order.least_bytes;
    if (!fits()) {
        order.bytes = order.least_bytes;
    }
    while (!fits() && give_idle_back(&gone)) {
    }
    if (!fits()) {
        if (wish.strict && limit_.firm) {
            return fail(NEAR_E_STRICT, "node %u: %zu bytes are page-locked, and %zu more exceed the limit of %" PRIu64,
                        node_, held_bytes(), order.bytes, limit_.bytes);
        }
        order.kept = false;
    }
    ordered_bytes_ += order.bytes;
    return order;
}

void Stock::forget(const Order &order, uint64_t took_ns) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    ordered_bytes_ -= order.bytes;
    pinning_ns_ += took_ns;
}

Lot &Stock::lot(const Lot::Kind &kind) {
    for (const auto &lot : lots_) {
        if (lot->kind() == kind) {
            return *lot;
        }
    }
    auto made = std::make_unique<Lot>(*this, kind);
    return **lots_.insert(kind.strict ? lots_.begin() : lots_.end(), std::move(made));
}

Block *Stock::add(std::unique_ptr<Memory> memory, const Order &order, const Wish &wish, uint64_t took_ns) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ordered_bytes_ -= order.bytes;
    pinning_ns_ += took_ns;
    Lot &place = lot(Lot::kind_of(*memory, wish, order.kept));
    Block *block = place.cut(memory.get(), wish);
    if (block == nullptr) {
        return nullptr;
    }
    memory->lot = &place;
    return lend(block, wish, memory.release()->gpu()); // the heap's span has it
}

Block *Stock::add_adopted(std::unique_ptr<Memory> memory, const Wish &wish, uint64_t took_ns) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) {
        return nullptr;
    }
    pinning_ns_ += took_ns;
    Lot &place = lot(Lot::kind_of(*memory, wish, false));
    Block *block = place.cut(memory.get(), wish);
    memory->lot = &place;
    return lend(block, wish, memory.release()->gpu());
}

// What is whole and not to be kept goes, after the lock.
void Stock::retire(Block *block, Collect how, Gone *gone) noexcept {
    live_bytes_ -= block->use.requested;
    live_count_--;
    Lot &lot = *block->memory->lot;
    Block *free = lot.heap.give(block);
    const bool stays = lot.kind().kept && (how == Collect::quickly || (!closed_ && held_bytes() <= limit_.bytes));
    if (free->whole() && !stays) {
        gone->add(free->memory);
        lot.heap.remove(free);
    }
}

void Stock::give(Block *block) noexcept {
    Gone gone;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (block->use.marks == nullptr) {
        retire(block, Collect::wholly, &gone);
        return;
    }
    block->use.marks->next = std::exchange(waiting_, block);
    waiting_count_++;
    waiting_bytes_ += block->use.requested;
}

void Stock::use(Block *block, stream::Mark mark) {
    std::optional<stream::Mark> before; // goes after the lock
    const std::lock_guard<std::mutex> lock(mutex_);
    if (block->use.marks != nullptr) {
        before = block->use.marks->add(std::move(mark));
        return;
    }
    auto marks = std::make_unique<Marks>();
    marks->add(std::move(mark));
    block->use.marks = marks.release();
}

bool Stock::give_idle_back(Gone *gone) noexcept {
    for (const auto &lot : lots_) {
        if (Block *idle = lot->heap.idle(); idle != nullptr) {
            gone->add(idle->memory);
            lot->heap.remove(idle);
            return true;
        }
    }
    return false;
}

} // namespace nearpool::pinned
