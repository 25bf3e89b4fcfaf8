// SPDX-License-Identifier: Apache-2.0
// Peers' tests of CPU sets (peers.md 1.4: parse, display) and the cases that they leave out.
#include "base/number_set.hpp"

#include <gtest/gtest.h>

using nearpool::NumberSet;

namespace {

struct Printed {
    const char *given;
    const char *printed;
    std::size_t size;
};

class Parses : public testing::TestWithParam<Printed> {};

TEST_P(Parses, AndPrintsInTheKernelsForm) {
    const auto set = NumberSet::parse(GetParam().given);
    ASSERT_TRUE(set.has_value());
    EXPECT_EQ(set->size(), GetParam().size);
    EXPECT_EQ(set->text(), GetParam().printed);
    if (!set->empty()) {
        EXPECT_EQ(NumberSet::parse(set->text()), set);
    }
}

INSTANTIATE_TEST_SUITE_P(NumberSet, Parses,
                         testing::Values(Printed{"0-3,8-11", "0-3,8-11", 8},
                                         Printed{"0-15,128-143", "0-15,128-143", 32}, Printed{"", "none", 0},
                                         Printed{"\n", "none", 0}, Printed{"0", "0", 1}, Printed{"0,2,4\n", "0,2,4", 3},
                                         Printed{"5,1,3", "1,3,5", 3}, Printed{"8-11,0-3", "0-3,8-11", 8},
                                         Printed{"1,1,1", "1", 1}, Printed{"0-4,2-6", "0-6", 7}, Printed{"3-3", "3", 1},
                                         Printed{"0-1,2-3", "0-3", 4}, Printed{"63-65", "63-65", 3},
                                         Printed{"1023-1025,4096", "1023-1025,4096", 4}));

class Refuses : public testing::TestWithParam<const char *> {};

TEST_P(Refuses, WhatIsNoList) {
    EXPECT_FALSE(NumberSet::parse(GetParam()).has_value());
}

INSTANTIATE_TEST_SUITE_P(NumberSet, Refuses,
                         testing::Values("3-1", "a", "1,", ",1", "1,,2", "1-", "-1", "1--2", "1 2", "0x3", "1;2",
                                         "4294967296", "99999999999999999999", "0-4294967295", " 1", "1-2-3"));

// F2: what CPU sets and node masks are made of.
TEST(NumberSet, IsAscendingWithoutRepeatsWhateverTheOrderGiven) {
    const NumberSet set{9, 0, 8, 0, 9};
    EXPECT_EQ(set, NumberSet({0, 8, 9}));
    EXPECT_EQ(set.size(), 3U);
    EXPECT_EQ(set[1], 8U);
    EXPECT_EQ(set.back(), 9U);
}

TEST(NumberSet, HasNoLimitOf64OrOf1024) { // peers N3
    NumberSet set;
    for (const uint32_t number : {63U, 64U, 127U, 1023U, 1024U, 5000U}) {
        EXPECT_FALSE(set.contains(number));
        set.add(number);
        EXPECT_TRUE(set.contains(number));
    }
    set.add(64);
    EXPECT_EQ(set.text(), "63-64,127,1023-1024,5000");
}

TEST(NumberSet, UnitesIntersectsAndContains) {
    const NumberSet low{0, 1, 2, 8};
    const NumberSet high{2, 8, 9};
    EXPECT_EQ(low.intersect(high), NumberSet({2, 8}));
    EXPECT_EQ(low.unite(high), NumberSet({0, 1, 2, 8, 9}));
    EXPECT_TRUE(low.contains_all({1, 8}));
    EXPECT_FALSE(low.contains_all({1, 9}));
    EXPECT_TRUE(low.contains_all({}));
    EXPECT_TRUE(low.intersect(NumberSet{}).empty());
    EXPECT_NE(low, high);
}

} // namespace
