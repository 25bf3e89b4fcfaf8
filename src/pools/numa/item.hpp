// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nearpool/task.h>

#include <cstddef>

namespace nearpool::numa {

class Group;

constexpr std::size_t failure_capacity = 240; // bytes of what a failed task says of itself, the NUL included

// A task in a queue, by value: 32 bytes, no allocation.
struct Item {
    numa_pool_task_fn run = nullptr;
    numa_pool_discard_fn discard = nullptr;
    void *user_data = nullptr;
    Group *group = nullptr; // kept alive by its count of pending tasks
};

// Stands for `run` in a task that is only to be discarded; never called.
near_status only_discard(void *user_data);

} // namespace nearpool::numa
