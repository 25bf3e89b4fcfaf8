// SPDX-License-Identifier: Apache-2.0
// A piece of a span of page-locked memory. What is known of it stands here and not in the memory, which nobody reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace nearpool::pinned {

class Memory; // what a span is cut from; the heap hands it on
class Marks;  // what the owner knows of a block in use; the heap hands it on

constexpr std::size_t block_unit = 64;

struct Block {
    struct Links {
        Block *previous;
        Block *next;
    };
    struct Use {
        std::size_t requested;
        Marks *marks;
    };

    bool whole() const { return before == nullptr && after == nullptr; } // it is its span
    char *end() const { return data + bytes; }

    Memory *memory;
    char *data;
    std::size_t bytes; // a multiple of block_unit
    Block *before;     // the neighbours in the span by address; nullptr: the span ends here
    Block *after;
    union {
        Links links; // while it is free
        Use use;     // while it is in use; the owner's
    };
    int32_t ordinal; // the owner's; what is cut from a block has its ordinal
    bool in_use;
};
static_assert(sizeof(Block) <= 64, "one line of the cache, and half of what a block may cost");
static_assert(std::is_trivial_v<Block>, "blocks lie in slabs that nothing constructs");

} // namespace nearpool::pinned
