// SPDX-License-Identifier: Apache-2.0
#include "pools/stream/byte_total.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace nearpool::stream {
namespace {

TEST(ByteTotal, IsExactAlsoWhenTheSumWasMoreThanItCanSay) {
    ByteTotal total;
    EXPECT_EQ(total.value(), 0U);
    total.add(5);
    total.add(UINT64_MAX - 5);
    EXPECT_EQ(total.value(), UINT64_MAX);
    total.add(UINT64_MAX);
    total.add(1);
    EXPECT_EQ(total.value(), UINT64_MAX);
    total.subtract(UINT64_MAX);
    total.subtract(UINT64_MAX - 7);
    EXPECT_EQ(total.value(), 8U);
    total.subtract(8);
    EXPECT_EQ(total.value(), 0U);
}

// What is taken off at once need not be what was added at once.
TEST(ByteTotal, TakesOffInOtherPartsThanWereAdded) {
    ByteTotal total;
    total.add(UINT64_C(0xffffffff));
    total.add(1);
    EXPECT_EQ(total.value(), UINT64_C(1) << 32);
    total.subtract(UINT64_C(1) << 32);
    EXPECT_EQ(total.value(), 0U);
    total.add(UINT64_C(3) << 32);
    total.subtract(1);
    EXPECT_EQ(total.value(), (UINT64_C(3) << 32) - 1);
    total.subtract((UINT64_C(3) << 32) - 1);
    EXPECT_EQ(total.value(), 0U);
}

TEST(ByteTotal, LosesNothingBetweenThreads) {
    ByteTotal total;
    std::vector<std::thread> threads;
    for (uint64_t i = 1; i <= 4; i++) {
        threads.emplace_back([&total, i] {
            for (uint64_t turn = 0; turn < 10000; turn++) {
                total.add(turn << 30 | i);
                total.subtract(turn << 30);
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(total.value(), (1U + 2 + 3 + 4) * 10000U);
}

} // namespace
} // namespace nearpool::stream
