// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/fork_mark.hpp"

#include <atomic>
#include <mutex>

namespace nearpool {

// A mutex that a child of fork() finds free, also when a thread of the parent held it at that moment.
class ForkMutex {
public:
    ForkMutex() : slot_(new Slot) {}
    ~ForkMutex() {
        for (Slot *slot = slot_.load(std::memory_order_relaxed); slot != nullptr;) {
            Slot *before = slot->before;
            delete slot;
            slot = before;
        }
    }
    ForkMutex(const ForkMutex &) = delete;
    ForkMutex &operator=(const ForkMutex &) = delete;

    void lock() { current()->mutex.lock(); }
    void unlock() { slot_.load(std::memory_order_acquire)->mutex.unlock(); }

private:
    struct Slot {
        ForkMark mark;
        std::mutex mutex;
        Slot *before = nullptr; // the parent's: it may be locked for ever, and goes with the object
    };

    Slot *current() {
        Slot *slot = slot_.load(std::memory_order_acquire);
        if (!slot->mark.forked()) {
            return slot;
        }
        auto *fresh = new Slot;
        fresh->before = slot;
        if (slot_.compare_exchange_strong(slot, fresh, std::memory_order_acq_rel)) {
            return fresh;
        }
        delete fresh;
        return slot;
    }

    std::atomic<Slot *> slot_;
};

} // namespace nearpool
