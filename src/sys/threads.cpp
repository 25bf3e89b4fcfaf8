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
    // The thread inherits the mask, so that there is no moment at which a signal could reach it.
    int start(pthread_t *thread, void *(*run)(void *), void *argument) override {
        const sigset_t blocked = signals_to_block();
        sigset_t before{};
        pthread_sigmask(SIG_SETMASK, &blocked, &before);
        const int error = pthread_create(thread, nullptr, run, argument);
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
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
