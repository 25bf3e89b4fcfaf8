// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"
#include "sys/ports.hpp"

#include <nearpool/level.h>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>

using namespace nearpool;

namespace {

struct Seen {
    sigset_t blocked{};
    std::array<char, 32> name{};
};

void *look(void *argument) {
    auto *seen = static_cast<Seen *>(argument);
    real_ports().threads.set_name("numa-w123-45-and-more");
    pthread_getname_np(pthread_self(), seen->name.data(), seen->name.size());
    pthread_sigmask(SIG_BLOCK, nullptr, &seen->blocked);
    return nullptr;
}

Seen of_a_thread() {
    Seen seen;
    pthread_t thread{};
    EXPECT_EQ(real_ports().threads.start(&thread, look, &seen), 0);
    EXPECT_EQ(real_ports().threads.join(thread), 0);
    return seen;
}

// design.md section 2: the host's crash reporter and profiler work.
TEST(ThreadPort, BlocksAsynchronousSignalsAndNoOthers) {
    const Seen seen = of_a_thread();
    for (const int open : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) {
        EXPECT_EQ(sigismember(&seen.blocked, open), 0) << open;
    }
    for (const int blocked :
         {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD, SIGPIPE, SIGWINCH, SIGRTMIN, SIGRTMAX}) {
        EXPECT_EQ(sigismember(&seen.blocked, blocked), 1) << blocked;
    }
}

TEST(ThreadPort, LeavesTheMaskOfItsCallerAsItWas) {
    sigset_t before{};
    pthread_sigmask(SIG_BLOCK, nullptr, &before);
    of_a_thread();
    sigset_t after{};
    pthread_sigmask(SIG_BLOCK, nullptr, &after);
    for (int signal = 1; signal < SIGRTMAX; signal++) {
        EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal)) << signal;
    }
}

// What waits for the caller to let it in does not come in while a thread is started.
TEST(ThreadPort, OpensNoSignalThatItsCallerHasBlocked) {
    sigset_t profile{};
    sigemptyset(&profile);
    sigaddset(&profile, SIGPROF);
    sigset_t before{};
    pthread_sigmask(SIG_BLOCK, &profile, &before);
    static std::atomic<int> received;
    received = 0;
    struct sigaction count {};
    count.sa_handler = [](int) { received++; };
    struct sigaction old {};
    sigaction(SIGPROF, &count, &old);
    pthread_kill(pthread_self(), SIGPROF);
    const Seen seen = of_a_thread();
    EXPECT_EQ(sigismember(&seen.blocked, SIGPROF), 0) << "open in the new thread all the same";
    EXPECT_EQ(received, 0);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    EXPECT_EQ(received, 1);
    sigaction(SIGPROF, &old, nullptr);
}

TEST(ThreadPort, CutsANameAtFifteenBytes) {
    EXPECT_STREQ(of_a_thread().name.data(), "numa-w123-45-an");
}

TEST(FutexPort, DoesNotWaitForAnotherValueNorPastItsDeadline) {
    FutexPort &futex = real_ports().futex;
    std::atomic<uint32_t> word{1};
    EXPECT_EQ(futex.wait(&word, 2, UINT64_MAX), -EAGAIN);
    EXPECT_EQ(futex.wait(&word, 1, 0), -ETIMEDOUT);
    const uint64_t deadline = now_ns() + 2 * NEAR_MS;
    EXPECT_EQ(futex.wait(&word, 1, deadline), -ETIMEDOUT);
    EXPECT_GE(now_ns(), deadline);
    EXPECT_EQ(futex.wake(&word, 1), 0);
}

struct Sleeper {
    std::atomic<uint32_t> word{0};
    int result = 1;

    static void *sleep(void *argument) {
        auto *own = static_cast<Sleeper *>(argument);
        own->result = real_ports().futex.wait(&own->word, 0, UINT64_MAX);
        return nullptr;
    }
};

TEST(FutexPort, WakesOneThatWaits) {
    Sleeper sleeper;
    pthread_t thread{};
    ASSERT_EQ(real_ports().threads.start(&thread, Sleeper::sleep, &sleeper), 0);
    while (real_ports().futex.wake(&sleeper.word, 1) != 1) { // it has not gone to sleep yet
        sched_yield();
    }
    EXPECT_EQ(real_ports().threads.join(thread), 0);
    EXPECT_EQ(sleeper.result, 0);
}

} // namespace
