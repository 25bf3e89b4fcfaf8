// SPDX-License-Identifier: Apache-2.0
#include "pools/pinned/request.hpp"

#include "base/log.hpp"
#include "pools/pinned/cache.hpp"

#include <algorithm>
#include <climits>
#include <cstdio>
#include <new>
#include <utility>

namespace nearpool::pinned {
namespace {

double seconds(uint64_t ns) {
    return static_cast<double>(ns) / static_cast<double>(NEAR_SECOND);
}

// Without its text where there is no memory for it.
Error sentence(Status status, const char *text) noexcept {
    try {
        return fail(status, "%s", text);
    } catch (const std::bad_alloc &) {
        return Error{status, NEAR_DOMAIN_NONE, 0, {}};
    }
}

} // namespace

Request::~Request() {
    leave();
}

Error Request::unwanted() const noexcept {
    if (!steps.late()) {
        return sentence(NEAR_E_CANCELLED, "the request was cancelled");
    }
    char text[96];
    std::snprintf(text, sizeof text, "%zu bytes were not page-locked in %g s", wish.bytes, seconds(wish.timeout_ns));
    return sentence(NEAR_E_TIMEOUT, text);
}

void Request::end_locked() noexcept {
    ended_.store(1, std::memory_order_release);
    for (const Ref<numa::Promise> &promise : promises_) {
        promise->keep();
    }
    promises_.clear();
    futex_.wake(&ended_, INT_MAX);
}

bool Request::settle(Result<Block *> result) {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!abandoned_) {
            if (result) {
                block_ = result.value();
            } else {
                error_ = std::move(result.error());
            }
            end_locked();
            return true;
        }
    }
    if (result) {
        log(NEAR_LOG_WARN, "device %d: %zu page-locked bytes at %p came too late, and were given back",
            gpu.device->facts().ordinal, wish.bytes, static_cast<void *>(result.value()->data));
        stock.cache().give(result.value());
    }
    return false;
}

bool Request::abandon(Error why) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (ended_.load(std::memory_order_relaxed) != 0) {
        return false;
    }
    error_ = std::move(why);
    abandoned_ = true;
    steps.cancel();
    end_locked();
    return true;
}

bool Request::cancel() noexcept {
    return abandon(sentence(NEAR_E_CANCELLED, "the request was cancelled"));
}

bool Request::expire() noexcept {
    return steps.late() && abandon(unwanted());
}

bool Request::shut_down() noexcept {
    return abandon(sentence(NEAR_E_SHUTDOWN, "the pool is being destroyed"));
}

Result<Block *> Request::outcome() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (block_ != nullptr) {
        taken_ = true;
        return std::exchange(block_, nullptr);
    }
    return taken_ ? fail(NEAR_E_STALE, "the memory of this request was taken before") : error_;
}

Result<Block *> Request::wait(uint64_t timeout_ns) {
    const uint64_t deadline = deadline_after(timeout_ns);
    while (ended_.load(std::memory_order_acquire) == 0) {
        const uint64_t now = now_ns();
        if (now >= steps.deadline_ns()) {
            expire();
        } else if (now >= deadline) {
            return fail(NEAR_E_TIMEOUT, "%zu bytes are not page-locked yet after %g s; ask again", wish.bytes,
                        seconds(timeout_ns));
        } else {
            futex_.wait(&ended_, 0, std::min(deadline, steps.deadline_ns()));
        }
    }
    return outcome();
}

void Request::leave() noexcept {
    Block *left = nullptr;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        left = std::exchange(block_, nullptr);
        taken_ = taken_ || left != nullptr;
    }
    if (left != nullptr) {
        stock.cache().give(left);
    }
}

void Request::then(std::list<Ref<numa::Promise>> one) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (ended_.load(std::memory_order_relaxed) != 0) {
        one.front()->keep();
        return;
    }
    promises_.splice(promises_.end(), one);
}

near_pinned_progress Request::progress() const {
    near_pinned_progress progress{};
    const bool ended = ended_.load(std::memory_order_acquire) != 0;
    const bool working = working_.load(std::memory_order_relaxed);
    progress.bytes = wish.bytes;
    progress.faulted_bytes = std::min(steps.faulted_bytes(), wish.bytes);
    progress.locked_bytes = std::min(steps.locked_bytes(), wish.bytes);
    progress.state = working ? NEAR_PINNED_STATE_WORKING : NEAR_PINNED_STATE_WAITING;
    if (ended) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const bool done = block_ != nullptr || taken_;
        progress.state = done ? NEAR_PINNED_STATE_DONE : NEAR_PINNED_STATE_FAILED;
        progress.faulted_bytes = done ? wish.bytes : progress.faulted_bytes; // idle memory has taken no steps
        progress.locked_bytes = done ? wish.bytes : progress.locked_bytes;
    }
    return progress;
}

} // namespace nearpool::pinned
