// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <ctime>

namespace nearpool {

// Monotonic time in nanoseconds.
inline uint64_t now_ns() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1000000000U + static_cast<uint64_t>(time.tv_nsec);
}

// The moment `timeout_ns` from now; UINT64_MAX (NEAR_FOREVER) stays what it is.
inline uint64_t deadline_after(uint64_t timeout_ns) {
    const uint64_t now = now_ns();
    return timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
}

} // namespace nearpool
