// SPDX-License-Identifier: Apache-2.0
// A child of a process that has page-locked memory: it does not have the memory, unless that was asked for; all it is
// told is NEAR_E_FORKED, and nothing that it does changes the parent's.
#include "gpu/outcome.hpp"
#include "gpu/pinned_play.hpp"

#include <atomic>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace nearpool_gpu;
using nearpool_test::in_child;
using nearpool_test::Pool;

namespace {

class PinnedFork : public PinnedGpu {};
class PinnedForkScript : public PinnedFakeGpu {};

// Of this process.
bool is_mapped(const void *data, std::size_t bytes) {
    const auto begin = reinterpret_cast<uintptr_t>(data);
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        uintptr_t first = 0;
        uintptr_t last = 0;
        char dash = 0;
        std::istringstream(line) >> std::hex >> first >> dash >> last;
        if (first < begin + bytes && begin < last) {
            return true;
        }
    }
    return false;
}

bool all_are(const char *data, std::size_t bytes, char value) {
    for (std::size_t i = 0; i < bytes; i++) {
        if (data[i] != value) {
            return false;
        }
    }
    return true;
}

void expect_forked(near_pinned *pinned) {
    Error error;
    near_pinned_info info{};
    info.struct_size = sizeof info;
    near_placement placement{};
    placement.struct_size = sizeof placement;
    std::size_t needed = 0;
    int32_t reason = 0;
    int32_t descriptor = -1;
    EXPECT_EQ(near_pinned_get_info(pinned, &info, &error), NEAR_E_FORKED);
    EXPECT_TRUE(error.says("the memory was made in the parent of this process")) << error.message;
    EXPECT_EQ(near_pinned_placement(pinned, &placement, &error), NEAR_E_FORKED);
    EXPECT_EQ(near_pinned_nodes(pinned, nullptr, 0, &needed, &error), NEAR_E_FORKED);
    EXPECT_EQ(near_pinned_look(pinned, &placement, nullptr, 0, &needed, &error), NEAR_E_FORKED);
    EXPECT_EQ(near_pinned_reason(pinned, NEAR_PINNED_PLACED, &reason, nullptr, 0), NEAR_E_FORKED);
    EXPECT_EQ(near_pinned_descriptor(pinned, &descriptor), NEAR_E_FORKED);
}

void expect_forked(numa_pool *workers, device_pool *devices) {
    Error error;
    near_pinned *pinned = nullptr;
    near_pinned_request *request = nullptr;
    near_pinned_stats stats{};
    stats.struct_size = sizeof stats;
    char own[64] = "";
    EXPECT_EQ(numa_pool_alloc_pinned(workers, devices, 0, mib, nullptr, &pinned, &error), NEAR_E_FORKED);
    EXPECT_EQ(numa_pool_adopt_pinned(workers, devices, 0, own, sizeof own, nullptr, &pinned, &error), NEAR_E_FORKED);
    EXPECT_EQ(numa_pool_request_pinned(workers, devices, 0, mib, nullptr, &request, &error), NEAR_E_FORKED);
    EXPECT_EQ(numa_pool_trim_pinned(workers, devices, NEAR_NODE_UNKNOWN, 0, nullptr, &error), NEAR_E_FORKED);
    EXPECT_EQ(numa_pool_pinned_stats(workers, devices, NEAR_NODE_UNKNOWN, &stats, &error), NEAR_E_FORKED);
    EXPECT_EQ(pinned, nullptr);
    EXPECT_EQ(request, nullptr);
}

TEST_F(PinnedFork, EveryCallInTheChildSaysSo) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    const uint64_t id = streams.acquire();
    const Pinned pinned(workers, devices, mib);
    EXPECT_EQ(in_child([&] {
                  expect_forked(workers, devices);
                  expect_forked(pinned);
                  EXPECT_EQ(near_pinned_used_on(pinned, streams, id), NEAR_E_FORKED);
                  EXPECT_EQ(near_pinned_free_after(pinned, streams, id), NEAR_E_FORKED);
                  EXPECT_EQ(pinned.bytes(), mib) << "what is known stays so";
                  EXPECT_NE(pinned.data(), nullptr);
              }),
              0);
}

// Neither does the child's numa_pool help: the GPUs are the parent's.
TEST_F(PinnedFork, APoolOfTheChildGetsNoMemoryNearTheParentsGpus) {
    NEEDS_THREADS_IN_A_CHILD();
    const Devices devices;
    Pool workers(1);
    const Pinned pinned(workers, devices, mib);
    EXPECT_EQ(in_child([&] {
                  expect_forked(workers, devices);
                  workers.destroy();
                  const Pool own(1);
                  expect_forked(own, devices);
                  Pinned none;
                  EXPECT_EQ(numa_pool_alloc_pinned(own, nullptr, 0, mib, nullptr, none.out(), nullptr), NEAR_E_FORKED);
              }),
              0);
}

TEST_F(PinnedFork, TheMemoryIsNotThereAndTheParentsIsIntact) {
    const Devices devices;
    Pool workers(1);
    Pinned live(workers, devices, 3 * mib);
    Pinned idle(workers, devices, mib, base_pages());
    const char *idle_data = idle.data();
    stamp(live.data(), live.bytes(), 4);
    idle.free();
    const bool mapped_here = live.info().method == NEAR_PINNED_PLACED || live.info().method == NEAR_PINNED_TOUCHED;
    const near_pinned_stats before = pinned_stats(workers, devices);
    EXPECT_EQ(in_child([&] {
                  EXPECT_FALSE(mapped_here && is_mapped(live.data(), live.bytes()));
                  EXPECT_FALSE(mapped_here && is_mapped(idle_data, mib));
                  near_pinned_free(live);
                  near_pinned_free(nullptr);
                  workers.destroy();
              }),
              0);
    EXPECT_TRUE(has_stamp(live.data(), live.bytes(), 4));
    const near_pinned_stats after = pinned_stats(workers, devices);
    EXPECT_EQ(after.live_bytes, before.live_bytes);
    EXPECT_EQ(after.idle_bytes, before.idle_bytes);
    const Pinned again(workers, devices, mib, base_pages());
    EXPECT_EQ(again.data(), idle_data);
}

TEST_F(PinnedFork, AskedForTheChildHasACopy) {
    const Devices devices;
    const Pool workers(1);
    const Pinned pinned(workers, devices, 2 * mib, pinned_options(0, NEAR_PINNED_FORK));
    pinned.fill('p');
    if (pinned.info().method != NEAR_PINNED_PLACED && pinned.info().method != NEAR_PINNED_TOUCHED) {
        GTEST_SKIP() << "[mapped] the driver's own memory is as the driver makes it";
    }
    EXPECT_EQ(in_child([&] {
                  ASSERT_TRUE(is_mapped(pinned.data(), pinned.bytes()));
                  EXPECT_TRUE(all_are(pinned.data(), pinned.bytes(), 'p'));
                  pinned.fill('c');
                  expect_forked(pinned);
              }),
              0);
    EXPECT_TRUE(all_are(pinned.data(), pinned.bytes(), 'p')) << "the child wrote into the parent's";
}

// With a child alive, a page that the parent writes to would be copied first: it would have moved from under the GPU.
TEST_F(PinnedFork, TheParentsPagesAreNotCopied) {
#if NEARPOOL_TEST_SLOW != 1
    GTEST_SKIP() << "[fork] what a sanitizer knows of the pages is copied";
#endif
    const Devices devices;
    const Pool workers(1);
    const Pinned pinned(workers, devices, 16 * mib, base_pages());
    pinned.fill('p');
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        char byte = 0;
        ::close(pipe_ends[1]);
        ::_exit(::read(pipe_ends[0], &byte, 1) == 0 ? 0 : 1); // until the parent has written
    }
    ASSERT_GT(child, 0);
    rusage before{};
    rusage after{};
    ::getrusage(RUSAGE_THREAD, &before);
    for (std::size_t i = 0; i < pinned.bytes(); i += 4 * kib) {
        pinned.data()[i] = 'q';
    }
    ::getrusage(RUSAGE_THREAD, &after);
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_LT(after.ru_minflt - before.ru_minflt, 1024) << "of 4096 pages";
}

TEST_F(PinnedForkScript, ARequestAtWorkIsTheParents) {
    const Devices devices;
    const Pool workers(1);
    const Gate gate;
    Request request(workers, devices, mib);
    ASSERT_TRUE(gate.await());
    EXPECT_EQ(in_child([&] {
                  Pinned pinned;
                  near_pinned_progress progress{};
                  progress.struct_size = sizeof progress;
                  Outcome outcome;
                  const near_task task = outcome.task();
                  Error error;
                  EXPECT_EQ(request.wait(&pinned, NEAR_FOREVER, &error), NEAR_E_FORKED);
                  EXPECT_TRUE(error.says("the request was made in the parent")) << error.message;
                  EXPECT_EQ(near_pinned_request_progress(request, &progress), NEAR_E_FORKED);
                  EXPECT_EQ(near_pinned_request_cancel(request), NEAR_E_FORKED);
                  EXPECT_EQ(near_pinned_request_then(request, workers, NUMA_POOL_NODE_LOCAL, &task, nullptr, &error),
                            NEAR_E_FORKED);
                  request.destroy();
              }),
              0);
    gate.open();
    Pinned pinned;
    Error error;
    EXPECT_EQ(request.wait(&pinned, NEAR_FOREVER, &error), NEAR_OK) << error.message;
    pinned.fill('x');
}

// Whatever another thread is doing to the cache at that moment, the child finds no lock taken that it needs.
TEST_F(PinnedFork, WhileAnotherThreadIsAtIt) {
#if defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "[fork] AddressSanitizer's own allocator is locked in such a child";
#endif
    Devices devices;
    Pool workers(1);
    const Pinned live(workers, devices, 64 * kib);
    std::atomic<bool> stop{false};
    std::vector<std::thread> busy;
    for (int i = 0; i < 2; i++) {
        busy.emplace_back([&, i] {
            while (!stop) {
                Pinned(workers, devices, 32 * kib, pinned_options(0, i == 0 ? uint32_t{NEAR_PINNED_NO_CACHE} : 0));
                trim_pinned(workers, devices);
            }
        });
    }
    for (int turn = 0; turn < 20; turn++) {
        EXPECT_EQ(in_child([&] {
                      expect_forked(live);
                      expect_forked(workers, devices);
                      near_pinned_free(live);
                      workers.destroy();
                      devices.destroy();
                  }),
                  0);
    }
    stop = true;
    for (std::thread &thread : busy) {
        thread.join();
    }
}

} // namespace
