// SPDX-License-Identifier: Apache-2.0
#include "memory/crew.hpp"

#include "support/limits.hpp"
#include "unit/memory/support.hpp"

#include <cerrno>
#include <set>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace nearpool;
using namespace nearpool::test;
using fakes::Call;

namespace {

std::vector<uint32_t> times(std::size_t count, uint32_t node) {
    return std::vector<uint32_t>(count, node);
}

TEST(Crew, DoesEveryPieceOnceOnAHelperOfItsNode) {
    World world;
    std::vector<uint32_t> nodes;
    for (std::size_t i = 0; i < 200; i++) {
        nodes.push_back(static_cast<uint32_t>(i % 4));
    }
    std::vector<std::atomic<int>> done(nodes.size());
    std::atomic<int> elsewhere{0};
    const CrewOutcome outcome = world.crew->run(*world.topology, nodes, [&](std::size_t i) {
        uint32_t cpu = 0;
        uint32_t node = 0;
        world.ports.ports().affinity.current(&cpu, &node);
        elsewhere += node != nodes[i] ? 1 : 0;
        done[i]++;
        return 0;
    });
    EXPECT_EQ(outcome.error, 0);
    EXPECT_FALSE(outcome.by_caller);
    EXPECT_FALSE(outcome.unpinned);
    EXPECT_EQ(elsewhere, 0);
    for (const std::atomic<int> &count : done) {
        EXPECT_EQ(count, 1);
    }
}

TEST(Crew, StartsNoMoreThanTheNodesCpusAndNoMoreThanThePieces) {
    World world;
    EXPECT_EQ(world.crew->helper_count(), 0U); // none before there is work
    const Crew::Work nothing = [](std::size_t) { return 0; };
    world.crew->run(*world.topology, times(1, 0), nothing);
    EXPECT_EQ(world.crew->helper_count(), 1U);
    for (int i = 0; i < 10; i++) {
        world.crew->run(*world.topology, times(100, 0), nothing);
    }
    EXPECT_EQ(world.crew->helper_count(), 2U);
    world.crew->run(*world.topology, times(100, 3), nothing);
    EXPECT_EQ(world.crew->helper_count(), 4U);
}

// A cpuset may have changed between two readings of the machine.
TEST(Crew, ServesANodeByTheCpusThatTheTopologyKnows) {
    World world;
    World other({{0, {0, 1}, 100}, {1, {3}, 100}});
    const auto cpus_of = [&](const World &known) {
        NumberSet cpus;
        world.crew->run(*known.topology, times(1, 1),
                        [&](std::size_t) { return world.ports.ports().affinity.get(&cpus); });
        return cpus;
    };
    EXPECT_EQ(cpus_of(world), (NumberSet{2, 3}));
    EXPECT_EQ(cpus_of(other), (NumberSet{3}));
    EXPECT_EQ(cpus_of(world), (NumberSet{2, 3}));
    EXPECT_EQ(world.crew->helper_count(), 2U);
}

TEST(Crew, ReportsTheFirstErrorAndDoesTheRestNevertheless) {
    World world;
    std::atomic<int> done{0};
    const CrewOutcome outcome = world.crew->run(*world.topology, times(50, 1), [&](std::size_t i) {
        done++;
        return i == 7 ? -EIO : 0;
    });
    EXPECT_EQ(outcome.error, -EIO);
    EXPECT_EQ(done, 50);
    EXPECT_EQ(world.crew->run(*world.topology, times(1, 1), [](std::size_t) -> int { throw std::bad_alloc(); }).error,
              -ENOMEM);
}

TEST(Crew, ServesManyJobsFromManyThreadsAtOnce) {
    World world;
    std::atomic<uint64_t> sum{0};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 8; caller++) {
        callers.emplace_back([&] {
            for (int job = 0; job < 100; job++) {
                world.crew->run(*world.topology, {0, 1, 2, 3, 0, 1, 2, 3}, [&](std::size_t) {
                    sum++;
                    return 0;
                });
            }
        });
    }
    for (std::thread &caller : callers) {
        caller.join();
    }
    EXPECT_EQ(sum, 8U * 100U * 8U);
}

// N12
TEST(Crew, WithoutThreadsTheCallerDoesTheWorkAndItIsSaid) {
    World world;
    world.ports.fail_always(Call::threads_start, EAGAIN);
    const std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> here{0};
    const CrewOutcome outcome = world.crew->run(*world.topology, {0, 1, 2, 2}, [&](std::size_t) {
        here += std::this_thread::get_id() == caller ? 1 : 0;
        return 0;
    });
    EXPECT_TRUE(outcome.by_caller);
    EXPECT_EQ(here, 4);
    world.ports.fail_nothing();
    EXPECT_FALSE(world.crew->run(*world.topology, {0}, [](std::size_t) { return 0; }).by_caller); // tried again
}

TEST(Crew, WithFewerThreadsThanAskedNothingIsLost) {
    World world;
    world.ports.fail_nth(Call::threads_start, 2, EAGAIN);
    std::atomic<int> done{0};
    const CrewOutcome outcome = world.crew->run(*world.topology, times(10, 0), [&](std::size_t) {
        done++;
        return 0;
    });
    EXPECT_EQ(done, 10);
    EXPECT_FALSE(outcome.by_caller);
}

TEST(Crew, AHelperThatCannotBePinnedSaysSo) {
    World world;
    world.ports.fail_always(Call::affinity_set, EPERM);
    EXPECT_TRUE(world.crew->run(*world.topology, {0}, [](std::size_t) { return 0; }).unpinned);
}

// numactl --interleave: an inherited policy would scatter what helpers touch.
TEST(Crew, HelpersDropThePolicyThatTheyInherited) {
    World world;
    std::atomic<int> mode{-1};
    world.crew->run(*world.topology, {1}, [&](std::size_t) {
        int its_mode = -1;
        NumberSet nodes;
        world.ports.ports().policy.get_thread(&its_mode, &nodes);
        mode = its_mode;
        return 0;
    });
    EXPECT_EQ(mode, sys::policy_default);
    EXPECT_GE(world.ports.calls(Call::policy_set_thread), 1U);
}

TEST(Crew, RealHelpersDropThePolicyThatTheyInherited) {
    Result<Ref<const Topology>> topology = Topology::discover(real_ports());
    ASSERT_TRUE(topology);
    const uint32_t node = topology.value()->allowed_nodes()[0];
    if (real_ports().policy.set_thread(sys::policy_interleave, {node}) != 0) {
        GTEST_SKIP() << "[mempolicy] set_mempolicy() is refused here";
    }
    Crew crew(real_ports());
    int mode = -1;
    crew.run(*topology.value(), {node}, [&](std::size_t) {
        NumberSet nodes;
        return real_ports().policy.get_thread(&mode, &nodes);
    });
    EXPECT_EQ(real_ports().policy.set_thread(sys::policy_default, {}), 0);
    EXPECT_EQ(mode, sys::policy_default);
}

TEST(Crew, ANodeWithoutCpusIsServedByTheNearest) {
    World world({{0, {0}, 100}, {1, {1}, 100}, {2, {}, 100}});
    std::atomic<uint32_t> served{99};
    const CrewOutcome outcome = world.crew->run(*world.topology, {2}, [&](std::size_t) {
        uint32_t cpu = 0;
        uint32_t node = 0;
        world.ports.ports().affinity.current(&cpu, &node);
        served = node;
        return 0;
    });
    EXPECT_EQ(served, 1U);
    EXPECT_FALSE(outcome.unpinned);
}

TEST(Crew, SleepsWhenThereIsNothingToDo) {
    World world;
    world.crew->run(*world.topology, {0, 0, 1}, [](std::size_t) { return 0; });
    // Not one wake-up, not one look at the clock, once the last has gone to sleep.
    bool asleep = false;
    for (int i = 0; i < 100 && !asleep; i++) {
        const uint64_t calls = world.ports.calls();
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        asleep = world.ports.calls() == calls;
    }
    EXPECT_TRUE(asleep);
}

TEST(Crew, NamesItsThreadsByNode) {
    Result<Ref<const Topology>> topology = Topology::discover(real_ports());
    ASSERT_TRUE(topology);
    const uint32_t node = topology.value()->node_numbers()[0];
    Crew crew(real_ports());
    std::string name;
    crew.run(*topology.value(), {node}, [&](std::size_t) {
        char text[16] = {};
        pthread_getname_np(pthread_self(), text, sizeof(text));
        name = text;
        return 0;
    });
    EXPECT_EQ(name, "near-crew" + std::to_string(node));
}

TEST(Crew, RealHelpersRunOnTheNodesCpus) {
    Result<Ref<const Topology>> topology = Topology::discover(real_ports());
    ASSERT_TRUE(topology);
    Crew crew(real_ports());
    for (const Node &node : topology.value()->nodes()) {
        const uint32_t serving =
            node.allowed_cpus.empty() ? topology.value()->nearest_with_allowed_cpus(node.number) : node.number;
        const NumberSet &cpus = topology.value()->node(serving)->allowed_cpus;
        std::atomic<int> elsewhere{0};
        crew.run(*topology.value(), times(64, node.number), [&](std::size_t) {
            elsewhere += cpus.contains(static_cast<uint32_t>(sched_getcpu())) ? 0 : 1;
            return 0;
        });
        EXPECT_EQ(elsewhere, 0) << "node " << node.number;
    }
}

// The allocator of AddressSanitizer in GCC 12 has no handler for fork: in the child a new thread waited for one of its
// locks, which a thread of the parent held, as a debugger showed.
bool child_may_hang_in_the_sanitizer() {
#if defined(__SANITIZE_ADDRESS__)
    return true;
#else
    return false;
#endif
}

// A child has none of the threads, and locks may have been held when it was made.
TEST(Crew, AChildOfForkHasACrewOfItsOwnAlsoInTheMidstOfAJob) {
    if (child_may_hang_in_the_sanitizer()) {
        GTEST_SKIP() << "[fork] AddressSanitizer's allocator is not safe in a child of a thread that allocates";
    }
    World world;
    std::atomic<bool> stop{false};
    std::thread busy([&] {
        while (!stop) {
            world.crew->run(*world.topology, {0, 1, 2, 3}, [](std::size_t) { return 0; });
        }
    });
    for (int round = 0; round < 20; round++) {
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            nearpool_test::limit_this_process();
            Result<Ref<const Topology>> topology = Topology::from_synthetic("numa:2 pu:1");
            Crew crew(real_ports());
            _exit(topology && crew.run(*topology.value(), {0, 1}, [](std::size_t) { return 0; }).error == 0 ? 0 : 1);
        }
        int status = -1;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    stop = true;
    busy.join();
}

TEST(Crew, TheParentsCrewWorksInTheChild) {
    if (child_may_hang_in_the_sanitizer()) {
        GTEST_SKIP() << "[fork] AddressSanitizer's allocator is not safe in a child of a thread that allocates";
    }
    Result<Ref<const Topology>> topology = Topology::discover(real_ports());
    ASSERT_TRUE(topology);
    const uint32_t node = topology.value()->node_numbers()[0];
    Crew crew(real_ports());
    std::atomic<bool> stop{false};
    std::thread busy([&] {
        while (!stop) {
            crew.run(*topology.value(), times(8, node), [](std::size_t) { return 0; });
        }
    });
    for (int round = 0; round < 20; round++) {
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            nearpool_test::limit_this_process();
            std::atomic<int> done{0};
            const CrewOutcome outcome = crew.run(*topology.value(), times(16, node), [&](std::size_t) {
                done++;
                return 0;
            });
            _exit(done == 16 && outcome.error == 0 && crew.helper_count() >= 1 ? 0 : 1);
        }
        int status = -1;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    stop = true;
    busy.join();
}

} // namespace
