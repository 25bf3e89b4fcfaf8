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

class ParsesBitmap : public testing::TestWithParam<Printed> {};

TEST_P(ParsesBitmap, AsTheKernelWritesThem) { // without `printed`: it is none
    const auto set = NumberSet::parse_bitmap(GetParam().given);
    ASSERT_EQ(set.has_value(), GetParam().printed != nullptr);
    if (set) {
        EXPECT_EQ(set->text(), GetParam().printed);
        EXPECT_EQ(set->size(), GetParam().size);
    }
}

class Refuses : public testing::TestWithParam<const char *> {};

TEST_P(Refuses, WhatIsNoList) {
    EXPECT_FALSE(NumberSet::parse(GetParam()).has_value());
}

INSTANTIATE_TEST_SUITE_P(NumberSet, Refuses,
                         testing::Values("3-1", "a", "1,", ",1", "1,,2", "1-", "-1", "1--2", "1 2", "0x3", "1;2",
                                         "4294967296", "99999999999999999999", "0-4294967295", " 1", "1-2-3"));

INSTANTIATE_TEST_SUITE_P(NumberSetBitmap, ParsesBitmap,
                         testing::Values(Printed{"1", "0", 1}, Printed{"0000010f\n", "0-3,8", 5},
                                         Printed{"1,00000001", "0,32", 2}, Printed{"80000000", "31", 1},
                                         Printed{"00000000,0000000f", "0-3", 4}, Printed{"0,0", "none", 0},
                                         Printed{"F,f0000000", "28-35", 8}, Printed{"1,,1", nullptr, 0},
                                         Printed{"", nullptr, 0}, Printed{",", nullptr, 0}, Printed{"1,", nullptr, 0},
                                         Printed{"0x1", nullptr, 0}, Printed{"g", nullptr, 0},
                                         Printed{"-1", nullptr, 0}, Printed{"123456789", nullptr, 0},
                                         Printed{"1 2", nullptr, 0}, Printed{"0-3", nullptr, 0}));

TEST(NumberSetBitmap, EndsWhereNoKernelNumbers) {
    const auto groups = [](std::size_t count) {
        std::string text = "1";
        for (std::size_t i = 1; i < count; i++) {
            text += ",0";
        }
        return NumberSet::parse_bitmap(text);
    };
    const auto last = groups((1U << 20U) / 32);
    ASSERT_TRUE(last);
    EXPECT_EQ(last->text(), "1048544");
    EXPECT_FALSE(groups((1U << 20U) / 32 + 1));
}

std::string text_of(const std::vector<nearpool::NumberRange> &ranges) {
    std::string text;
    for (const nearpool::NumberRange &range : ranges) {
        text += "[" + std::to_string(range.first) + " " + std::to_string(range.last) + "]";
    }
    return text;
}

TEST(NumberRanges, AreInOrderAndApartHoweverMuchTheySay) {
    EXPECT_EQ(text_of(nearpool::parse_ranges("8-9,0,3-5,4-7\n").value()), "[0 0][3 9]");
    EXPECT_EQ(text_of(nearpool::parse_ranges("0-1048575,0-1048575,5").value()), "[0 1048575]");
    EXPECT_EQ(text_of(nearpool::parse_ranges("").value()), "");
    for (const char *text : {"5-4", "1,", "x"}) {
        EXPECT_FALSE(nearpool::parse_ranges(text)) << text;
    }
}

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
