// SPDX-License-Identifier: Apache-2.0
#include "pools/pinned/shelf.hpp"

namespace nearpool::pinned {

namespace {

// A block goes behind so many of lower addresses and no further: a list may be long, and order is worth no more.
constexpr unsigned most_steps = 4;

bool fits(const Block &block, std::size_t bytes, std::size_t alignment) {
    const std::size_t padding = Shelf::padding(block, alignment);
    return padding < block.bytes && block.bytes - padding >= bytes;
}

} // namespace

void Shelf::put(Block *block) noexcept {
    const unsigned number = class_of(block->bytes);
    Block *previous = nullptr;
    Block *next = lists_[number];
    for (unsigned left = most_steps; next != nullptr && next->data < block->data && left != 0; left--) {
        previous = next;
        next = next->links.next;
    }
    block->links = {previous, next};
    (previous != nullptr ? previous->links.next : lists_[number]) = block;
    if (next != nullptr) {
        next->links.previous = block;
    }
    levels_ |= UINT64_C(1) << (number / width);
    classes_[number / width] |= static_cast<uint8_t>(1U << (number % width));
}

void Shelf::remove(Block *block) noexcept {
    const auto [previous, next] = block->links;
    if (next != nullptr) {
        next->links.previous = previous;
    }
    if (previous != nullptr) {
        previous->links.next = next;
        return;
    }
    const unsigned number = class_of(block->bytes);
    lists_[number] = next;
    if (next == nullptr) {
        uint8_t &classes = classes_[number / width];
        classes &= static_cast<uint8_t>(~(1U << (number % width)));
        if (classes == 0) {
            levels_ &= ~(UINT64_C(1) << (number / width));
        }
    }
}

// The first class from this one on that has a block.
unsigned Shelf::next_class(unsigned from) const noexcept {
    if (from >= none) {
        return none;
    }
    const unsigned level = from / width;
    const unsigned here = classes_[level] >> (from % width);
    if (here != 0) {
        return from + static_cast<unsigned>(__builtin_ctz(here));
    }
    const uint64_t above = levels_ & ~UINT64_C(1) << level;
    if (above == 0) {
        return none;
    }
    const auto next = static_cast<unsigned>(__builtin_ctzll(above));
    return next * width + static_cast<unsigned>(__builtin_ctz(classes_[next]));
}

Block *Shelf::find(std::size_t bytes, std::size_t alignment, unsigned looks) const noexcept {
    for (unsigned number = next_class(class_of(bytes)); number != none; number = next_class(number + 1)) {
        unsigned left = looks;
        for (Block *block = lists_[number]; block != nullptr && left != 0; block = block->links.next, left--) {
            if (fits(*block, bytes, alignment)) {
                return block;
            }
        }
    }
    return nullptr;
}

Block *Shelf::any() const noexcept {
    const unsigned number = next_class(0);
    return number != none ? lists_[number] : nullptr;
}

} // namespace nearpool::pinned
