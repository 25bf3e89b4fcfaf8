// SPDX-License-Identifier: Apache-2.0
// Starting and ending a pool's threads.
#include "base/clock.hpp"
#include "base/log.hpp"
#include "machine/thread_policy.hpp"
#include "pools/numa/group.hpp"
#include "pools/numa/pool.hpp"
#include "pools/numa/worker.hpp"

#include <algorithm>
#include <climits>
#include <sched.h>

namespace nearpool::numa {

Done Pool::start() {
    if (Done ok = start_threads(); !ok) {
        return ok;
    }
    log_start();
    return options_.request.strict ? await_strict() : Done();
}

Done Pool::start_late() {
    {
        const std::lock_guard<std::mutex> lock(life_mutex_);
        if (started_.load(std::memory_order_relaxed)) {
            return {};
        }
        if (Done ok = start_threads(); !ok) {
            return ok;
        }
    }
    log_start(); // the host's callback is called with nothing held
    return {};
}

void Pool::log_start() {
    log(NEAR_LOG_INFO, "numa_pool %p: %u workers on %zu nodes, steal policy %s", static_cast<void *>(this),
        started_threads_, teams_.size(), steal_policy_name(options_.request.steal_policy));
    if (inherited_policy_ && !inherited_policy_->empty()) {
        log(NEAR_LOG_WARN, "numa_pool %p: the thread that starts its workers has the memory policy %s; %s",
            static_cast<void *>(this), inherited_policy_->c_str(),
            options_.memory_policy == NUMA_POOL_MEMORY_LOCAL ? "they are to do without"
                                                             : "it decides where the pages go that they touch first");
    }
}

// The reference that keeps the pool while threads run is taken before the first of them.
Done Pool::start_threads() {
    inherited_policy_ = topology_->this_machine() ? nearpool::inherited_policy(ports_.policy) : "";
    retain();
    for (const auto &team : teams_) {
        for (const auto &worker : team->workers()) {
            live_.fetch_add(1, std::memory_order_relaxed);
            const int error = ports_.threads.start(&worker->thread(), Worker::entry, worker.get());
            if (error != 0) {
                live_.fetch_sub(1, std::memory_order_relaxed);
                stop_now();
                return fail_system_as(NEAR_E_SYSTEM, -error, "worker %u of node %u could not be started",
                                      worker->index(), team->plan().node);
            }
            started_threads_++;
        }
    }
    started_.store(true, std::memory_order_release);
    return {};
}

// Ends the threads that were started, before any task was accepted. The pool can be started again.
void Pool::stop_now() {
    finished_.store(true, std::memory_order_seq_cst);
    wake_everyone();
    for (const auto &team : teams_) {
        for (const auto &worker : team->workers()) {
            if (started_threads_ > 0) {
                ports_.threads.join(worker->thread());
                started_threads_--;
                team->parking().begin_search(); // as before its start
            }
        }
    }
    ready_.store(0, std::memory_order_relaxed);
    finished_.store(false, std::memory_order_seq_cst);
    started_.store(false, std::memory_order_release);
    release();
}

void Pool::worker_ready(bool on_its_node) {
    if (!on_its_node) {
        misplaced_.store(true, std::memory_order_relaxed);
    }
    ready_.fetch_add(1, std::memory_order_acq_rel);
    ports_.futex.wake(&ready_, INT_MAX);
}

void Pool::pin_worker(Place &place) const {
    if (!topology_->this_machine()) {
        place.keep(Enforcement::none(NEAR_REASON_NOT_THIS_MACHINE, "the topology describes another machine"));
    } else if (options_.memory_policy == NUMA_POOL_MEMORY_INHERIT) {
        place.pin(Enforcement::strict());
    } else {
        place.pin(drop_policy(ports_.policy, inherited_policy_));
    }
}

bool Pool::all_ready() const {
    uint32_t all = 0;
    for (const auto &team : teams_) {
        all += team->plan().workers;
    }
    return ready_.load(std::memory_order_acquire) >= all;
}

void Pool::await_ready() {
    for (uint32_t ready = ready_.load(std::memory_order_acquire); !all_ready();
         ready = ready_.load(std::memory_order_acquire)) {
        ports_.futex.wait(&ready_, ready, UINT64_MAX);
    }
}

Done Pool::await_strict() {
    await_ready();
    if (!misplaced_.load(std::memory_order_relaxed)) {
        return {};
    }
    Error why = fail(NEAR_E_STRICT, "strict: a worker is not on the CPUs of its node");
    for (const auto &team : teams_) {
        for (const auto &worker : team->workers()) {
            const Enforcement &pinned = worker->place().first().enforcement;
            if (pinned.level != NEAR_LEVEL_STRICT) {
                why = fail(NEAR_E_STRICT, "strict: worker %u of node %u: %s", worker->index(), team->plan().node,
                           pinned.text.c_str());
            }
        }
    }
    const std::lock_guard<std::mutex> lock(life_mutex_);
    stop_now();
    return why;
}

// After this no task is accepted but from the pool's own tasks. Promises count as tasks that run, and those who sleep
// look after them from now on. Whoever finds the pool idle then ends it: the worker that ran out of work last, who
// takes a promise back, or this thread.
void Pool::close() {
    for (const auto &queue : queues_) {
        queue->close();
    }
    closed_.store(true, std::memory_order_seq_cst);
    if (open_promises_.any()) {
        wake_everyone();
    }
    idle_.fetch_add(one_idle_worker, std::memory_order_acq_rel);
    if (idle()) {
        finish();
    }
}

void Pool::finish() {
    finished_.store(true, std::memory_order_seq_cst);
    wake_everyone();
}

// Who destroys the pool waits for its threads; where one of them does, the last to leave gives them all up. Both are
// told by one word, so that the last knows.
void Pool::worker_left() {
    FutexPort &futex = ports_.futex;
    const uint32_t before = live_.fetch_sub(1, std::memory_order_acq_rel);
    if (before == (detached | 1U)) {
        give_up_threads();
        await_submitters();
        release(); // the reference of the running threads: the pool may be gone now
    } else if (before == 1) {
        futex.wake(&live_, INT_MAX); // who waits joins this thread before the pool can go
    }
}

// All but this thread have left.
void Pool::give_up_threads() {
    for (const auto &team : teams_) {
        for (const auto &worker : team->workers()) {
            if (pthread_equal(worker->thread(), pthread_self()) != 0) {
                ports_.threads.detach(worker->thread());
            } else {
                ports_.threads.join(worker->thread());
            }
        }
    }
}

// A task may have run, and destroyed its pool, before its submit has returned.
void Pool::await_submitters() {
    for (const auto &queue : queues_) {
        while (!queue->settled()) {
            sched_yield();
        }
    }
}

bool Pool::await_exit(uint64_t deadline_ns) {
    for (uint32_t live = live_.load(std::memory_order_acquire); live != 0;
         live = live_.load(std::memory_order_acquire)) {
        if (now_ns() >= deadline_ns || forked()) { // by a task that was run meanwhile, which returned in the child
            return false;
        }
        wait_on(live_, live, deadline_ns);
    }
    return true;
}

// A worker of another pool runs that pool's tasks meanwhile: those that are waited for may wait for these.
void Pool::wait_on(std::atomic<uint32_t> &word, uint32_t expected, uint64_t deadline_ns) {
    constexpr uint64_t look_pause_ns = NEAR_MS; // for tasks that come meanwhile
    Worker *worker = Worker::current();
    if (worker == nullptr || &worker->pool() == this) {
        ports_.futex.wait(&word, expected, deadline_ns);
    } else if (!worker->help_once()) {
        ports_.futex.wait(&word, expected, std::min(deadline_ns, deadline_after(look_pause_ns)));
    }
}

// True: the threads are joined, and their reference is the caller's to give back.
bool Pool::join() {
    {
        const std::lock_guard<std::mutex> lock(life_mutex_);
        if (joined_ || !started_.load(std::memory_order_acquire)) {
            return false;
        }
        for (const auto &team : teams_) {
            for (const auto &worker : team->workers()) {
                ports_.threads.join(worker->thread());
            }
        }
        joined_ = true;
    }
    log(NEAR_LOG_INFO, "numa_pool %p: shut down, %llu tasks ended", static_cast<void *>(this),
        static_cast<unsigned long long>(ended()));
    return true;
}

Done Pool::shutdown(uint64_t timeout_ns, uint64_t *left) {
    if (process_wide()) {
        return fail(NEAR_E_NOT_ALLOWED, "the process's default pool cannot be shut down");
    }
    if (forked()) {
        return fail(NEAR_E_FORKED, "the pool was made in the parent of this process");
    }
    if (inside()) {
        return fail(NEAR_E_BUSY, "called from one of the pool's own tasks: it would wait for its own end");
    }
    const uint64_t deadline = deadline_after(timeout_ns);
    close();
    if (!await_exit(deadline)) {
        if (forked()) {
            return fail(NEAR_E_FORKED, "the process was forked while it waited: the pool is the parent's");
        }
        const uint64_t not_ended = unended();
        if (left != nullptr) {
            *left = not_ended;
        }
        return fail(NEAR_E_TIMEOUT,
                    "%llu tasks have not ended, or threads have not, in %.3f s; call again to go on waiting",
                    static_cast<unsigned long long>(not_ended), static_cast<double>(timeout_ns) / 1e9);
    }
    if (join()) {
        release();
    }
    if (left != nullptr) {
        *left = 0;
    }
    return {};
}

// Called with the handle's reference, which it gives back.
void Pool::destroy() {
    uint64_t references = 1;
    if (inside() && !forked()) {
        live_.fetch_or(detached, std::memory_order_acq_rel);
        close();
        release(references);
        return;
    }
    if (!forked()) {
        close();
        await_exit(UINT64_MAX);
    }
    if (forked()) { // the threads are the parent's: their reference is given back for them
        references += started_.load(std::memory_order_relaxed) && !joined_ ? 1 : 0;
    } else {
        references += join() ? 1 : 0;
        await_submitters();
    }
    release(references);
}

} // namespace nearpool::numa
