// SPDX-License-Identifier: Apache-2.0
#include "fuzz/tasks.hpp"

#include "fuzz/harness.hpp"

namespace nearpool::fuzz {

Task &Tasks::make(Tally &tally, bool fails) {
    Task &task = tasks_.emplace_back();
    task.tally = &tally;
    task.fails = fails;
    return task;
}

void Tasks::accept(Task &task, near_status status) {
    task.accepted = status == NEAR_OK;
    task.tally->accepted += task.accepted ? 1 : 0;
}

near_status Tasks::run(void *user_data) {
    auto *task = static_cast<Task *>(user_data);
    task->ended++;
    task->tally->failed += task->fails ? 1 : 0;
    task->tally->ran++;
    return task->fails ? near_task_fail("as the input says") : NEAR_OK;
}

void Tasks::discard(void *user_data) {
    auto *task = static_cast<Task *>(user_data);
    task->ended++;
    task->tally->dropped++;
}

void Tasks::check(uint64_t unseen) const {
    uint64_t missing = 0;
    for (const Task &task : tasks_) {
        const int ended = task.ended + (planted() ? 1 : 0);
        require(ended <= 1, "no task ends twice");
        require(task.accepted || ended == 0, "a task that was refused does not run");
        missing += task.accepted && ended == 0 ? 1 : 0;
    }
    require(missing == unseen, "every task that was taken has run or was counted as cancelled");
}

} // namespace nearpool::fuzz
