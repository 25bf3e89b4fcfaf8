// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/group.hpp"

#include "base/clock.hpp"
#include "base/text.hpp"
#include "pools/numa/foreign_wait.hpp"
#include "pools/numa/pool.hpp"
#include "pools/numa/worker.hpp"

#include <climits>
#include <new>

namespace nearpool::numa {

Status Group::begin(std::size_t count) {
    if (cancelled()) {
        return NEAR_E_BUSY;
    }
    accepted_.fetch_add(count, std::memory_order_relaxed);
    word_.fetch_add(count, std::memory_order_relaxed);
    return NEAR_OK;
}

void Group::retract(std::size_t count) {
    accepted_.fetch_sub(count, std::memory_order_relaxed);
    end(count);
}

void Group::end_run(Status status, const char *failure) {
    if (status != NEAR_OK) {
        failed_.fetch_add(1, std::memory_order_relaxed);
        const std::lock_guard<std::mutex> lock(failure_mutex_);
        if (unreported_failures_++ == 0) {
            copy_text(first_failure_, failure);
        }
    }
    end(1);
}

void Group::end_discarded() {
    discarded_.fetch_add(1, std::memory_order_relaxed);
    end(1);
}

// The last task of a group whose handle is gone deletes it. Otherwise the handle's owner may do so the moment that the
// count is zero: everything needed afterwards is fetched before.
void Group::end(std::size_t count) {
    Pool &pool = *pool_;
    std::atomic<uint32_t> *const half = lower_half();
    const uint64_t before = word_.fetch_sub(count, std::memory_order_acq_rel);
    if (pending(before) != count) {
        return;
    }
    if ((before & handle_held) == 0) {
        delete this;
        return;
    }
    if ((before & thread_waits) != 0) {
        pool.futex().wake(half, INT_MAX);
    }
    if ((before & worker_waits) != 0) {
        pool.wake_everyone();
    }
    if ((before & foreign_waits) != 0) {
        ForeignWait::wake(this);
    }
}

std::atomic<uint32_t> *Group::lower_half() {
    static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the futex is the first half of the word");
    return reinterpret_cast<std::atomic<uint32_t> *>(&word_);
}

// Promises are not started either, and what they wait for may never come. A task that is discarded may give the handle
// back.
void Group::cancel() {
    const Ref<Pool> pool = pool_;
    word_.fetch_or(is_cancelled, std::memory_order_relaxed);
    pool->break_promises(*this);
}

Done Group::wait(uint64_t timeout_ns) {
    Worker *worker = Worker::current();
    if (worker != nullptr && worker->runs_task_of(this)) {
        return fail(NEAR_E_BUSY, "called by a task of the group itself: it would wait for its own end");
    }
    const uint64_t deadline = deadline_after(timeout_ns);
    const bool ended = worker != nullptr ? worker->help_until_done(*this, deadline) : wait_here(deadline);
    if (pool_->forked()) {
        return fail(NEAR_E_FORKED, "the process was forked while it waited: the pool is the parent's");
    }
    if (!ended) {
        return fail(NEAR_E_TIMEOUT, "%u tasks of the group have not ended in %.3f s",
                    pending(word_.load(std::memory_order_relaxed)), static_cast<double>(timeout_ns) / 1e9);
    }
    return outcome();
}

bool Group::wait_here(uint64_t deadline_ns) {
    for (;;) {
        const uint64_t word = word_.fetch_or(thread_waits, std::memory_order_acq_rel);
        if (pending(word) == 0) {
            return true;
        }
        if (now_ns() >= deadline_ns) {
            return false;
        }
        pool_->futex().wait(lower_half(), pending(word), deadline_ns);
    }
}

// Another thread may have submitted and cancelled anew since the wait saw nothing pending.
void Group::end_cancel() {
    uint64_t word = word_.load(std::memory_order_relaxed);
    while (pending(word) == 0 && (word & is_cancelled) != 0 &&
           !word_.compare_exchange_weak(word, word & ~is_cancelled, std::memory_order_relaxed)) {
    }
}

// Told once. A failure says more than a cancel.
Done Group::outcome() {
    end_cancel();
    const std::lock_guard<std::mutex> lock(failure_mutex_);
    const uint64_t failures = std::exchange(unreported_failures_, 0);
    const uint64_t all_discarded = discarded_.load(std::memory_order_relaxed);
    const uint64_t discarded = all_discarded - std::exchange(reported_discarded_, all_discarded);
    if (failures == 0 && discarded == 0) {
        return {};
    }
    const Status status = failures != 0 ? NEAR_E_TASK : NEAR_E_CANCELLED;
    try {
        return Error{status, NEAR_DOMAIN_NONE, 0, sentence(failures, discarded)};
    } catch (const std::bad_alloc &) {
        return Error{status, NEAR_DOMAIN_NONE, 0, {}}; // it must not be lost for want of a sentence
    }
}

std::string Group::sentence(uint64_t failures, uint64_t discarded) const {
    const auto number = [](uint64_t count) { return static_cast<unsigned long long>(count); };
    if (failures == 0) {
        return format("%llu tasks of the group were discarded before they started", number(discarded));
    }
    std::string text = first_failure_;
    if (failures > 1) {
        text += format(" (and %llu more failed)", number(failures - 1));
    }
    if (discarded != 0) {
        text += format(" (%llu were discarded before they started)", number(discarded));
    }
    return text;
}

numa_pool_group_counts Group::counts() const {
    numa_pool_group_counts counts{};
    // Pending first: a task that ends between two readings is then counted as pending, not twice.
    const uint64_t waiting = pending(word_.load(std::memory_order_acquire));
    counts.cancelled = cancelled() ? 1 : 0;
    counts.accepted = accepted_.load(std::memory_order_relaxed);
    counts.failed = failed_.load(std::memory_order_relaxed);
    counts.discarded = discarded_.load(std::memory_order_relaxed);
    const uint64_t not_run = waiting + counts.discarded;
    counts.run = counts.accepted > not_run ? counts.accepted - not_run : 0;
    return counts;
}

// Once the handle is given up the last task deletes the group, also before the next line here: nothing of it is read
// after that.
void Group::drop() {
    const bool forked = pool_->forked();
    const uint64_t before = word_.fetch_and(~handle_held, std::memory_order_acq_rel);
    if (pending(before) == 0 || forked) {
        delete this;
    }
}

} // namespace nearpool::numa
