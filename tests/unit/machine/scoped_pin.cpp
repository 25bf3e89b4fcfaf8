// SPDX-License-Identifier: Apache-2.0
#include "machine/scoped_pin.hpp"

#include "support.hpp"

#include <cerrno>
#include <future>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace nearpool::testing {
namespace {

using fakes::Call;

Pin *taken(Result<std::unique_ptr<Pin>> made) {
    EXPECT_TRUE(made) << made.error().message;
    return made ? made.take().release() : nullptr;
}

Enforcement achieved(Pin *pin) {
    return pin->report().enforcement;
}

TEST(ScopedPin, PinsToTheNodeAndPutsBackWhatWasBefore) {
    MadeUpMachine world;
    const Topology &topology = world.topology();
    const NumberSet before = world.machine.nodes().affinity();
    Pin *pin = taken(Pin::to_node(world.ports(), topology, 5, true));
    EXPECT_EQ(achieved(pin).level, NEAR_LEVEL_STRICT);
    EXPECT_EQ(pin->report().node, 5U);
    EXPECT_EQ(pin->report().cpu_count, 2U);
    EXPECT_EQ(world.machine.nodes().affinity(), (NumberSet{1030, 1031}));
    EXPECT_TRUE(Pin::held_by_caller());
    EXPECT_TRUE(Pin::release(pin));
    EXPECT_EQ(world.machine.nodes().affinity(), before);
    EXPECT_FALSE(Pin::held_by_caller());
}

// N33: out of order is refused, and each release puts back exactly what its pin found.
TEST(ScopedPin, N33NestedPinsEndInReverseOrderOnly) {
    MadeUpMachine world;
    const Topology &topology = world.topology();
    Pin *outer = taken(Pin::to_node(world.ports(), topology, 0, true));
    Pin *inner = taken(Pin::to_cpus(world.ports(), topology, {1030}, true));
    const Done refused = Pin::release(outer);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, NEAR_E_BUSY);
    EXPECT_EQ(world.machine.nodes().affinity(), (NumberSet{1030}));
    EXPECT_TRUE(Pin::release(inner));
    EXPECT_EQ(world.machine.nodes().affinity(), (NumberSet{0, 1}));
    EXPECT_TRUE(Pin::release(outer));
}

TEST(ScopedPin, OnlyItsThreadMayReleaseIt) {
    MadeUpMachine world;
    Pin *pin = taken(Pin::to_node(world.ports(), world.topology(), 0, true));
    std::thread([&] {
        const Done refused = Pin::release(pin);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().status, NEAR_E_WRONG_THREAD);
        EXPECT_FALSE(Pin::held_by_caller());
    }).join();
    EXPECT_EQ(world.machine.nodes().affinity(), (NumberSet{0, 1}));
    EXPECT_TRUE(Pin::release(pin));
}

TEST(ScopedPin, OrphansOfAThreadThatEndedAreFreedByAnybodyInAnyOrder) {
    MadeUpMachine world;
    const Topology &topology = world.topology();
    Pin *first = nullptr;
    Pin *second = nullptr;
    std::thread([&] {
        first = taken(Pin::to_node(world.ports(), topology, 0, true));
        second = taken(Pin::to_node(world.ports(), topology, 5, true));
    }).join();
    const uint64_t sets = world.failing.calls(Call::affinity_set);
    EXPECT_TRUE(Pin::release(first));
    EXPECT_TRUE(Pin::release(second));
    EXPECT_EQ(world.failing.calls(Call::affinity_set), sets); // the caller's affinity is not the orphan's
}

// A thread_local object of the host that releases its pin, destroyed after ours.
TEST(ScopedPin, MayBeReleasedWhileItsThreadEnds) {
    struct Late {
        Pin *pin = nullptr;
        ~Late() { EXPECT_TRUE(pin == nullptr || Pin::release(pin)); }
    };
    MadeUpMachine world;
    const Topology &topology = world.topology();
    std::thread([&] {
        thread_local Late late;
        late.pin = taken(Pin::to_node(world.ports(), topology, 0, true));
    }).join();
}

TEST(ScopedPin, InAChildOfForkTheThreadKeepsItsPinsAndTheOthersAreOrphans) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "[fork] ThreadSanitizer allows no threads in a forked child";
#endif
    MadeUpMachine world;
    const Topology &topology = world.topology();
    Pin *own = taken(Pin::to_node(world.ports(), topology, 0, true));
    std::promise<Pin *> made;
    std::promise<void> stop;
    std::thread other([&] {
        Pin *pin = taken(Pin::to_node(world.ports(), topology, 5, true));
        made.set_value(pin);
        stop.get_future().wait();
        EXPECT_TRUE(Pin::release(pin));
    });
    Pin *theirs = made.get_future().get();
    const pid_t child = fork();
    if (child == 0) {
        bool fine = Pin::release(theirs) && Pin::held_by_caller();
        std::thread([&] { fine = fine && !Pin::release(own); }).join(); // its thread lives, also here
        _exit(fine && Pin::release(own) ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_FALSE(Pin::release(theirs)); // here it is another living thread's
    stop.set_value();
    other.join();
    EXPECT_TRUE(Pin::release(own));
}

TEST(ScopedPin, UnknownCpusAndNodesAreNamed) {
    MadeUpMachine world;
    const Topology &topology = world.topology();
    const auto cpu = Pin::to_cpus(world.ports(), topology, {0, 7}, false);
    ASSERT_FALSE(cpu);
    EXPECT_EQ(cpu.error().status, NEAR_E_NO_CPU);
    EXPECT_EQ(cpu.error().message, "CPU 7 is not in this topology (CPUs 0-1,4-5,1030-1031)");
    for (const auto &made : {Pin::to_node(world.ports(), topology, 1, false).error(),
                             Pin::to_nearest(world.ports(), topology, 1, false).error()}) {
        EXPECT_EQ(made.status, NEAR_E_NO_NODE);
        EXPECT_EQ(made.message, "node 1 is not in this topology (nodes 0,2,5,8)");
    }
}

TEST(ScopedPin, ANodeWithoutCpusIsRefusedAndTheNearestOneServes) {
    MadeUpMachine world;
    const Topology &topology = world.topology();
    const auto refused = Pin::to_node(world.ports(), topology, 2, false);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, NEAR_E_NO_CPU);
    Pin *pin = taken(Pin::to_nearest(world.ports(), topology, 2, true));
    EXPECT_EQ(pin->report().node, 5U);
    EXPECT_EQ(achieved(pin).level, NEAR_LEVEL_STRICT);
    EXPECT_TRUE(Pin::release(pin));
}

// N30 and acceptance 8: in a restricted container, strict succeeds within what is allowed.
TEST(ScopedPin, N30StrictWorksInsideARestrictedCpuset) {
    MadeUpMachine world;
    world.allow({1, 1030});
    const Topology &topology = world.topology();
    Pin *pin = taken(Pin::to_node(world.ports(), topology, 0, true));
    EXPECT_EQ(achieved(pin).level, NEAR_LEVEL_STRICT);
    EXPECT_EQ(world.machine.nodes().affinity(), (NumberSet{1}));
    EXPECT_TRUE(Pin::release(pin));
}

TEST(ScopedPin, StrictRefusesWhatIsNotAllowedAndKeepsNothing) {
    MadeUpMachine world;
    world.allow({0, 1});
    const Topology &topology = world.topology();
    const auto cpus = Pin::to_cpus(world.ports(), topology, {1, 1030}, true);
    ASSERT_FALSE(cpus);
    EXPECT_EQ(cpus.error().status, NEAR_E_NOT_ALLOWED);
    const auto node = Pin::to_node(world.ports(), topology, 5, true);
    ASSERT_FALSE(node);
    EXPECT_EQ(node.error().status, NEAR_E_NOT_ALLOWED);
    EXPECT_FALSE(Pin::held_by_caller());
    EXPECT_EQ(world.failing.calls(Call::affinity_set), 0U);
}

TEST(ScopedPin, SoftTakesWhatIsLeftAndSaysSo) {
    MadeUpMachine world;
    world.allow({0, 1});
    const Topology &topology = world.topology();
    Pin *part = taken(Pin::to_cpus(world.ports(), topology, {1, 1030}, false));
    EXPECT_EQ(achieved(part).level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(achieved(part).reason, NEAR_REASON_NOT_ALLOWED);
    EXPECT_EQ(world.machine.nodes().affinity(), (NumberSet{1}));
    EXPECT_TRUE(Pin::release(part));
    Pin *none = taken(Pin::to_node(world.ports(), topology, 5, false));
    EXPECT_EQ(achieved(none).level, NEAR_LEVEL_NONE);
    EXPECT_EQ(achieved(none).reason, NEAR_REASON_NOT_ALLOWED);
    EXPECT_EQ(none->report().cpu_count, 2U);
    EXPECT_TRUE(Pin::release(none));
    Pin *near = taken(Pin::to_nearest(world.ports(), topology, 5, false));
    EXPECT_EQ(near->report().node, 0U);
    EXPECT_EQ(achieved(near).level, NEAR_LEVEL_STRICT);
    EXPECT_TRUE(Pin::release(near));
}

// N32: a soft pin that failed says so, whatever the errno, and is released without touching the thread.
TEST(ScopedPin, N32ASoftPinThatIsRefusedIsVisible) {
    for (const int error : {EPERM, ENOSYS, EINVAL, EIO}) {
        MadeUpMachine world;
        const Topology &topology = world.topology();
        world.failing.fail_always(Call::affinity_set, error);
        Pin *pin = taken(Pin::to_node(world.ports(), topology, 5, false));
        EXPECT_EQ(achieved(pin).level, NEAR_LEVEL_BEST_EFFORT);
        EXPECT_NE(achieved(pin).reason, NEAR_REASON_NONE);
        EXPECT_FALSE(achieved(pin).text.empty());
        const uint64_t sets = world.failing.calls(Call::affinity_set);
        EXPECT_TRUE(Pin::release(pin));
        EXPECT_EQ(world.failing.calls(Call::affinity_set), sets);
    }
}

TEST(ScopedPin, StrictFailsWhenRefusedOrNotSeenAndTheThreadIsAsBefore) {
    for (const Call call : {Call::affinity_set, Call::affinity_current, Call::affinity_get}) {
        MadeUpMachine world;
        const Topology &topology = world.topology();
        const NumberSet before = world.machine.nodes().affinity();
        world.failing.fail_always(call, EPERM);
        const auto refused = Pin::to_node(world.ports(), topology, 5, true);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().status, NEAR_E_STRICT);
        EXPECT_NE(refused.error().message.find("1030-1031"), std::string::npos) << refused.error().message;
        EXPECT_EQ(world.machine.nodes().affinity(), before);
        EXPECT_FALSE(Pin::held_by_caller());
    }
    MadeUpMachine sandbox;
    const Topology &topology = sandbox.topology();
    sandbox.machine.nodes().ignore_affinity(true);
    EXPECT_FALSE(Pin::to_node(sandbox.ports(), topology, 5, true));
}

TEST(ScopedPin, ToTheOneNodeThatStandsForHiddenOnesIsNeverStrict) {
    MadeUpMachine world(MadeUpMachine::with_hidden_nodes());
    const Topology &topology = world.topology();
    ASSERT_EQ(topology.nodes().size(), 1U);
    const uint32_t node = topology.nodes()[0].number;
    const auto refused = Pin::to_node(world.ports(), topology, node, true);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, NEAR_E_STRICT);
    EXPECT_NE(refused.error().message.find("Mems_allowed"), std::string::npos) << refused.error().message;
    Pin *soft = taken(Pin::to_node(world.ports(), topology, node, false));
    EXPECT_EQ(achieved(soft).level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(achieved(soft).reason, NEAR_REASON_UNKNOWN_NODE);
    EXPECT_TRUE(Pin::release(soft));
    Pin *cpus = taken(Pin::to_cpus(world.ports(), topology, {1}, true)); // names no node
    EXPECT_EQ(achieved(cpus).level, NEAR_LEVEL_STRICT);
    EXPECT_TRUE(Pin::release(cpus));
}

TEST(ScopedPin, OnATopologyOfAnotherMachineNothingIsPinned) {
    MadeUpMachine world;
    const Ref<const Topology> other = Topology::from_synthetic("numa:4 pu:4").take();
    Pin *pin = taken(Pin::to_node(world.ports(), *other, 3, false));
    EXPECT_EQ(achieved(pin).level, NEAR_LEVEL_NONE);
    EXPECT_EQ(achieved(pin).reason, NEAR_REASON_NOT_THIS_MACHINE);
    EXPECT_EQ(pin->report().node, 3U);
    EXPECT_TRUE(Pin::release(pin));
    EXPECT_EQ(world.failing.calls(Call::affinity_set), 0U);
    for (const auto &refused :
         {Pin::to_node(world.ports(), *other, 3, true).error(), Pin::to_cpus(world.ports(), *other, {1}, true).error(),
          Pin::to_nearest(world.ports(), *other, 3, true).error()}) {
        EXPECT_EQ(refused.status, NEAR_E_STRICT);
        EXPECT_NE(refused.message.find("another machine"), std::string::npos);
    }
}

TEST(ScopedPin, AnAffinityThatCannotBePutBackIsReportedAndThePinFreed) {
    MadeUpMachine world;
    const Topology &topology = world.topology();
    Pin *pin = taken(Pin::to_node(world.ports(), topology, 5, true));
    world.failing.fail_always(Call::affinity_set, EINVAL);
    const Done refused = Pin::release(pin);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, NEAR_E_SYSTEM);
    EXPECT_EQ(refused.error().code, EINVAL);
    EXPECT_FALSE(Pin::held_by_caller());
}

TEST(ScopedPin, SurvivesTheFailureOfAnyStep) {
    for (uint64_t step = 1; step < 12; step++) {
        MadeUpMachine world;
        const Topology &topology = world.topology();
        const NumberSet before = world.machine.nodes().affinity();
        world.failing.fail_step(step, EPERM);
        Result<std::unique_ptr<Pin>> made = Pin::to_node(world.ports(), topology, 5, true);
        world.failing.fail_nothing();
        if (made) {
            EXPECT_TRUE(Pin::release(made.take().release()));
        }
        EXPECT_EQ(world.machine.nodes().affinity(), before) << step;
        EXPECT_FALSE(Pin::held_by_caller());
    }
}

} // namespace
} // namespace nearpool::testing
