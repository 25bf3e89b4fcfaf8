// SPDX-License-Identifier: Apache-2.0
#include "machine/pin_thread.hpp"

#include "sys/ports.hpp"

#include <mutex>
#include <pthread.h>

namespace nearpool {
namespace {

// A plain pointer beside the object that clears it: a pin may be released by the destructor of another thread_local
// object, after ours are gone.
thread_local PinThread *this_thread = nullptr;
thread_local bool ended = false; // what is made from now on is released by nobody, and looked at by none

void keep_mark() { // in the child: the thread that forked is the one that is left
    if (this_thread != nullptr) {
        this_thread->survive_fork();
    }
}

} // namespace

struct PinThreadEnd {
    bool used = false;
    ~PinThreadEnd() {
        ended = true;
        if (this_thread != nullptr) {
            this_thread->end();
            this_thread->release();
            this_thread = nullptr;
        }
    }
};

namespace {
thread_local PinThreadEnd at_end;
}

PinThread *PinThread::current() {
    return this_thread;
}

PinThread &PinThread::own() {
    if (this_thread == nullptr) {
        const Ref<PinThread> made = Ref<PinThread>::adopt(new PinThread);
        made->begin();
    }
    return *this_thread;
}

void PinThread::begin() {
    // After the first mark: handlers run in the order of registration, and ours reads what the mark's counts.
    static const int registered = pthread_atfork(nullptr, nullptr, keep_mark);
    static_cast<void>(registered);
    retain();
    id_ = this_thread_id();
    set_by_host_ = false;
    alive_.store(!ended, std::memory_order_release);
    this_thread = this;
    at_end.used = true; // touched, so that it is destroyed with the thread
}

void PinThread::end() {
    const std::lock_guard<ForkMutex> lock(mutex_);
    alive_.store(false, std::memory_order_release);
}

void PinThread::survive_fork() {
    mark_ = ForkMark();
    id_ = this_thread_id();
}

} // namespace nearpool
