// SPDX-License-Identifier: Apache-2.0
// Memory that streams use: what is known of them, what that costs, and who pays for it.
#include "gpu/pinned_play.hpp"

#include <vector>

using namespace nearpool_gpu;
using nearpool_test::Pool;

namespace {

class PinnedMarksScript : public PinnedFakeGpu {};

uint64_t open_events() {
    return fake()->calls("cuEventCreate") - fake()->calls("cuEventDestroy_v2");
}

// An error that says nothing of the work is no reason to give its memory to another.
TEST_F(PinnedMarksScript, AnAnswerThatSaysNothingOfTheWorkFreesNothing) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    const uint64_t id = streams.acquire();
    Held held(streams.at(id));
    Pinned used(workers, devices, mib);
    const char *data = used.data();
    ASSERT_EQ(near_pinned_free_after(used.detach(), streams, id), NEAR_OK);
    for (const char *call : {"cuEventQuery", "cuCtxPushCurrent_v2", "cuThreadExchangeStreamCaptureMode"}) {
        fake()->fail(call, 1, 999, 0);
        const Pinned other(workers, devices, mib);
        EXPECT_NE(other.data(), data) << call;
        EXPECT_EQ(pinned_stats(workers, devices).waiting_bytes, mib) << call;
        fake()->fail("*", 0, 0, 0);
    }
}

TEST_F(PinnedMarksScript, OfOneLeaseTheLatestIsEnough) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    const std::vector<uint64_t> ids{streams.acquire(), streams.acquire(), STREAM_POOL_DEFAULT};
    Pinned used(workers, devices, mib);
    for (int turn = 0; turn < 200; turn++) {
        for (const uint64_t id : ids) {
            ASSERT_EQ(near_pinned_used_on(used, streams, id), NEAR_OK);
        }
    }
    EXPECT_EQ(open_events(), ids.size());
    Held held(streams.at(ids[1]));
    ASSERT_EQ(near_pinned_used_on(used, streams, ids[1]), NEAR_OK);
    used.free();
    EXPECT_EQ(pinned_stats(workers, devices).waiting_bytes, mib) << "the latest counts";
}

// Unlocking takes long: who looks for memory, or at the figures, leaves it to others.
TEST_F(PinnedMarksScript, TakingWhatIsIdleUnlocksNothing) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    const uint64_t id = streams.acquire();
    Held held(streams.at(id));
    Pinned kept(workers, devices, 2 * mib);
    const char *data = kept.data();
    Pinned alone(workers, devices, mib, pinned_options(0, NEAR_PINNED_NO_CACHE));
    ASSERT_EQ(near_pinned_free_after(kept.detach(), streams, id), NEAR_OK);
    ASSERT_EQ(near_pinned_free_after(alone.detach(), streams, id), NEAR_OK);
    const uint64_t unlocked = fake()->calls("cuMemHostUnregister");
    held.let_go();
    ASSERT_EQ(stream_pool_synchronize(streams, id, NEAR_FOREVER, nullptr), NEAR_OK);
    const Request request(workers, devices, 2 * mib);
    Pinned again;
    ASSERT_EQ(request.wait(&again, 0), NEAR_OK);
    EXPECT_EQ(again.data(), data);
    EXPECT_EQ(pinned_stats(workers, devices).waiting_bytes, mib) << "what was made for one call waits still";
    EXPECT_EQ(fake()->calls("cuMemHostUnregister"), unlocked);
    trim_pinned(workers, devices);
    EXPECT_EQ(pinned_stats(workers, devices).waiting_bytes, 0U);
    EXPECT_GT(fake()->calls("cuMemHostUnregister"), unlocked);
}

} // namespace
