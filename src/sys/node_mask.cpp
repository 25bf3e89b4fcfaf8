// SPDX-License-Identifier: Apache-2.0
#include "sys/node_mask.hpp"

namespace nearpool {

NodeMask::NodeMask(const NumberSet &nodes) {
    if (nodes.empty()) {
        return;
    }
    words_.resize(nodes.back() / word_bits + 1);
    for (const uint32_t node : nodes) {
        words_[node / word_bits] |= 1UL << (node % word_bits);
    }
}

NumberSet NodeMask::numbers() const {
    std::vector<uint32_t> result;
    for (std::size_t bit = 0; bit < words_.size() * word_bits; bit++) {
        if ((words_[bit / word_bits] >> (bit % word_bits) & 1UL) != 0) {
            result.push_back(static_cast<uint32_t>(bit));
        }
    }
    return NumberSet(std::move(result));
}

} // namespace nearpool
