// SPDX-License-Identifier: Apache-2.0
// Free blocks by size: lists of blocks whose sizes are alike, found through bitmaps in two levels as in TLSF (Masmano,
// Ripoll, Crespo, Real: TLSF, a new dynamic memory allocator for real-time systems, ECRTS 2004). Two things differ. The
// classes are wide, and within one low addresses go first: that left less of a heap in pieces than exact best fit did.
// And the class of the request itself is looked at as well.
#pragma once

#include "pools/pinned/block.hpp"

namespace nearpool::pinned {

class Shelf {
public:
    void put(Block *block) noexcept;
    void remove(Block *block) noexcept;

    // A block of the least class with one that holds `bytes` from a multiple of `alignment` on. It looks at so many
    // of each class.
    Block *find(std::size_t bytes, std::size_t alignment, unsigned looks) const noexcept;
    Block *any() const noexcept;

    // From the beginning of the block to the first multiple of the alignment.
    static std::size_t padding(const Block &block, std::size_t alignment) {
        return -reinterpret_cast<uintptr_t>(block.data) & (alignment - 1);
    }

private:
    static constexpr unsigned width_bits = 3; // so many classes, as a power of two, from one power of two to the next
    static constexpr unsigned width = 1U << width_bits;
    static constexpr unsigned levels = 64;
    static constexpr unsigned none = levels * width;

    static unsigned class_of(std::size_t bytes) {
        const unsigned level = 63U - static_cast<unsigned>(__builtin_clzll(bytes));
        return level * width + (static_cast<unsigned>(bytes >> (level - width_bits)) & (width - 1));
    }
    unsigned next_class(unsigned from) const noexcept;

    uint64_t levels_ = 0;          // which have a list that is not empty
    uint8_t classes_[levels] = {}; // of each level, which
    Block *lists_[levels * width] = {};
};

} // namespace nearpool::pinned
