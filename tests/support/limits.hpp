// SPDX-License-Identifier: Apache-2.0
// How long tests wait before they say that something hangs: guards, never measures. All of them are multiplied by
// NEARPOOL_TEST_SLOWER, which tests/slower derives from the load.
#pragma once

#include <nearpool/level.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <thread>
#include <unistd.h>

namespace nearpool_test {

// Times that this machine is slower than an idle one.
inline uint64_t slower() {
    const char *text = std::getenv("NEARPOOL_TEST_SLOWER");
    return text == nullptr ? 1 : std::clamp(std::strtoull(text, nullptr, 10), 1ULL, 999ULL);
}

// Far longer than anything takes here.
inline const uint64_t long_enough_ns = 120 * NEAR_SECOND * slower();

template <class Condition> bool eventually(Condition &&condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(long_enough_ns);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

// A process that has not ended by then is killed (SIGALRM): a hang in a child is a failure, and not the end of the
// tests.
inline void limit_this_process(uint64_t seconds = 120) {
    ::alarm(static_cast<unsigned>(seconds * slower()));
}

} // namespace nearpool_test
