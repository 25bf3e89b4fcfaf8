// SPDX-License-Identifier: Apache-2.0
// Tasks that know how often each of them ran or was dropped.
#pragma once

#include <nearpool/nearpool.h>

#include <atomic>
#include <cstdint>
#include <deque>

namespace nearpool::fuzz {

// Of one destination: a pool, or a group.
struct Tally {
    std::atomic<uint64_t> ran{0};
    std::atomic<uint64_t> dropped{0};
    std::atomic<uint64_t> failed{0};
    uint64_t accepted = 0;
};

struct Task {
    Tally *tally = nullptr;
    bool fails = false;
    bool accepted = false;
    std::atomic<int> ended{0};
};

class Tasks {
public:
    // One more task, whose addresses stay.
    Task &make(Tally &tally, bool fails);

    // The call that was to take the task has answered.
    static void accept(Task &task, near_status status);

    // Every task that was taken has ended once, and no other has; those without a discard may end by a cancel unseen.
    void check(uint64_t unseen) const;

    static near_status run(void *user_data);
    static void discard(void *user_data);
    static near_task as_task(Task &task) { return {run, discard, &task}; }

private:
    std::deque<Task> tasks_;
};

} // namespace nearpool::fuzz
