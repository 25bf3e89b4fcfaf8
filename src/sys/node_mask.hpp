// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/number_set.hpp"

#include <vector>

namespace nearpool {

// Node numbers as the memory-policy system calls take them. The kernel reads maxnode - 1 bits (get_nodes() in
// mm/mempolicy.c), so maxnode is one more than the bits that count: 64 would drop node 63.
class NodeMask {
public:
    explicit NodeMask(const NumberSet &nodes);

    // An empty mask that has room for `bits` nodes, to be filled by the kernel.
    explicit NodeMask(std::size_t bits) : words_((bits + word_bits - 1) / word_bits) {}

    unsigned long *words() { return words_.empty() ? nullptr : words_.data(); }
    const unsigned long *words() const { return words_.empty() ? nullptr : words_.data(); }
    unsigned long maxnode() const { return words_.empty() ? 0 : words_.size() * word_bits + 1; }
    NumberSet numbers() const;

private:
    static constexpr std::size_t word_bits = 8 * sizeof(unsigned long);
    std::vector<unsigned long> words_;
};

} // namespace nearpool
