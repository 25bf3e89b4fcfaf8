// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include "support/limits.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace nearpool;

namespace {

struct Received {
    std::mutex mutex;
    std::vector<std::pair<int32_t, std::string>> messages;

    static void take(int32_t level, const char *message, void *user_data) {
        auto *received = static_cast<Received *>(user_data);
        const std::lock_guard<std::mutex> lock(received->mutex);
        received->messages.emplace_back(level, message);
    }
};

class Log : public testing::Test {
protected:
    void TearDown() override {
        ::unsetenv("NEARPOOL_LOG");
        ASSERT_EQ(NEAR_OK, set_log_callback(nullptr, nullptr, NEAR_LOG_NONE));
    }
    // The variable is read when the callback goes.
    static void use_environment(const char *level) {
        ::setenv("NEARPOOL_LOG", level, 1);
        ASSERT_EQ(NEAR_OK, set_log_callback(nullptr, nullptr, NEAR_LOG_NONE));
    }
};

TEST_F(Log, ACallbackGetsItsLevelAndWhatIsMoreImportant) {
    Received received;
    ASSERT_EQ(NEAR_OK, set_log_callback(Received::take, &received, NEAR_LOG_WARN));
    log(NEAR_LOG_ERROR, "lost %d", 1);
    log(NEAR_LOG_WARN, "elsewhere %s", "node 3");
    log(NEAR_LOG_INFO, "not this");
    log(NEAR_LOG_DEBUG, "nor this");
    ASSERT_EQ(received.messages.size(), 2U);
    EXPECT_EQ(received.messages[0], std::make_pair(int32_t{NEAR_LOG_ERROR}, std::string("lost 1")));
    EXPECT_EQ(received.messages[1], std::make_pair(int32_t{NEAR_LOG_WARN}, std::string("elsewhere node 3")));
    EXPECT_TRUE(log_enabled(NEAR_LOG_WARN));
    EXPECT_FALSE(log_enabled(NEAR_LOG_INFO));
}

TEST_F(Log, LevelNoneSilencesACallback) {
    Received received;
    ASSERT_EQ(NEAR_OK, set_log_callback(Received::take, &received, NEAR_LOG_NONE));
    log(NEAR_LOG_ERROR, "no");
    EXPECT_TRUE(received.messages.empty());
}

TEST_F(Log, WithoutACallbackTheEnvironmentNamesTheLevel) {
    use_environment("warn");
    testing::internal::CaptureStderr();
    log(NEAR_LOG_WARN, "to the left");
    log(NEAR_LOG_INFO, "no");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "nearpool: warn: to the left\n");
}

TEST_F(Log, WithoutTheVariableThereIsSilence) {
    testing::internal::CaptureStderr();
    ::unsetenv("NEARPOOL_LOG");
    ASSERT_EQ(NEAR_OK, set_log_callback(nullptr, nullptr, NEAR_LOG_DEBUG));
    log(NEAR_LOG_ERROR, "no");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(Log, AWrongLevelInTheEnvironmentIsSaid) {
    testing::internal::CaptureStderr();
    use_environment("loud");
    log(NEAR_LOG_ERROR, "no");
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find("NEARPOOL_LOG=loud"), std::string::npos) << said;
    EXPECT_EQ(said.find("no\n"), std::string::npos) << said;
}

TEST_F(Log, ALevelThatIsNoneIsInvalid) {
    for (const int32_t level : {-1, NEAR_LOG_DEBUG + 1}) {
        EXPECT_EQ(set_log_callback(Received::take, nullptr, level), NEAR_E_INVALID);
    }
}

TEST_F(Log, LevelsHaveNames) {
    EXPECT_STREQ(log_level_name(NEAR_LOG_NONE), "none");
    EXPECT_STREQ(log_level_name(NEAR_LOG_ERROR), "error");
    EXPECT_STREQ(log_level_name(NEAR_LOG_WARN), "warn");
    EXPECT_STREQ(log_level_name(NEAR_LOG_INFO), "info");
    EXPECT_STREQ(log_level_name(NEAR_LOG_DEBUG), "debug");
    EXPECT_STREQ(log_level_name(-1), "unknown");
    EXPECT_STREQ(log_level_name(5), "unknown");
}

struct Nested {
    int calls = 0;
    near_status changed = NEAR_OK;
};

TEST_F(Log, InsideTheCallbackNothingIsSentAndNothingCanBeChanged) {
    Nested nested;
    const near_log_fn callback = [](int32_t, const char *, void *user_data) {
        auto *seen = static_cast<Nested *>(user_data);
        seen->calls++;
        log(NEAR_LOG_ERROR, "from inside");
        seen->changed = set_log_callback(nullptr, nullptr, NEAR_LOG_NONE);
    };
    ASSERT_EQ(NEAR_OK, set_log_callback(callback, &nested, NEAR_LOG_DEBUG));
    log(NEAR_LOG_ERROR, "outer");
    EXPECT_EQ(nested.calls, 1);
    EXPECT_EQ(nested.changed, NEAR_E_BUSY);
    log(NEAR_LOG_ERROR, "again");
    EXPECT_EQ(nested.calls, 2) << "a message from inside left the thread silent";
}

struct Gate {
    std::atomic<bool> entered{false};
    std::atomic<bool> open{false};
    std::atomic<bool> left{false};

    static void hold(int32_t, const char *, void *user_data) {
        auto *gate = static_cast<Gate *>(user_data);
        gate->entered = true;
        while (!gate->open) {
            std::this_thread::yield();
        }
        gate->left = true;
    }
    void wait_until_entered() const {
        while (!entered) {
            std::this_thread::yield();
        }
    }
};

TEST_F(Log, WhenACallbackIsReplacedItIsNoLongerRunning) {
    Gate gate;
    ASSERT_EQ(NEAR_OK, set_log_callback(Gate::hold, &gate, NEAR_LOG_ERROR));
    std::thread sender([] { log(NEAR_LOG_ERROR, "slow"); });
    gate.wait_until_entered();
    std::atomic<bool> replaced{false};
    bool had_left = false;
    std::thread replacer([&] {
        static_cast<void>(set_log_callback(nullptr, nullptr, NEAR_LOG_NONE));
        had_left = gate.left;
        replaced = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20)); // time to be wrong in
    EXPECT_FALSE(replaced);
    gate.open = true;
    replacer.join();
    sender.join();
    EXPECT_TRUE(had_left);
}

// A message that was on its way when its receiver was replaced goes by what is wanted now.
TEST_F(Log, NoMessageReachesWhoDidNotAskForIt) {
    ::setenv("NEARPOOL_LOG", "none", 1);
    std::atomic<bool> stop{false};
    std::vector<std::thread> senders;
    std::atomic<int> sent{0};
    for (int i = 0; i < 3; i++) {
        senders.emplace_back([&] {
            while (!stop) {
                log(NEAR_LOG_INFO, "%*s", 20000, "on its way for a while"); // as long as it takes to write the line
                sent++;
            }
        });
    }
    testing::internal::CaptureStderr();
    const near_log_fn all = [](int32_t, const char *, void *) {};
    const near_log_fn errors = [](int32_t, const char *, void *count) { ++*static_cast<std::atomic<int> *>(count); };
    std::atomic<int> unasked{0};
    while (sent < 20000) {
        EXPECT_EQ(set_log_callback(all, nullptr, NEAR_LOG_INFO), NEAR_OK);
        EXPECT_EQ(set_log_callback(errors, &unasked, NEAR_LOG_ERROR), NEAR_OK);
        EXPECT_EQ(set_log_callback(all, nullptr, NEAR_LOG_INFO), NEAR_OK);
        EXPECT_EQ(set_log_callback(nullptr, nullptr, NEAR_LOG_NONE), NEAR_OK);
    }
    stop = true;
    for (std::thread &sender : senders) {
        sender.join();
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr().size(), 0U) << "with NEARPOOL_LOG=none";
    EXPECT_EQ(unasked, 0) << "messages below the level of their receiver";
}

TEST_F(Log, AChildForkedWhileAMessageIsDeliveredCanLog) {
    Gate gate;
    ASSERT_EQ(NEAR_OK, set_log_callback(Gate::hold, &gate, NEAR_LOG_ERROR));
    std::thread sender([] { log(NEAR_LOG_ERROR, "slow"); });
    gate.wait_until_entered();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        nearpool_test::limit_this_process(); // a lock that is still held would hang
        Received received;
        const bool set = set_log_callback(Received::take, &received, NEAR_LOG_ERROR) == NEAR_OK;
        log(NEAR_LOG_ERROR, "in the child");
        ::_exit(set && received.messages.size() == 1 ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    gate.open = true;
    sender.join();
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "wait status " << status;
}

} // namespace
