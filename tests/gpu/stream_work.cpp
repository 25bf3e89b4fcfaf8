// SPDX-License-Identifier: Apache-2.0
// The work of streams: what is pending is not lent, waited for and continued on the CPU; captures; lost contexts.
#include "gpu/outcome.hpp"

#include <atomic>
#include <sstream>
#include <thread>

using namespace nearpool_gpu;
using nearpool_test::counts_of;
using nearpool_test::eventually;
using nearpool_test::give_it_time;

namespace {

class StreamWork : public Gpu {};
class StreamWorkScript : public FakeGpu {};

bool is_done(stream_pool *pool, uint64_t id) {
    uint32_t done = 77;
    Error error;
    EXPECT_EQ(stream_pool_query(pool, id, &done, &error), NEAR_OK) << error.message;
    return done == 1;
}

// How often, by the driver's log, it has answered so when it was asked about a stream.
int answers_to_query(CUstream stream, const std::string &answer) {
    std::ostringstream call;
    call << "cuStreamQuery(" << stream << ") = " << answer << "\n";
    const std::string log = fake()->log_text();
    int count = 0;
    for (std::size_t at = log.find(call.str()); at != std::string::npos; at = log.find(call.str(), at + 1)) {
        count++;
    }
    return count;
}

TEST_F(StreamWork, OfAnIdleStreamIsDone) {
    const Devices devices;
    const Streams pool(devices);
    const uint64_t id = pool.acquire();
    Error error;
    EXPECT_TRUE(is_done(pool, id));
    EXPECT_EQ(stream_pool_synchronize(pool, id, 0, &error), NEAR_OK) << error.message;
    EXPECT_EQ(stream_pool_synchronize(pool, id, NEAR_FOREVER, &error), NEAR_OK) << error.message;
    EXPECT_EQ(stream_pool_wait_on(pool, id, pool, id, &error), NEAR_OK) << error.message;
    EXPECT_EQ(stream_pool_wait_on(pool, id, pool, STREAM_POOL_DEFAULT, &error), NEAR_OK) << error.message;
    EXPECT_TRUE(is_done(pool, STREAM_POOL_DEFAULT));
    EXPECT_EQ(stream_pool_synchronize(pool, STREAM_POOL_DEFAULT, nearpool_test::long_enough_ns, &error), NEAR_OK)
        << error.message;
}

TEST_F(StreamWorkScript, PendingStreamsAreNotLentAgain) {
    const Devices devices;
    const Streams pool(devices, stream_options(2));
    const uint64_t first = pool.acquire();
    const uint64_t second = pool.acquire();
    const CUstream busy = pool.at(first);
    const CUstream idle = pool.at(second);
    ASSERT_EQ(fake()->hold(busy), 0);
    EXPECT_EQ(stream_pool_release(pool, first), NEAR_OK) << "without waiting";
    EXPECT_EQ(stream_pool_release(pool, second), NEAR_OK);
    EXPECT_EQ(pool.info().busy, 1U);
    EXPECT_EQ(pool.info().lent, 0U);
    fake()->log("memory");
    fake()->log_clear();
    const uint64_t lent = pool.acquire();
    EXPECT_EQ(pool.at(lent), idle);
    uint64_t id = 0;
    EXPECT_EQ(stream_pool_acquire(pool, &id), NEAR_E_CAPACITY);
    EXPECT_EQ(pool.info().busy, 1U);
    EXPECT_EQ(pool.info().lent, 1U);
    EXPECT_GT(answers_to_query(busy, "600"), 0) << "the driver was asked, and said that there is work";
    EXPECT_EQ(answers_to_query(busy, "0"), 0);
    ASSERT_EQ(fake()->let_go(busy), 0);
    ASSERT_TRUE(eventually([&] { return stream_pool_acquire(pool, &id) == NEAR_OK; }));
    EXPECT_EQ(pool.at(id), busy);
    EXPECT_EQ(answers_to_query(busy, "0"), 1) << "lent on the driver's word that the work is done";
}

TEST_F(StreamWorkScript, FourThreadsNeverGetAStreamAtWork) {
    const Devices devices;
    const Streams pool(devices, stream_options(4));
    std::vector<std::thread> threads;
    std::atomic<int> loans{0};
    std::atomic<int> wrong{0};
    for (int t = 0; t < 4; t++) {
        threads.emplace_back([&] {
            for (int i = 0; i < 200; i++) {
                uint64_t id = 0;
                const near_status status = stream_pool_acquire(pool, &id);
                if (status != NEAR_OK) {
                    wrong += status == NEAR_E_CAPACITY ? 0 : 1;
                    continue;
                }
                loans++;
                wrong += is_done(pool, id) ? 0 : 1; // nobody may have put work in it before us
                fake()->busy(pool.at(id), 20000);
                EXPECT_EQ(stream_pool_release(pool, id), NEAR_OK);
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_GT(loans, 0);
}

TEST_F(StreamWorkScript, IsWaitedForNoLongerThanAsked) {
    const Devices devices;
    const Streams pool(devices);
    const uint64_t id = pool.acquire();
    ASSERT_EQ(fake()->hold(pool.at(id)), 0);
    EXPECT_FALSE(is_done(pool, id));
    Error error;
    EXPECT_EQ(stream_pool_synchronize(pool, id, 0, &error), NEAR_E_TIMEOUT);
    EXPECT_EQ(stream_pool_synchronize(pool, id, 3 * NEAR_MS, &error), NEAR_E_TIMEOUT);
    EXPECT_TRUE(error.says("stream_pool_synchronize: the stream has work that 3000000 ns were not enough for"))
        << error.message;
    std::atomic<bool> waited{false};
    std::thread waiter([&] {
        EXPECT_EQ(stream_pool_synchronize(pool, id, NEAR_FOREVER, nullptr), NEAR_OK);
        waited = true;
    });
    std::thread timed(
        [&] { EXPECT_EQ(stream_pool_synchronize(pool, id, nearpool_test::long_enough_ns, nullptr), NEAR_OK); });
    give_it_time();
    EXPECT_FALSE(waited);
    ASSERT_EQ(fake()->let_go(pool.at(id)), 0);
    waiter.join();
    timed.join();
    EXPECT_TRUE(is_done(pool, id));
}

TEST_F(StreamWorkScript, WaitsOnAnotherStreamAlsoOfAnotherDevice) {
    const Devices devices;
    const Streams here(devices, stream_options(), 0);
    const Streams there(devices, stream_options(), 1);
    const uint64_t waiting = here.acquire();
    const uint64_t awaited = there.acquire();
    ASSERT_EQ(fake()->hold(there.at(awaited)), 0);
    Error error;
    ASSERT_EQ(stream_pool_wait_on(here, waiting, there, awaited, &error), NEAR_OK) << error.message;
    give_it_time();
    EXPECT_FALSE(is_done(here, waiting));
    ASSERT_EQ(fake()->let_go(there.at(awaited)), 0);
    EXPECT_TRUE(eventually([&] { return is_done(here, waiting); }));
}

TEST_F(StreamWork, OfACapturingStreamIsLeftAlone) {
    if (driver()->begin_capture == nullptr) {
        GTEST_SKIP() << "[capture] this driver cannot capture";
    }
    const Devices devices;
    const Streams pool(devices, stream_options(2));
    const uint64_t capturing = pool.acquire();
    const uint64_t other = pool.acquire();
    const CUstream stream = pool.at(capturing);
    const Pushed pushed(devices, 0);
    ASSERT_EQ(driver()->begin_capture(stream, 0), cuda_success); // global: other threads' unsafe calls would end it
    Error error;
    uint32_t done = 0;
    EXPECT_EQ(stream_pool_release(pool, capturing), NEAR_E_BUSY);
    EXPECT_EQ(stream_pool_query(pool, capturing, &done, &error), NEAR_E_BUSY) << error.message;
    EXPECT_EQ(stream_pool_synchronize(pool, capturing, 0, &error), NEAR_E_BUSY);
    EXPECT_EQ(stream_pool_wait_on(pool, other, pool, capturing, &error), NEAR_E_BUSY);
    EXPECT_EQ(stream_pool_wait_on(pool, capturing, pool, other, &error), NEAR_E_BUSY);
    EXPECT_EQ(pool.at(capturing), stream) << "it stays lent";
    void *graph = nullptr;
    EXPECT_EQ(driver()->end_capture(stream, &graph), cuda_success);
    EXPECT_EQ(driver()->graph_destroy(graph), cuda_success);
    EXPECT_EQ(stream_pool_release(pool, capturing), NEAR_OK);
}

TEST_F(StreamWork, EveryCallIsSafeWhileAnotherThreadCaptures) {
    if (driver()->begin_capture == nullptr) {
        GTEST_SKIP() << "[capture] this driver cannot capture";
    }
    const Devices devices;
    const Streams mine(devices, stream_options(1));
    const uint64_t capturing = mine.acquire();
    const Pushed pushed(devices, 0);
    ASSERT_EQ(driver()->begin_capture(mine.at(capturing), 0), cuda_success);
    std::thread([&] {
        const nearpool_test::Pool workers(1);
        Outcome outcome;
        const near_task task = outcome.task();
        Error error;
        const Streams pool(devices, stream_options(2));
        const uint64_t id = pool.acquire();
        const uint64_t other = pool.acquire();
        EXPECT_TRUE(is_done(pool, id));
        EXPECT_EQ(stream_pool_synchronize(pool, id, NEAR_FOREVER, &error), NEAR_OK) << error.message;
        EXPECT_EQ(stream_pool_wait_on(pool, id, pool, other, &error), NEAR_OK) << error.message;
        if (driver()->stream_add_callback != nullptr) {
            EXPECT_EQ(stream_pool_then_task(pool, id, workers, &task, nullptr, &error), NEAR_OK) << error.message;
            EXPECT_EQ(numa_pool_wait_idle(workers, NEAR_FOREVER, nullptr), NEAR_OK);
        }
        EXPECT_EQ(stream_pool_release(pool, id), NEAR_OK);
        EXPECT_TRUE(eventually([&] { return pool.info().busy == 0; }));
        EXPECT_NE(pool.acquire(), id);
    }).join();
    void *graph = nullptr;
    EXPECT_EQ(driver()->end_capture(mine.at(capturing), &graph), cuda_success) << "our calls have ended the capture";
    EXPECT_EQ(driver()->graph_destroy(graph), cuda_success);
}

} // namespace
