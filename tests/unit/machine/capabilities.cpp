// SPDX-License-Identifier: Apache-2.0
#include "machine/capabilities.hpp"

#include "support.hpp"

#include <cerrno>

namespace nearpool::testing {
namespace {

using fakes::Call;

Capability probed(MadeUpMachine &world, int32_t which) {
    const Topology &topology = world.topology();
    return Capabilities::probe(world.ports(), topology).get(which);
}

void expect_missing(const Capability &answer, int32_t reason) {
    EXPECT_FALSE(answer.available);
    EXPECT_EQ(answer.reason, reason) << answer.text;
    EXPECT_FALSE(answer.text.empty());
}

TEST(Capabilities, AWholeMachineHasAllThatStrictModeNeeds) {
    MadeUpMachine world;
    const Topology &topology = world.topology();
    const Capabilities found = Capabilities::probe(world.ports(), topology);
    EXPECT_TRUE(found.get(NEAR_CAPABILITY_STRICT).available) << found.get(NEAR_CAPABILITY_STRICT).text;
    EXPECT_TRUE(found.missing().empty());
    EXPECT_EQ(found.get(NEAR_CAPABILITY_MULTIPLE_NODES).value, 4U);
    EXPECT_TRUE(found.get(NEAR_CAPABILITY_MIGRATION).available) << found.get(NEAR_CAPABILITY_MIGRATION).text;
    EXPECT_EQ(world.failing.held(), fakes::Held{});
}

TEST(Capabilities, EachAnswerHasASentence) {
    MadeUpMachine world;
    const Topology &topology = world.topology();
    const Capabilities found = Capabilities::probe(world.ports(), topology);
    for (int32_t which = 0; which < NEAR_CAPABILITY_COUNT; which++) {
        EXPECT_FALSE(found.get(which).text.empty()) << capability_name(which);
        EXPECT_EQ(found.get(which).available, found.get(which).reason == NEAR_REASON_NONE) << capability_name(which);
    }
}

// N5: what strict mode needs takes no privilege; what is refused is named for what it is.
TEST(Capabilities, N5ARefusedBindIsForbiddenAndMissingForStrict) {
    for (const int error : {EPERM, ENOSYS}) {
        MadeUpMachine world;
        const Topology &topology = world.topology();
        world.failing.forbid_policies(error);
        const Capabilities found = Capabilities::probe(world.ports(), topology);
        expect_missing(found.get(NEAR_CAPABILITY_MEMORY_BINDING), NEAR_REASON_FORBIDDEN);
        expect_missing(found.get(NEAR_CAPABILITY_PLACEMENT_QUERY), NEAR_REASON_FORBIDDEN);
        expect_missing(found.get(NEAR_CAPABILITY_MIGRATION), NEAR_REASON_FORBIDDEN);
        expect_missing(found.get(NEAR_CAPABILITY_PREFERRED_MANY), NEAR_REASON_FORBIDDEN);
        EXPECT_TRUE(found.get(NEAR_CAPABILITY_AFFINITY).available);
        EXPECT_EQ(found.missing(),
                  (std::vector<int32_t>{NEAR_CAPABILITY_MEMORY_BINDING, NEAR_CAPABILITY_PLACEMENT_QUERY}));
        expect_missing(found.get(NEAR_CAPABILITY_STRICT), NEAR_REASON_FORBIDDEN);
        EXPECT_NE(found.get(NEAR_CAPABILITY_STRICT).text.find("memory binding, placement query"), std::string::npos);
    }
}

TEST(Capabilities, ABindThatPutsThePageElsewhereIsNotBelieved) {
    class Liar final : public PolicyPort {
    public:
        explicit Liar(PolicyPort &inner) : inner_(inner) {}
        int bind(void *, std::size_t, int, const NumberSet &, unsigned) override { return 0; }
        int set_thread(int mode, const NumberSet &nodes) override { return inner_.set_thread(mode, nodes); }
        int get_thread(int *mode, NumberSet *nodes) override { return inner_.get_thread(mode, nodes); }
        long move_pages(std::size_t count, void *const *pages, const int *nodes, int *states, int flags) override {
            return inner_.move_pages(count, pages, nodes, states, flags);
        }

    private:
        PolicyPort &inner_;
    };
    MadeUpMachine world;
    const Topology &topology = world.topology();
    const Ports &honest = world.ports();
    Liar liar(honest.policy);
    const Ports ports{honest.memory, liar,           honest.affinity, honest.futex,
                      honest.files,  honest.threads, honest.libraries};
    expect_missing(Capabilities::probe(ports, topology).get(NEAR_CAPABILITY_MEMORY_BINDING), NEAR_REASON_ELSEWHERE);
}

TEST(Capabilities, NothingIsTouchedOnNodesWithoutMemoryToSpare) {
    MadeUpMachine world;
    const Topology &topology = world.topology();
    for (const char *node : {"0", "2", "5"}) {
        world.machine.files().set("/sys/devices/system/node/node" + std::string(node) + "/meminfo",
                                  "Node " + std::string(node) + " MemTotal: 1048576 kB\nNode 0 MemFree: 300 kB\n");
    }
    const Capabilities found = Capabilities::probe(world.ports(), topology);
    EXPECT_TRUE(found.get(NEAR_CAPABILITY_MEMORY_BINDING).available);
    EXPECT_NE(found.get(NEAR_CAPABILITY_MEMORY_BINDING).text.find("not tried"), std::string::npos);
    expect_missing(found.get(NEAR_CAPABILITY_MIGRATION), NEAR_REASON_NO_MEMORY);
    EXPECT_EQ(world.machine.nodes().kills(), 0U);
}

TEST(Capabilities, AffinityThatIsRefusedOrIgnoredIsMissing) {
    MadeUpMachine world;
    world.failing.fail_always(Call::affinity_set, EPERM);
    expect_missing(probed(world, NEAR_CAPABILITY_AFFINITY), NEAR_REASON_FORBIDDEN);
    MadeUpMachine sandbox;
    sandbox.machine.nodes().ignore_affinity(true);
    expect_missing(probed(sandbox, NEAR_CAPABILITY_AFFINITY), NEAR_REASON_ELSEWHERE);
    MadeUpMachine full;
    full.failing.fail_always(Call::threads_start, EAGAIN);
    expect_missing(probed(full, NEAR_CAPABILITY_AFFINITY), NEAR_REASON_LIMIT);
}

TEST(Capabilities, TheCallersAffinityIsLeftAlone) {
    MadeUpMachine world;
    ASSERT_EQ(world.machine.nodes().set_affinity({1}), 0);
    probed(world, NEAR_CAPABILITY_AFFINITY);
    EXPECT_EQ(world.machine.nodes().affinity(), (NumberSet{1}));
}

TEST(Capabilities, MigrationIsMissingWhenPagesStay) {
    MadeUpMachine world;
    world.machine.nodes().refuse_moves(1, EBUSY);
    expect_missing(probed(world, NEAR_CAPABILITY_MIGRATION), NEAR_REASON_SYSTEM);
}

TEST(Capabilities, OneNodeWithMemoryHasNowhereToMigrateAndStillIsStrict) {
    fakes::FakeMachine machine({{3, {40, 41}}});
    fakes::SysfsTree({{3, {40, 41}, 4096, {10}, 0}}).fill(machine.files());
    const Ref<const Topology> topology = Topology::discover(machine.ports()).take();
    const Capabilities found = Capabilities::probe(machine.ports(), *topology);
    expect_missing(found.get(NEAR_CAPABILITY_MIGRATION), NEAR_REASON_ONE_NODE);
    expect_missing(found.get(NEAR_CAPABILITY_MULTIPLE_NODES), NEAR_REASON_ONE_NODE);
    EXPECT_TRUE(found.get(NEAR_CAPABILITY_STRICT).available);
}

TEST(Capabilities, OneNodeThatStandsForHiddenOnesIsNotEnoughForStrict) {
    MadeUpMachine world(MadeUpMachine::with_hidden_nodes());
    for (const int32_t which : {NEAR_CAPABILITY_MULTIPLE_NODES, NEAR_CAPABILITY_MEMORY_BINDING}) {
        const Capability answer = probed(world, which);
        expect_missing(answer, NEAR_REASON_UNKNOWN_NODE);
        EXPECT_NE(answer.text.find("Mems_allowed"), std::string::npos) << answer.text;
    }
    EXPECT_FALSE(probed(world, NEAR_CAPABILITY_STRICT).available);
}

TEST(Capabilities, LockingHasItsLimit) {
    MadeUpMachine world;
    world.machine.files().set("/proc/self/limits", "Limit  Soft Limit  Hard Limit  Units\n"
                                                   "Max locked memory         65536     65536     bytes\n");
    const Capability fine = probed(world, NEAR_CAPABILITY_LOCKING);
    EXPECT_TRUE(fine.available);
    EXPECT_EQ(fine.value, 65536U);
    world.failing.fail_always(Call::memory_lock, ENOMEM);
    expect_missing(probed(world, NEAR_CAPABILITY_LOCKING), NEAR_REASON_LIMIT);
    world.failing.fail_always(Call::memory_lock, EPERM);
    expect_missing(probed(world, NEAR_CAPABILITY_LOCKING), NEAR_REASON_FORBIDDEN);
    world.machine.files().set("/proc/self/limits", "Max locked memory         unlimited   unlimited    bytes\n");
    EXPECT_EQ(probed(world, NEAR_CAPABILITY_LOCKING).value, NEAR_NONE);
}

TEST(Capabilities, HugePagesAreThoseFreeNowOnAllowedNodes) {
    MadeUpMachine world;
    world.machine.files().hide("/sys/kernel/mm/hugepages");
    EXPECT_EQ(probed(world, NEAR_CAPABILITY_HUGE_PAGES_2M).value, 7U);
    expect_missing(probed(world, NEAR_CAPABILITY_HUGE_PAGES_1G), NEAR_REASON_KERNEL);
    fakes::SysfsTree tree = MadeUpMachine::tree_of_four();
    tree.allow("0-1", "0,5");
    MadeUpMachine part(tree);
    EXPECT_EQ(probed(part, NEAR_CAPABILITY_HUGE_PAGES_2M).value, 3U);
    part.machine.files().set("/sys/devices/system/node/node5/hugepages/hugepages-2048kB/free_hugepages", "0\n");
    expect_missing(probed(part, NEAR_CAPABILITY_HUGE_PAGES_2M), NEAR_REASON_NO_HUGE_PAGES);
}

TEST(Capabilities, TransparentHugePagesSayEnabledAndDefrag) {
    MadeUpMachine world;
    EXPECT_EQ(probed(world, NEAR_CAPABILITY_TRANSPARENT_HUGE).text, "enabled is madvise, defrag is madvise");
    world.machine.files().set("/proc/self/status", "Name:\tus\nTHP_enabled:\t1\nSeccomp:\t0\n");
    EXPECT_TRUE(probed(world, NEAR_CAPABILITY_TRANSPARENT_HUGE).available);
    world.machine.files().set("/proc/self/status", "Name:\tus\nTHP_enabled:\t0\nSeccomp:\t0\n");
    expect_missing(probed(world, NEAR_CAPABILITY_TRANSPARENT_HUGE), NEAR_REASON_NO_HUGE_PAGES);
    EXPECT_NE(probed(world, NEAR_CAPABILITY_TRANSPARENT_HUGE).text.find("off for this process"), std::string::npos);
    world.machine.files().set("/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
    expect_missing(probed(world, NEAR_CAPABILITY_TRANSPARENT_HUGE), NEAR_REASON_NO_HUGE_PAGES);
    world.machine.files().refuse("/sys/kernel/mm/transparent_hugepage/enabled");
    expect_missing(probed(world, NEAR_CAPABILITY_TRANSPARENT_HUGE), NEAR_REASON_KERNEL);
}

TEST(Capabilities, APolicyThatTheKernelLacksIsItsFault) {
    class OldKernel final : public PolicyPort {
    public:
        explicit OldKernel(PolicyPort &inner) : inner_(inner) {}
        int bind(void *address, std::size_t bytes, int mode, const NumberSet &nodes, unsigned flags) override {
            return mode > sys::policy_local ? -EINVAL : inner_.bind(address, bytes, mode, nodes, flags);
        }
        int set_thread(int mode, const NumberSet &nodes) override { return inner_.set_thread(mode, nodes); }
        int get_thread(int *mode, NumberSet *nodes) override { return inner_.get_thread(mode, nodes); }
        long move_pages(std::size_t count, void *const *pages, const int *nodes, int *states, int flags) override {
            return inner_.move_pages(count, pages, nodes, states, flags);
        }

    private:
        PolicyPort &inner_;
    };
    MadeUpMachine world;
    const Topology &topology = world.topology();
    const Ports &today = world.ports();
    OldKernel old(today.policy);
    const Ports ports{today.memory, old, today.affinity, today.futex, today.files, today.threads, today.libraries};
    const Capabilities found = Capabilities::probe(ports, topology);
    expect_missing(found.get(NEAR_CAPABILITY_PREFERRED_MANY), NEAR_REASON_KERNEL);
    expect_missing(found.get(NEAR_CAPABILITY_WEIGHTED_INTERLEAVE), NEAR_REASON_KERNEL);
    EXPECT_TRUE(found.get(NEAR_CAPABILITY_STRICT).available);
}

TEST(Capabilities, BalancingIsReportedAndDoesNotPreventStrict) {
    MadeUpMachine world;
    world.machine.files().set("/proc/sys/kernel/numa_balancing", "1\n");
    const Topology &topology = world.topology();
    const Capabilities found = Capabilities::probe(world.ports(), topology);
    expect_missing(found.get(NEAR_CAPABILITY_BALANCING_OFF), NEAR_REASON_BALANCING);
    EXPECT_TRUE(found.get(NEAR_CAPABILITY_STRICT).available);
}

TEST(Capabilities, WhatTheCpusetTakesAwayIsCounted) {
    fakes::SysfsTree tree = MadeUpMachine::tree_of_four();
    tree.allow("0-1", "0,5");
    MadeUpMachine world(tree);
    world.allow({0, 1});
    const Topology &topology = world.topology();
    const Capabilities found = Capabilities::probe(world.ports(), topology);
    expect_missing(found.get(NEAR_CAPABILITY_ALL_CPUS), NEAR_REASON_NOT_ALLOWED);
    EXPECT_EQ(found.get(NEAR_CAPABILITY_ALL_CPUS).value, 2U);
    expect_missing(found.get(NEAR_CAPABILITY_ALL_MEMORY), NEAR_REASON_NOT_ALLOWED);
    EXPECT_EQ(found.get(NEAR_CAPABILITY_ALL_MEMORY).value, 2U);
    EXPECT_EQ(found.get(NEAR_CAPABILITY_ALL_MEMORY).text, "the memory of nodes 0,5 of 0,2,5 is allowed");
    EXPECT_TRUE(found.get(NEAR_CAPABILITY_STRICT).available);
}

TEST(Capabilities, QuotaAndSeccompAreRead) {
    MadeUpMachine world;
    EXPECT_TRUE(probed(world, NEAR_CAPABILITY_NO_QUOTA).available);
    EXPECT_TRUE(probed(world, NEAR_CAPABILITY_NO_SECCOMP).available);
    world.machine.files().set("/proc/self/mountinfo", "1 2 0:26 / /cg rw - cgroup2 none rw\n");
    world.machine.files().set("/cg/cpu.max", "250000 100000\n");
    world.machine.files().set("/proc/self/status", "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n");
    const Capability quota = probed(world, NEAR_CAPABILITY_NO_QUOTA);
    expect_missing(quota, NEAR_REASON_QUOTA);
    EXPECT_EQ(quota.value, 2500U);
    EXPECT_EQ(quota.text, "the control group leaves 2.500 CPUs");
    expect_missing(probed(world, NEAR_CAPABILITY_NO_SECCOMP), NEAR_REASON_FORBIDDEN);
}

TEST(Capabilities, OnAnotherMachineNothingCanBeEnforced) {
    MadeUpMachine world;
    const Ref<const Topology> other = Topology::from_synthetic("numa:4 pu:4").take();
    const Capabilities found = Capabilities::probe(world.ports(), *other);
    EXPECT_TRUE(found.get(NEAR_CAPABILITY_MULTIPLE_NODES).available);
    for (int32_t which = 0; which < NEAR_CAPABILITY_COUNT; which++) {
        if (which != NEAR_CAPABILITY_MULTIPLE_NODES) {
            expect_missing(found.get(which), NEAR_REASON_NOT_THIS_MACHINE);
        }
    }
    EXPECT_EQ(found.missing().size(), 3U);
    EXPECT_EQ(world.failing.calls(), 0U);
}

TEST(Capabilities, SurviveTheFailureOfAnyStepAndLeakNothing) {
    MadeUpMachine counter;
    const Topology &topology = counter.topology();
    Capabilities::probe(counter.ports(), topology);
    const uint64_t steps = counter.failing.steps();
    ASSERT_GT(steps, 20U);
    for (uint64_t step = 1; step <= steps; step++) {
        fakes::FailingPorts ports(counter.machine.ports());
        ports.fail_step(step, ENOMEM);
        const Capabilities found = Capabilities::probe(ports.ports(), topology);
        EXPECT_FALSE(found.get(NEAR_CAPABILITY_STRICT).text.empty());
        EXPECT_EQ(ports.held(), fakes::Held{}) << "step " << step;
    }
}

TEST(Capabilities, NamesAreWordsAndUnknownForTheRest) {
    EXPECT_STREQ(capability_name(NEAR_CAPABILITY_MEMORY_BINDING), "memory binding");
    EXPECT_STREQ(capability_name(NEAR_CAPABILITY_NO_SECCOMP), "no seccomp filter");
    EXPECT_STREQ(capability_name(-1), "unknown");
    EXPECT_STREQ(capability_name(NEAR_CAPABILITY_COUNT), "unknown");
}

} // namespace
} // namespace nearpool::testing
