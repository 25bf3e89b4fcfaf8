// SPDX-License-Identifier: Apache-2.0
// How far a request has come, and whether anybody still waits for it.
#pragma once

#include "base/clock.hpp"
#include "memory/region.hpp"

#include <atomic>

namespace nearpool::pinned {

class Steps final : public Progress {
public:
    explicit Steps(uint64_t deadline_ns) : deadline_ns_(deadline_ns) {}

    // Asked between any two steps: a call of the driver cannot be interrupted.
    bool wanted() const noexcept { return !cancelled_.load(std::memory_order_relaxed) && !late(); }
    bool late() const noexcept { return now_ns() >= deadline_ns_; }
    bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }
    void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }

    bool go_on(std::size_t bytes) noexcept override {
        faulted_.fetch_add(bytes, std::memory_order_relaxed);
        return wanted();
    }
    void locked(std::size_t bytes) noexcept { locked_.fetch_add(bytes, std::memory_order_relaxed); }
    // Another way is tried, from the beginning.
    void begin_again() noexcept override {
        faulted_.store(0, std::memory_order_relaxed);
        locked_.store(0, std::memory_order_relaxed);
    }

    uint64_t deadline_ns() const { return deadline_ns_; }
    std::size_t faulted_bytes() const { return faulted_.load(std::memory_order_relaxed); }
    std::size_t locked_bytes() const { return locked_.load(std::memory_order_relaxed); }

private:
    const uint64_t deadline_ns_;
    std::atomic<bool> cancelled_{false};
    std::atomic<std::size_t> faulted_{0};
    std::atomic<std::size_t> locked_{0};
};

} // namespace nearpool::pinned
