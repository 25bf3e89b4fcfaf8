// SPDX-License-Identifier: Apache-2.0
#include "base/checked.hpp"
#include "base/clock.hpp"

#include <nearpool/level.h>

#include <gtest/gtest.h>

using namespace nearpool;

namespace {

constexpr std::size_t most = SIZE_MAX;

TEST(Checked, AddsUpToTheLastByteAndNotBeyond) {
    EXPECT_EQ(checked_add(most - 1, 1), most);
    EXPECT_EQ(checked_add(most, 1), std::nullopt);
    EXPECT_EQ(checked_add(most, most), std::nullopt);
    EXPECT_EQ(checked_add(0, 0), 0U);
}

TEST(Checked, MultipliesUpToTheLastByteAndNotBeyond) {
    EXPECT_EQ(checked_multiply(most / 2, 2), most - 1);
    EXPECT_EQ(checked_multiply(most / 2 + 1, 2), std::nullopt);
    EXPECT_EQ(checked_multiply(most, 0), 0U);
}

TEST(Checked, RoundsUpToUnitsUnlessThatOverflows) {
    EXPECT_EQ(checked_round_up(0, 4096), 0U);
    EXPECT_EQ(checked_round_up(1, 4096), 4096U);
    EXPECT_EQ(checked_round_up(4096, 4096), 4096U);
    EXPECT_EQ(checked_round_up(4097, 4096), 8192U);
    EXPECT_EQ(checked_round_up(most - 4095, 4096), most - 4095);
    EXPECT_EQ(checked_round_up(most - 4094, 4096), std::nullopt);
}

TEST(Clock, ADeadlineDoesNotWrapAround) {
    EXPECT_EQ(deadline_after(NEAR_FOREVER), NEAR_FOREVER);
    EXPECT_EQ(deadline_after(NEAR_FOREVER - 1), NEAR_FOREVER);
    const uint64_t before = now_ns();
    EXPECT_GE(deadline_after(5), before + 5);
    EXPECT_LT(deadline_after(5), before + 3600 * NEAR_SECOND);
}

} // namespace
