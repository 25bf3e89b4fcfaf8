// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/loose_failures.hpp"

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/status.hpp"
#include "base/text.hpp"

#include <nearpool/level.h>

#include <cstdio>

namespace nearpool::numa {

void describe_status(char (&text)[failure_capacity], Status status) {
    if (is_status(status)) {
        std::snprintf(text, sizeof text, "a task returned %s: %s", status_name(status), status_text(status));
    } else {
        std::snprintf(text, sizeof text, "a task returned %d, which is no near_status", status);
    }
}

void LooseFailures::add(const void *pool, const char *text) {
    constexpr uint64_t quiet_ns = NEAR_SECOND;
    uint64_t count = 0;
    bool loud = false;
    {
        const std::lock_guard<ForkMutex> lock(mutex_);
        count = ++known_.count;
        copy_text(known_.last, text);
        if (count == 1) {
            copy_text(known_.first, text);
        }
        const uint64_t now = now_ns();
        loud = count == 1 || now - logged_at_ns_ >= quiet_ns;
        logged_at_ns_ = loud ? now : logged_at_ns_;
    }
    if (loud && count == 1) { // the host's callback is called with nothing held
        log(NEAR_LOG_WARN, "numa_pool %p: a task of no group failed: %s", pool, text);
    } else if (loud) {
        log(NEAR_LOG_WARN, "numa_pool %p: %llu tasks of no group have failed, the last: %s", pool,
            static_cast<unsigned long long>(count), text);
    }
}

LooseFailures::Known LooseFailures::known() const {
    const std::lock_guard<ForkMutex> lock(mutex_);
    return known_;
}

} // namespace nearpool::numa
