// SPDX-License-Identifier: Apache-2.0
// Threads that allocate, write, check and free at random, against a model of their own of who has what.
#include "gpu/pinned_play.hpp"

#include <atomic>
#include <map>
#include <random>
#include <thread>

using namespace nearpool_gpu;
using nearpool_test::Pool;

namespace {

// Who has which bytes, of all threads.
class Ledger {
public:
    void enter(const char *data, std::size_t bytes) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto after = blocks_.upper_bound(data);
        EXPECT_TRUE(after == blocks_.end() || data + bytes <= after->first) << "a block reaches into the next";
        EXPECT_TRUE(after == blocks_.begin() || std::prev(after)->second <= data) << "a block was given twice";
        blocks_[data] = data + bytes;
        entered_++;
    }
    void leave(const char *data) {
        const std::lock_guard<std::mutex> lock(mutex_);
        EXPECT_EQ(blocks_.erase(data), 1U);
    }
    uint64_t entered() const { return entered_; }

private:
    std::mutex mutex_;
    std::map<const char *, const char *> blocks_;
    uint64_t entered_ = 0;
};

class Player {
public:
    Player(numa_pool *workers, device_pool *devices, stream_pool *streams, Ledger &ledger, uint64_t seed)
        : workers_(workers), devices_(devices), streams_(streams), ledger_(ledger), random_(seed), stamp_(seed << 32U) {
        EXPECT_EQ(stream_pool_acquire(streams_, &stream_), NEAR_OK);
    }

    void play(int turns) {
        for (int turn = 0; turn < turns; turn++) {
            if (live_.size() < 4 || (live_.size() < 40 && any(2) == 0)) {
                allocate();
            } else {
                give_back(any(live_.size()));
            }
            if (any(200) == 0) {
                trim_pinned(workers_, devices_, mib);
            }
        }
        while (!live_.empty()) {
            give_back(live_.size() - 1);
        }
        EXPECT_EQ(stream_pool_release(streams_, stream_), NEAR_OK);
    }

private:
    struct Live {
        Pinned pinned;
        uint64_t stamp;
    };

    std::size_t any(std::size_t count) { return std::uniform_int_distribution<std::size_t>(0, count - 1)(random_); }

    void allocate() {
        near_pinned_options options = pinned_options(0, any(4) == 0 ? uint32_t{NEAR_PINNED_FORK} : 0);
        options.alignment = std::size_t{1} << any(14);
        const std::size_t bytes = 1 + any(std::size_t{64} << any(11));
        live_.push_back(Live{Pinned(workers_, devices_, bytes, options), ++stamp_});
        const Pinned &pinned = live_.back().pinned;
        EXPECT_EQ(reinterpret_cast<uintptr_t>(pinned.data()) % options.alignment, 0U);
        EXPECT_EQ(pinned.bytes(), bytes);
        ledger_.enter(pinned.data(), bytes);
        stamp(pinned.data(), bytes, stamp_);
    }

    void give_back(std::size_t index) {
        std::swap(live_[index], live_.back());
        Live gone = std::move(live_.back());
        live_.pop_back();
        EXPECT_TRUE(has_stamp(gone.pinned.data(), gone.pinned.bytes(), gone.stamp));
        ledger_.leave(gone.pinned.data());
        if (any(8) == 0) {
            EXPECT_EQ(near_pinned_used_on(gone.pinned, streams_, STREAM_POOL_DEFAULT), NEAR_OK);
        }
        if (any(4) == 0) {
            EXPECT_EQ(near_pinned_free_after(gone.pinned.detach(), streams_, stream_), NEAR_OK);
        }
    }

    numa_pool *const workers_;
    device_pool *const devices_;
    stream_pool *const streams_;
    Ledger &ledger_;
    std::mt19937_64 random_;
    uint64_t stamp_;
    uint64_t stream_ = STREAM_POOL_DEFAULT;
    std::vector<Live> live_;
};

class PinnedStress : public PinnedGpu {
protected:
    static void play(const numa_pool_options &options, int threads_count) {
        const Devices devices;
        const Pool workers(options);
        const Streams streams(devices);
        Ledger ledger;
        std::vector<std::thread> threads;
        for (int i = 0; i < threads_count; i++) {
            threads.emplace_back([&, i] {
                Player(workers, devices, streams, ledger, static_cast<uint64_t>(i) + 1)
                    .play(6000 / nearpool_test::slowness());
            });
        }
        for (std::thread &thread : threads) {
            thread.join();
        }
        EXPECT_TRUE(nearpool_test::eventually([&] { // what is beyond the limit goes when somebody trims
            trim_pinned(workers, devices, SIZE_MAX);
            return pinned_stats(workers, devices).waiting_bytes == 0;
        }));
        const near_pinned_stats stats = pinned_stats(workers, devices);
        EXPECT_EQ(stats.live_count, 0U);
        EXPECT_EQ(stats.live_bytes, 0U);
        EXPECT_EQ(stats.idle_bytes, stats.held_bytes);
        EXPECT_GE(stats.hits + stats.misses, ledger.entered());
        trim_pinned(workers, devices);
        EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 0U);
    }
};

TEST_F(PinnedStress, NoBlockIsGivenTwiceAndNoneIsLost) {
    play(nearpool_test::options_for(nullptr), 6);
}

// All the time beyond the limit: what is made goes at once, and what is idle makes room.
TEST_F(PinnedStress, NorWhenThereIsHardlyAnyRoom) {
    play(limited(256 * kib), 4);
}

} // namespace
