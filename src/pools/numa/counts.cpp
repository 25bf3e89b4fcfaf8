// SPDX-License-Identifier: Apache-2.0
// What a pool has counted, put together from what its workers and queues count by themselves.
#include "base/clock.hpp"
#include "base/log.hpp"
#include "pools/numa/pool.hpp"
#include "pools/numa/worker.hpp"

namespace nearpool::numa {
namespace {

uint64_t read(const std::atomic<uint64_t> &counter) {
    return counter.load(std::memory_order_acquire);
}

uint64_t busy_time(const WorkerCounts &counts, uint64_t now) {
    const uint64_t since = read(counts.busy_since);
    return read(counts.busy_ns) + (since != 0 && now > since ? now - since : 0);
}

// A node's level is that of the worst of the workers that serve it, or what it means to be served by another node.
Enforcement worse(const Enforcement &a, const Enforcement &b) {
    return b.level < a.level ? b : a;
}

} // namespace

void Pool::add_counts(std::size_t node, numa_pool_counts &sum) const {
    const Team &serving = *teams_[plan_.nodes[node].team];
    const bool own = serving.own_node() == node;
    const uint64_t now = now_ns();
    for (const auto &team : teams_) {
        for (const auto &worker : team->workers()) {
            const WorkerCounts &counts = worker->counts();
            const uint64_t ran = read(counts.ran[node]);
            (team.get() == &serving ? sum.run_local : sum.run_remote) += ran;
            sum.failed += read(counts.failed[node]);
            sum.discarded += read(counts.discarded[node]);
        }
    }
    sum.accepted += queues_[node]->accepted();
    sum.queued += queues_[node]->size();
    for (const auto &worker : serving.workers()) {
        if (!own) {
            break;
        }
        const WorkerCounts &counts = worker->counts();
        sum.accepted += read(counts.sent);
        sum.queued += worker->deque().size();
        sum.wakeups += read(counts.wakeups);
        sum.busy_ns += busy_time(counts, now);
        for (std::size_t other = 0; other < plan_.nodes.size(); other++) {
            sum.taken += teams_[plan_.nodes[other].team].get() != &serving ? read(counts.ran[other]) : 0;
        }
    }
}

numa_pool_counts Pool::counts(std::optional<std::size_t> node) const {
    numa_pool_counts sum{};
    for (std::size_t i = 0; i < plan_.nodes.size(); i++) {
        if (!node || *node == i) {
            add_counts(i, sum);
        }
    }
    return sum;
}

std::vector<uint64_t> Pool::steals() const {
    const std::size_t nodes = plan_.nodes.size();
    std::vector<uint64_t> matrix(nodes * nodes);
    for (const auto &team : teams_) {
        const std::size_t row = team->own_node() * nodes;
        for (const auto &worker : team->workers()) {
            for (std::size_t column = 0; column < nodes; column++) {
                matrix[row + column] += read(worker->counts().ran[column]);
            }
        }
    }
    return matrix;
}

std::optional<Enforcement> Pool::not_started() {
    if (!started_.load(std::memory_order_acquire)) {
        return Enforcement::none(NEAR_REASON_NOT_STARTED, "the threads start with the first task");
    }
    if (forked() && !all_ready()) {
        return Enforcement::none(NEAR_REASON_NOT_STARTED, "the process was forked before the threads had looked");
    }
    await_ready();
    return {};
}

// The worst of its workers, as the kernel sees them now.
Place::Look Pool::look_at(Team &team) {
    Place::Look result;
    result.seen.enforcement = Enforcement::strict();
    std::size_t changed = 0;
    for (const auto &worker : team.workers()) {
        Place::Look look = worker->place().look();
        if (!look.news.empty()) {
            changed++;
            result.news = std::move(look.news);
        }
        result.seen.enforcement = worse(result.seen.enforcement, look.seen.enforcement);
        result.ended = result.ended || look.ended;
    }
    if (changed > 0) { // the host's callback is called with nothing held
        log(NEAR_LOG_WARN, "numa_pool %p: %zu of %zu workers of node %u: %s", static_cast<void *>(this), changed,
            team.workers().size(), team.plan().node, result.news.c_str());
    }
    return result;
}

Enforcement Pool::node_enforcement(std::size_t node) {
    if (std::optional<Enforcement> nothing = not_started(); nothing) {
        return *nothing;
    }
    const Place::Look look = look_at(*teams_[plan_.nodes[node].team]);
    Enforcement result = worse(plan_.nodes[node].serving, look.seen.enforcement);
    return look.ended ? Place::seen_last(result) : result;
}

Enforcement Pool::enforcement() {
    if (std::optional<Enforcement> nothing = not_started(); nothing) {
        return *nothing;
    }
    Enforcement result = Enforcement::strict();
    for (const PlannedNode &node : plan_.nodes) {
        result = worse(result, node.serving);
    }
    bool ended = false;
    for (const auto &team : teams_) {
        const Place::Look look = look_at(*team);
        result = worse(result, look.seen.enforcement);
        ended = ended || look.ended;
    }
    return ended ? Place::seen_last(result) : result;
}

} // namespace nearpool::numa
