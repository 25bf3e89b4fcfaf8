// SPDX-License-Identifier: Apache-2.0
// Memory of one node that is alike, and the heap of its blocks.
#pragma once

#include "pools/pinned/heap.hpp"
#include "pools/pinned/memory.hpp"

namespace nearpool::pinned {

class Lot {
public:
    struct Kind {
        int32_t method = 0;
        uint32_t asked_methods = 0; // of which it was the first that worked
        int32_t pages = 0;          // asked for
        int32_t ordinal = -1;       // -1: all devices can use it
        bool node_known = false;
        bool one_pointer = false;
        bool locks = false;
        bool forks = false;
        bool dumps = true;   // into core dumps
        bool strict = false; // all its pages are known to be on the node
        bool kept = false;   // it may become idle; else a span has one block, and goes with it

        bool operator==(const Kind &other) const;
    };
    static Kind kind_of(const Memory &memory, const Wish &wish, bool kept);

    Lot(class Stock &owner, const Kind &kind) : stock(owner), kind_(kind) {}
    const Kind &kind() const { return kind_; }
    bool adopted() const { return kind_.method == NEAR_PINNED_ADOPTED; }
    bool serves(const Wish &wish, const Gpu &gpu) const;

    // Of a new span, the block that the wish is for. nullptr: the span does not hold it so aligned. Throws
    // std::bad_alloc; neither changes anything.
    Block *cut(Memory *memory, const Wish &wish);

    Stock &stock;
    Heap heap;

private:
    const Kind kind_;
};

} // namespace nearpool::pinned
