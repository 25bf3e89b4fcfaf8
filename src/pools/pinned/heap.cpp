// SPDX-License-Identifier: Apache-2.0
#include "pools/pinned/heap.hpp"

#include "base/checked.hpp"

#include <algorithm>
#include <new>

namespace nearpool::pinned {

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;
constexpr std::size_t huge_page = 2 * mebibyte;

// Of each class, before a larger one has its turn; and when no class had any.
constexpr unsigned few_looks = 4;
constexpr unsigned all_looks = UINT32_MAX;

// A request of no bytes gets a unit.
std::optional<std::size_t> in_units(std::size_t bytes) {
    return checked_round_up(std::max(bytes, std::size_t{1}), block_unit);
}

} // namespace

Block *Heap::add(Memory *memory, char *data, std::size_t bytes) {
    if (!records_.has(1)) {
        throw std::bad_alloc();
    }
    Block *const block = records_.get();
    *block = Block{};
    block->memory = memory;
    block->data = data;
    block->bytes = bytes;
    block->in_use = true;
    span_bytes_ += bytes;
    live_bytes_ += bytes;
    live_count_++;
    return block;
}

void Heap::remove(Block *whole) noexcept {
    unlist(whole);
    span_bytes_ -= whole->bytes;
    records_.put(whole);
}

Block *Heap::take(std::size_t bytes, std::size_t alignment) noexcept {
    const std::optional<std::size_t> rounded = in_units(bytes);
    if (!rounded) {
        return nullptr;
    }
    Block *const block = find(*rounded, alignment);
    // One record for what is left in front, and one for what is left behind.
    if (block == nullptr || !records_.has(2)) {
        return nullptr;
    }
    return use(block, Shelf::padding(*block, alignment), *rounded);
}

Block *Heap::find(std::size_t bytes, std::size_t alignment) const noexcept {
    for (const unsigned looks : {few_looks, all_looks}) {
        for (const Shelf *shelf : {&free_, &idle_}) {
            if (Block *block = shelf->find(bytes, alignment, looks)) {
                return block;
            }
        }
    }
    return nullptr;
}

Block *Heap::use(Block *block, std::size_t padding, std::size_t bytes) noexcept {
    unlist(block);
    if (padding != 0) {
        Block *const aligned = cut(block, padding);
        list(block);
        block = aligned;
    }
    if (block->bytes != bytes) {
        Block *const rest = cut(block, bytes);
        list(rest);
    }
    block->in_use = true;
    block->use = {};
    live_bytes_ += bytes;
    live_count_++;
    return block;
}

void Heap::shrink(Block *block, std::size_t bytes) noexcept {
    const std::size_t kept = in_units(bytes).value_or(SIZE_MAX);
    if (kept >= block->bytes || !records_.has(1)) {
        return;
    }
    live_bytes_ -= block->bytes - kept;
    Block *rest = cut(block, kept);
    if (rest->after != nullptr && !rest->after->in_use) {
        unlist(rest->after);
        rest = join(rest, rest->after);
    }
    list(rest);
}

Block *Heap::drop_front(Block *block, std::size_t bytes) noexcept {
    if (bytes == 0) {
        return block;
    }
    if (!records_.has(1)) {
        return nullptr;
    }
    Block *const kept = cut(block, bytes);
    kept->in_use = true;
    block->in_use = false;
    live_bytes_ -= bytes;
    if (block->before != nullptr && !block->before->in_use) {
        unlist(block->before);
        block = join(block->before, block);
    }
    list(block);
    return kept;
}

Block *Heap::give(Block *block) noexcept {
    live_bytes_ -= block->bytes;
    live_count_--;
    block->in_use = false;
    if (block->after != nullptr && !block->after->in_use) {
        unlist(block->after);
        block = join(block, block->after);
    }
    if (block->before != nullptr && !block->before->in_use) {
        unlist(block->before);
        block = join(block->before, block);
    }
    list(block);
    return block;
}

void Heap::list(Block *block) noexcept {
    if (block->whole()) {
        idle_bytes_ += block->bytes;
        idle_.put(block);
    } else {
        free_.put(block);
    }
}

void Heap::unlist(Block *block) noexcept {
    if (block->whole()) {
        idle_bytes_ -= block->bytes;
        idle_.remove(block);
    } else {
        free_.remove(block);
    }
}

// Leaves the block its first bytes; the rest, a free block on no shelf.
Block *Heap::cut(Block *block, std::size_t bytes) noexcept {
    Block *const rest = records_.get();
    *rest = *block;
    rest->data += bytes;
    rest->bytes -= bytes;
    rest->before = block;
    rest->in_use = false;
    if (rest->after != nullptr) {
        rest->after->before = rest;
    }
    block->after = rest;
    block->bytes = bytes;
    return rest;
}

// Both are on no shelf. Whether the block is in use stays as it is.
Block *Heap::join(Block *block, Block *after) noexcept {
    block->bytes += after->bytes;
    block->after = after->after;
    if (block->after != nullptr) {
        block->after->before = block;
    }
    records_.put(after);
    return block;
}

// Small heaps grow by a quarter, large ones by a sixteenth, and none by more than 256 MiB: when a heap is at its
// largest, the newest span is mostly free. Other shares changed little, see tests/bench/pinned_heap.cpp.
std::size_t span_size(std::size_t bytes, std::size_t reserved) {
    const std::size_t quarter = std::clamp(reserved / 4, huge_page, 64 * mebibyte);
    const std::size_t growth = std::clamp(reserved / 16, quarter, 256 * mebibyte);
    return checked_round_up(std::max(bytes, growth), huge_page).value_or(0);
}

} // namespace nearpool::pinned
