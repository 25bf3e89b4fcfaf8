// SPDX-License-Identifier: Apache-2.0
// How much a described machine may be: limits that are named, work that grows with what a file says and no faster, and
// numbers that are none.
#include "support.hpp"

#include "fakes/machines/xml_machine.hpp"
#include "support/vm_machine.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nearpool::testing {
namespace {

using fakes::SysfsTree;

const std::string cpu_folder = "/sys/devices/system/cpu";
const std::string node_folder = "/sys/devices/system/node";

struct Reading {
    Result<Ref<const Topology>> topology;
    uint64_t calls; // of the outside
};

Reading reading(const SysfsTree &tree) {
    fakes::FakeFiles files;
    tree.fill(files);
    const Ports &real = real_ports();
    fakes::FailingPorts ports(
        {real.memory, real.policy, real.affinity, real.futex, files, real.threads, real.libraries});
    Result<Ref<const Topology>> topology = Topology::from_sysfs(ports.ports(), "");
    return {std::move(topology), ports.steps()};
}

// NEAR_E_TOPOLOGY, and the sentence has all of `parts`.
void expect_refused(const Result<Ref<const Topology>> &answer, const std::vector<std::string> &parts) {
    ASSERT_FALSE(answer) << parts[0];
    EXPECT_EQ(answer.error().status, NEAR_E_TOPOLOGY);
    for (const std::string &part : parts) {
        EXPECT_NE(answer.error().message.find(part), std::string::npos) << part << " in: " << answer.error().message;
    }
}

// Runs `body` in a child that may use so many seconds of a CPU: a guard against work that does not end, never a
// measure.
template <class Body> int status_of_child(rlim_t seconds, Body &&body) {
    const pid_t child = fork();
    if (child == 0) {
        const rlimit limit{seconds, seconds};
        setrlimit(RLIMIT_CPU, &limit);
        _exit(body() ? 0 : 1);
    }
    int status = -1;
    return waitpid(child, &status, 0) == child ? status : -1;
}

SysfsTree one_node() {
    return SysfsTree({{0, {0, 1}, 4096, {10}, 0}});
}

SysfsTree bare_cpus(const std::string &online) {
    SysfsTree tree = one_node();
    tree.set(cpu_folder + "/online", online + "\n");
    tree.set(node_folder + "/node0/cpulist", online + "\n");
    return tree;
}

TEST(Limits, OfCpusNameNumberAndLimit) {
    SKIP_IN_A_VM();
    EXPECT_TRUE(reading(bare_cpus("0,1048575")).topology);
    expect_refused(reading(bare_cpus("0,1048576")).topology, {"1048576", "CPU"});
    expect_refused(reading(bare_cpus("0,4294967294")).topology, {"4294967294", "1048576", "CPU"});
    expect_refused(reading(bare_cpus("0-65536")).topology, {"65537", "65536", "CPU"});
    EXPECT_TRUE(reading(bare_cpus("1-65536")).topology);
}

TEST(Limits, OfNodesNameNumberAndLimit) {
    SKIP_IN_A_VM();
    const auto with_nodes = [](const std::string &online) {
        SysfsTree tree = one_node();
        tree.set(node_folder + "/online", online + "\n");
        return reading(tree).topology;
    };
    EXPECT_TRUE(with_nodes("0,65535"));
    expect_refused(with_nodes("0,65536"), {"65536", "node"});
    expect_refused(with_nodes("0,1048576"), {"1048576", "65536", "node"});
    expect_refused(with_nodes("0,4294967295"), {"4294967295", "65536", "node"});
    EXPECT_TRUE(with_nodes("0-4095"));
    expect_refused(with_nodes("0-4096"), {"4097", "4096", "node"});
}

TEST(Limits, HoldForFoldersToo) {
    SysfsTree tree = one_node();
    tree.remove(node_folder + "/online");
    tree.set(node_folder + "/node4294967295/cpulist", "");
    expect_refused(reading(tree).topology, {"4294967295", "65536"});
    tree = one_node();
    tree.remove(cpu_folder + "/online");
    tree.set(cpu_folder + "/cpu4294967295/online", "1");
    expect_refused(reading(tree).topology, {"4294967295", "1048576"});
}

TEST(Limits, AFileOverAMebibyteIsRefusedByItsName) {
    const std::string much(std::size_t{1} << 20U, ' ');
    for (const std::string &name : {cpu_folder + "/online", node_folder + "/online", node_folder + "/node0/cpulist",
                                    node_folder + "/node0/distance", node_folder + "/node0/meminfo",
                                    cpu_folder + "/cpu0/topology/package_cpus_list"}) {
        SysfsTree tree = one_node();
        tree.set(name, "0" + much);
        expect_refused(reading(tree).topology, {name, "1048576"});
    }
    SysfsTree tree = one_node();
    tree.set(node_folder + "/node0/cpulist", ("0-1" + much).substr(0, much.size()));
    ASSERT_TRUE(reading(tree).topology);
    EXPECT_EQ(cpus_of(*sysfs(tree), 0).text(), "0-1");
}

// Also where nothing but that file tells the CPUs.
TEST(Limits, AFileOverAMebibyteIsNotTakenForOneThatIsMissing) {
    SysfsTree tree({});
    tree.set(cpu_folder + "/online", std::string((std::size_t{1} << 20U) + 1, ' '));
    expect_refused(reading(tree).topology, {cpu_folder + "/online", "1048576"});
}

// Sums over all nodes fit in 64 bits, and what is read is written as XML that is read again.
TEST(Limits, SizesBeyondAnyMemoryAreNotUnderstood) {
    SysfsTree tree = one_node();
    tree.set(node_folder + "/node0/meminfo", "Node 0 MemTotal: 18446744073709551615 kB\n");
    tree.set(node_folder + "/node0/hugepages/hugepages-2048kB/nr_hugepages", "18446744073709551615\n");
    tree.set(node_folder + "/node0/hugepages/hugepages-9007199254740993kB/nr_hugepages", "1\n");
    for (const char *cpu : {"/cpu0", "/cpu1"}) {
        tree.set(cpu_folder + cpu + "/cache/index3/level", "3\n");
        tree.set(cpu_folder + cpu + "/cache/index3/type", "Unified\n");
        tree.set(cpu_folder + cpu + "/cache/index3/shared_cpu_list", "0-1\n");
        tree.set(cpu_folder + cpu + "/cache/index3/size", "18446744073709551615K\n");
    }
    const auto topology = sysfs(tree);
    EXPECT_EQ(topology->node(0)->memory_bytes, 0U);
    ASSERT_EQ(topology->node(0)->huge_pools.size(), 1U);
    EXPECT_EQ(topology->node(0)->huge_pools[0].page_count, 0U);
    ASSERT_EQ(topology->caches().size(), 1U);
    EXPECT_EQ(topology->caches()[0].bytes, 0U);
    EXPECT_EQ(xml(topology->xml().value())->json(), topology->json());
}

TEST(Limits, NoNodeOfXmlIsCalledAsAConstantOfOurs) {
    for (const char *number : {"4294967295", "4294967294", "4294967293", "65536"}) {
        fakes::XmlNode wrong;
        wrong.os_index = number;
        const fakes::TemporaryFolder folder;
        const std::string path = folder.write("machine.xml", fakes::xml_machine({{{0, 1}, {wrong}}}));
        const auto refused = Topology::from_xml(real_ports(), path);
        expect_refused(refused, {number});
    }
}

TEST(Limits, NoCpuOfXmlIsCalledAsAConstantOfOurs) {
    for (const char *number : {"4294967295", "4294967294", "1048576"}) {
        std::string text = fakes::xml_machine({{{0, 1}, {fakes::XmlNode{}}}});
        const std::string old = "type=\"PU\" os_index=\"1\"";
        text.replace(text.find(old), old.size(), "type=\"PU\" os_index=\"" + std::string(number) + "\"");
        const fakes::TemporaryFolder folder;
        expect_refused(Topology::from_xml(real_ports(), folder.write("machine.xml", text)), {number});
    }
}

// Eight times the CPUs: eight times the files.
TEST(Work, IsLinearInCpus) {
    const uint64_t few = reading(bare_cpus("0-2047")).calls;
    const uint64_t many = reading(bare_cpus("0-16383")).calls;
    EXPECT_GT(few, 2048U);
    EXPECT_LE(many, 8 * few);
}

// It took minutes when each CPU was looked up in each group.
TEST(Work, WithAsManyCpusAsThereMayBeEnds) {
    SKIP_IN_A_VM();
    const SysfsTree tree = bare_cpus("0-65535");
    EXPECT_EQ(status_of_child(60,
                              [&] {
                                  const Reading read = reading(tree);
                                  return read.topology && read.topology.value()->cpus().size() == 65536U;
                              }),
              0);
}

// Each of these files says a million numbers, twenty times, in 200 bytes.
TEST(Work, WithShortListsOfMillionsEnds) {
    SKIP_IN_A_VM();
    std::string list = "0-1048575";
    for (int i = 1; i < 20; i++) {
        list += ",0-1048575";
    }
    std::vector<uint32_t> cpus;
    for (uint32_t cpu = 0; cpu < 4096; cpu++) {
        cpus.push_back(cpu);
    }
    SysfsTree tree({{0, cpus, 4096, {}, 0}});
    for (const uint32_t cpu : cpus) {
        const std::string folder = cpu_folder + "/cpu" + std::to_string(cpu);
        tree.set(folder + "/topology/core_cpus_list", list + "\n");
        tree.set(folder + "/cache/index3/level", "3\n");
        tree.set(folder + "/cache/index3/shared_cpu_list", list + "\n");
    }
    EXPECT_EQ(status_of_child(60,
                              [&] {
                                  const Reading read = reading(tree);
                                  return read.topology && read.topology.value()->counts().cores == 1;
                              }),
              0);
}

TEST(Work, WithNodesThatClaimMillionsOfCpusEnds) {
    SKIP_IN_A_VM();
    SysfsTree tree = one_node();
    tree.set(node_folder + "/online", "0-4095\n");
    for (uint32_t node = 0; node < 4096; node++) {
        const std::string folder = node_folder + "/node" + std::to_string(node);
        tree.set(folder + "/cpulist", "0-1048575\n");
        tree.set("/sys/devices/virtual/memory_tiering/memory_tier" + std::to_string(node) + "/nodelist", "0-1048575\n");
    }
    EXPECT_EQ(status_of_child(20,
                              [&] {
                                  const Reading read = reading(tree);
                                  return read.topology && cpus_of(*read.topology.value(), 0).text() == "0-1";
                              }),
              0);
}

// A CPU that its core's list does not name reads its other names, and no more.
TEST(Work, IsBoundedWhereListsLackTheirCpu) {
    std::vector<uint32_t> cpus;
    for (uint32_t cpu = 0; cpu < 512; cpu++) {
        cpus.push_back(cpu);
    }
    SysfsTree tree({{0, cpus, 4096, {}, 0}});
    for (const uint32_t cpu : cpus) {
        tree.set(cpu_folder + "/cpu" + std::to_string(cpu) + "/topology/core_cpus_list", "0\n");
    }
    const Reading read = reading(tree);
    ASSERT_TRUE(read.topology);
    EXPECT_EQ(read.topology.value()->counts().cores, 512U);
    EXPECT_LE(read.calls, 512U * 20U);
}

TEST(PageSize, OfARecordedMachineIsWhatItsCountersSay) {
    struct Said {
        uint64_t pages;
        uint64_t kib;
        uint64_t page_bytes;
    };
    for (const Said &said : {Said{16384, 65536, 4096}, Said{4096, 65536, 16384}, Said{1024, 65536, 65536},
                             Said{1030, 65000, 65536}, Said{0, 65536, 4096}}) { // read at two moments; not known
        SysfsTree tree = one_node();
        tree.set(node_folder + "/node0/vmstat", "nr_free_pages " + std::to_string(said.pages) + "\nnr_mlock 0\n");
        tree.set(node_folder + "/node0/meminfo",
                 "Node 0 MemTotal: 99999 kB\nNode 0 MemFree: " + std::to_string(said.kib) + " kB\n");
        EXPECT_EQ(sysfs(tree)->page_bytes(), said.page_bytes) << said.pages;
    }
}

TEST(PageSize, OfARecordedMachineIsAlsoThatOfItsCountersOfAllNodes) {
    SysfsTree tree = one_node();
    tree.remove_folder(node_folder);
    tree.set("/proc/meminfo", "MemTotal: 99999 kB\nMemFree: 65536 kB\n");
    tree.set("/proc/vmstat", "nr_free_pages 1024\n");
    EXPECT_EQ(sysfs(tree)->page_bytes(), 65536U);
}

TEST(PageSize, OfARecordedMachineIsAlsoThatOfItsMappings) {
    SysfsTree tree = one_node();
    tree.set("/proc/self/smaps", "00400000-00452000 r-xp 00000000 08:02 173521 /bin/cat\nSize: 328 kB\n"
                                 "KernelPageSize:       64 kB\nMMUPageSize:          64 kB\n");
    EXPECT_EQ(sysfs(tree)->page_bytes(), 65536U);
}

TEST(PageSize, OfXmlIsThatOfItsMachine) {
    fakes::XmlNode node;
    node.page_bytes = 65536;
    EXPECT_EQ(xml(fakes::xml_machine({{{0, 1}, {node}}}))->page_bytes(), 65536U);
    node.page_bytes = 16384;
    EXPECT_EQ(xml(fakes::xml_machine({{{0, 1}, {node}}}))->page_bytes(), 16384U);
}

} // namespace
} // namespace nearpool::testing
