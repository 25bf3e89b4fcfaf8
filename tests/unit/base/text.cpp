// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "base/environment.hpp"
#include "base/error.hpp"
#include "base/ref.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

using namespace nearpool;

namespace {

TEST(Text, IsFormattedWhateverItsLength) {
    EXPECT_EQ(format("node %d of %s", 7, "here"), "node 7 of here");
    const std::string word(10000, 'x');
    EXPECT_EQ(format("%s!", word.c_str()).size(), 10001U);
}

TEST(Text, IsCutWithRoomForTheEnd) {
    char target[5] = "wxyz";
    copy_text(target, "abcdefgh");
    EXPECT_STREQ(target, "abcd");
    copy_text(target, "ab");
    EXPECT_STREQ(target, "ab");
    copy_text(target, 0, "ab"); // no room, not even for the end
    EXPECT_STREQ(target, "ab");
}

TEST(Text, IsNotCutInsideACharacter) {
    char target[4] = {};
    copy_text(target, "ab\u00e9"); // e acute takes two bytes, and only one is left
    EXPECT_STREQ(target, "ab");
    copy_text(target, "a\u00e9b");
    EXPECT_STREQ(target, "a\u00e9");
}

TEST(Error, OfASystemCallHasItsNumberAndItsText) {
    const Error error = fail_system(EPERM, "mbind of %d pages", 3);
    EXPECT_EQ(error.status, NEAR_E_SYSTEM);
    EXPECT_EQ(error.domain, NEAR_DOMAIN_ERRNO);
    EXPECT_EQ(error.code, EPERM);
    EXPECT_EQ(error.message, "mbind of 3 pages: Operation not permitted");
}

TEST(Error, OutOfMemoryHasItsOwnStatus) {
    EXPECT_EQ(fail_system(ENOMEM, "mmap").status, NEAR_E_NOMEM);
    const Error strict = fail_system_as(NEAR_E_STRICT, ENOMEM, "mmap");
    EXPECT_EQ(strict.status, NEAR_E_STRICT);
    EXPECT_EQ(strict.code, ENOMEM);
}

TEST(Error, AResultIsAValueOrAnError) {
    Result<int> good = 3;
    Result<int> bad = fail(NEAR_E_NO_NODE, "node %d", 9);
    ASSERT_TRUE(good);
    EXPECT_EQ(good.take(), 3);
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().status, NEAR_E_NO_NODE);
    EXPECT_EQ(bad.error().message, "node 9");
}

TEST(Environment, AnAbsentVariableIsNothingAndAnEmptyOneIsEmpty) {
    ::unsetenv("NEARPOOL_TEST_VARIABLE");
    EXPECT_EQ(environment("NEARPOOL_TEST_VARIABLE"), std::nullopt);
    ::setenv("NEARPOOL_TEST_VARIABLE", "", 1);
    EXPECT_EQ(environment("NEARPOOL_TEST_VARIABLE"), "");
    ::unsetenv("NEARPOOL_TEST_VARIABLE");
}

class Counted final : public RefCounted {
public:
    explicit Counted(int *ended) : ended_(ended) {}

private:
    ~Counted() override { ++*ended_; }
    int *ended_;
};

TEST(Ref, TheLastReferenceEndsTheObject) {
    int ended = 0;
    {
        Ref<Counted> first = Ref<Counted>::adopt(new Counted(&ended));
        Ref<Counted> second = first;
        Ref<Counted> third = std::move(first);
        EXPECT_FALSE(first); // NOLINT(bugprone-use-after-move): empty after the move is what is tested
        EXPECT_EQ(second.get(), third.get());
        third = Ref<Counted>();
        EXPECT_EQ(ended, 0);
    }
    EXPECT_EQ(ended, 1);
}

TEST(Ref, ADetachedReferenceIsTheCallers) {
    int ended = 0;
    Counted *object = Ref<Counted>::adopt(new Counted(&ended)).detach();
    EXPECT_EQ(ended, 0);
    object->release();
    EXPECT_EQ(ended, 1);
}

} // namespace
