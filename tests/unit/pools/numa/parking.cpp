// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/parking.hpp"

#include "base/clock.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace nearpool::numa {
namespace {

TEST(Parking, NobodyToWake) {
    Parking parking(real_ports().futex);
    EXPECT_FALSE(parking.wake_one());
    EXPECT_TRUE(parking.all_busy());
    parking.begin_search();
    EXPECT_FALSE(parking.wake_one()) << "a searcher does not sleep";
    EXPECT_TRUE(parking.anyone_searching());
    EXPECT_FALSE(parking.all_busy());
    parking.end_search();
}

TEST(Parking, TheLastLookCancelsTheSleep) {
    Parking parking(real_ports().futex);
    parking.begin_search();
    EXPECT_FALSE(parking.sleep(UINT64_MAX, [] { return false; }));
    EXPECT_TRUE(parking.anyone_searching()) << "it is a searcher again";
}

TEST(Parking, AWakeBetweenRegistrationAndSleepIsNotLost) {
    Parking parking(real_ports().futex);
    parking.begin_search();
    parking.sleep(UINT64_MAX, [&] {
        EXPECT_TRUE(parking.wake_one());
        return true; // goes on to sleep, and must not
    });
    SUCCEED();
}

TEST(Parking, ASleepEndsAtItsDeadline) {
    Parking parking(real_ports().futex);
    parking.begin_search();
    EXPECT_FALSE(parking.sleep(now_ns() + 1000000, [] { return true; }));
}

// Ping-pong of two threads through one flag: a lost wake-up hangs, and the test's time limit ends it.
TEST(Parking, LosesNoWakeUp) {
    constexpr uint32_t rounds = 20000;
    Parking parking(real_ports().futex);
    std::atomic<uint32_t> work{0};
    std::atomic<uint32_t> done{0};
    std::thread sleeper([&] {
        parking.begin_search();
        for (uint32_t round = 1; round <= rounds; round++) {
            while (work.load() < round) {
                parking.sleep(UINT64_MAX, [&] { return work.load() < round; });
            }
            done.store(round);
        }
    });
    for (uint32_t round = 1; round <= rounds; round++) {
        work.store(round);
        parking.wake_one();
        while (done.load() < round) {
            std::this_thread::yield();
        }
    }
    sleeper.join();
}

} // namespace
} // namespace nearpool::numa
