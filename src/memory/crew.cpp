// SPDX-License-Identifier: Apache-2.0
#include "memory/crew.hpp"

#include "base/text.hpp"
#include "sys/constants.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>

namespace nearpool {
namespace {

// On the stack of the thread that waits for it.
struct Job {
    const Crew::Work &work;
    FutexPort &futex;
    std::atomic<uint32_t> left; // pieces
    std::atomic<int> error{0};
    std::atomic<bool> unpinned{false};
};

// The pieces of a job for one node. Linked, so that nothing is allocated once the first piece was handed out.
struct Share {
    Job *job = nullptr;
    std::vector<std::size_t> pieces;
    std::size_t taken = 0;
    Share *after = nullptr;
};

int guarded_work(const Crew::Work &work, std::size_t piece) {
    try {
        return work(piece);
    } catch (...) { // only allocations throw down there
        return -ENOMEM;
    }
}

void do_piece(Job &job, std::size_t piece) {
    const int result = guarded_work(job.work, piece);
    int none = 0;
    if (result != 0) {
        job.error.compare_exchange_strong(none, result, std::memory_order_relaxed);
    }
    FutexPort &futex = job.futex; // the job is gone as soon as nothing is left
    if (job.left.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        futex.wake(&job.left, 1);
    }
}

void wait_for(Job &job) {
    for (uint32_t left = job.left.load(std::memory_order_acquire); left != 0;
         left = job.left.load(std::memory_order_acquire)) {
        job.futex.wait(&job.left, left, UINT64_MAX);
    }
}

NumberSet serving_cpus(const Topology &topology, uint32_t node) {
    const Node *asked = topology.node(node);
    if (asked == nullptr || !asked->allowed_cpus.empty()) {
        return asked == nullptr ? NumberSet() : asked->allowed_cpus;
    }
    const uint32_t nearest = topology.nearest_with_allowed_cpus(node);
    return nearest == NEAR_NODE_UNKNOWN ? NumberSet() : topology.node(nearest)->allowed_cpus;
}

} // namespace

// The helpers of one node and what they have to do, oldest first.
class Crew::Team {
public:
    Team(const Ports &ports, uint32_t node, NumberSet cpus) : ports_(ports), node_(node), cpus_(std::move(cpus)) {
        helpers_.reserve(std::max<std::size_t>(cpus_.size(), 1));
    }

    void stop_and_join() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            stopping_ = true;
            word_.fetch_add(1, std::memory_order_relaxed);
        }
        ports_.futex.wake(&word_, INT_MAX);
        for (const pthread_t helper : helpers_) {
            ports_.threads.join(helper);
        }
    }

    // Hands `share` to the helpers, of which as many are started as the share and the node's CPUs can use. When there
    // is none, the caller does the work, and true is returned.
    bool give(Share &share) {
        bool alone = false;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            start_helpers(share.pieces.size());
            alone = helpers_.empty();
            Share **end = &first_;
            while (*end != nullptr) {
                end = &(*end)->after;
            }
            *end = &share;
            word_.fetch_add(1, std::memory_order_relaxed);
        }
        if (!alone) {
            ports_.futex.wake(&word_, static_cast<int>(std::min<std::size_t>(share.pieces.size(), INT_MAX)));
        }
        return alone;
    }

    // Does what nobody has taken of `share`.
    void work_on(Share &share) {
        std::size_t piece = 0;
        while (take(share, &piece)) {
            do_piece(*share.job, piece);
        }
    }

    std::size_t helper_count() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return helpers_.size();
    }

private:
    static void *main(void *argument) {
        static_cast<Team *>(argument)->serve();
        return nullptr;
    }

    void start_helpers(std::size_t pieces) {
        const std::size_t wanted = std::min(pieces, std::max<std::size_t>(cpus_.size(), 1));
        while (helpers_.size() < wanted) {
            pthread_t helper{};
            if (ports_.threads.start(&helper, main, this) != 0) {
                return;
            }
            helpers_.push_back(helper);
        }
    }

    // The policy that a helper inherits (numactl --interleave) would defeat placement by first touch.
    void serve() {
        ports_.threads.set_name(format("near-crew%u", node_));
        const bool pinned = !cpus_.empty() && ports_.affinity.set(cpus_) == 0;
        ports_.policy.set_thread(sys::policy_default, NumberSet());
        Job *job = nullptr;
        std::size_t piece = 0;
        while (next(&job, &piece)) {
            if (!pinned) {
                job->unpinned.store(true, std::memory_order_relaxed);
            }
            do_piece(*job, piece);
        }
    }

    // Waits for a piece; false: the team is to end.
    bool next(Job **job, std::size_t *piece) {
        for (;;) {
            uint32_t seen = 0;
            {
                const std::lock_guard<std::mutex> lock(mutex_);
                if (first_ != nullptr) {
                    *job = first_->job;
                    take_locked(*first_, piece);
                    return true;
                }
                if (stopping_) {
                    return false;
                }
                seen = word_.load(std::memory_order_relaxed);
            }
            ports_.futex.wait(&word_, seen, UINT64_MAX);
        }
    }

    bool take(Share &share, std::size_t *piece) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (share.taken == share.pieces.size()) {
            return false;
        }
        take_locked(share, piece);
        return true;
    }

    // A share leaves the list with its last piece: from then on only the job's count keeps it alive.
    void take_locked(Share &share, std::size_t *piece) {
        *piece = share.pieces[share.taken++];
        if (share.taken < share.pieces.size()) {
            return;
        }
        Share **place = &first_;
        while (*place != &share) {
            place = &(*place)->after;
        }
        *place = share.after;
    }

    const Ports &ports_;
    const uint32_t node_;
    const NumberSet cpus_;
    std::mutex mutex_;
    std::vector<pthread_t> helpers_;
    Share *first_ = nullptr;
    bool stopping_ = false;
    std::atomic<uint32_t> word_{0}; // changes with every share, for those asleep
};

// Topologies that were read at different times may know different CPUs of a node.
using TeamKey = std::pair<uint32_t, std::vector<uint32_t>>;

struct Crew::State {
    ForkMark mark;
    std::map<TeamKey, std::shared_ptr<Team>> teams;
    State *before = nullptr; // the parent's: its locks may be held for ever and its threads are not here
};

Crew::Crew(const Ports &ports) : ports_(ports), state_(new State) {}

Crew::~Crew() {
    if (state_->mark.forked()) {
        static_cast<void>(state_.release());
        return;
    }
    for (auto &[key, team] : state_->teams) {
        team->stop_and_join();
    }
}

std::shared_ptr<Crew::Team> Crew::team(const Topology &topology, uint32_t node) {
    const std::lock_guard<ForkMutex> lock(mutex_);
    if (state_->mark.forked()) {
        auto fresh = std::make_unique<State>();
        fresh->before = state_.release();
        state_ = std::move(fresh);
    }
    const NumberSet cpus = serving_cpus(topology, node);
    std::shared_ptr<Team> &team = state_->teams[TeamKey(node, {cpus.begin(), cpus.end()})];
    if (team == nullptr) {
        team = std::make_shared<Team>(ports_, node, cpus);
    }
    return team;
}

CrewOutcome Crew::run(const Topology &topology, const std::vector<uint32_t> &nodes, const Work &work) {
    if (nodes.empty()) {
        return {};
    }
    Job job{work, ports_.futex, {static_cast<uint32_t>(nodes.size())}};
    std::map<uint32_t, Share> shares;
    for (std::size_t piece = 0; piece < nodes.size(); piece++) {
        shares[nodes[piece]].pieces.push_back(piece);
    }
    std::vector<std::pair<std::shared_ptr<Team>, Share *>> gifts;
    for (auto &[node, share] : shares) {
        share.job = &job;
        gifts.emplace_back(team(topology, node), &share);
    }
    CrewOutcome outcome;
    std::vector<bool> alone(gifts.size());
    // From here on nothing may throw: helpers look at what is on this stack.
    for (std::size_t i = 0; i < gifts.size(); i++) {
        alone[i] = gifts[i].first->give(*gifts[i].second);
    }
    for (std::size_t i = 0; i < gifts.size(); i++) {
        if (alone[i]) {
            gifts[i].first->work_on(*gifts[i].second);
            outcome.by_caller = true;
        }
    }
    wait_for(job);
    outcome.error = job.error.load(std::memory_order_relaxed);
    outcome.unpinned = job.unpinned.load(std::memory_order_relaxed);
    return outcome;
}

std::size_t Crew::helper_count() {
    const std::lock_guard<ForkMutex> lock(mutex_);
    std::size_t count = 0;
    if (!state_->mark.forked()) {
        for (const auto &[key, team] : state_->teams) {
            count += team->helper_count();
        }
    }
    return count;
}

} // namespace nearpool
