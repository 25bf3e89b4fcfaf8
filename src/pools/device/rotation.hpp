// SPDX-License-Identifier: Apache-2.0
// Round robin with one atomic addition: exact shares, and an order that survives the counter's overflow.
#pragma once

#include <atomic>
#include <cstdint>

namespace nearpool::device {

class Rotation {
public:
    explicit Rotation(uint32_t count)
        : count_(count), turn_(largest / count * count), inverse_(UINT64_MAX / count + 1) {}

    uint32_t next() {
        const uint32_t ticket = ticket_.fetch_add(1, std::memory_order_relaxed);
        if (ticket == turn_) { // one caller sees this; the others go on above it until the counter is back
            ticket_.fetch_sub(turn_, std::memory_order_relaxed);
        }
        return remainder(ticket);
    }

    uint32_t turn() const { return turn_; }
    void start_at(uint32_t ticket) { ticket_.store(ticket, std::memory_order_relaxed); }

private:
    static constexpr uint32_t largest = UINT32_C(1) << 31;

    // ticket % count without a division: D. Lemire, O. Kaser, N. Kurz, "Faster remainder by direct computation", 2019.
    uint32_t remainder(uint32_t ticket) const {
        __extension__ using Wide = unsigned __int128;
        return static_cast<uint32_t>(Wide(inverse_ * ticket) * count_ >> 64);
    }

    const uint32_t count_;
    const uint32_t turn_; // a multiple of count
    const uint64_t inverse_;
    alignas(128) std::atomic<uint32_t> ticket_{0};
};

} // namespace nearpool::device
