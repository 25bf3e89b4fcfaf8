// SPDX-License-Identifier: Apache-2.0
// A process that ends with page-locked memory: nothing of ours is called at its end, and nothing that is still at work
// hinders it.
#include "gpu/pinned_play.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

using namespace nearpool_gpu;
using nearpool_test::Alone;
using nearpool_test::Pool;

namespace {

constexpr const char *log_variable = "NEARPOOL_TEST_EXIT_LOG";

// AddressSanitizer takes what such a process leaves for leaks: its children are told not to look, as long as this
// lives.
class NoLeakCheck {
public:
    NoLeakCheck() : known_(std::getenv(variable) != nullptr), before_(known_ ? std::getenv(variable) : "") {
        ::setenv(variable, (before_ + ":detect_leaks=0").c_str(), 1);
    }
    NoLeakCheck(const NoLeakCheck &) = delete;
    NoLeakCheck &operator=(const NoLeakCheck &) = delete;
    ~NoLeakCheck() { known_ ? ::setenv(variable, before_.c_str(), 1) : ::unsetenv(variable); }

private:
    static constexpr const char *variable = "ASAN_OPTIONS";
    const bool known_;
    const std::string before_;
};

// Runs one of the programs below to its end. What it called of the driver after its main had returned.
void expect_quiet_end(const char *program) {
    if (fake() == nullptr) {
        GTEST_SKIP() << "[fake-driver] needs the fake driver";
    }
    const std::string path = testing::TempDir() + "nearpool-exit-" + std::to_string(::getpid());
    ::setenv(log_variable, path.c_str(), 1);
    const NoLeakCheck no_leak_check;
    const Alone alone(program);
    ::unsetenv(log_variable);
    std::ostringstream late;
    {
        std::ifstream file(path);
        ASSERT_TRUE(file.is_open()) << "main never returned: " << alone.output();
        late << file.rdbuf();
    }
    std::filesystem::remove(path);
    EXPECT_EQ(alone.status(), 0) << alone.output();
    EXPECT_EQ(late.str(), "begin\n") << "calls after main";
}

// First of all handlers, being the last to be registered: from now on calls are written down.
void log_from_now_on() {
    const char *path = std::getenv(log_variable);
    std::ofstream(path) << "begin\n";
    fake()->log(path);
}

// Of a process that is about to end with all that it has.
struct Ending {
    device_pool *devices = nullptr;
    numa_pool *workers = nullptr;
    near_pinned *live = nullptr;
};

Ending *begin() {
    auto *ending = new Ending; // never freed
    EXPECT_EQ(fake()->reset(R"({"leak_check":false})", 0), nullptr);
    EXPECT_EQ(driver()->init(0), cuda_success);
    EXPECT_EQ(device_pool_create(nullptr, &ending->devices, nullptr), NEAR_OK);
    const numa_pool_options options = nearpool_test::options_for(nullptr);
    EXPECT_EQ(numa_pool_create(&options, &ending->workers, nullptr), NEAR_OK);
    EXPECT_EQ(numa_pool_alloc_pinned(ending->workers, ending->devices, 0, mib, nullptr, &ending->live, nullptr),
              NEAR_OK);
    EXPECT_EQ(std::atexit(log_from_now_on), 0);
    return ending;
}

// What is live belongs to a stream that does not come to its end.
void free_after_held_stream(Ending *ending) {
    stream_pool *streams = nullptr;
    uint64_t id = 0;
    void *stream = nullptr;
    ASSERT_EQ(stream_pool_create(ending->devices, 0, nullptr, &streams, nullptr), NEAR_OK);
    ASSERT_EQ(stream_pool_acquire(streams, &id), NEAR_OK);
    ASSERT_EQ(stream_pool_resolve(streams, id, &stream), NEAR_OK);
    ASSERT_EQ(fake()->hold(stream), 0);
    ASSERT_EQ(near_pinned_free_after(ending->live, streams, id), NEAR_OK);
}

TEST(PinnedExit, WithLiveAndIdleMemory) {
    expect_quiet_end("DISABLED_PinnedExit.LiveAndIdle");
}
TEST(DISABLED_PinnedExit, LiveAndIdle) {
    Ending *ending = begin();
    Pinned(ending->workers, ending->devices, 5 * mib, base_pages()).free();
    EXPECT_GT(pinned_stats(ending->workers, ending->devices).idle_bytes, 0U);
}

TEST(PinnedExit, WithMemoryThatWaitsForAStream) {
    expect_quiet_end("DISABLED_PinnedExit.Waiting");
}
TEST(DISABLED_PinnedExit, Waiting) {
    free_after_held_stream(begin());
}

// Whoever destroys the pool is not held up for ever, and memory that may be in use is not taken away.
TEST(PinnedExit, WithMemoryOfWhichTheDriverNeverSaysThatItsStreamHasPassed) {
    expect_quiet_end("DISABLED_PinnedExit.NeverAnswered");
}
TEST(DISABLED_PinnedExit, NeverAnswered) {
    Ending *ending = begin();
    auto *data = static_cast<char *>(near_pinned_data(ending->live));
    free_after_held_stream(ending);
    fake()->fail("cuEventQuery", 1, 999, 1);
    Log log;
    numa_pool_destroy(ending->workers);
    EXPECT_TRUE(log.says("still use 1 blocks, 1048576 page-locked bytes: they stay")) << log.text();
    EXPECT_EQ(fake()->calls("cuMemHostUnregister"), 0U);
    std::memset(data, 1, mib);
}

// One is held up in the driver, and one by the first.
TEST(PinnedExit, WithRequestsInFlight) {
    expect_quiet_end("DISABLED_PinnedExit.InFlight");
}
TEST(DISABLED_PinnedExit, InFlight) {
    Ending *ending = begin();
    fake()->gate(registering, 1);
    const near_pinned_options alone = pinned_options(0, NEAR_PINNED_NO_CACHE);
    for (int i = 0; i < 6; i++) {
        near_pinned_request *request = nullptr;
        ASSERT_EQ(numa_pool_request_pinned(ending->workers, ending->devices, 0, mib, &alone, &request, nullptr),
                  NEAR_OK);
    }
    ASSERT_TRUE(nearpool_test::eventually([] { return fake()->gate_waiting(registering) >= 1; }));
}

} // namespace
