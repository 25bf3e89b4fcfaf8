// SPDX-License-Identifier: Apache-2.0
// A pin that the kernel takes away is seen, from whatever thread, and made again where that is possible.
#include "machine/scoped_pin.hpp"

#include "support.hpp"

#include <atomic>
#include <cerrno>
#include <future>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace nearpool::testing {
namespace {

using fakes::Call;

// A thread of a made-up machine that was pinned to its node 0 and waits.
class PinnedThread {
public:
    explicit PinnedThread(MadeUpMachine &world) {
        thread_ = std::thread([this, &world] {
            id = this_thread_id();
            Result<std::unique_ptr<Pin>> made = Pin::to_node(world.ports(), world.topology(), 0, true);
            EXPECT_TRUE(made);
            pin = made.take().release();
            ready_.set_value();
            stop_.get_future().wait();
            if (release_) {
                EXPECT_TRUE(Pin::release(pin));
            }
        });
        ready_.get_future().wait();
    }
    ~PinnedThread() {
        if (thread_.joinable()) {
            finish(true);
        }
    }
    PinnedThread(const PinnedThread &) = delete;
    PinnedThread &operator=(const PinnedThread &) = delete;

    void finish(bool release) {
        release_ = release;
        stop_.set_value();
        thread_.join();
    }

    Pin *pin = nullptr;
    pid_t id = 0;

private:
    std::promise<void> ready_;
    std::promise<void> stop_;
    bool release_ = true;
    std::thread thread_;
};

TEST(PinLook, ACpusetThatMovedAwayIsSeenFromAnotherThread) {
    MadeUpMachine world;
    const PinnedThread pinned(world);
    EXPECT_EQ(pinned.pin->report().enforcement.level, NEAR_LEVEL_STRICT);
    world.machine.nodes().move_cpuset({4, 5});
    const PinReport moved = pinned.pin->report();
    EXPECT_EQ(moved.enforcement.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(moved.enforcement.reason, NEAR_REASON_NOT_ALLOWED);
    EXPECT_NE(moved.enforcement.text.find("may run on CPUs 4-5"), std::string::npos) << moved.enforcement.text;
    world.machine.nodes().move_cpuset({0, 1, 4});
    const PinReport back = pinned.pin->report();
    EXPECT_EQ(back.enforcement.level, NEAR_LEVEL_STRICT) << back.enforcement.text;
    EXPECT_EQ(back.cpu_count, 2U);
    EXPECT_EQ(world.machine.nodes().affinity(pinned.id), (NumberSet{0, 1})) << "it was pinned again";
}

TEST(PinLook, ALargerCpusetThatTookThePinAwayGivesItBack) {
    MadeUpMachine world;
    world.allow({0, 1});
    const PinnedThread pinned(world);
    world.machine.nodes().move_cpuset({0, 1, 4, 5});
    EXPECT_EQ(pinned.pin->report().enforcement.level, NEAR_LEVEL_STRICT);
    EXPECT_EQ(world.machine.nodes().affinity(pinned.id), (NumberSet{0, 1}));
}

TEST(PinLook, APartOfItsCpusIsLessThanWasAskedFor) {
    MadeUpMachine world;
    const PinnedThread pinned(world);
    world.machine.nodes().move_cpuset({1});
    const PinReport part = pinned.pin->report();
    EXPECT_EQ(part.enforcement.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(part.enforcement.reason, NEAR_REASON_NOT_ALLOWED) << part.enforcement.text;
    EXPECT_EQ(part.cpu_count, 1U);
}

TEST(PinLook, WhereThePinMayNotBeMadeAgainItSaysWhy) {
    MadeUpMachine world;
    const PinnedThread pinned(world);
    world.machine.nodes().move_cpuset({0, 1, 4, 5});
    world.failing.fail_always(Call::affinity_set, EPERM);
    const PinReport refused = pinned.pin->report();
    EXPECT_EQ(refused.enforcement.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(refused.enforcement.reason, NEAR_REASON_FORBIDDEN) << refused.enforcement.text;
    EXPECT_EQ(refused.cpu_count, 4U);
    world.failing.fail_nothing();
    EXPECT_EQ(pinned.pin->report().enforcement.level, NEAR_LEVEL_STRICT);
}

// Where the kernel itself refused at first, and a later look could pin.
TEST(PinLook, APinThatWasMadeByALookIsTakenBackToo) {
    MadeUpMachine world;
    const Topology &topology = world.topology();
    world.failing.fail_always(Call::affinity_set, EINVAL);
    Result<std::unique_ptr<Pin>> soft = Pin::to_node(world.ports(), topology, 5, false);
    ASSERT_TRUE(soft);
    EXPECT_EQ(soft.value()->report().enforcement.level, NEAR_LEVEL_BEST_EFFORT);
    world.failing.fail_nothing();
    EXPECT_EQ(soft.value()->report().enforcement.level, NEAR_LEVEL_STRICT);
    EXPECT_TRUE(Pin::release(soft.take().release()));
    EXPECT_EQ(world.machine.nodes().affinity(), (NumberSet{0, 1, 4, 5, 1030, 1031}));
}

// A look never comes between the steps of a pin.
TEST(PinLook, FromAnotherThreadDisturbsNoPinThatIsMadeOrReleased) {
    MadeUpMachine world;
    const Topology &topology = world.topology();
    Pin *outer = Pin::to_node(world.ports(), topology, 0, true).take().release();
    std::atomic<bool> stop{false};
    std::thread looker([&] {
        while (!stop) {
            EXPECT_EQ(outer->report().enforcement.level, NEAR_LEVEL_STRICT);
        }
    });
    for (int i = 0; i < 2000; i++) {
        Result<std::unique_ptr<Pin>> inner = Pin::to_node(world.ports(), topology, 5, true);
        ASSERT_TRUE(inner) << inner.error().message;
        EXPECT_EQ(world.machine.nodes().affinity(), (NumberSet{1030, 1031}));
        EXPECT_TRUE(Pin::release(inner.take().release()));
        EXPECT_EQ(world.machine.nodes().affinity(), (NumberSet{0, 1}));
    }
    stop = true;
    looker.join();
    EXPECT_TRUE(Pin::release(outer));
}

TEST(PinLook, ALaterPinOfTheThreadIsLeftAlone) {
    MadeUpMachine world;
    const Topology &topology = world.topology();
    Result<std::unique_ptr<Pin>> outer = Pin::to_node(world.ports(), topology, 0, true);
    ASSERT_TRUE(outer);
    Result<std::unique_ptr<Pin>> inner = Pin::to_node(world.ports(), topology, 5, true);
    ASSERT_TRUE(inner);
    EXPECT_EQ(outer.value()->report().enforcement.level, NEAR_LEVEL_STRICT);
    EXPECT_EQ(world.machine.nodes().affinity(), (NumberSet{1030, 1031}));
    EXPECT_TRUE(Pin::release(inner.take().release()));
    EXPECT_TRUE(Pin::release(outer.take().release()));
}

TEST(PinLook, OfAThreadThatEndedItIsWhatWasSeenLast) {
    MadeUpMachine world;
    PinnedThread pinned(world);
    pinned.finish(false);
    world.machine.nodes().move_cpuset({4, 5});
    const uint64_t gets = world.failing.calls(Call::affinity_get);
    const PinReport last = pinned.pin->report();
    EXPECT_EQ(last.enforcement.level, NEAR_LEVEL_STRICT);
    EXPECT_EQ(last.enforcement.reason, NEAR_REASON_NOT_STARTED) << last.enforcement.text;
    EXPECT_EQ(world.failing.calls(Call::affinity_get), gets) << "its number may be another thread's now";
    EXPECT_TRUE(Pin::release(pinned.pin));
}

TEST(PinLook, InAChildOfForkTheThreadsOwnPinIsLookedAtAndOthersAreWhatWasSeenLast) {
    MadeUpMachine world;
    const PinnedThread theirs(world);
    Result<std::unique_ptr<Pin>> own = Pin::to_node(world.ports(), world.topology(), 5, true);
    ASSERT_TRUE(own);
    const pid_t child = fork();
    if (child == 0) {
        world.machine.nodes().move_cpuset({4, 5});
        const bool fine = theirs.pin->report().enforcement.reason == NEAR_REASON_NOT_STARTED &&
                          own.value()->report().enforcement.reason == NEAR_REASON_NOT_ALLOWED;
        _exit(fine ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(Pin::release(own.take().release()));
}

// The real kernel, with a thread that somebody else sets free.
TEST(PinLook, WorksOnTheRealKernel) {
    NumberSet all;
    ASSERT_EQ(real_ports().affinity.get(&all), 0);
    Result<Ref<const Topology>> topology = Topology::discover(real_ports());
    ASSERT_TRUE(topology);
    Result<std::unique_ptr<Pin>> pin = Pin::to_cpus(real_ports(), *topology.value(), {all[0]}, true);
    ASSERT_TRUE(pin);
    ASSERT_EQ(real_ports().affinity.set(all), 0);
    PinReport seen;
    std::thread([&] { seen = pin.value()->report(); }).join();
    EXPECT_EQ(seen.enforcement.level, NEAR_LEVEL_STRICT) << seen.enforcement.text;
    NumberSet now;
    ASSERT_EQ(real_ports().affinity.get(&now), 0);
    EXPECT_EQ(now, NumberSet{all[0]});
    EXPECT_TRUE(Pin::release(pin.take().release()));
    ASSERT_EQ(real_ports().affinity.get(&now), 0);
    EXPECT_EQ(now, all);
}

} // namespace
} // namespace nearpool::testing
