// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/team.hpp"

#include "pools/numa/worker.hpp"

namespace nearpool::numa {

Team::Team(FutexPort &futex, const PlannedTeam &plan, std::vector<std::unique_ptr<Queue>> &queues)
    : plan_(plan), parking_(futex) {
    for (const std::size_t node : plan.serves) {
        queues_.push_back(queues[node].get());
    }
}

Team::~Team() = default;

bool Team::take(std::size_t source, Found &found) {
    found.from = this;
    if (source < queues_.size()) {
        found.node = plan_.serves[source];
        return queues_[source]->pop(found.item);
    }
    found.node = own_node();
    return workers_[source - queues_.size()]->deque().steal(found.item);
}

uint64_t Team::oldest(std::size_t source) const {
    return source < queues_.size() ? queues_[source]->oldest()
                                   : static_cast<uint64_t>(workers_[source - queues_.size()]->deque().oldest());
}

uint64_t Team::end(std::size_t source) const {
    return source < queues_.size() ? queues_[source]->tickets()
                                   : static_cast<uint64_t>(workers_[source - queues_.size()]->deque().end());
}

uint64_t Team::waiting() const {
    uint64_t sum = 0;
    for (const Queue *queue : queues_) {
        sum += queue->size();
    }
    for (const auto &worker : workers_) {
        sum += worker->deque().size();
    }
    return sum;
}

bool Team::any_waiting() const {
    for (const Queue *queue : queues_) {
        if (queue->size() != 0) {
            return true;
        }
    }
    for (const auto &worker : workers_) {
        if (worker->deque().size() != 0) {
            return true;
        }
    }
    return false;
}

} // namespace nearpool::numa
