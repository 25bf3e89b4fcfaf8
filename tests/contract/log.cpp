// SPDX-License-Identifier: Apache-2.0
// The log callback, as a caller sees it. The sink's inner rules are in tests/unit/base/log.cpp.
#include "contract/numa_pool_support.hpp"

using namespace nearpool_test;

namespace {

struct Sink {
    std::mutex mutex;
    std::vector<std::pair<int32_t, std::string>> messages;
    near_status nested = NEAR_OK;

    static void take(int32_t level, const char *message, void *user_data) {
        auto *sink = static_cast<Sink *>(user_data);
        const near_status nested = near_log_set_callback(nullptr, nullptr, NEAR_LOG_NONE);
        const std::lock_guard<std::mutex> lock(sink->mutex);
        sink->messages.emplace_back(level, message);
        sink->nested = nested;
    }
    std::size_t count() {
        const std::lock_guard<std::mutex> lock(mutex);
        return messages.size();
    }
};

class Logging : public testing::Test {
protected:
    void TearDown() override { ASSERT_EQ(near_log_set_callback(nullptr, nullptr, NEAR_LOG_NONE), NEAR_OK); }

    // Something that says what it did at NEAR_LOG_DEBUG.
    static void make_a_region_and_a_pool() {
        const Pool pool(1);
        near_region *region = nullptr;
        ASSERT_EQ(numa_pool_alloc(pool, NUMA_POOL_NODE_LOCAL, 4096, nullptr, &region, nullptr), NEAR_OK);
        near_region_destroy(region);
    }
};

TEST_F(Logging, ACallbackGetsWholeLinesAtItsLevel) {
    Sink sink;
    ASSERT_EQ(near_log_set_callback(Sink::take, &sink, NEAR_LOG_DEBUG), NEAR_OK);
    make_a_region_and_a_pool();
    ASSERT_EQ(near_log_set_callback(nullptr, nullptr, NEAR_LOG_NONE), NEAR_OK);
    ASSERT_GE(sink.count(), 1U);
    for (const auto &[level, message] : sink.messages) {
        EXPECT_GE(level, NEAR_LOG_ERROR);
        EXPECT_LE(level, NEAR_LOG_DEBUG);
        EXPECT_FALSE(message.empty());
        EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
    EXPECT_EQ(sink.nested, NEAR_E_BUSY) << "from inside the callback";
    const std::size_t before = sink.count();
    make_a_region_and_a_pool();
    EXPECT_EQ(sink.count(), before) << "called after it was taken away";
}

TEST_F(Logging, ASilentCallbackIsNotCalled) {
    Sink sink;
    ASSERT_EQ(near_log_set_callback(Sink::take, &sink, NEAR_LOG_NONE), NEAR_OK);
    make_a_region_and_a_pool();
    EXPECT_EQ(sink.count(), 0U);
}

TEST_F(Logging, AnUnknownLevelIsInvalid) {
    Sink sink;
    for (const int32_t level : {-1, 5, INT32_MAX}) {
        EXPECT_EQ(near_log_set_callback(Sink::take, &sink, level), NEAR_E_INVALID);
    }
    make_a_region_and_a_pool();
    EXPECT_EQ(sink.count(), 0U) << "a refused callback was kept";
}

TEST_F(Logging, LevelsHaveNames) {
    EXPECT_STREQ(near_log_level_name(NEAR_LOG_NONE), "none");
    EXPECT_STREQ(near_log_level_name(NEAR_LOG_ERROR), "error");
    EXPECT_STREQ(near_log_level_name(NEAR_LOG_WARN), "warn");
    EXPECT_STREQ(near_log_level_name(NEAR_LOG_INFO), "info");
    EXPECT_STREQ(near_log_level_name(NEAR_LOG_DEBUG), "debug");
    EXPECT_STREQ(near_log_level_name(9), "unknown");
}

} // namespace
