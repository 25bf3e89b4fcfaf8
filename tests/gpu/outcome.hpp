// SPDX-License-Identifier: Apache-2.0
// Tasks that continue a stream's work, and what became of them.
#pragma once

#include "gpu/support.hpp"

#include <atomic>

// What a driver without callbacks cannot do.
#define NEEDS_CALLBACKS()                                                                                              \
    if (driver()->stream_add_callback == nullptr) {                                                                    \
        GTEST_SKIP() << "[callback] this driver cannot call back";                                                     \
    }                                                                                                                  \
    static_cast<void>(0)

namespace nearpool_gpu {

// A task that counts what became of it.
struct Outcome {
    std::atomic<int> run{0};
    std::atomic<int> discarded{0};
    static near_status count_run(void *self) {
        static_cast<Outcome *>(self)->run++;
        return NEAR_OK;
    }
    static void count_discard(void *self) { static_cast<Outcome *>(self)->discarded++; }
    near_task task() { return near_task{count_run, count_discard, this}; }
};

} // namespace nearpool_gpu
