// SPDX-License-Identifier: Apache-2.0
#include "pools/device/rotation.hpp"

#include <gtest/gtest.h>

#include <map>
#include <thread>
#include <vector>

namespace nearpool::device {
namespace {

TEST(Rotation, BeginsWithTheFirstAndGoesRound) {
    for (const uint32_t count : {1U, 2U, 3U, 7U, 8U, 1000U}) {
        Rotation rotation(count);
        for (uint32_t i = 0; i < 3 * count; i++) {
            ASSERT_EQ(rotation.next(), i % count) << count;
        }
    }
}

TEST(Rotation, KeepsTheOrderWhereTheCounterTurns) {
    for (const uint32_t count : {1U, 3U, 5U, 7U, 12U}) {
        Rotation rotation(count);
        ASSERT_EQ(rotation.turn() % count, 0U);
        rotation.start_at(rotation.turn() - 2 * count);
        for (uint32_t i = 0; i < 5 * count; i++) {
            ASSERT_EQ(rotation.next(), i % count) << count;
        }
    }
}

TEST(Rotation, GivesExactSharesWhereTheCounterTurnsUnderFourThreads) {
    Rotation rotation(3);
    rotation.start_at(rotation.turn() - 3 * 2000);
    std::vector<std::map<uint32_t, int>> shares(4);
    std::vector<std::thread> threads;
    for (auto &share : shares) {
        threads.emplace_back([&] {
            for (int i = 0; i < 3000; i++) {
                share[rotation.next()]++;
            }
        });
    }
    std::map<uint32_t, int> sum;
    for (std::size_t i = 0; i < threads.size(); i++) {
        threads[i].join();
        for (const auto &[index, count] : shares[i]) {
            sum[index] += count;
        }
    }
    EXPECT_EQ(sum, (std::map<uint32_t, int>{{0, 4000}, {1, 4000}, {2, 4000}}));
}

} // namespace
} // namespace nearpool::device
