// SPDX-License-Identifier: Apache-2.0
// Cuts blocks of any size from spans of page-locked memory and puts them together again. It never touches the memory.
// One thread at a time: who owns a heap holds a lock.
#pragma once

#include "pools/pinned/block.hpp"
#include "pools/pinned/records.hpp"
#include "pools/pinned/shelf.hpp"

namespace nearpool::pinned {

class Heap {
public:
    // A new span, of whole pages. The block that is all of it, in use. Throws std::bad_alloc before anything changes.
    Block *add(Memory *memory, char *data, std::size_t bytes);

    // Takes an idle span, which is a free block that is whole, out of the heap.
    void remove(Block *whole) noexcept;

    // A block in use of at least `bytes`, on a multiple of `alignment`, a power of two. nullptr: none fits, or there is
    // no memory for a record. Spans that are idle come last.
    Block *take(std::size_t bytes, std::size_t alignment) noexcept;

    // The same from one idle span, and from no other.
    Block *take_from(Block *whole, std::size_t bytes, std::size_t alignment) noexcept;

    // Keeps the first `bytes`, rounded up, and frees the rest. Without memory for a record the block stays as it is.
    void shrink(Block *block, std::size_t bytes) noexcept;

    // Joins the block to the free ones beside it. What came of it; when that is whole, its span is idle.
    Block *give(Block *block) noexcept;

    Block *idle() const noexcept { return idle_.any(); } // some idle span; nullptr: there is none

    std::size_t span_bytes() const { return span_bytes_; }
    std::size_t idle_bytes() const { return idle_bytes_; }
    std::size_t live_bytes() const { return live_bytes_; }
    std::size_t live_count() const { return live_count_; }
    std::size_t free_bytes() const { return span_bytes_ - live_bytes_; } // idle spans among them
    std::size_t bookkeeping_bytes() const { return sizeof(Heap) + records_.bytes(); }

private:
    Block *find(std::size_t bytes, std::size_t alignment) const noexcept;
    void list(Block *block) noexcept;
    void unlist(Block *block) noexcept;
    Block *cut(Block *block, std::size_t bytes) noexcept;
    Block *join(Block *block, Block *after) noexcept;
    Block *use(Block *block, std::size_t padding, std::size_t bytes) noexcept;

    Records records_;
    Shelf free_; // what is free in spans that have blocks in use
    Shelf idle_; // whole spans
    std::size_t span_bytes_ = 0;
    std::size_t idle_bytes_ = 0;
    std::size_t live_bytes_ = 0;
    std::size_t live_count_ = 0;
};

// How large to make a new span for a request that nothing fits in a heap whose spans have `reserved` bytes: a multiple
// of 2 MiB, which is also the size of the first one. 0: there is no such size.
std::size_t span_size(std::size_t bytes, std::size_t reserved);

} // namespace nearpool::pinned
