// SPDX-License-Identifier: Apache-2.0
#include "sys/real.hpp"

#include <csignal>

namespace nearpool {
namespace {

// A thread with SIGSEGV blocked dies without its host's handler (signal(7)); a profiler needs SIGPROF.
sigset_t signals_to_block() {
    sigset_t set{};
    sigfillset(&set);
    for (const int kept : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) {
        sigdelset(&set, kept);
    }
    return set;
}

class RealThreads final : public ThreadPort {
public:
    // The mask comes with the thread's attributes: there is no moment at which a signal could reach it, and the
    // caller's own mask stays as it is.
    int start(pthread_t *thread, void *(*run)(void *), void *argument) override {
        const sigset_t blocked = signals_to_block();
        pthread_attr_t attributes;
        int error = pthread_attr_init(&attributes);
        if (error != 0) {
            return -error;
        }
        error = pthread_attr_setsigmask_np(&attributes, &blocked);
        if (error == 0) {
            error = pthread_create(thread, &attributes, run, argument);
        }
        pthread_attr_destroy(&attributes);
        return -error;
    }

    int set_name(const std::string &name) override {
        return -pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    }

    int join(pthread_t thread) override { return -pthread_join(thread, nullptr); }

    int detach(pthread_t thread) override { return -pthread_detach(thread); }
};

} // namespace

ThreadPort &real_threads() {
    static auto *const port = new RealThreads;
    return *port;
}

} // namespace nearpool
