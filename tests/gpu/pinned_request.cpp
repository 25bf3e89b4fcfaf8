// SPDX-License-Identifier: Apache-2.0
// Requests for page-locked memory: waited for, left, cancelled and late, at every stage that they can be in.
#include "gpu/pinned_play.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

using namespace nearpool_gpu;
using nearpool_test::eventually;
using nearpool_test::long_enough_ns;
using nearpool_test::Pool;

namespace {

constexpr int service_threads = 4;

class PinnedRequest : public PinnedGpu {};

// Gates hold up who page-locks mapped memory, which is how it is made first.
class PinnedRequestScript : public PinnedFakeGpu {
protected:
    static uint64_t registered() { return fake()->calls(registering); }
    static uint64_t unregistered() { return fake()->calls("cuMemHostUnregister"); }

    // When so much is locked, or more, and the next chunk is at the gate.
    static near_pinned_progress at_rest(const Request &request, std::size_t locked) {
        EXPECT_TRUE(eventually(
            [&] { return request.progress().locked_bytes >= locked && fake()->gate_waiting(registering) == 1; }));
        return request.progress();
    }
};

// So many requests that no thread is free for another one, as long as the gate is closed.
std::vector<std::unique_ptr<Request>> all_threads_at_work(numa_pool *workers, device_pool *devices) {
    std::vector<std::unique_ptr<Request>> requests;
    for (int i = 0; i < service_threads; i++) {
        requests.push_back(std::make_unique<Request>(workers, devices, mib));
        EXPECT_TRUE(eventually([&] { return requests.back()->progress().state == NEAR_PINNED_STATE_WORKING; }));
    }
    return requests;
}

near_pinned_options in_time(uint64_t timeout_ns) {
    near_pinned_options options = pinned_options();
    options.timeout_ns = timeout_ns;
    return options;
}

TEST_F(PinnedRequest, IsWaitedForAndTakenOnce) {
    const Devices devices;
    const Pool workers(1);
    const Request request(workers, devices, mib);
    Pinned pinned;
    Error error;
    ASSERT_EQ(request.wait(&pinned, NEAR_FOREVER, &error), NEAR_OK) << error.message;
    pinned.fill('x');
    EXPECT_EQ(request.progress().state, NEAR_PINNED_STATE_DONE) << "also when it was taken";
    Pinned again;
    EXPECT_EQ(request.wait(&again, NEAR_FOREVER, &error), NEAR_E_STALE);
    EXPECT_TRUE(error.says("was taken before")) << error.message;
    EXPECT_EQ(near_pinned_request_cancel(request), NEAR_E_STALE);
}

TEST_F(PinnedRequest, IsDoneAtOnceWhereThereIsIdleMemory) {
    const Devices devices;
    const Pool workers(1);
    Pinned(workers, devices, mib).free();
    const Request request(workers, devices, 700 * kib);
    const near_pinned_progress progress = request.progress();
    EXPECT_EQ(progress.state, NEAR_PINNED_STATE_DONE);
    EXPECT_EQ(progress.locked_bytes, 700 * kib) << "all of it is page-locked";
    EXPECT_EQ(progress.faulted_bytes, 700 * kib);
    Pinned pinned;
    EXPECT_EQ(request.wait(&pinned, 0), NEAR_OK);
    EXPECT_EQ(pinned_stats(workers, devices).hits, 1U);
}

// What nobody took goes to the cache, and the cache to the system: nothing is left behind.
TEST_F(PinnedRequest, DestroyedWhatWasNotTakenIsIdle) {
    const Devices devices;
    const Pool workers(1);
    for (const bool hit : {false, true}) {
        Request request(workers, devices, mib);
        ASSERT_TRUE(eventually([&] { return request.progress().state == NEAR_PINNED_STATE_DONE; }));
        EXPECT_EQ(pinned_stats(workers, devices).live_bytes, mib) << hit;
        request.destroy();
        EXPECT_EQ(pinned_stats(workers, devices).live_count, 0U) << hit;
        EXPECT_EQ(pinned_stats(workers, devices).idle_bytes, 2 * mib) << hit;
    }
    near_pinned_request_destroy(nullptr);
}

TEST_F(PinnedRequest, OneOfSeveralWaitersGetsIt) {
    const Devices devices;
    const Pool workers(1);
    for (int turn = 0; turn < 20; turn++) {
        const Request request(workers, devices, mib, pinned_options(0, NEAR_PINNED_NO_CACHE));
        std::array<Pinned, 4> memory;
        std::array<near_status, 4> statuses{};
        std::vector<std::thread> waiters;
        for (std::size_t i = 0; i < memory.size(); i++) {
            waiters.emplace_back([&, i] { statuses[i] = request.wait(&memory[i]); });
        }
        for (std::thread &waiter : waiters) {
            waiter.join();
        }
        EXPECT_EQ(std::count(statuses.begin(), statuses.end(), NEAR_OK), 1);
        EXPECT_EQ(std::count(statuses.begin(), statuses.end(), NEAR_E_STALE), 3);
        EXPECT_EQ(pinned_stats(workers, devices).live_count, 1U);
    }
}

TEST_F(PinnedRequestScript, IsLookedAtWithoutWaiting) {
    const Devices devices;
    const Pool workers(1);
    const Gate gate;
    const Request request(workers, devices, mib);
    Pinned pinned;
    Error error;
    EXPECT_EQ(request.wait(&pinned, 0, &error), NEAR_E_TIMEOUT);
    EXPECT_TRUE(error.says("not page-locked yet after 0 s; ask again")) << error.message;
    EXPECT_EQ(request.wait(&pinned, NEAR_MS, &error), NEAR_E_TIMEOUT);
    EXPECT_TRUE(error.says("after 0.001 s; ask again")) << error.message;
    ASSERT_TRUE(gate.await());
    EXPECT_EQ(request.progress().state, NEAR_PINNED_STATE_WORKING) << "it goes on";
    gate.open();
    EXPECT_EQ(request.wait(&pinned, NEAR_FOREVER, &error), NEAR_OK) << error.message;
}

TEST_F(PinnedRequestScript, SaysHowFarItIs) {
    const Devices devices;
    const Pool workers(1);
    near_pinned_options options = base_pages();
    options.chunk_bytes = 20 * kib - 1; // whole pages, no more than that
    const Gate gate;
    const Request request(workers, devices, 4 * mib, options);
    std::size_t least = 0;
    for (int turn = 0; turn < 3; turn++) {
        const near_pinned_progress progress = at_rest(request, least);
        EXPECT_EQ(progress.state, NEAR_PINNED_STATE_WORKING);
        EXPECT_EQ(progress.bytes, 4 * mib);
        EXPECT_EQ(progress.faulted_bytes, 4 * mib) << "before the first is locked";
        EXPECT_EQ(progress.locked_bytes, least) << "one chunk a turn";
        least += 16 * kib;
        gate.let_through();
    }
    gate.open();
    Pinned pinned;
    Error error;
    ASSERT_EQ(request.wait(&pinned, NEAR_FOREVER, &error), NEAR_OK) << error.message;
    EXPECT_EQ(request.progress().locked_bytes, 4 * mib);
    EXPECT_EQ(pinned.info().chunk_count, 256U);
}

// More than there are threads: who waits for its turn is cancelled at once, and never made.
TEST_F(PinnedRequestScript, CancelledWhileItWaitsForItsTurnItIsNeverMade) {
    const Devices devices;
    const Pool workers(1);
    const Gate gate;
    const auto working = all_threads_at_work(workers, devices);
    Request waiting(workers, devices, 100 * mib);
    Request left(workers, devices, 100 * mib);
    EXPECT_EQ(waiting.progress().state, NEAR_PINNED_STATE_WAITING);
    EXPECT_EQ(near_pinned_request_cancel(waiting), NEAR_OK);
    left.destroy();
    EXPECT_EQ(waiting.progress().state, NEAR_PINNED_STATE_FAILED);
    Pinned pinned;
    Error error;
    EXPECT_EQ(waiting.wait(&pinned, NEAR_FOREVER, &error), NEAR_E_CANCELLED);
    EXPECT_TRUE(error.says("cancelled")) << error.message;
    EXPECT_EQ(near_pinned_request_cancel(waiting), NEAR_E_STALE);
    gate.open();
    for (const auto &request : working) {
        Pinned own;
        EXPECT_EQ(request->wait(&own), NEAR_OK);
    }
    Pinned(workers, devices, 8 * mib).free(); // a later turn: theirs have come
    EXPECT_LT(pinned_stats(workers, devices).held_bytes, 100 * mib);
}

TEST_F(PinnedRequestScript, CancelledWhilePagesAreFaultedInNothingIsLocked) {
    const Devices devices;
    const Pool workers(1);
    const auto at_the_driver = [] { return fake()->gate_waiting(registering) != 0; };
    bool asked = true; // for as long as this thread came too late: all was in before it cancelled
    for (int turn = 0; turn < 20 && asked; turn++) {
        const Gate gate;
        const uint64_t before = pinned_stats(workers, devices).pinning_ns;
        const Request request(workers, devices, 96 * mib, base_pages());
        ASSERT_TRUE(eventually([&] { return request.progress().faulted_bytes != 0; }));
        EXPECT_EQ(near_pinned_request_cancel(request), NEAR_OK);
        Pinned pinned;
        EXPECT_EQ(request.wait(&pinned), NEAR_E_CANCELLED);
        const auto over = [&] { return pinned_stats(workers, devices).pinning_ns != before; };
        ASSERT_TRUE(eventually([&] { return at_the_driver() || over(); }));
        asked = at_the_driver();
        gate.open();
        ASSERT_TRUE(eventually(over));
        ASSERT_TRUE(eventually([&] { // what came too late waits in the cache for the next who asks
            trim_pinned(workers, devices);
            return pinned_stats(workers, devices).held_bytes == 0;
        }));
    }
    EXPECT_FALSE(asked) << "what was faulted in is locked though nobody wants it";
}

TEST_F(PinnedRequestScript, CancelledBetweenChunksWhatWasLockedIsUnlocked) {
    const Devices devices;
    const Pool workers(1);
    near_pinned_options options = base_pages();
    options.chunk_bytes = 16 * kib;
    const Gate gate;
    const Request request(workers, devices, 4 * mib, options);
    at_rest(request, 0);
    gate.let_through();
    ASSERT_EQ(at_rest(request, 1).locked_bytes, 16 * kib);
    ASSERT_EQ(near_pinned_request_cancel(request), NEAR_OK);
    Pinned pinned;
    EXPECT_EQ(request.wait(&pinned), NEAR_E_CANCELLED) << "while the driver is still at it";
    gate.open();
    EXPECT_TRUE(eventually([&] { return unregistered() == 2; }));
    EXPECT_EQ(registered(), 2U) << "no chunk after the one that was being locked";
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 0U);
}

// Its own time is over while the driver is at work: whoever waits is told so at once, and what comes later is kept for
// the next who asks.
TEST_F(PinnedRequestScript, WhatComesTooLateGoesToTheCache) {
    const Devices devices;
    const Pool workers(1);
    Log log;
    const Gate gate;
    // Until it is so long that the driver is asked in it. What is given up before its turn comes is never begun.
    const auto at_the_driver = [] { return fake()->gate_waiting(registering) != 0; };
    const auto over = [&] { return at_the_driver() || pinned_stats(workers, devices).pinning_ns != 0; };
    bool asked = false;
    for (uint64_t ms = 20; !asked; ms *= 2) {
        Pinned pinned;
        Error error;
        const near_pinned_options options = in_time(ms * NEAR_MS);
        const nearpool_test::Stopwatch watch;
        ASSERT_EQ(numa_pool_alloc_pinned(workers, devices, 0, 2 * mib, &options, pinned.out(), &error), NEAR_E_TIMEOUT);
        EXPECT_GE(watch.ns(), ms * NEAR_MS);
        char sentence[64];
        std::snprintf(sentence, sizeof sentence, "2097152 bytes were not page-locked in %g s",
                      static_cast<double>(ms) / 1000);
        EXPECT_TRUE(error.says(sentence)) << error.message;
        for (int i = 0; i < 1000 && !over(); i++) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        asked = at_the_driver();
        ASSERT_LT(ms, 10000 * nearpool_test::slower()) << "it never gets there";
    }
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 0U);
    gate.open();
    ASSERT_TRUE(eventually([&] { return pinned_stats(workers, devices).idle_bytes == 2 * mib; }));
    ASSERT_TRUE(eventually([&] { return log.says("came too late, and were given back"); }));
    EXPECT_TRUE(log.says("device 0: 2097152 page-locked bytes at 0x")) << log.text();
    const Pinned next(workers, devices, mib);
    EXPECT_EQ(pinned_stats(workers, devices).hits, 1U);
    char address[32];
    std::snprintf(address, sizeof address, "at %p came", static_cast<void *>(next.data()));
    EXPECT_TRUE(log.says(address)) << log.text() << address;
}

TEST_F(PinnedRequestScript, WhatComesTooLateForNoCacheGoesBack) {
    const Devices devices;
    const Pool workers(1);
    const Gate gate;
    Request request(workers, devices, 2 * mib, pinned_options(0, NEAR_PINNED_NO_CACHE));
    ASSERT_TRUE(gate.await());
    ASSERT_EQ(near_pinned_request_cancel(request), NEAR_OK);
    gate.open();
    EXPECT_TRUE(eventually([&] { return unregistered() == 1; }));
    EXPECT_TRUE(eventually([&] { return pinned_stats(workers, devices).held_bytes == 0; }));
}

// The time of a request runs, whoever waits; after it the answer stays the same.
TEST_F(PinnedRequestScript, ItsOwnTimeIsTheLast) {
    const Devices devices;
    const Pool workers(1);
    const Gate gate;
    const Request request(workers, devices, mib, in_time(NEAR_MS));
    Pinned pinned;
    Error error;
    for (const uint64_t patience : {uint64_t{NEAR_FOREVER}, long_enough_ns, uint64_t{0}}) {
        EXPECT_EQ(request.wait(&pinned, patience, &error), NEAR_E_TIMEOUT);
        EXPECT_TRUE(error.says("1048576 bytes were not page-locked in 0.001 s")) << error.message;
        EXPECT_FALSE(error.says("ask again")) << error.message;
    }
    EXPECT_EQ(request.progress().state, NEAR_PINNED_STATE_FAILED);
    EXPECT_EQ(near_pinned_request_cancel(request), NEAR_E_STALE);
}

TEST_F(PinnedRequestScript, WaitingForItsTurnCounts) {
    const Devices devices;
    const Pool workers(1);
    const Gate gate;
    const auto working = all_threads_at_work(workers, devices);
    const Request waiting(workers, devices, 100 * mib, in_time(NEAR_MS));
    const Request alone(workers, devices, 100 * mib, in_time(NEAR_MS)); // nobody waits for it
    Pinned pinned;
    Error error;
    EXPECT_EQ(waiting.wait(&pinned, NEAR_FOREVER, &error), NEAR_E_TIMEOUT) << error.message;
    gate.open();
    EXPECT_TRUE(eventually([&] { return alone.progress().state == NEAR_PINNED_STATE_FAILED; }));
    EXPECT_EQ(alone.wait(&pinned, 0, &error), NEAR_E_TIMEOUT) << error.message;
    for (const auto &request : working) {
        Pinned own;
        EXPECT_EQ(request->wait(&own), NEAR_OK);
    }
    EXPECT_LE(registered(), service_threads) << "what is late is not made";
    EXPECT_LT(pinned_stats(workers, devices).held_bytes, 100 * mib);
}

TEST_F(PinnedRequestScript, IsDestroyedAtWork) {
    const Devices devices;
    const Pool workers(1);
    const Gate gate;
    Request request(workers, devices, 2 * mib);
    ASSERT_TRUE(gate.await());
    request.destroy();
    gate.open();
    EXPECT_TRUE(eventually([&] { return pinned_stats(workers, devices).idle_bytes == 2 * mib; }));
}

TEST_F(PinnedRequestScript, IsDestroyedWhenItHasFailed) {
    const Devices devices;
    const Pool workers(1);
    fake()->fail(registering, 1, 2, 1);
    near_pinned_options options = pinned_options(only(NEAR_PINNED_PLACED) | only(NEAR_PINNED_TOUCHED));
    const Request request(workers, devices, 2 * mib, options);
    Pinned pinned;
    Error error;
    for (int turn = 0; turn < 2; turn++) {
        EXPECT_EQ(request.wait(&pinned, NEAR_FOREVER, &error), NEAR_E_CUDA);
        EXPECT_TRUE(error.says("cuMemHostRegister")) << error.message;
    }
    EXPECT_EQ(request.progress().state, NEAR_PINNED_STATE_FAILED);
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 0U);
}

} // namespace
