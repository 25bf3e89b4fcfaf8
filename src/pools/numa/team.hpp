// SPDX-License-Identifier: Apache-2.0
// The workers of one node, the queues of the nodes that they serve, and the place where they sleep.
#pragma once

#include "pools/numa/parking.hpp"
#include "pools/numa/plan.hpp"
#include "pools/numa/queue.hpp"

#include <memory>
#include <vector>

namespace nearpool::numa {

class Team;
class Worker;

// A task that was taken: from where, and which node it was sent to.
struct Found {
    Item item;
    std::size_t node = 0;
    Team *from = nullptr;
};

class Team {
public:
    Team(FutexPort &futex, const PlannedTeam &plan, std::vector<std::unique_ptr<Queue>> &queues);
    ~Team();

    const PlannedTeam &plan() const { return plan_; }
    std::size_t own_node() const { return plan_.serves.front(); } // of what its workers send to their own node
    Parking &parking() { return parking_; }
    const Parking &parking() const { return parking_; }
    std::vector<std::unique_ptr<Worker>> &workers() { return workers_; }
    const std::vector<std::unique_ptr<Worker>> &workers() const { return workers_; }

    // The places where its tasks wait: the queues of the nodes it serves, then the deques of its workers.
    std::size_t source_count() const { return queues_.size() + workers_.size(); }
    bool take(std::size_t source, Found &found);
    uint64_t oldest(std::size_t source) const; // position of the task that has waited longest
    uint64_t end(std::size_t source) const;    // position after the newest

    uint64_t waiting() const; // tasks in all of them
    bool any_waiting() const;

    // A task may go to a thief at once when the home's workers are all busy and more tasks wait than there are workers.
    bool overloaded() const { return parking_.all_busy() && waiting() > plan_.workers; }

    // Thieves that sleep until a task that waits here has waited for the steal delay.
    bool watched() const { return watchers_.load(std::memory_order_seq_cst) != 0; }
    void begin_watch() { watchers_.fetch_add(1, std::memory_order_seq_cst); }
    void end_watch() { watchers_.fetch_sub(1, std::memory_order_seq_cst); }

private:
    PlannedTeam plan_;
    std::vector<Queue *> queues_; // in the order of plan_.serves
    std::vector<std::unique_ptr<Worker>> workers_;
    Parking parking_;
    std::atomic<uint32_t> watchers_{0};
};

} // namespace nearpool::numa
