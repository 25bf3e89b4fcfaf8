// SPDX-License-Identifier: Apache-2.0
// A sum of many numbers of bytes of which each may be as large as 2^64.
#pragma once

#include <cstdint>
#include <mutex>

namespace nearpool::stream {

class ByteTotal {
public:
    void add(uint64_t bytes) {
        const std::lock_guard<std::mutex> lock(mutex_);
        low_ += bytes;
        high_ += low_ < bytes ? 1 : 0;
    }

    // Of what was added.
    void subtract(uint64_t bytes) {
        const std::lock_guard<std::mutex> lock(mutex_);
        high_ -= low_ < bytes ? 1 : 0;
        low_ -= bytes;
    }

    // UINT64_MAX: that, or more.
    uint64_t value() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return high_ != 0 ? UINT64_MAX : low_;
    }

private:
    mutable std::mutex mutex_;
    uint64_t low_ = 0;
    uint64_t high_ = 0; // times 2^64
};

} // namespace nearpool::stream
