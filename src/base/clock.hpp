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

// `ns` after `moment`, or UINT64_MAX where that would be later than time can say.
inline uint64_t later(uint64_t moment, uint64_t ns) {
    return ns > UINT64_MAX - moment ? UINT64_MAX : moment + ns;
}

// The moment `timeout_ns` from now; UINT64_MAX (NEAR_FOREVER) stays what it is.
inline uint64_t deadline_after(uint64_t timeout_ns) {
    return later(now_ns(), timeout_ns);
}

} // namespace nearpool
