// SPDX-License-Identifier: Apache-2.0
// A loop over an index range. Each team has a contiguous block, always the same for the same range; a task per worker
// takes parts of the block until it is used up, then parts of others' blocks as the steal policy allows.
#include "base/text.hpp"
#include "pools/numa/group.hpp"
#include "pools/numa/pool.hpp"
#include "pools/numa/worker.hpp"

#include <algorithm>

namespace nearpool::numa {
namespace {

constexpr std::size_t parts_per_worker = 8; // enough to even the load, few enough to cost nothing

struct alignas(128) Block {
    std::atomic<std::size_t> next{0};
    std::size_t begin = 0;
    std::size_t end = 0;
};

class Loop {
public:
    Loop(Pool &pool, std::size_t begin, std::size_t end, std::size_t grain, numa_pool_range_fn body, void *user_data);

    std::size_t task_count(std::size_t team) const; // no more than there are parts
    near_status run_team(std::size_t team);         // the body of a task
    void stop() { stopped_.store(true, std::memory_order_relaxed); }

private:
    // The body has forked, and returned in the child: the loop and the pool are the parent's, and may be gone.
    static bool in_child() { return Worker::current() == nullptr; }
    near_status take_all(std::size_t team, std::size_t leave);
    bool take(Block &block, std::size_t leave, std::size_t &from, std::size_t &to) const;

    Pool &pool_;
    const numa_pool_range_fn body_;
    void *const user_data_;
    std::size_t grain_;
    std::vector<Block> blocks_;
    std::atomic<bool> stopped_{false};
};

struct LoopTask {
    Loop *loop;
    std::size_t team;
};

near_status run_task(void *user_data) {
    const auto *task = static_cast<const LoopTask *>(user_data);
    return task->loop->run_team(task->team);
}

// total * part / whole without overflow.
std::size_t share(std::size_t total, std::size_t part, std::size_t whole) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::size_t>(static_cast<Wide>(total) * part / whole);
}

Loop::Loop(Pool &pool, std::size_t begin, std::size_t end, std::size_t grain, numa_pool_range_fn body, void *user_data)
    : pool_(pool), body_(body), user_data_(user_data), grain_(grain), blocks_(pool.teams().size()) {
    std::size_t workers = 0;
    for (const auto &team : pool.teams()) {
        workers += team->plan().workers;
    }
    workers = std::max<std::size_t>(workers, 1);
    if (grain_ == 0) {
        grain_ = std::max<std::size_t>(1, (end - begin) / (workers * parts_per_worker));
    }
    std::size_t before = 0;
    for (std::size_t i = 0; i < blocks_.size(); i++) {
        blocks_[i].begin = begin + share(end - begin, before, workers);
        before += pool.teams()[i]->plan().workers;
        blocks_[i].end = begin + share(end - begin, before, workers);
    }
}

std::size_t Loop::task_count(std::size_t team) const {
    const std::size_t indices = blocks_[team].end - blocks_[team].begin;
    const std::size_t parts = indices / grain_ + (indices % grain_ != 0 ? 1 : 0);
    return std::min<std::size_t>(parts, pool_.teams()[team]->plan().workers);
}

// next counts from 0, so that it cannot overflow near the end of the index space.
bool Loop::take(Block &block, std::size_t leave, std::size_t &from, std::size_t &to) const {
    const std::size_t length = block.end - block.begin;
    std::size_t taken = block.next.load(std::memory_order_relaxed);
    do {
        const std::size_t left = length - taken;
        if (left == 0 || left / grain_ < leave) {
            return false;
        }
        to = taken + std::min(left, grain_);
    } while (!block.next.compare_exchange_weak(taken, to, std::memory_order_relaxed));
    from = block.begin + taken;
    to += block.begin;
    return true;
}

// Leaves so many parts to the home's own workers.
near_status Loop::take_all(std::size_t team, std::size_t leave) {
    const uint32_t node = pool_.teams()[team]->plan().node;
    std::size_t from = 0;
    std::size_t to = 0;
    while (!stopped_.load(std::memory_order_relaxed) && take(blocks_[team], leave, from, to)) {
        near_status status = NEAR_E_TASK;
        try {
            status = body_(from, to, node, user_data_);
        } catch (...) {
            if (!in_child()) {
                stop();
            }
            throw; // the worker makes a failure of it
        }
        if (in_child()) {
            return status;
        }
        if (status != NEAR_OK) {
            stop();
            return status;
        }
    }
    return NEAR_OK;
}

near_status Loop::run_team(std::size_t team) {
    near_status status = take_all(team, 0);
    for (std::size_t i = 0; status == NEAR_OK && !in_child(); i++) {
        const std::vector<std::size_t> &victims = pool_.teams()[team]->plan().victims;
        if (i == victims.size()) {
            break;
        }
        status = take_all(victims[i], pool_.teams()[victims[i]]->plan().workers + 1);
    }
    return status;
}

struct DropGroup {
    void operator()(Group *group) const { group->drop(); }
};

} // namespace

Done Pool::parallel_for(std::size_t begin, std::size_t end, std::size_t grain, numa_pool_range_fn body,
                        void *user_data) {
    if (forked()) {
        return fail(NEAR_E_FORKED, "the pool was made in the parent of this process");
    }
    if (begin == end) {
        return {};
    }
    if (Done ok = ensure_started(); !ok) {
        return ok;
    }
    Loop loop(*this, begin, end, grain, body, user_data);
    const std::unique_ptr<Group, DropGroup> group(new Group(Ref<Pool>::share(this)));
    // All is allocated before the first task can run.
    std::vector<LoopTask> tasks;
    for (std::size_t team = 0; team < teams_.size(); team++) {
        tasks.push_back(LoopTask{&loop, team});
    }
    std::vector<std::vector<Item>> items;
    for (std::size_t team = 0; team < teams_.size(); team++) {
        items.emplace_back(loop.task_count(team), Item{run_task, nullptr, &tasks[team], group.get()});
    }
    Status refused = NEAR_OK;
    for (std::size_t team = 0; team < teams_.size() && refused == NEAR_OK; team++) {
        if (!items[team].empty()) {
            refused = submit_to_group(*group, teams_[team]->own_node(), items[team].data(), items[team].size(), false);
        }
    }
    if (refused != NEAR_OK) {
        loop.stop();
    }
    const Done done = group->wait(UINT64_MAX);
    return refused != NEAR_OK ? fail(refused, "%s", status_text(refused)) : done;
}

} // namespace nearpool::numa
