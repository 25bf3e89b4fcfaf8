// SPDX-License-Identifier: Apache-2.0
// A sum of many numbers of bytes of which each may be as large as 2^64: exact, and read at once.
#pragma once

#include <atomic>
#include <cstdint>

namespace nearpool::stream {

class ByteTotal {
public:
    ByteTotal() = default;
    ByteTotal(int64_t low, int64_t high) : low_(low), high_(high) {} // high * 2^32 + low

    void add(uint64_t bytes) { change(bytes, 1); }
    void subtract(uint64_t bytes) { change(bytes, -1); } // of what was added

    // UINT64_MAX: that, or more.
    uint64_t value() const {
        const int64_t low = low_.load(std::memory_order_relaxed);
        const int64_t high = high_.load(std::memory_order_relaxed) + (low >> half);
        if (high < 0) { // another thread has changed one half, and the other not yet
            return 0;
        }
        return high > half_mask ? UINT64_MAX
                                : static_cast<uint64_t>(high) << half | static_cast<uint64_t>(low & half_mask);
    }

private:
    static constexpr unsigned half = 32;
    static constexpr int64_t half_mask = (INT64_C(1) << half) - 1;
    static constexpr int64_t carried_at = INT64_C(1) << 61U;

    void change(uint64_t bytes, int64_t sign) {
        const int64_t change = sign * static_cast<int64_t>(bytes & half_mask);
        const int64_t low = low_.fetch_add(change, std::memory_order_relaxed) + change;
        if (low > carried_at || low < -carried_at) { // two threads may both do so: the sum of the halves stays
            const int64_t carry = low >> half;
            low_.fetch_sub(carry * (half_mask + 1), std::memory_order_relaxed);
            high_.fetch_add(carry, std::memory_order_relaxed);
        }
        if (bytes > half_mask) {
            high_.fetch_add(sign * static_cast<int64_t>(bytes >> half), std::memory_order_relaxed);
        }
    }

    std::atomic<int64_t> low_{0};  // the sum of the lower halves, which may be more than a half holds, or less than 0
    std::atomic<int64_t> high_{0}; // of the upper ones
};

} // namespace nearpool::stream
