// SPDX-License-Identifier: Apache-2.0
// Memory that runs out at each allocation in turn: every call says so, keeps nothing, and works when there is enough.
#include "gpu/support.hpp"
#include "support/limited_memory.hpp"

#include <atomic>

using namespace nearpool_gpu;
using nearpool_test::call_until_memory_suffices;

namespace {

// On the fake driver alone, whose own memory does not run out.
class GpuOutOfMemory : public FakeGpu {};

std::atomic<int> runs{0};
std::atomic<int> discards{0};

near_status count_run(void *) {
    runs++;
    return NEAR_OK;
}
void count_discard(void *) {
    discards++;
}

TEST_F(GpuOutOfMemory, APoolOfGpusIsMadeOrNot) {
    device_pool *pool = nullptr;
    EXPECT_GT(call_until_memory_suffices([&] { return device_pool_create(nullptr, &pool, nullptr); }), 0U);
    device_pool_destroy(pool);
}

TEST_F(GpuOutOfMemory, LosesNoPlaceOfAPoolOfStreams) {
    const Devices devices;
    for (const int32_t mode : {STREAM_POOL_EXCLUSIVE, STREAM_POOL_SHARED}) {
        stream_pool_options options = stream_options(1, mode);
        options.max_leases = mode == STREAM_POOL_SHARED ? 1 : 0;
        stream_pool *pool = nullptr;
        EXPECT_GT(call_until_memory_suffices([&] { return stream_pool_create(devices, 0, &options, &pool, nullptr); }),
                  0U);
        uint64_t id = 0;
        call_until_memory_suffices([&] { return stream_pool_acquire(pool, &id); });
        EXPECT_EQ(stream_pool_release(pool, id), NEAR_OK);
        EXPECT_EQ(stream_pool_acquire(pool, &id), NEAR_OK);
        stream_pool_destroy(pool);
    }
}

TEST_F(GpuOutOfMemory, AContinuationIsAcceptedOrLeftToTheCaller) {
    if (driver()->stream_add_callback == nullptr) {
        GTEST_SKIP() << "[callback] this driver cannot call back";
    }
    const Devices devices;
    const nearpool_test::Pool workers(1);
    const Streams streams(devices);
    const uint64_t id = streams.acquire();
    const near_task task{count_run, count_discard, nullptr};
    runs = discards = 0;
    EXPECT_GT(call_until_memory_suffices(
                  [&] { return stream_pool_then_task(streams, id, workers, &task, nullptr, nullptr); }),
              0U);
    EXPECT_EQ(numa_pool_wait_idle(workers, NEAR_FOREVER, nullptr), NEAR_OK);
    EXPECT_EQ(runs, 1);
    EXPECT_EQ(discards, 0);
}

} // namespace
