// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/deque.hpp"

#include <cstdlib>

namespace nearpool::numa {

void Deque::Free::operator()(Cell *cells) const {
    std::free(cells);
}

// Zeroed by the kernel page by page as they are used. Without memory for it the deque is always full, which is slower
// and works.
void Deque::allocate() {
    cells_.reset(static_cast<Cell *>(std::calloc(static_cast<std::size_t>(capacity), sizeof(Cell))));
}

void Deque::write(Cell &cell, const Item &item) {
    cell.run.store(item.run, std::memory_order_relaxed);
    cell.discard.store(item.discard, std::memory_order_relaxed);
    cell.user_data.store(item.user_data, std::memory_order_relaxed);
    cell.group.store(item.group, std::memory_order_relaxed);
}

Item Deque::read(const Cell &cell) {
    return Item{cell.run.load(std::memory_order_relaxed), cell.discard.load(std::memory_order_relaxed),
                cell.user_data.load(std::memory_order_relaxed), cell.group.load(std::memory_order_relaxed)};
}

bool Deque::push(const Item *items, std::size_t count) {
    const int64_t bottom = bottom_.load(std::memory_order_relaxed);
    const int64_t room = capacity - (bottom - top_.load(std::memory_order_acquire));
    if (!cells_ || static_cast<int64_t>(count) > room) {
        return false;
    }
    // The first of several is the first to be popped, as the oldest.
    for (std::size_t i = 0; i < count; i++) {
        write(cell(bottom + static_cast<int64_t>(i)), items[count - 1 - i]);
    }
    bottom_.store(bottom + static_cast<int64_t>(count), std::memory_order_seq_cst);
    return true;
}

bool Deque::pop(Item &item) {
    const int64_t bottom = bottom_.load(std::memory_order_relaxed) - 1;
    if (top_.load(std::memory_order_relaxed) > bottom) {
        return false; // only the owner adds: what looks empty to it is empty
    }
    bottom_.store(bottom, std::memory_order_seq_cst);
    int64_t top = top_.load(std::memory_order_seq_cst);
    if (top > bottom) {
        bottom_.store(bottom + 1, std::memory_order_release);
        return false;
    }
    item = read(cell(bottom));
    if (top < bottom) {
        return true;
    }
    const bool won = top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst, std::memory_order_relaxed);
    bottom_.store(bottom + 1, std::memory_order_release);
    return won;
}

bool Deque::steal(Item &item) {
    int64_t top = top_.load(std::memory_order_seq_cst);
    if (top >= bottom_.load(std::memory_order_seq_cst)) {
        return false;
    }
    item = read(cell(top));
    return top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst, std::memory_order_relaxed);
}

uint64_t Deque::size() const {
    const int64_t top = top_.load(std::memory_order_seq_cst);
    const int64_t bottom = bottom_.load(std::memory_order_seq_cst);
    return bottom > top ? static_cast<uint64_t>(bottom - top) : 0;
}

} // namespace nearpool::numa
