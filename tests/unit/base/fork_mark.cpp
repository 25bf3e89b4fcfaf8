// SPDX-License-Identifier: Apache-2.0
#include "base/fork_mark.hpp"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

using nearpool::ForkMark;

namespace {

template <class Body> int in_child(Body &&body) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(body());
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

TEST(ForkMark, IsNotForkedWhereItWasMade) {
    const ForkMark mark;
    EXPECT_FALSE(mark.forked());
    EXPECT_EQ(in_child([] { return 0; }), 0);
    EXPECT_FALSE(mark.forked()) << "a fork is not the parent's";
}

TEST(ForkMark, IsForkedInTheChildAndInItsChild) {
    const ForkMark mark;
    EXPECT_EQ(in_child([&] { return mark.forked() ? 0 : 1; }), 0);
    EXPECT_EQ(in_child([&] { return in_child([&] { return mark.forked() ? 0 : 1; }); }), 0);
}

TEST(ForkMark, AMarkMadeInTheChildIsOfTheChild) {
    const ForkMark mark;
    EXPECT_EQ(in_child([&] {
                  const ForkMark own;
                  const bool in_grandchild = in_child([&] { return own.forked() ? 0 : 1; }) == 0;
                  return !own.forked() && mark.forked() && in_grandchild ? 0 : 1;
              }),
              0);
}

} // namespace
