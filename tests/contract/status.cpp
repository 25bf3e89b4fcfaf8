// SPDX-License-Identifier: Apache-2.0
// Names, texts and the version, as a caller gets them.
#include <nearpool/nearpool.h>

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace {

// F13.
TEST(StatusNames, AreThereForEveryStatusAndForNoOther) {
    std::set<std::string> names;
    std::set<std::string> texts;
    for (near_status status = NEAR_OK; status >= NEAR_E_CANCELLED; status--) {
        EXPECT_TRUE(names.insert(near_status_name(status)).second) << status;
        EXPECT_TRUE(texts.insert(near_status_text(status)).second) << status;
    }
    EXPECT_STREQ(near_status_name(NEAR_OK), "NEAR_OK");
    EXPECT_STREQ(near_status_name(NEAR_E_NO_NODE), "NEAR_E_NO_NODE");
    EXPECT_STREQ(near_status_text(NEAR_E_NO_NODE), "there is no such NUMA node");
    EXPECT_STREQ(near_status_name(NEAR_E_INTERNAL), "NEAR_E_INTERNAL");
    EXPECT_STREQ(near_status_name(NEAR_E_CANCELLED), "NEAR_E_CANCELLED");
    for (const near_status status : {1, NEAR_E_CANCELLED - 1, INT32_MIN, INT32_MAX}) {
        EXPECT_STREQ(near_status_name(status), "unknown status");
        EXPECT_STREQ(near_status_text(status), "unknown status");
    }
}

TEST(StatusNames, LevelsAndReasonsHaveThemToo) {
    EXPECT_STREQ(near_level_name(NEAR_LEVEL_NONE), "none");
    EXPECT_STREQ(near_level_name(NEAR_LEVEL_BEST_EFFORT), "best effort");
    EXPECT_STREQ(near_level_name(NEAR_LEVEL_STRICT), "strict");
    EXPECT_STREQ(near_level_name(3), "unknown");
    EXPECT_STREQ(near_level_name(-1), "unknown");
    std::set<std::string> reasons;
    for (int32_t reason = NEAR_REASON_NONE; reason <= NEAR_REASON_NOT_ASKED; reason++) {
        EXPECT_TRUE(reasons.insert(near_reason_name(reason)).second) << reason;
    }
    EXPECT_STREQ(near_reason_name(NEAR_REASON_NOT_FAULTED), "not faulted in");
    EXPECT_STREQ(near_reason_name(NEAR_REASON_NOT_ASKED + 1), "unknown");
    EXPECT_STREQ(near_reason_name(-1), "unknown");
}

TEST(Version, IsThatOfTheHeaders) {
    EXPECT_EQ(near_version(), NEAR_VERSION_MAJOR * 1000000U + NEAR_VERSION_MINOR * 1000U + NEAR_VERSION_PATCH);
}

} // namespace
