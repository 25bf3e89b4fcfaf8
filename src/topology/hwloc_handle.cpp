// SPDX-License-Identifier: Apache-2.0
#include "topology/hwloc_handle.hpp"

#include <cstdlib>
#include <new>

namespace nearpool {

NumberSet numbers_of(hwloc_const_bitmap_t set) {
    std::vector<uint32_t> numbers;
    if (set != nullptr && hwloc_bitmap_last(set) >= 0) {
        for (int number = hwloc_bitmap_first(set); number >= 0; number = hwloc_bitmap_next(set, number)) {
            numbers.push_back(static_cast<uint32_t>(number));
        }
    }
    return NumberSet(std::move(numbers));
}

HwlocBitmap::HwlocBitmap(const NumberSet &numbers) : bitmap_(hwloc_bitmap_alloc()) {
    if (bitmap_ == nullptr) {
        throw std::bad_alloc();
    }
    for (const uint32_t number : numbers) {
        if (hwloc_bitmap_set(bitmap_, number) < 0) {
            hwloc_bitmap_free(bitmap_);
            throw std::bad_alloc();
        }
    }
}

std::string bitmap_text(const NumberSet &numbers) {
    const HwlocBitmap bitmap(numbers);
    char *text = nullptr;
    if (hwloc_bitmap_asprintf(&text, bitmap.get()) < 0) {
        throw std::bad_alloc();
    }
    const std::unique_ptr<char, void (*)(void *)> owner(text, std::free);
    return text;
}

} // namespace nearpool
