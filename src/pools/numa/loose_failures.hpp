// SPDX-License-Identifier: Apache-2.0
// Failures of tasks that belong to no group: no wait tells of them, so the pool's info and the log do.
#pragma once

#include "base/error.hpp"
#include "base/fork_lock.hpp"
#include "pools/numa/item.hpp"

#include <cstdint>

namespace nearpool::numa {

// In words: a status that a task returned is not that of whoever waits for it. Takes no memory.
void describe_status(char (&text)[failure_capacity], Status status);

class LooseFailures {
public:
    struct Known {
        uint64_t count = 0;
        char first[failure_capacity] = "";
        char last[failure_capacity] = "";
    };

    // Takes no memory but for the log. The first is logged at once, others at most once a second, with how many there
    // were.
    void add(const void *pool, const char *text);
    Known known() const;

private:
    mutable ForkMutex mutex_;
    Known known_;
    uint64_t logged_at_ns_ = 0;
};

} // namespace nearpool::numa
