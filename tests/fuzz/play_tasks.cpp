// SPDX-License-Identifier: Apache-2.0
#include "fuzz/play.hpp"

#include <iterator>

namespace nearpool::fuzz {
namespace {

constexpr std::size_t most_groups = 3;
constexpr std::size_t most_tasks = 32; // of one call

uint32_t choose_node(Bytes &input) {
    constexpr uint32_t nodes[] = {0, 1, NUMA_POOL_NODE_LOCAL, 7, NEAR_NODE_UNKNOWN};
    return nodes[input.below(std::size(nodes))];
}

// Now and then without end.
uint64_t choose_time(Bytes &input) {
    const uint8_t choice = input.byte();
    return choice < 128 ? choice * UINT64_C(1000) : NEAR_FOREVER;
}

near_status count_range(size_t begin, size_t end, uint32_t /*node*/, void *user_data) {
    static_cast<std::atomic<uint64_t> *>(user_data)->fetch_add(end - begin);
    return NEAR_OK;
}

} // namespace

Play::Group *Play::choose_group(Bytes &input) {
    const uint32_t choice = input.below(most_groups);
    return choice < groups_.size() ? &groups_[choice] : nullptr;
}

void Play::submit(Bytes &input) {
    const uint32_t node = choose_node(input);
    Task &task = tasks_.make(loose_, input.flag());
    const near_status status = numa_pool_submit(world_.pool(), node, Tasks::run, &task);
    check_status(status);
    Tasks::accept(task, status);
    require(node <= 1 || node == NUMA_POOL_NODE_LOCAL || status == NEAR_E_NO_NODE || status == NEAR_E_SHUTDOWN,
            "a node that is not in the pool is refused");
}

void Play::submit_tasks(Bytes &input) {
    Group *group = choose_group(input);
    const uint32_t node = choose_node(input);
    const std::size_t count = input.below(most_tasks);
    std::vector<Task *> made;
    std::vector<near_task> tasks;
    for (std::size_t i = 0; i < count; i++) {
        made.push_back(&tasks_.make(group != nullptr ? *group->tally : loose_, input.flag()));
        tasks.push_back(Tasks::as_task(*made.back()));
    }
    const near_status status =
        numa_pool_submit_tasks(world_.pool(), node, tasks.data(), count, group != nullptr ? group->handle : nullptr);
    check_status(status);
    for (Task *task : made) {
        Tasks::accept(*task, status);
    }
}

void Play::make_group(Bytes & /*input*/) {
    if (groups_.size() == most_groups) {
        return;
    }
    Group group;
    group.tally = std::make_unique<Tally>();
    const near_status status = numa_pool_group_create(world_.pool(), &group.handle, nullptr);
    check_status(status);
    if (status == NEAR_OK) {
        groups_.push_back(std::move(group));
    }
}

void Play::group_submit(Bytes &input) {
    Group *group = choose_group(input);
    if (group == nullptr) {
        return;
    }
    Task &task = tasks_.make(*group->tally, input.flag());
    const near_status status = numa_pool_group_submit(group->handle, choose_node(input), Tasks::run, &task);
    check_status(status);
    Tasks::accept(task, status);
    require(!group->cancelled || status != NEAR_OK, "a cancelled group takes no task");
}

void Play::group_wait(Bytes &input) {
    Group *group = choose_group(input);
    if (group == nullptr) {
        return;
    }
    const near_status status = numa_pool_group_wait(group->handle, choose_time(input), nullptr);
    check_status(status);
    require(status == NEAR_OK || status == NEAR_E_TASK || status == NEAR_E_CANCELLED || status == NEAR_E_TIMEOUT,
            "a wait ends in one of four ways");
    group->cancelled = group->cancelled && status == NEAR_E_TIMEOUT;
}

void Play::group_cancel(Bytes &input) {
    if (Group *group = choose_group(input); group != nullptr) {
        require(numa_pool_group_cancel(group->handle) == NEAR_OK, "a group is cancelled");
        group->cancelled = true;
    }
}

// Waits, and compares what the group counts with what its tasks counted.
void Play::settle(Group &group) {
    const near_status status = numa_pool_group_wait(group.handle, NEAR_FOREVER, nullptr);
    require(status == NEAR_OK || status == NEAR_E_TASK || status == NEAR_E_CANCELLED, "a group comes to its end");
    numa_pool_group_counts counts{};
    counts.struct_size = sizeof counts;
    require(numa_pool_group_get_counts(group.handle, &counts) == NEAR_OK, "a group has counts");
    require(counts.accepted == group.tally->accepted, "a group counts what it accepted");
    require(counts.run == group.tally->ran, "a group counts what ran");
    require(counts.failed == group.tally->failed, "a group counts what failed");
    require(counts.accepted == counts.run + counts.discarded, "what was accepted has run or was discarded");
    require(counts.discarded >= group.tally->dropped, "each discard is counted");
    unseen_ += counts.discarded - group.tally->dropped;
}

void Play::drop_group(Bytes &input) {
    Group *group = choose_group(input);
    if (group == nullptr) {
        return;
    }
    settle(*group);
    numa_pool_group_destroy(group->handle);
    groups_.erase(groups_.begin() + (group - groups_.data()));
}

void Play::parallel_for(Bytes &input) {
    const std::size_t begin = input.byte();
    const std::size_t end = input.byte();
    std::atomic<uint64_t> seen{0};
    const near_status status =
        numa_pool_parallel_for(world_.pool(), begin, end, input.byte(), count_range, &seen, nullptr);
    check_status(status);
    require(status != NEAR_OK || begin > end || seen == end - begin, "each index is given out once");
}

void Play::wait_idle(Bytes &input) {
    check_status(numa_pool_wait_idle(world_.pool(), choose_time(input), nullptr));
}

void Play::shut_down(Bytes &input) {
    if (input.byte() != 7) { // rarely, for little can be done afterwards
        return;
    }
    uint64_t left = 0;
    check_status(numa_pool_shutdown(world_.pool(), choose_time(input), &left, nullptr));
}

} // namespace nearpool::fuzz
