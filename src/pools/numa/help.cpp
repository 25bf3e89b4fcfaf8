// SPDX-License-Identifier: Apache-2.0
// What a worker does while a task on it waits.
#include "base/clock.hpp"
#include "pools/numa/group.hpp"
#include "pools/numa/pool.hpp"
#include "pools/numa/worker.hpp"

namespace nearpool::numa {

bool Worker::runs_task_of(const Group *group) const {
    for (const Frame *frame = current_frame(); frame != nullptr; frame = frame->outer) {
        if (frame->group == group) {
            return true;
        }
    }
    return false;
}

// The group may be of another pool: what this worker runs meanwhile is its own pool's, so that pools whose tasks wait
// for each other's go on. It lies above the waiting task on the stack, and may wait in its turn. With the stack three
// quarters full it only waits, and leaves the work to others.
bool Worker::help_until_done(Group &group, uint64_t deadline_ns) {
    Found found;
    while (!group.done() && now_ns() < deadline_ns && current() != nullptr) {
        if (!stack_.has_room()) {
            return group.wait_here(deadline_ns);
        }
        if (find(found) || search(found, &group, deadline_ns) == Search::found) {
            execute(found);
        }
    }
    return group.done();
}

// The same for a wait that looks by itself whether it is over.
bool Worker::help_once() {
    Found found;
    if (!stack_.has_room() || !find(found)) {
        return false;
    }
    execute(found);
    return true;
}

} // namespace nearpool::numa
