// SPDX-License-Identifier: Apache-2.0
// A thread that is or was pinned. Others may look at it, and pin it again, while its lock keeps it alive.
#pragma once

#include "base/fork_lock.hpp"
#include "base/fork_mark.hpp"
#include "base/ref.hpp"

#include <atomic>
#include <sys/types.h>

namespace nearpool {

class Place;

class PinThread final : public RefCounted {
public:
    static PinThread *current(); // the calling thread's; nullptr when it has none
    static PinThread &own();     // the calling thread's, made when it has none

    // One that was made for a thread that is to start; that thread calls this, and keeps it until it ends.
    void begin();

    // False for a thread that has not begun or has ended, or that this child of fork() does not have. What is true
    // stays true while the lock is held.
    bool alive() const { return alive_.load(std::memory_order_acquire) && !mark_.forked(); }
    ForkMutex &mutex() { return mutex_; }

    pid_t id() const { return id_; } // this_thread_id(), of one that is alive
    void survive_fork();             // the calling thread, in the child

    // The latest of its pins for a while that is not released. Written by the thread itself, under the lock.
    Place *top() const { return top_; }
    void set_top(Place *place) { top_ = place; }

    // The host has set its affinity for good (near_affinity_set()): that is no longer ours to change. Under the lock.
    bool set_by_host() const { return set_by_host_; }
    void leave_to_host() { set_by_host_ = true; }

private:
    friend struct PinThreadEnd;
    void end();

    ForkMutex mutex_;
    std::atomic<bool> alive_{false};
    pid_t id_ = 0;
    Place *top_ = nullptr;
    bool set_by_host_ = false;
    ForkMark mark_;
};

} // namespace nearpool
