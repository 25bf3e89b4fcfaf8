// SPDX-License-Identifier: Apache-2.0
#include "machine/pin.hpp"

#include "support.hpp"

#include <cerrno>
#include <thread>

namespace nearpool::testing {
namespace {

using fakes::Call;

TEST(PinCurrentThread, IsStrictWhenTheMaskAndTheCpuAreSeen) {
    MadeUpMachine world;
    const Enforcement achieved = pin_current_thread(world.ports(), {1030, 1031});
    EXPECT_EQ(achieved.level, NEAR_LEVEL_STRICT) << achieved.text;
    EXPECT_EQ(achieved.reason, NEAR_REASON_NONE);
    EXPECT_TRUE(achieved.text.empty());
    EXPECT_EQ(world.machine.nodes().affinity(), (NumberSet{1030, 1031}));
}

// F6: a refusal is best effort with its reason; what strict mode makes of it is in scoped_pin.cpp.
TEST(PinCurrentThread, ARefusalIsBestEffortWithItsReason) { // containers: EPERM or ENOSYS from a seccomp filter
    for (const auto &[error, reason] :
         {std::pair{EPERM, NEAR_REASON_FORBIDDEN}, std::pair{ENOSYS, NEAR_REASON_FORBIDDEN},
          std::pair{EINVAL, NEAR_REASON_NOT_ALLOWED}, std::pair{EIO, NEAR_REASON_SYSTEM}}) {
        MadeUpMachine world;
        world.failing.fail_always(Call::affinity_set, error);
        const Enforcement achieved = pin_current_thread(world.ports(), {0});
        EXPECT_EQ(achieved.level, NEAR_LEVEL_BEST_EFFORT);
        EXPECT_EQ(achieved.reason, reason) << error;
        EXPECT_NE(achieved.text.find("CPUs 0"), std::string::npos) << achieved.text;
    }
}

TEST(PinCurrentThread, WhatTheCpusetCutsDownIsBestEffort) {
    MadeUpMachine world;
    world.allow({0, 4});
    const Enforcement achieved = pin_current_thread(world.ports(), {0, 1});
    EXPECT_EQ(achieved.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(achieved.reason, NEAR_REASON_NOT_ALLOWED);
}

TEST(PinCurrentThread, AnAffinityThatIsSilentlyIgnoredIsSeen) {
    MadeUpMachine world;
    world.machine.nodes().ignore_affinity(true);
    const Enforcement achieved = pin_current_thread(world.ports(), {0});
    EXPECT_EQ(achieved.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(achieved.reason, NEAR_REASON_ELSEWHERE);
}

TEST(PinCurrentThread, WhatCannotBeLookedAtIsBestEffort) {
    for (const Call call : {Call::affinity_get, Call::affinity_current}) {
        MadeUpMachine world;
        world.failing.fail_always(call, EPERM);
        const Enforcement achieved = pin_current_thread(world.ports(), {0});
        EXPECT_EQ(achieved.level, NEAR_LEVEL_BEST_EFFORT);
        EXPECT_EQ(achieved.reason, NEAR_REASON_FORBIDDEN);
    }
}

TEST(PinCurrentThread, WorksOnTheRealKernel) {
    std::thread([] {
        NumberSet before;
        ASSERT_EQ(real_ports().affinity.get(&before), 0);
        const NumberSet last{before.back()};
        const Enforcement achieved = pin_current_thread(real_ports(), last);
        EXPECT_EQ(achieved.level, NEAR_LEVEL_STRICT) << achieved.text;
        NumberSet after;
        ASSERT_EQ(real_ports().affinity.get(&after), 0);
        EXPECT_EQ(after, last);
    }).join();
}

} // namespace
} // namespace nearpool::testing
