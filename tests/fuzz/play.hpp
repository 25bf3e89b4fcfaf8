// SPDX-License-Identifier: Apache-2.0
// What a sequence of calls has made, and the calls.
#pragma once

#include "fuzz/harness.hpp"
#include "fuzz/tasks.hpp"
#include "fuzz/world.hpp"

#include <memory>
#include <vector>

namespace nearpool::fuzz {

class Play {
public:
    void step(Bytes &input); // does one call
    void finish();           // gives everything back, and checks what was counted

private:
    struct Group {
        numa_pool_group *handle = nullptr;
        std::unique_ptr<Tally> tally;
        bool cancelled = false; // and not waited for since
    };

    // Pools and groups: play_tasks.cpp
    void submit(Bytes &input);
    void submit_tasks(Bytes &input);
    void make_group(Bytes &input);
    void group_submit(Bytes &input);
    void group_wait(Bytes &input);
    void group_cancel(Bytes &input);
    void drop_group(Bytes &input);
    void parallel_for(Bytes &input);
    void wait_idle(Bytes &input);
    void shut_down(Bytes &input);
    void settle(Group &group);
    Group *choose_group(Bytes &input);

    // Memory, on nodes and page-locked: play_memory.cpp
    void make_region(Bytes &input);
    void change_region(Bytes &input);
    void drop_region(Bytes &input);
    void make_pinned(Bytes &input);
    void request_pinned(Bytes &input);
    void end_request(Bytes &input);
    void use_pinned(Bytes &input);
    void drop_pinned(Bytes &input);
    void trim_pinned(Bytes &input);

    // GPUs and streams: play_streams.cpp
    void ask_devices(Bytes &input);
    void acquire(Bytes &input);
    void release(Bytes &input);
    void use_stream(Bytes &input);
    void then(Bytes &input);
    void reserve(Bytes &input);
    void fail_driver(Bytes &input);
    uint64_t choose_lease(Bytes &input) const;

    Tasks tasks_;
    Tally loose_; // tasks of the pool that are in no group
    World world_; // ends before the tasks
    std::vector<Group> groups_;
    std::vector<near_region *> regions_;
    std::vector<near_pinned *> pinned_;
    std::vector<near_pinned_request *> requests_;
    std::vector<uint64_t> leases_;
    uint64_t unseen_ = 0; // tasks that a cancel dropped without a discard
    bool driver_failed_ = false;
};

} // namespace nearpool::fuzz
