// SPDX-License-Identifier: Apache-2.0
#include "base/status.hpp"
#include "base/log.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>

using namespace nearpool;

namespace {

TEST(Status, EveryNumberHasANameAndATextOfItsOwn) {
    std::set<std::string> names;
    std::set<std::string> texts;
    for (near_status status = NEAR_OK; status >= NEAR_E_CANCELLED; status--) {
        const std::string name = status_name(status);
        EXPECT_TRUE(names.insert(name).second) << status << " has the name of another: " << name;
        EXPECT_TRUE(texts.insert(status_text(status)).second) << status << " has the text of another";
        EXPECT_EQ(name.rfind(status == NEAR_OK ? "NEAR_OK" : "NEAR_E_", 0), 0U) << name;
        EXPECT_GT(std::string(status_text(status)).size(), 3U);
    }
}

TEST(Status, NamesAreThoseOfTheHeader) {
#define CHECK_NAME(constant) EXPECT_STREQ(status_name(constant), #constant)
    CHECK_NAME(NEAR_OK);
    CHECK_NAME(NEAR_E_INVALID);
    CHECK_NAME(NEAR_E_NO_NODE);
    CHECK_NAME(NEAR_E_NO_CPU);
    CHECK_NAME(NEAR_E_EMPTY_SET);
    CHECK_NAME(NEAR_E_NOT_ALLOWED);
    CHECK_NAME(NEAR_E_UNSUPPORTED);
    CHECK_NAME(NEAR_E_STRICT);
    CHECK_NAME(NEAR_E_TOPOLOGY);
    CHECK_NAME(NEAR_E_TASK);
    CHECK_NAME(NEAR_E_SYSTEM);
    CHECK_NAME(NEAR_E_NOMEM);
    CHECK_NAME(NEAR_E_AGAIN);
    CHECK_NAME(NEAR_E_TIMEOUT);
    CHECK_NAME(NEAR_E_SHUTDOWN);
    CHECK_NAME(NEAR_E_BUSY);
    CHECK_NAME(NEAR_E_CAPACITY);
    CHECK_NAME(NEAR_E_STALE);
    CHECK_NAME(NEAR_E_NO_DRIVER);
    CHECK_NAME(NEAR_E_NO_DEVICE);
    CHECK_NAME(NEAR_E_DEVICE);
    CHECK_NAME(NEAR_E_CUDA);
    CHECK_NAME(NEAR_E_FORKED);
    CHECK_NAME(NEAR_E_WRONG_THREAD);
    CHECK_NAME(NEAR_E_VERSION);
    CHECK_NAME(NEAR_E_INTERNAL);
    CHECK_NAME(NEAR_E_CANCELLED);
#undef CHECK_NAME
}

TEST(Status, WhatIsNoStatusIsUnknown) {
    for (const near_status status : {1, NEAR_E_CANCELLED - 1, INT32_MAX, INT32_MIN}) {
        EXPECT_STREQ(status_name(status), "unknown status");
        EXPECT_STREQ(status_text(status), "unknown status");
    }
}

TEST(Status, EveryLevelAndReasonHasANameOfItsOwn) {
    std::set<std::string> levels;
    for (int32_t level = NEAR_LEVEL_NONE; level <= NEAR_LEVEL_STRICT; level++) {
        EXPECT_TRUE(levels.insert(level_name(level)).second);
    }
    EXPECT_EQ(levels, (std::set<std::string>{"none", "best effort", "strict"}));
    std::set<std::string> reasons;
    for (int32_t reason = NEAR_REASON_NONE; reason <= NEAR_REASON_NOT_ASKED; reason++) {
        EXPECT_TRUE(reasons.insert(reason_name(reason)).second) << reason;
    }
    EXPECT_EQ(reasons.count("unknown"), 0U);
    EXPECT_STREQ(level_name(-1), "unknown");
    EXPECT_STREQ(level_name(3), "unknown");
    EXPECT_STREQ(reason_name(-1), "unknown");
    EXPECT_STREQ(reason_name(NEAR_REASON_NOT_ASKED + 1), "unknown");
}

TEST(Status, ReasonsAreNamedAsTheyAreNumbered) {
    EXPECT_STREQ(reason_name(NEAR_REASON_NOT_THIS_MACHINE), "not this machine");
    EXPECT_STREQ(reason_name(NEAR_REASON_FORBIDDEN), "forbidden");
    EXPECT_STREQ(reason_name(NEAR_REASON_NOT_FAULTED), "not faulted in");
    EXPECT_STREQ(reason_name(NEAR_REASON_ELSEWHERE), "elsewhere");
    EXPECT_STREQ(reason_name(NEAR_REASON_CANNOT_LOOK), "cannot look");
    EXPECT_STREQ(reason_name(NEAR_REASON_NO_CPUS), "no CPUs");
    EXPECT_STREQ(reason_name(NEAR_REASON_QUOTA), "CPU quota");
    EXPECT_STREQ(reason_name(NEAR_REASON_BALANCING), "NUMA balancing");
    EXPECT_STREQ(reason_name(NEAR_REASON_NOT_STARTED), "not started");
    EXPECT_STREQ(reason_name(NEAR_REASON_SYSTEM), "system call");
    EXPECT_STREQ(reason_name(NEAR_REASON_DRIVER), "driver");
    EXPECT_STREQ(reason_name(NEAR_REASON_NOT_LOCKED), "not locked");
    EXPECT_STREQ(reason_name(NEAR_REASON_NOT_ASKED), "not asked");
}

TEST(Status, EnforcementSaysItsLevelAndItsReason) {
    EXPECT_EQ(Enforcement::strict().level, NEAR_LEVEL_STRICT);
    const Enforcement some = Enforcement::best_effort(NEAR_REASON_SAMPLED, "every tenth");
    EXPECT_EQ(some.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(some.reason, NEAR_REASON_SAMPLED);
    EXPECT_EQ(some.text, "every tenth");
    EXPECT_EQ(Enforcement::none(NEAR_REASON_FILE, "").level, NEAR_LEVEL_NONE);
}

} // namespace
