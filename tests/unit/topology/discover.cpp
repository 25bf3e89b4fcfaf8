// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"
#include "support/limits.hpp"

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace nearpool::testing {
namespace {

using fakes::FakeMachine;
using fakes::SysfsTree;

std::string file_text(const char *path) {
    std::string text;
    return real_ports().files.read(path, &text) == 0 ? text : std::string();
}

TEST(DiscoveredTopology, HasWhatTheKernelSaysIsOnline) {
    const auto topology = taken(Topology::discover(real_ports()));
    EXPECT_TRUE(topology->this_machine());
    const auto nodes = NumberSet::parse(file_text("/sys/devices/system/node/online"));
    ASSERT_TRUE(nodes);
    if (nodes->empty()) {
        EXPECT_TRUE(topology->synthetic_node());
    } else {
        EXPECT_EQ(topology->node_numbers(), *nodes);
    }
    EXPECT_EQ(topology->cpu_numbers(), NumberSet::parse(file_text("/sys/devices/system/cpu/online")));
    NumberSet affinity;
    ASSERT_EQ(real_ports().affinity.get(&affinity), 0);
    EXPECT_EQ(topology->allowed_cpus(), affinity);
}

TEST(DiscoveredTopology, HasTheDistancesCpusAndMemoryOfEachNode) {
    const auto topology = taken(Topology::discover(real_ports()));
    if (topology->nodes().size() < 2) {
        GTEST_SKIP() << "[numa] needs two nodes";
    }
    for (const Node &node : topology->nodes()) {
        const std::string folder = "/sys/devices/system/node/node" + std::to_string(node.number);
        EXPECT_EQ(node.cpus, NumberSet::parse(file_text((folder + "/cpulist").c_str()))) << node.number;
        std::string line;
        for (const Node &to : topology->nodes()) {
            line += (line.empty() ? "" : " ") + std::to_string(topology->link(node.number, to.number).distance);
        }
        EXPECT_EQ(line + "\n", file_text((folder + "/distance").c_str())) << node.number;
        const bool has_memory =
            NumberSet::parse(file_text("/sys/devices/system/node/has_memory"))->contains(node.number);
        EXPECT_EQ(node.memory_bytes != 0, has_memory) << node.number;
    }
}

TEST(DiscoveredTopology, BothWaysOfReadingAgree) {
    const auto asked = taken(Topology::discover(real_ports()));
    const auto read = taken(Topology::from_sysfs(real_ports(), ""));
    const auto without_head = [](const std::string &text) { return text.substr(text.find('\n')); };
    EXPECT_EQ(without_head(asked->text()), without_head(read->text()));
    EXPECT_EQ(asked->counts().cores, read->counts().cores);
    EXPECT_EQ(asked->counts().packages, read->counts().packages);
    EXPECT_EQ(asked->counts().caches, read->counts().caches);
}

// hwloc obeys these variables; a discovery of this machine must not.
TEST(DiscoveredTopology, IsNotFooledByHwlocsVariables) {
    const std::string real = taken(Topology::discover(real_ports()))->cpu_numbers().text();
    for (const char *name : {"HWLOC_SYNTHETIC", "HWLOC_XMLFILE", "HWLOC_FSROOT", "HWLOC_COMPONENTS"}) {
        const pid_t child = fork();
        if (child == 0) { // the environment of the test program stays as it is
            setenv(name, "pack:3 pu:5", 1);
            Result<Ref<const Topology>> found = Topology::discover(real_ports());
            const bool same = found && found.value()->this_machine() && found.value()->cpu_numbers().text() == real;
            _exit(same ? 0 : 1);
        }
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0) << name;
    }
}

// N29, acceptance 2: a machine with nodes 0 and 8, which hwloc does not see here.
TEST(DiscoveredTopology, N29NodesThatHwlocLacksAreReadFromTheKernelsFiles) {
    FakeMachine machine({{0, {0, 1}}, {8, {2, 3}}});
    fakes::sparse_machine().fill(machine.files());
    const auto topology = taken(Topology::discover(machine.ports()));
    EXPECT_TRUE(topology->this_machine());
    EXPECT_EQ(topology->node_numbers(), (NumberSet{0, 8}));
    EXPECT_EQ(topology->distance(0, 8), 32U);
    EXPECT_EQ(topology->allowed_cpus().text(), "0-3");
}

TEST(DiscoveredTopology, N30AllowsWhatCpusetAndAffinityAllow) {
    FakeMachine machine({{0, {0, 1}}, {8, {2, 3}}});
    SysfsTree tree = fakes::sparse_machine();
    tree.allow("0-3", "0");
    tree.fill(machine.files());
    machine.nodes().allow_cpus({0, 1, 2});
    const auto topology = taken(Topology::discover(machine.ports()));
    EXPECT_EQ(topology->allowed_cpus().text(), "0-2");
    EXPECT_EQ(topology->node(8)->allowed_cpus.text(), "2");
    EXPECT_EQ(topology->allowed_nodes().text(), "0");
}

// The thread that happens to be first must not decide for the process.
TEST(DiscoveredTopology, N30TheProcessCountsAndNotAPinnedThread) {
    const NumberSet allowed = taken(Topology::discover(real_ports()))->allowed_cpus();
    ASSERT_FALSE(allowed.empty());
    NumberSet seen;
    std::thread([&] {
        ASSERT_EQ(real_ports().affinity.set({allowed.back()}), 0);
        seen = taken(Topology::discover(real_ports()))->allowed_cpus();
    }).join();
    EXPECT_EQ(seen, allowed);
}

TEST(DiscoveredTopology, AForbiddenAffinityCallLeavesWhatTheStatusFileSays) {
    FakeMachine machine({{0, {0, 1}}, {8, {2, 3}}});
    SysfsTree tree = fakes::sparse_machine();
    tree.allow("1,3", "0,8");
    tree.fill(machine.files());
    fakes::FailingPorts ports(machine.ports());
    ports.fail_always(fakes::Call::affinity_get, EPERM);
    const auto topology = taken(Topology::discover(ports.ports()));
    EXPECT_EQ(topology->allowed_cpus().text(), "1,3");
}

// N31: a machine that cannot be read in one way is read in another, or is an error; it never becomes another machine.
TEST(DiscoveredTopology, N31AnyFileMayBeRefused) {
    const std::size_t cpus = taken(Topology::discover(real_ports()))->cpus().size();
    fakes::FailingPorts counter;
    taken(Topology::discover(counter.ports()));
    ASSERT_GT(counter.steps(), 5U);
    const uint64_t stride = counter.steps() / 60 + 1; // a machine of many nodes has a thousand files
    for (uint64_t step = 1; step <= counter.steps(); step += stride) {
        fakes::FailingPorts ports;
        ports.fail_step(step, EACCES);
        const auto topology = taken(Topology::discover(ports.ports()));
        EXPECT_EQ(topology->cpus().size(), cpus) << "step " << step;
        EXPECT_EQ(ports.failures(), 1U);
        EXPECT_EQ(ports.held(), fakes::Held{});
    }
}

TEST(DiscoveredTopology, ManyThreadsMayDiscoverAndPrintAtOnce) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([] {
            const auto topology = taken(Topology::discover(real_ports()));
            EXPECT_TRUE(topology->xml());
            EXPECT_TRUE(topology->pci_node("0000:00:00.0"));
            EXPECT_FALSE(topology->json().empty());
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
}

TEST(DiscoveredTopology, IsUsableInAChildThatWasForkedWhileItWasRead) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "[fork] a sanitizer's allocator is not safe in a child of a thread that allocates";
#endif
    const auto topology = taken(Topology::discover(real_ports()));
    std::atomic<bool> stop{false};
    std::thread reader([&] {
        while (!stop) {
            static_cast<void>(topology->xml());
        }
    });
    for (int i = 0; i < 20; i++) {
        const pid_t child = fork();
        if (child == 0) {
            nearpool_test::limit_this_process();
            _exit(topology->xml() ? 0 : 1);
        }
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    stop = true;
    reader.join();
}

} // namespace
} // namespace nearpool::testing
