// SPDX-License-Identifier: Apache-2.0
// Spans at made-up addresses: the heap never touches its memory.
#pragma once

#include "pools/pinned/heap.hpp"

namespace nearpool::pinned {

constexpr std::size_t kibibyte = std::size_t{1} << 10;
constexpr std::size_t mebibyte = std::size_t{1} << 20;

inline char *at(uintptr_t address) {
    return reinterpret_cast<char *>(address);
}

inline uintptr_t address_of(const Block *block) {
    return reinterpret_cast<uintptr_t>(block->data);
}

// A heap, and spans in ascending order with a gap behind each.
struct Spans {
    static constexpr uintptr_t first = uintptr_t{1} << 30;

    Block *add(std::size_t bytes) {
        Block *const block = heap.add(nullptr, at(next), bytes);
        next += bytes + 64 * kibibyte;
        return block;
    }
    void add_idle(std::size_t bytes) { heap.give(add(bytes)); }

    Heap heap;
    uintptr_t next = first;
};

} // namespace nearpool::pinned
