// SPDX-License-Identifier: Apache-2.0
// Graphs that are captured meanwhile: page-locked memory is made, given and taken without ending a capture.
#include "gpu/pinned_ways.hpp"

#include <thread>

using namespace nearpool_gpu;
using nearpool_test::Pool;

namespace {

class PinnedCapture : public Gpu {
protected:
    void SetUp() override {
        Gpu::SetUp();
        if (!IsSkipped() && driver()->begin_capture == nullptr) {
            GTEST_SKIP() << "[capture] this driver cannot capture";
        }
    }
};

// A capture in global mode, of a stream of its own: an unsafe call of any thread would end it.
class Capture {
public:
    Capture() : pushed_(devices_, 0), id_(streams_.acquire()) {
        EXPECT_EQ(driver()->begin_capture(streams_.at(id_), 0), cuda_success);
    }
    Capture(const Capture &) = delete;
    Capture &operator=(const Capture &) = delete;
    ~Capture() { end(); }
    void end() {
        if (!ended_) {
            ended_ = true;
            void *graph = nullptr;
            EXPECT_EQ(driver()->end_capture(streams_.at(id_), &graph), cuda_success) << "our calls have ended it";
            EXPECT_EQ(driver()->graph_destroy(graph), cuda_success);
        }
    }
    stream_pool *streams() const { return streams_; }
    uint64_t id() const { return id_; }
    device_pool *devices() const { return devices_; }

private:
    const Devices devices_;
    const Streams streams_{devices_, stream_options(2)};
    const Pushed pushed_;
    const uint64_t id_;
    bool ended_ = false;
};

// Everything that there is to do with page-locked memory, with pools of its own.
void live_with(uint32_t methods) {
    const Devices devices;
    Pool workers(1);
    const Streams streams(devices);
    const uint64_t id = streams.acquire();
    Error error;
    Pinned pinned;
    const near_status status = alloc_pinned(workers, devices, mib, pinned_options(methods), &pinned, &error);
    if (status == NEAR_E_UNSUPPORTED) { // another way than the first one need not work
        return;
    }
    ASSERT_EQ(status, NEAR_OK) << error.message;
    pinned.info();
    pinned.placement();
    EXPECT_EQ(near_pinned_used_on(pinned, streams, id), NEAR_OK);
    EXPECT_EQ(near_pinned_free_after(pinned.detach(), streams, id), NEAR_OK);
    EXPECT_EQ(stream_pool_synchronize(streams, id, NEAR_FOREVER, nullptr), NEAR_OK);
    EXPECT_EQ(pinned_stats(workers, devices).live_count, 0U);
    EXPECT_GT(trim_pinned(workers, devices), 0U);
    const Request request(workers, devices, mib, pinned_options(methods));
    EXPECT_EQ(request.wait(&pinned), NEAR_OK);
    const Pinned once(workers, devices, mib, pinned_options(methods, NEAR_PINNED_NO_CACHE));
    Pinned outlives(workers, devices, mib, pinned_options(methods));
    workers.destroy();
}

void adopt_and_free() {
    const Devices devices;
    const Pool workers(1);
    alignas(4096) static char own[3 * 4096];
    Pinned pinned;
    Error error;
    const near_status status =
        numa_pool_adopt_pinned(workers, devices, 0, own, sizeof own, nullptr, pinned.out(), &error);
    EXPECT_TRUE(status == NEAR_OK || (fake() == nullptr && status == NEAR_E_UNSUPPORTED)) << error.message;
}

TEST_F(PinnedCapture, OfAnotherThreadIsNotDisturbed) {
    const Capture capture;
    std::thread([] {
        live_with(0);
        for (const int32_t method : all_ways) {
            SCOPED_TRACE(near_pinned_method_name(method));
            live_with(only(method));
        }
        adopt_and_free();
    }).join();
}

TEST_F(PinnedCapture, OfTheSameThreadIsNotDisturbed) {
    const Capture capture;
    live_with(0);
    for (const int32_t method : all_ways) {
        SCOPED_TRACE(near_pinned_method_name(method));
        live_with(only(method));
    }
    adopt_and_free();
}

// What the stream will do is in no order with anything yet.
TEST_F(PinnedCapture, OfAStreamMarksNothing) {
    const Pool workers(1);
    Capture capture;
    Pinned pinned(workers, capture.devices(), mib);
    EXPECT_EQ(near_pinned_used_on(pinned, capture.streams(), capture.id()), NEAR_E_BUSY);
    EXPECT_EQ(near_pinned_free_after(pinned, capture.streams(), capture.id()), NEAR_E_BUSY);
    EXPECT_EQ(pinned_stats(workers, capture.devices()).live_count, 1U) << "the memory is the caller's still";
    pinned.fill('m');
    const Streams others(capture.devices());
    EXPECT_EQ(near_pinned_used_on(pinned, others, others.acquire()), NEAR_OK) << "another stream captures nothing";
    capture.end();
    EXPECT_EQ(near_pinned_used_on(pinned, capture.streams(), capture.id()), NEAR_OK);
    EXPECT_EQ(near_pinned_free_after(pinned.detach(), capture.streams(), capture.id()), NEAR_OK);
    EXPECT_EQ(pinned_stats(workers, capture.devices()).live_count, 0U);
}

} // namespace
