// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/worker.hpp"

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "pools/numa/foreign_wait.hpp"
#include "pools/numa/group.hpp"
#include "pools/numa/pool.hpp"

#include <algorithm>
#include <cxxabi.h>
#include <sched.h>

namespace nearpool::numa {
namespace {

thread_local const Pool *this_pool = nullptr; // whose thread this is
thread_local Worker *this_worker = nullptr;   // set while the thread runs tasks, not in the caller's start and stop
thread_local Frame *this_frame = nullptr;

// Every so often the queue, the oldest of the own deque, and the siblings' deques go before the newest of the own
// deque, so that no task waits for ever while others submit themselves again and again.
constexpr uint32_t fair_turns = 61;
constexpr uint32_t own_oldest_turn = 30;
constexpr uint32_t siblings_turn = 45;

void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Forked by a task, the child's one thread is nobody's worker: the pool it could look into may be destroyed there.
void forget_in_child() {
    this_pool = nullptr;
    this_worker = nullptr;
    this_frame = nullptr;
}

} // namespace

Worker::Worker(Pool &pool, Team &team, uint32_t index)
    : pool_(pool), team_(team), index_(index), place_(pool.ports().affinity, Ref<PinThread>::adopt(new PinThread),
                                                      cpus_of_worker(team.plan(), index), Place::Kind::for_good),
      counts_(pool.plan().nodes.size()) {
    if (pool.options().steal_delay_ns == NEAR_NONE) {
        return; // no task is taken for having waited
    }
    for (const std::size_t victim : team_.plan().victims) {
        const PlannedTeam &plan = pool.plan().teams[victim];
        watches_.emplace_back(plan.serves.size() + plan.workers);
    }
    watched_.reserve(watches_.size());
}

Worker *Worker::current() {
    return this_worker;
}

Frame *Worker::current_frame() {
    return this_frame;
}

const Pool *Worker::pool_of_thread() {
    return this_pool;
}

void *Worker::entry(void *worker) {
    auto *self = static_cast<Worker *>(worker);
    Pool &pool = self->pool_;
    static const int registered = pthread_atfork(nullptr, nullptr, forget_in_child);
    static_cast<void>(registered);
    // What the caller gave may fork, and return in the child: nothing here is its own then, nor sure to be there.
    self->start_up();
    if (this_pool != nullptr) {
        self->run();
    }
    if (this_pool != nullptr && pool.options().thread_stop != nullptr) {
        pool.options().thread_stop(self->team_.plan().node, self->index_, pool.options().user_data);
    }
    if (this_pool != nullptr) {
        pool.worker_left(); // the pool may be gone now
    }
    return nullptr;
}

void Worker::start_up() {
    this_pool = &pool_;
    stack_.measure();
    pool_.ports().threads.set_name(format("numa-w%u-%u", team_.plan().node, index_));
    place_.thread().begin();
    pool_.pin_worker(place_);
    const Enforcement &pinned = place_.first().enforcement;
    if (pinned.level != NEAR_LEVEL_STRICT && pool_.topology().this_machine()) {
        log(NEAR_LOG_WARN, "worker %u of node %u: %s", index_, team_.plan().node, pinned.text.c_str());
    }
    deque_.allocate();
    pool_.worker_ready(pinned.level == NEAR_LEVEL_STRICT);
    if (pool_.options().thread_start != nullptr) {
        pool_.options().thread_start(team_.plan().node, index_, pool_.options().user_data);
    }
}

// Its team has counted it as searching since before it was started, so that no stranger takes what it is about to run.
void Worker::run() {
    this_worker = this;
    Found found;
    Search result = look_around(found, nullptr, UINT64_MAX);
    leave_search(result);
    while (result == Search::found) {
        execute(found);
        if (this_worker == nullptr) {
            return; // in the child of a fork in the task
        }
        if (!find(found)) {
            result = search(found, nullptr, UINT64_MAX);
        }
    }
    this_worker = nullptr;
}

bool Worker::send(const Item *items, std::size_t count) {
    // Before the push: whoever counts a stolen task as ended must also see it as sent.
    WorkerCounts::add(counts_.sent, count);
    if (deque_.push(items, count)) {
        return true;
    }
    WorkerCounts::add(counts_.sent, -count);
    return false;
}

bool Worker::find(Found &found) {
    const uint32_t turn = ++turn_ % fair_turns;
    if ((turn == 0 && take_sent(found)) || (turn == siblings_turn && take_from_siblings(found))) {
        return true;
    }
    found.node = team_.own_node();
    found.from = &team_;
    if ((turn == own_oldest_turn && deque_.steal(found.item)) || deque_.pop(found.item)) {
        return true;
    }
    return take_sent(found) || take_from_siblings(found) || take_from_afar(found);
}

bool Worker::take_sent(Found &found) {
    const std::size_t count = team_.plan().serves.size();
    for (std::size_t i = 0; i < count; i++) {
        if (team_.take((turn_ + i) % count, found)) {
            return true;
        }
    }
    return false;
}

bool Worker::take_from_siblings(Found &found) {
    const std::size_t first = team_.plan().serves.size();
    const std::size_t count = team_.workers().size();
    for (std::size_t i = 1; i < count; i++) {
        if (team_.take(first + (index_ + i) % count, found)) {
            return true;
        }
    }
    return false;
}

bool Worker::take_from_afar(Found &found) {
    const std::vector<std::size_t> &victims = team_.plan().victims;
    for (std::size_t i = 0; i < victims.size(); i++) {
        Team &victim = *pool_.teams()[victims[i]];
        if (!victim.any_waiting()) {
            continue;
        }
        if (victim.overloaded()) {
            for (std::size_t source = 0; source < victim.source_count(); source++) {
                if (victim.take(source, found)) {
                    return true;
                }
            }
        }
        if (take_overdue(i, found)) {
            return true;
        }
    }
    return false;
}

bool Worker::take_overdue(std::size_t victim, Found &found) {
    const uint64_t delay = pool_.options().steal_delay_ns;
    if (delay == NEAR_NONE) {
        return false;
    }
    Team &team = *pool_.teams()[team_.plan().victims[victim]];
    const std::optional<std::size_t> source = watches_[victim].overdue(team, now_ns(), delay);
    return source && team.take(*source, found);
}

Worker::Search Worker::search(Found &found, Group *awaited, uint64_t deadline_ns) {
    const uint64_t now = now_ns();
    WorkerCounts::add(counts_.busy_ns, now - counts_.busy_since.load(std::memory_order_relaxed));
    counts_.busy_since.store(0, std::memory_order_relaxed);
    team_.parking().begin_search();
    pool_.went_idle();
    const Search result = look_around(found, awaited, deadline_ns);
    leave_search(result);
    return result;
}

Worker::Search Worker::look_around(Found &found, Group *awaited, uint64_t deadline_ns) {
    for (;;) {
        if (spin(found, awaited)) {
            return Search::found;
        }
        if (awaited != nullptr && awaited->done()) {
            return Search::done;
        }
        if (pool_.finished()) {
            return Search::finished;
        }
        if (now_ns() >= deadline_ns) {
            return Search::timed_out;
        }
        sleep(awaited, deadline_ns);
    }
}

bool Worker::spin(Found &found, Group *awaited) {
    const uint64_t end = deadline_after(pool_.options().spin_ns);
    for (uint32_t round = 1;; round++) {
        if (find(found)) {
            return true;
        }
        if (pool_.finished() || (awaited != nullptr && awaited->done())) {
            return false;
        }
        if (round % 16 == 0) {
            if (now_ns() >= end) {
                return false;
            }
            sched_yield();
        }
        relax();
    }
}

void Worker::sleep(Group *awaited, uint64_t deadline_ns) {
    std::optional<ForeignWait> foreign;
    if (awaited != nullptr && &awaited->pool() != &pool_) {
        foreign.emplace(*awaited, pool_);
    }
    if (awaited != nullptr) {
        awaited->expect_worker(pool_);
    }
    const bool looks_after = pool_.awaits_promises();
    const uint64_t look = looks_after ? deadline_after(Pool::promise_look_ns) : UINT64_MAX;
    const uint64_t deadline = std::min({deadline_ns, watch_victims(), look});
    pool_.count_sleeper(true);
    const bool woken = team_.parking().sleep(
        deadline, [&] { return nothing_to_do(awaited) && (looks_after || !pool_.awaits_promises()); });
    pool_.count_sleeper(false);
    foreign.reset();
    end_watches();
    if (looks_after) {
        pool_.look_after_promises();
    }
    if (woken) {
        WorkerCounts::add(counts_.wakeups, 1);
    }
}

// The last look, after everybody can see that this worker is about to sleep. A victim that is watched is looked at
// again when its time has come; until then only the sudden overload of it matters.
bool Worker::nothing_to_do(Group *awaited) {
    if (pool_.finished() || (awaited != nullptr && awaited->done()) || team_.any_waiting()) {
        return false;
    }
    for (const std::size_t index : team_.plan().victims) {
        const Team &victim = *pool_.teams()[index];
        const bool watched = std::find(watched_.begin(), watched_.end(), &victim) != watched_.end();
        const bool may_wait = watched || pool_.options().steal_delay_ns == NEAR_NONE;
        if (may_wait ? victim.overloaded() : victim.any_waiting()) {
            return false;
        }
    }
    return true;
}

// When the first of the tasks that wait elsewhere will have waited for the steal delay.
uint64_t Worker::watch_victims() {
    const uint64_t delay = pool_.options().steal_delay_ns;
    uint64_t earliest = UINT64_MAX;
    for (std::size_t i = 0; delay != NEAR_NONE && i < watches_.size(); i++) {
        Team &victim = *pool_.teams()[team_.plan().victims[i]];
        if (victim.any_waiting()) {
            watches_[i].overdue(victim, now_ns(), delay);
            earliest = std::min(earliest, later(watches_[i].marked_at(), delay));
            victim.begin_watch();
            watched_.push_back(&victim);
        }
    }
    return earliest;
}

void Worker::end_watches() {
    for (Team *victim : watched_) {
        victim->end_watch();
    }
    watched_.clear();
}

// Others who added work while this worker was searching relied on it to find that work, or to take it when it would
// have waited for the steal delay. It has found only one task: for what else waits, here or where it may steal, the
// next worker is woken.
void Worker::leave_search(Search result) {
    team_.parking().end_search();
    counts_.busy_since.store(now_ns(), std::memory_order_relaxed);
    if (team_.any_waiting()) {
        pool_.work_added(team_);
    }
    if (result != Search::found) {
        return;
    }
    for (const std::size_t index : team_.plan().victims) {
        Team &victim = *pool_.teams()[index];
        if (victim.any_waiting()) {
            pool_.work_added(victim);
        }
    }
}

void Worker::execute(const Found &found) {
    const Item &item = found.item;
    Frame frame;
    frame.outer = this_frame;
    frame.group = item.group;
    this_frame = &frame;
    Status status = NEAR_OK;
    const bool discarded = item.run == only_discard || (item.group != nullptr && item.group->cancelled());
    if (!discarded) {
        status = call(item, frame);
    } else if (item.discard != nullptr) {
        call(Item{nullptr, item.discard, item.user_data, nullptr}, frame);
    }
    this_frame = frame.outer;
    if (this_worker == nullptr) {
        return; // in the child of a fork in the task: all of this is the parent's
    }
    WorkerCounts::add(discarded ? counts_.discarded[found.node] : counts_.ran[found.node], 1);
    if (status != NEAR_OK) {
        WorkerCounts::add(counts_.failed[found.node], 1);
        if (!frame.has_failure) {
            describe_status(frame.failure, status);
        }
        if (item.group == nullptr) {
            pool_.loose_failures().add(&pool_, frame.failure);
        }
    }
    if (item.group != nullptr && discarded) {
        item.group->end_discarded();
    } else if (item.group != nullptr) {
        item.group->end_run(status, frame.failure);
    }
    WorkerCounts::add(counts_.ended, 1);
}

// An exception never ends a worker. Forced unwinding (pthread_cancel) cannot be stopped and goes on.
Status Worker::call(const Item &item, Frame &frame) {
    try {
        if (item.run != nullptr) {
            return item.run(item.user_data);
        }
        item.discard(item.user_data);
        return NEAR_OK;
    } catch (const abi::__forced_unwind &) {
        throw;
    } catch (const std::exception &exception) {
        copy_text(frame.failure, exception.what());
    } catch (...) {
        copy_text(frame.failure, "the task threw something that is no std::exception");
    }
    frame.has_failure = true;
    return NEAR_E_TASK;
}

} // namespace nearpool::numa
