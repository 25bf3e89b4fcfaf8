// SPDX-License-Identifier: Apache-2.0
#include "base/structs.hpp"

#include <gtest/gtest.h>

using namespace nearpool;

namespace {

struct Options {
    uint32_t struct_size;
    uint32_t strict;
    uint64_t bytes;
    uint64_t count;
};

// What a program compiled against a later version passes.
struct Later {
    Options known;
    uint64_t added;
};

const Options *as_known(const Later &later) {
    return reinterpret_cast<const Options *>(&later);
}

Options filled(uint32_t size) {
    return Options{size, 1, 77, 99};
}

TEST(Structs, NullIsAllDefaults) {
    const auto read = read_struct<Options>(nullptr, "options");
    ASSERT_TRUE(read);
    EXPECT_EQ(read.value().struct_size, sizeof(Options));
    EXPECT_EQ(read.value().bytes, 0U);
}

TEST(Structs, AShorterStructIsTakenAsItIs) {
    const Options given = filled(offsetof(Options, count));
    const auto read = read_struct(&given, "options");
    ASSERT_TRUE(read);
    EXPECT_EQ(read.value().strict, 1U);
    EXPECT_EQ(read.value().bytes, 77U);
    EXPECT_EQ(read.value().count, 0U) << "a field past the caller's struct was read";
}

TEST(Structs, ALongerStructWithAZeroTailIsTaken) {
    const Later given{filled(sizeof(Later)), 0};
    const auto read = read_struct(as_known(given), "options");
    ASSERT_TRUE(read);
    EXPECT_EQ(read.value().count, 99U);
    EXPECT_EQ(read.value().struct_size, sizeof(Options));
}

TEST(Structs, ALongerStructWithAFieldSetIsRefused) {
    const Later given{filled(sizeof(Later)), uint64_t{1} << 63U};
    const auto read = read_struct(as_known(given), "options");
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().status, NEAR_E_VERSION);
    EXPECT_NE(read.error().message.find("options"), std::string::npos) << read.error().message;
}

class AbsurdSize : public testing::TestWithParam<uint32_t> {};

TEST_P(AbsurdSize, IsRefusedForInputAndOutput) {
    const Options given = filled(GetParam());
    const auto read = read_struct(&given, "options");
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().status, NEAR_E_VERSION);
    const Done output = check_output(&given, "report");
    ASSERT_FALSE(output);
    EXPECT_EQ(output.error().status, NEAR_E_VERSION);
}

INSTANTIATE_TEST_SUITE_P(Structs, AbsurdSize,
                         testing::Values(0U, 1U, 4U, 7U, 9U, 12U, 17U, 20U, 22U, 28U, 1U << 20U, UINT32_MAX,
                                         UINT32_MAX - 3));

TEST(Structs, AnOutputThatIsNullIsInvalid) {
    const Done done = check_output<Options>(nullptr, "report");
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().status, NEAR_E_INVALID);
}

TEST(Structs, AShorterOutputIsNotWrittenPastItsEnd) {
    Options target{offsetof(Options, count), 5, 5, 5};
    write_struct(&target, filled(sizeof(Options)));
    EXPECT_EQ(target.struct_size, offsetof(Options, count));
    EXPECT_EQ(target.bytes, 77U);
    EXPECT_EQ(target.count, 5U);
}

TEST(Structs, ALongerOutputGetsZerosInWhatWeDoNotKnow) {
    Later target{{sizeof(Later), 5, 5, 5}, 5};
    write_struct(reinterpret_cast<Options *>(&target), filled(sizeof(Options)));
    EXPECT_EQ(target.known.struct_size, sizeof(Later));
    EXPECT_EQ(target.known.count, 99U);
    EXPECT_EQ(target.added, 0U);
}

} // namespace
