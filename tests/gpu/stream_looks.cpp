// SPDX-License-Identifier: Apache-2.0
// How many streams an acquire asks the driver about: those that may be free, the longest released first, a few while
// there is room for a new one, and all before it says that there is none.
#include "gpu/support.hpp"

#include <atomic>
#include <chrono>
#include <set>
#include <thread>

using namespace nearpool_gpu;

namespace {

class StreamLooks : public FakeGpu {};

// A pool of which so many streams are released with work that does not end by itself.
class BusyPool {
public:
    BusyPool(device_pool *devices, uint32_t max_streams, uint32_t busy) : pool_(devices, stream_options(max_streams)) {
        std::vector<uint64_t> ids;
        for (uint32_t i = 0; i < busy; i++) {
            ids.push_back(pool_.acquire());
            streams_.push_back(pool_.at(ids.back()));
            EXPECT_EQ(fake()->hold(streams_.back()), 0);
        }
        for (const uint64_t id : ids) {
            EXPECT_EQ(stream_pool_release(pool_, id), NEAR_OK);
        }
    }
    ~BusyPool() {
        for (CUstream stream : streams_) {
            fake()->let_go(stream);
        }
    }
    BusyPool(const BusyPool &) = delete;
    BusyPool &operator=(const BusyPool &) = delete;
    const Streams &pool() const { return pool_; }
    const std::vector<CUstream> &streams() const { return streams_; }

private:
    Streams pool_;
    std::vector<CUstream> streams_;
};

// Ends the work that does not end by itself, and waits until the driver knows.
void end_work(device_pool *devices, CUstream stream) {
    const Pushed pushed(devices, 0);
    EXPECT_EQ(fake()->let_go(stream), 0);
    EXPECT_EQ(driver()->stream_synchronize(stream), cuda_success);
}

// What an acquire answers, and how often it asked the driver whether a stream is done.
struct Asked {
    near_status status;
    uint64_t queries;
    uint64_t id = 0;
};
Asked acquire(const Streams &pool) {
    const uint64_t before = fake()->calls("cuStreamQuery");
    uint64_t id = 0;
    const near_status status = stream_pool_acquire(pool, &id);
    return {status, fake()->calls("cuStreamQuery") - before, id};
}

TEST_F(StreamLooks, AreAsFewInAFullPoolWhateverItsSize) {
    const Devices devices;
    for (const uint32_t size : {1U, 16U, 100U, 1000U}) {
        const Streams pool(devices, stream_options(size));
        const uint64_t before = fake()->calls("*");
        for (uint32_t i = 0; i < size; i++) {
            pool.acquire();
        }
        EXPECT_EQ(fake()->calls("cuStreamQuery"), 0U) << "nothing was released";
        EXPECT_LE(fake()->calls("*") - before, size * uint64_t{6}) << "to fill it";
        const Asked refused = acquire(pool);
        EXPECT_EQ(refused.status, NEAR_E_CAPACITY);
        EXPECT_EQ(refused.queries, 0U);
    }
}

TEST_F(StreamLooks, AreAFewWhileThereIsRoomHoweverManyAreAtWork) {
    const Devices devices;
    for (const uint32_t busy : {48U, 100U, 400U}) {
        const BusyPool busy_pool(devices, busy * 2, busy);
        const Streams &pool = busy_pool.pool();
        const Asked asked = acquire(pool);
        EXPECT_EQ(asked.status, NEAR_OK);
        EXPECT_LE(asked.queries, 46U);
        EXPECT_EQ(pool.info().made, busy + 1) << "a new one";
        EXPECT_EQ(pool.info().busy, busy);
    }
}

// The queue turns: a stream that is done is found soon, also behind many that are not, and no others are made for ever.
TEST_F(StreamLooks, ComeRoundToAStreamThatIsDoneWhileOthersAreAtWork) {
    const Devices devices;
    constexpr uint32_t busy = 200;
    const BusyPool busy_pool(devices, 1000, busy);
    CUstream done = busy_pool.streams()[busy / 2];
    end_work(devices, done);
    bool found = false;
    for (uint32_t acquires = 0; acquires < busy && !found; acquires++) {
        found = busy_pool.pool().at(busy_pool.pool().acquire()) == done;
    }
    EXPECT_TRUE(found);
}

TEST_F(StreamLooks, AreAtEachBeforeItIsSaidThatThereIsNone) {
    const Devices devices;
    constexpr uint32_t size = 300;
    const BusyPool busy_pool(devices, size, size);
    const Streams &pool = busy_pool.pool();
    const Asked refused = acquire(pool);
    EXPECT_EQ(refused.status, NEAR_E_CAPACITY);
    EXPECT_GE(refused.queries, size) << "each, for any of them may be done";
    EXPECT_LE(refused.queries, 2 * size);
    for (const uint32_t which : {0U, 150U, 299U, 17U}) { // wherever it waits
        end_work(devices, busy_pool.streams()[which]);
        const Asked asked = acquire(pool);
        EXPECT_EQ(asked.status, NEAR_OK) << which;
        EXPECT_EQ(pool.at(asked.id), busy_pool.streams()[which]);
    }
    EXPECT_EQ(acquire(pool).status, NEAR_E_CAPACITY);
    EXPECT_EQ(pool.info().busy, size - 4);
}

TEST_F(StreamLooks, AreAtTheLongestReleasedFirst) {
    const Devices devices;
    const Streams pool(devices, stream_options(1000)); // so that all of them are one thread's own
    std::vector<uint64_t> ids;
    std::vector<CUstream> order;
    for (int i = 0; i < 5; i++) {
        ids.push_back(pool.acquire());
    }
    for (const std::size_t next : {2U, 0U, 4U, 1U, 3U}) {
        order.push_back(pool.at(ids[next]));
        EXPECT_EQ(stream_pool_release(pool, ids[next]), NEAR_OK);
    }
    for (CUstream stream : order) {
        const Asked asked = acquire(pool);
        EXPECT_EQ(pool.at(asked.id), stream);
        EXPECT_EQ(asked.queries, 1U);
    }
}

// Whichever call of the driver fails, once: no place is lost, none is lent twice, and what is refused can be had next.
TEST_F(StreamLooks, SurviveTheFailureOfEachCallOfTheDriver) {
    const Devices devices;
    constexpr uint32_t size = 3;
    const auto use = [](const Streams &pool) {
        int refused = 0;
        for (uint32_t turn = 0; turn < 2 * size; turn++) {
            uint64_t id = 0;
            const bool lent = stream_pool_acquire(pool, &id) == NEAR_OK;
            refused += lent ? 0 : 1;
            if (lent && turn % 2 == 0) {
                EXPECT_EQ(stream_pool_release(pool, id), NEAR_OK);
            }
        }
        return refused;
    };
    uint64_t calls = fake()->steps();
    EXPECT_EQ(use(Streams(devices, stream_options(size))), 0);
    calls = fake()->steps() - calls;
    int refused = 0;
    for (uint64_t n = 1; n <= calls; n++) {
        const Streams pool(devices, stream_options(size));
        fake()->fail("*", n, 2, 0);
        refused += use(pool);
        fake()->fail("*", 0, 0, 0);
        std::set<CUstream> streams;
        uint32_t lent = pool.info().lent;
        for (uint64_t id = 0; stream_pool_acquire(pool, &id) == NEAR_OK; lent++) {
            EXPECT_TRUE(streams.insert(pool.at(id)).second) << n;
        }
        EXPECT_EQ(lent, size) << "after failure " << n;
        EXPECT_EQ(pool.info().made, size) << "after failure " << n;
    }
    EXPECT_GT(refused, 3);
}

// A stream that another thread looks at is not yet known to be free, nor to be none: an acquire waits for that a while.
// Ten tries, for when this machine stops a thread for longer than that.
TEST_F(StreamLooks, OfOthersAreWaitedForBeforeItIsSaidThatThereIsNone) {
    const Devices devices;
    const Streams pool(devices, stream_options(1));
    EXPECT_EQ(stream_pool_release(pool, pool.acquire()), NEAR_OK);
    int lent = 0;
    for (int turn = 0; turn < 10; turn++) {
        fake()->gate("cuStreamQuery", 1);
        std::thread other([&] { pool.info(); }); // takes the stream, and asks
        ASSERT_TRUE(nearpool_test::eventually([] { return fake()->gate_waiting("cuStreamQuery") == 1; }));
        const uint64_t before = fake()->calls("cuThreadExchangeStreamCaptureMode");
        std::thread acquires([&] {
            uint64_t id = 0;
            if (stream_pool_acquire(pool, &id) == NEAR_OK) {
                lent++;
                EXPECT_EQ(stream_pool_release(pool, id), NEAR_OK);
            }
        });
        while (fake()->calls("cuThreadExchangeStreamCaptureMode") == before) {
            std::this_thread::yield();
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1)); // it has found nothing
        fake()->gate("cuStreamQuery", 0);
        other.join();
        acquires.join();
    }
    EXPECT_GE(lent, 5);
}

// As many threads as streams, each with one at most: there is always one for whoever asks, whatever others look at.
TEST_F(StreamLooks, NeverRefuseAThreadWhileFewerHoldStreamsThanThereAre) {
    const Devices devices;
    constexpr uint32_t size = 4;
    const Streams pool(devices, stream_options(size));
    std::atomic<bool> stop{false};
    std::atomic<int> refused{0};
    std::vector<std::thread> threads;
    for (uint32_t i = 0; i < size; i++) {
        threads.emplace_back([&] {
            for (int turn = 0; turn < 2000; turn++) {
                uint64_t id = 0;
                if (stream_pool_acquire(pool, &id) != NEAR_OK) {
                    refused++;
                } else {
                    EXPECT_EQ(stream_pool_release(pool, id), NEAR_OK);
                }
            }
        });
    }
    std::thread counting([&] {
        while (!stop) {
            EXPECT_LE(pool.info().lent, size);
        }
    });
    for (std::thread &thread : threads) {
        thread.join();
    }
    stop = true;
    counting.join();
    EXPECT_EQ(refused, 0);
    EXPECT_EQ(pool.info().lent, 0U);
    EXPECT_LE(pool.info().made, size);
}

} // namespace
