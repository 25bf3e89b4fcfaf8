// SPDX-License-Identifier: Apache-2.0
// Lending streams: distinct, bounded, given back, never lent while they work, under ids that end.
#include "gpu/support.hpp"

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

using namespace nearpool_gpu;

namespace {

class StreamPool : public Gpu {};
class StreamPoolScript : public FakeGpu {};

near_status create_with(device_pool *devices, const stream_pool_options &options, Error &error, int32_t ordinal = 0) {
    stream_pool *pool = nullptr;
    const near_status status = stream_pool_create(devices, ordinal, &options, &pool, &error);
    EXPECT_EQ(pool != nullptr, status == NEAR_OK);
    stream_pool_destroy(pool);
    return status;
}

CUcontext context_of(device_pool *devices, CUstream stream) {
    const Pushed pushed(devices, 0);
    CUcontext context = nullptr;
    EXPECT_EQ(driver()->stream_get_ctx(stream, &context), cuda_success);
    return context;
}

TEST_F(StreamPool, LendsDistinctStreamsOfItsDeviceUnderDistinctIds) {
    Devices devices;
    const Streams pool(devices, stream_options(4));
    EXPECT_EQ(pool.info().made, 0U) << "streams are made when they are needed";
    std::set<uint64_t> ids;
    std::set<CUstream> streams;
    for (int i = 0; i < 4; i++) {
        const uint64_t id = pool.acquire();
        EXPECT_NE(id, STREAM_POOL_DEFAULT);
        ids.insert(id);
        streams.insert(pool.at(id));
        EXPECT_EQ(context_of(devices, pool.at(id)), devices.context(0));
    }
    EXPECT_EQ(ids.size(), 4U);
    EXPECT_EQ(streams.size(), 4U);
    EXPECT_EQ(streams.count(nullptr), 0U);
    EXPECT_EQ(pool.info().made, 4U);
    EXPECT_EQ(pool.info().lent, 4U);
    EXPECT_EQ(pool.info().max_streams, 4U);
    EXPECT_EQ(pool.info().ordinal, 0);
}

TEST_F(StreamPool, AtCapacityItSaysSoAndNeverLendsTheDefaultStream) {
    const Devices devices;
    const Streams pool(devices, stream_options(2));
    const uint64_t first = pool.acquire();
    const uint64_t second = pool.acquire();
    uint64_t id = 77;
    EXPECT_EQ(stream_pool_acquire(pool, &id), NEAR_E_CAPACITY);
    EXPECT_EQ(id, 77U);
    EXPECT_EQ(pool.info().lent, 2U);
    void *stream = &id;
    EXPECT_EQ(stream_pool_resolve(pool, STREAM_POOL_DEFAULT, &stream), NEAR_OK);
    EXPECT_EQ(stream, nullptr);
    EXPECT_EQ(pool.info().lent, 2U);
    EXPECT_EQ(stream_pool_release(pool, STREAM_POOL_DEFAULT), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_release(pool, first), NEAR_OK);
    const uint64_t third = pool.acquire();
    EXPECT_NE(third, first);
    EXPECT_EQ(pool.info().made, 2U);
    EXPECT_EQ(stream_pool_release(pool, second), NEAR_OK);
    EXPECT_EQ(stream_pool_release(pool, third), NEAR_OK);
}

TEST_F(StreamPool, AnEndedUnknownOrForeignIdIsStale) {
    const Devices devices;
    const Streams pool(devices, stream_options(2));
    const Streams other(devices, stream_options(2));
    const uint64_t ended = pool.acquire();
    EXPECT_EQ(stream_pool_release(pool, ended), NEAR_OK);
    const uint64_t again = pool.acquire();
    const uint64_t foreign = other.acquire();
    for (const uint64_t id :
         {ended, foreign, uint64_t{1}, uint64_t{2}, uint64_t{3}, UINT64_MAX, again + 1, again + 65536}) {
        uint32_t done = 77;
        void *stream = &done;
        Error error;
        EXPECT_EQ(stream_pool_resolve(pool, id, &stream), NEAR_E_STALE) << id;
        EXPECT_EQ(stream, &done);
        EXPECT_EQ(stream_pool_release(pool, id), NEAR_E_STALE) << id;
        EXPECT_EQ(stream_pool_reserve(pool, id, 1), NEAR_E_STALE) << id;
        EXPECT_EQ(stream_pool_unreserve(pool, id, 0), NEAR_E_STALE) << id;
        EXPECT_EQ(stream_pool_query(pool, id, &done, &error), NEAR_E_STALE) << id;
        EXPECT_TRUE(error.says("stream_pool_query: no stream of this pool is lent under id ")) << error.message;
        EXPECT_EQ(stream_pool_synchronize(pool, id, 0, &error), NEAR_E_STALE) << id;
        EXPECT_EQ(stream_pool_wait_on(pool, again, pool, id, &error), NEAR_E_STALE) << id;
        EXPECT_EQ(stream_pool_wait_on(pool, id, pool, again, &error), NEAR_E_STALE) << id;
        EXPECT_EQ(done, 77U);
    }
    EXPECT_EQ(stream_pool_release(pool, again), NEAR_OK);
    EXPECT_EQ(stream_pool_release(pool, again), NEAR_E_STALE);
}

TEST_F(StreamPool, BadOptionsAndParametersAreRefused) {
    const Devices devices;
    Error error;
    EXPECT_EQ(create_with(devices, stream_options(0, 3), error), NEAR_E_INVALID);
    EXPECT_EQ(create_with(devices, stream_options(0, -1), error), NEAR_E_INVALID);
    EXPECT_EQ(create_with(devices, stream_options(65537), error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("max_streams is 65537; it must be at most 65536")) << error.message;
    stream_pool_options options = stream_options();
    options.max_leases = 4;
    EXPECT_EQ(create_with(devices, options, error), NEAR_E_INVALID);
    options = stream_options(0, STREAM_POOL_SHARED);
    options.max_leases = 65537;
    EXPECT_EQ(create_with(devices, options, error), NEAR_E_INVALID);
    options = stream_options();
    options.reserved = 1;
    EXPECT_EQ(create_with(devices, options, error), NEAR_E_INVALID);
    options = stream_options();
    options.struct_size = 1;
    EXPECT_EQ(create_with(devices, options, error), NEAR_E_VERSION);
    EXPECT_EQ(create_with(devices, stream_options(), error, 4095), NEAR_E_DEVICE);
    EXPECT_EQ(stream_pool_create(devices, 0, nullptr, nullptr, &error), NEAR_E_INVALID);
    const Streams pool(devices);
    uint64_t id = 0;
    void *stream = nullptr;
    uint32_t done = 0;
    stream_pool_info info{};
    EXPECT_EQ(stream_pool_acquire(nullptr, &id), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_acquire(pool, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_release(nullptr, 1), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_resolve(nullptr, 1, &stream), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_resolve(pool, 1, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_query(nullptr, 0, &done, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_query(pool, 0, nullptr, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_synchronize(nullptr, 0, 0, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_wait_on(nullptr, 0, pool, 0, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_wait_on(pool, 0, nullptr, 0, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_get_info(pool, &info), NEAR_E_VERSION);
    EXPECT_EQ(stream_pool_get_info(nullptr, &info), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_get_info(pool, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_reserve(nullptr, 1, 1), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_reserve(pool, STREAM_POOL_DEFAULT, 1), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_unreserve(nullptr, 1, 1), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_unreserve(pool, STREAM_POOL_DEFAULT, 1), NEAR_E_INVALID);
    EXPECT_STREQ(stream_pool_mode_name(STREAM_POOL_SHARED), "shared");
    EXPECT_STREQ(stream_pool_mode_name(3), "unknown");
}

TEST_F(StreamPool, AppendOnlyIdsLiveAsLongAsThePool) {
    const Devices devices;
    const Streams pool(devices, stream_options(3, STREAM_POOL_APPEND_ONLY));
    const uint64_t ids[] = {pool.acquire(), pool.acquire(), pool.acquire()};
    uint64_t id = 0;
    EXPECT_EQ(stream_pool_acquire(pool, &id), NEAR_E_CAPACITY);
    EXPECT_EQ(stream_pool_release(pool, ids[0]), NEAR_E_UNSUPPORTED);
    EXPECT_EQ(stream_pool_release(pool, 1), NEAR_E_STALE);
    EXPECT_NE(pool.at(ids[0]), pool.at(ids[1]));
    EXPECT_NE(pool.at(ids[1]), pool.at(ids[2]));
}

TEST_F(StreamPool, SharedStreamsGoRoundAndALeaseDropsOnlyItself) {
    const Devices devices;
    stream_pool_options options = stream_options(2, STREAM_POOL_SHARED);
    options.max_leases = 5;
    options.budget_bytes = 100;
    const Streams pool(devices, options);
    std::vector<uint64_t> ids(5);
    for (uint64_t &id : ids) {
        id = pool.acquire();
    }
    EXPECT_EQ(std::set<uint64_t>(ids.begin(), ids.end()).size(), 5U);
    EXPECT_NE(pool.at(ids[0]), pool.at(ids[1]));
    EXPECT_EQ(pool.at(ids[0]), pool.at(ids[2]));
    EXPECT_EQ(pool.at(ids[1]), pool.at(ids[3]));
    EXPECT_EQ(pool.at(ids[0]), pool.at(ids[4]));
    uint64_t id = 0;
    EXPECT_EQ(stream_pool_acquire(pool, &id), NEAR_E_CAPACITY);
    EXPECT_EQ(stream_pool_reserve(pool, ids[0], 60), NEAR_OK);
    EXPECT_EQ(stream_pool_reserve(pool, ids[2], 41), NEAR_E_CAPACITY) << "the budget is the stream's";
    EXPECT_EQ(stream_pool_reserve(pool, ids[1], 100), NEAR_OK);
    EXPECT_EQ(stream_pool_unreserve(pool, ids[2], 1), NEAR_E_INVALID) << "the reservation is the lease's";
    const CUstream stream = pool.at(ids[2]);
    EXPECT_EQ(stream_pool_release(pool, ids[0]), NEAR_OK);
    EXPECT_EQ(pool.at(ids[2]), stream);
    EXPECT_EQ(stream_pool_reserve(pool, ids[2], 100), NEAR_OK);
    EXPECT_EQ(pool.info().made, 2U);
    EXPECT_EQ(pool.info().lent, 4U);
    EXPECT_EQ(pool.info().max_leases, 5U);
}

TEST_F(StreamPool, ASharedPoolDoesNotAdoptItsOwnStream) {
    const Devices devices;
    const Streams pool(devices, stream_options(2, STREAM_POOL_SHARED));
    Error error;
    uint64_t id = 0;
    EXPECT_EQ(stream_pool_adopt(pool, pool.at(pool.acquire()), &id, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("the pool has this stream already")) << error.message;
}

// Whoever reserves while somebody releases: nothing is left reserved by nobody.
TEST_F(StreamPool, BudgetsSurviveReleasesInTheMiddleOfReserving) {
    const Devices devices;
    stream_pool_options options = stream_options(2, STREAM_POOL_SHARED);
    options.max_leases = 1;
    options.budget_bytes = 1000;
    const Streams pool(devices, options);
    std::atomic<uint64_t> lent{0};
    std::atomic<bool> stop{false};
    std::thread other([&] {
        while (!stop) {
            const uint64_t id = lent;
            if (stream_pool_reserve(pool, id, 3) == NEAR_OK) {
                const near_status given_back = stream_pool_unreserve(pool, id, 2);
                EXPECT_TRUE(given_back == NEAR_OK || given_back == NEAR_E_STALE) << given_back;
            }
        }
    });
    for (int i = 0; i < 20000; i++) {
        lent = pool.acquire();
        EXPECT_EQ(stream_pool_release(pool, lent), NEAR_OK);
    }
    stop = true;
    other.join();
    for (int i = 0; i < 2; i++) {
        const uint64_t id = pool.acquire();
        EXPECT_EQ(stream_pool_reserve(pool, id, 1000), NEAR_OK) << "of stream " << i;
        EXPECT_EQ(stream_pool_release(pool, id), NEAR_OK);
    }
}

// Looking at the pool claims its streams for a moment: that is no reason to say that all are taken.
TEST_F(StreamPool, HasRoomAlsoWhileAnotherThreadCountsItsStreams) {
    const Devices devices;
    const Streams pool(devices, stream_options(1));
    std::atomic<bool> stop{false};
    std::thread other([&] {
        while (!stop) {
            pool.info();
        }
    });
    int refused = 0;
    for (int i = 0; i < 5000; i++) {
        uint64_t id = 0;
        refused += stream_pool_acquire(pool, &id) == NEAR_OK && stream_pool_release(pool, id) == NEAR_OK ? 0 : 1;
    }
    stop = true;
    other.join();
    EXPECT_EQ(refused, 0);
}

TEST_F(StreamPool, BudgetIsReservedGivenBackAndEndsWithTheLease) {
    const Devices devices;
    const Streams pool(devices);
    EXPECT_EQ(pool.info().budget_bytes, UINT64_C(256) << 20);
    const uint64_t id = pool.acquire();
    EXPECT_EQ(stream_pool_reserve(pool, id, UINT64_C(256) << 20), NEAR_OK);
    EXPECT_EQ(stream_pool_reserve(pool, id, 1), NEAR_E_CAPACITY);
    EXPECT_EQ(stream_pool_reserve(pool, id, UINT64_MAX), NEAR_E_CAPACITY);
    EXPECT_EQ(stream_pool_reserve(pool, id, 0), NEAR_OK);
    EXPECT_EQ(stream_pool_unreserve(pool, id, (UINT64_C(256) << 20) + 1), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_unreserve(pool, id, 1), NEAR_OK);
    EXPECT_EQ(stream_pool_reserve(pool, id, 2), NEAR_E_CAPACITY);
    EXPECT_EQ(stream_pool_reserve(pool, id, 1), NEAR_OK);
    EXPECT_EQ(stream_pool_release(pool, id), NEAR_OK);
    const uint64_t next = pool.acquire();
    EXPECT_EQ(stream_pool_reserve(pool, next, UINT64_C(256) << 20), NEAR_OK);
    EXPECT_EQ(stream_pool_release(pool, next), NEAR_OK);
}

TEST_F(StreamPool, PriorityIsClampedAndSaysSo) {
    const Devices devices;
    int least = 0;
    int greatest = 0;
    {
        const Pushed pushed(devices, 0);
        ASSERT_EQ(driver()->ctx_get_stream_priority_range(&least, &greatest), cuda_success);
    }
    for (const int32_t asked : {0, -1, -1000, 1000}) {
        stream_pool_options options = stream_options();
        options.priority = asked;
        const Streams pool(devices, options);
        const int32_t expected = std::max(greatest, std::min(least, asked));
        EXPECT_EQ(pool.info().asked_priority, asked);
        EXPECT_EQ(pool.info().priority, expected);
        EXPECT_EQ(pool.info().priority_clamped, expected != asked ? 1U : 0U);
    }
}

TEST_F(StreamPool, TenThousandCyclesOfFourThreadsSucceedAndNoIdComesTwice) {
    const Devices devices;
    const Streams pool(devices);
    std::vector<std::vector<uint64_t>> ids(4);
    std::vector<std::thread> threads;
    for (auto &mine : ids) {
        threads.emplace_back([&] {
            for (int i = 0; i < 2500; i++) {
                uint64_t id = 0;
                void *stream = nullptr;
                ASSERT_EQ(stream_pool_acquire(pool, &id), NEAR_OK);
                ASSERT_EQ(stream_pool_resolve(pool, id, &stream), NEAR_OK);
                mine.push_back(id);
                ASSERT_EQ(stream_pool_release(pool, id), NEAR_OK);
            }
        });
    }
    std::set<uint64_t> all;
    for (std::size_t i = 0; i < threads.size(); i++) {
        threads[i].join();
        all.insert(ids[i].begin(), ids[i].end());
    }
    EXPECT_EQ(all.size(), 10000U);
    EXPECT_EQ(pool.info().lent, 0U);
    EXPECT_LE(pool.info().made, 16U);
}

TEST_F(StreamPool, AdoptedStreamsTakeAPlaceAndGoBackToTheirOwner) {
    const Devices devices;
    const Streams pool(devices, stream_options(2));
    const Streams other(devices, stream_options(1));
    const CUstream foreign = other.at(other.acquire());
    Error error;
    uint64_t id = 0;
    ASSERT_EQ(stream_pool_adopt(pool, foreign, &id, &error), NEAR_OK) << error.message;
    EXPECT_EQ(pool.at(id), foreign);
    EXPECT_EQ(pool.info().lent, 1U);
    uint64_t twice = 0;
    EXPECT_EQ(stream_pool_adopt(pool, foreign, &twice, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("the pool has this stream already")) << error.message;
    const uint64_t own = pool.acquire();
    EXPECT_EQ(stream_pool_adopt(pool, pool.at(own), &twice, &error), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_acquire(pool, &twice), NEAR_E_CAPACITY);
    EXPECT_EQ(stream_pool_release(pool, id), NEAR_OK);
    EXPECT_EQ(stream_pool_release(pool, id), NEAR_E_STALE);
    const uint64_t made = pool.acquire();
    EXPECT_NE(pool.at(made), foreign) << "it was its owner's";
    EXPECT_EQ(stream_pool_adopt(pool, foreign, &twice, &error), NEAR_E_CAPACITY);
    for (const std::uintptr_t handle : {std::uintptr_t{0}, stream_legacy, stream_per_thread}) {
        EXPECT_EQ(stream_pool_adopt(pool, reinterpret_cast<void *>(handle), &twice, &error), NEAR_E_INVALID);
    }
    EXPECT_EQ(stream_pool_adopt(pool, foreign, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(stream_pool_adopt(nullptr, foreign, &twice, &error), NEAR_E_INVALID);
}

TEST_F(StreamPool, KeepsItsDevicesAliveWhoeverGoesFirst) {
    Devices devices;
    Streams pool(devices);
    devices.destroy();
    const uint64_t id = pool.acquire();
    EXPECT_NE(pool.at(id), nullptr);
    pool.destroy(); // with a lease
}

TEST_F(StreamPoolScript, AStreamOfAnotherContextIsNotAdopted) {
    const Devices devices;
    const Streams pool(devices, stream_options(2), 0);
    const Streams other(devices, stream_options(1), 1);
    Error error;
    uint64_t id = 0;
    EXPECT_EQ(stream_pool_adopt(pool, other.at(other.acquire()), &id, &error), NEAR_E_DEVICE);
    EXPECT_TRUE(error.says("the stream is of another context than the pool, which is on device 0")) << error.message;
    EXPECT_EQ(stream_pool_adopt(pool, reinterpret_cast<void *>(0x1000), &id, &error), NEAR_E_CUDA);
    EXPECT_EQ(pool.info().lent, 0U);
}

TEST_F(StreamPoolScript, StreamsAreOfTheDeviceWhateverContextIsCurrent) {
    Devices devices;
    const Pushed pushed(devices, 2);
    const Streams pool(devices, stream_options(), 1);
    EXPECT_EQ(context_of(devices, pool.at(pool.acquire())), devices.context(1));
}

TEST_F(StreamPoolScript, AStreamThatTheDriverRefusesIsAnErrorAndTakesNoPlace) {
    const Devices devices;
    const Streams pool(devices, stream_options(1));
    fake()->fail("cuStreamCreateWithPriority", 1, 2, 0);
    uint64_t id = 0;
    EXPECT_EQ(stream_pool_acquire(pool, &id), NEAR_E_CUDA);
    EXPECT_EQ(pool.info().made, 0U);
    EXPECT_EQ(stream_pool_acquire(pool, &id), NEAR_OK);
    EXPECT_EQ(stream_pool_release(pool, id), NEAR_OK);
}

TEST_F(StreamPoolScript, ADriverThatMakesNoStreamOfItsOwnGivesTheDefaultStreamToNobody) {
    const Devices devices;
    for (const int32_t mode : {STREAM_POOL_EXCLUSIVE, STREAM_POOL_SHARED}) {
        const Streams pool(devices, stream_options(1, mode));
        fake()->null("cuStreamCreateWithPriority", 1);
        uint64_t id = 0;
        EXPECT_EQ(stream_pool_acquire(pool, &id), NEAR_E_CUDA);
        EXPECT_EQ(pool.info().made, 0U);
        ASSERT_EQ(stream_pool_acquire(pool, &id), NEAR_OK);
        EXPECT_NE(pool.at(id), nullptr);
        EXPECT_EQ(stream_pool_release(pool, id), NEAR_OK);
    }
}

} // namespace
