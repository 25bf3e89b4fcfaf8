// SPDX-License-Identifier: Apache-2.0
// hwloc's objects with owners, and its bitmaps as sets of numbers.
#pragma once

#include "base/number_set.hpp"

#include <hwloc.h>
#include <memory>
#include <string>

namespace nearpool {

struct HwlocDestroyer {
    void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using HwlocHandle = std::unique_ptr<hwloc_topology, HwlocDestroyer>;

// Empty for NULL; `set` must be finite.
NumberSet numbers_of(hwloc_const_bitmap_t set);

// hwloc's own notation, "0x00000003,0x00000001".
std::string bitmap_text(const NumberSet &numbers);

// The sets of `numbers` for calls that want a bitmap.
class HwlocBitmap {
public:
    explicit HwlocBitmap(const NumberSet &numbers);
    HwlocBitmap(const HwlocBitmap &) = delete;
    HwlocBitmap &operator=(const HwlocBitmap &) = delete;
    ~HwlocBitmap() { hwloc_bitmap_free(bitmap_); }
    hwloc_bitmap_t get() const { return bitmap_; }

private:
    hwloc_bitmap_t bitmap_;
};

} // namespace nearpool
