// SPDX-License-Identifier: Apache-2.0
// This machine, where /sys is hidden or is another's: the kernel's own answers, affinity, Mems_allowed and getcpu(),
// tell what it shows and how far it can be believed.
#include "support.hpp"

#include "fakes/machines/xml_machine.hpp"

#include <cerrno>

namespace nearpool::testing {
namespace {

using fakes::FakeMachine;
using fakes::FakeNode;
using fakes::SysfsTree;

const std::string system_folder = "/sys/devices/system";

std::vector<FakeNode> two_fake_nodes() {
    return {{0, {0, 1}}, {1, {2, 3}}};
}

SysfsTree two_nodes() {
    return SysfsTree({{0, {0, 1}, 4096, {10, 20}, 0}, {1, {2, 3}, 4096, {20, 10}, 0}});
}

Ref<const Topology> discovered(const SysfsTree &tree, FakeMachine &machine) {
    tree.fill(machine.files());
    return taken(Topology::discover(machine.ports()));
}

Ref<const Topology> discovered(const SysfsTree &tree, std::vector<FakeNode> nodes) {
    FakeMachine machine(std::move(nodes));
    return discovered(tree, machine);
}

bool names(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

TEST(TopologyInDoubt, AMachineThatShowsAllItsNodesIsNot) {
    const auto topology = discovered(two_nodes(), two_fake_nodes());
    EXPECT_EQ(topology->doubt(), "");
    EXPECT_EQ(topology->basis(), static_cast<uint32_t>(NEAR_BASIS_SYSFS));
    FakeMachine machine(two_fake_nodes());
    two_nodes().fill(machine.files());
    fakes::FailingPorts ports(machine.ports());
    ports.fail_always(fakes::Call::threads_start, EAGAIN); // none is needed
    EXPECT_EQ(taken(Topology::discover(ports.ports()))->doubt(), "");
    EXPECT_EQ(ports.failures(), 0U);
}

TEST(TopologyInDoubt, HiddenNodesOfWhichMemsAllowedNamesSeveralAre) {
    SysfsTree tree = two_nodes();
    tree.remove_folder(system_folder + "/node");
    tree.allow("0-3", "0-3");
    const auto topology = discovered(tree, two_fake_nodes());
    EXPECT_TRUE(topology->synthetic_node());
    EXPECT_TRUE(names(topology->doubt(), "0-3")) << topology->doubt();
    EXPECT_TRUE(names(topology->doubt(), "Mems_allowed")) << topology->doubt();
    EXPECT_EQ(topology->nodes()[0].cpus.text(), "0-3");
}

// A process that may have memory of one node alone, and runs there.
TEST(TopologyInDoubt, HiddenNodesAreNotWhereTheKernelAgreesOnOneNumber) {
    SysfsTree tree = two_nodes();
    tree.remove_folder(system_folder + "/node");
    tree.allow("0-3", "5");
    const auto topology = discovered(tree, {{5, {0, 1, 2, 3}}});
    EXPECT_TRUE(topology->synthetic_node());
    EXPECT_EQ(topology->doubt(), "");
    EXPECT_EQ(topology->node_numbers(), (NumberSet{5}));
    EXPECT_TRUE(topology->node(5)->memory_allowed);
    EXPECT_EQ(topology->basis() & (NEAR_BASIS_MEMS_ALLOWED | NEAR_BASIS_GETCPU),
              static_cast<uint32_t>(NEAR_BASIS_MEMS_ALLOWED | NEAR_BASIS_GETCPU));
    EXPECT_TRUE(names(topology->basis_text(), "Mems_allowed")) << topology->basis_text();
}

TEST(TopologyInDoubt, HiddenNodesAreWhereGetcpuNamesAnother) {
    SysfsTree tree = two_nodes();
    tree.remove_folder(system_folder + "/node");
    tree.allow("0-3", "0");
    for (const uint32_t caller : {0U, 3U}) { // each allowed CPU is visited, wherever the caller runs
        FakeMachine machine(two_fake_nodes());
        machine.nodes().run_on(caller);
        const auto topology = discovered(tree, machine);
        EXPECT_TRUE(names(topology->doubt(), "getcpu() says nodes 0-1")) << caller << ": " << topology->doubt();
    }
}

TEST(TopologyInDoubt, HiddenNodesAreWhereTheKernelCannotBeAsked) {
    SysfsTree tree = two_nodes();
    tree.remove_folder(system_folder + "/node");
    tree.set("/proc/self/status", "Name:\ttest\n");
    EXPECT_TRUE(names(discovered(tree, {{0, {0, 1, 2, 3}}})->doubt(), "Mems_allowed"));
    tree.allow("0-3", "0");
    FakeMachine machine({{0, {0, 1, 2, 3}}});
    tree.fill(machine.files());
    fakes::FailingPorts ports(machine.ports());
    ports.fail_always(fakes::Call::affinity_current, ENOSYS);
    EXPECT_TRUE(names(taken(Topology::discover(ports.ports()))->doubt(), "getcpu()"));
}

// Not only where it shows none.
TEST(TopologyInDoubt, AMachineThatShowsAPartOfItsNodesIs) {
    SysfsTree tree({{0, {0, 1, 2, 3}, 4096, {10}, 0}});
    tree.allow("0-3", "0-1");
    const auto topology = discovered(tree, two_fake_nodes());
    EXPECT_FALSE(topology->synthetic_node());
    EXPECT_TRUE(names(topology->doubt(), "/sys shows nodes 0")) << topology->doubt();
}

TEST(TopologyInDoubt, TheFilesOfAnotherMachineNeverAre) {
    SysfsTree tree = two_nodes();
    tree.remove_folder(system_folder + "/node");
    tree.allow("0-3", "0-3");
    EXPECT_EQ(sysfs(tree)->doubt(), "");
}

TEST(TopologyInDoubt, WithoutAnySysTheAffinityNamesTheCpus) {
    SysfsTree tree = two_nodes();
    tree.remove_folder(system_folder);
    tree.allow("0-3", "0");
    const auto topology = discovered(tree, {{0, {0, 1, 7}}});
    EXPECT_EQ(topology->cpu_numbers(), (NumberSet{0, 1, 7}));
    EXPECT_EQ(topology->allowed_cpus(), (NumberSet{0, 1, 7}));
    EXPECT_EQ(topology->nodes()[0].allowed_cpus, (NumberSet{0, 1, 7}));
    EXPECT_NE(topology->basis() & NEAR_BASIS_AFFINITY, 0U);
    EXPECT_EQ(topology->basis() & NEAR_BASIS_SYSFS, 0U);
}

TEST(TopologyInDoubt, WithoutSysAndAffinityThereIsNoMachine) {
    SysfsTree tree = two_nodes();
    tree.remove_folder(system_folder);
    FakeMachine machine(two_fake_nodes());
    tree.fill(machine.files());
    fakes::FailingPorts ports(machine.ports());
    ports.fail_always(fakes::Call::affinity_get, EPERM);
    const auto refused = Topology::discover(ports.ports());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, NEAR_E_TOPOLOGY);
}

// Containers show a file of their own.
TEST(TopologyInDoubt, TheAffinityWinsOverAListOfCpusThatContradictsIt) {
    for (const char *online : {"0", "4-7", "0-1", "many\n"}) {
        SysfsTree tree = two_nodes();
        tree.set(system_folder + "/cpu/online", online);
        FakeMachine machine(two_fake_nodes());
        machine.nodes().allow_cpus({2, 3});
        const auto topology = discovered(tree, machine);
        EXPECT_EQ(topology->allowed_cpus(), (NumberSet{2, 3})) << online;
        EXPECT_EQ(topology->cpu_numbers(), (NumberSet{0, 1, 2, 3})) << online; // those of the nodes too
        EXPECT_EQ(topology->node(1)->allowed_cpus, (NumberSet{2, 3})) << online;
        EXPECT_NE(topology->basis() & NEAR_BASIS_AFFINITY, 0U) << online;
    }
}

TEST(TopologyInDoubt, AnAffinityWithinTheListLeavesTheListAlone) {
    FakeMachine machine(two_fake_nodes());
    machine.nodes().allow_cpus({3});
    const auto topology = discovered(two_nodes(), machine);
    EXPECT_EQ(topology->cpu_numbers(), (NumberSet{0, 1, 2, 3}));
    EXPECT_EQ(topology->allowed_cpus(), (NumberSet{3}));
    EXPECT_EQ(topology->basis() & NEAR_BASIS_AFFINITY, 0U);
}

// As where a container shows the files of a smaller machine.
TEST(TopologyInDoubt, CpusThatNoNodeListsAreOfThoseThatGetcpuNames) {
    SysfsTree tree({{0, {0}, 4096, {10, 20}, 0}, {1, {2}, 4096, {20, 10}, 0}});
    const auto topology = discovered(tree, two_fake_nodes());
    EXPECT_EQ(cpus_of(*topology, 0).text(), "0-1");
    EXPECT_EQ(cpus_of(*topology, 1).text(), "2-3");
    EXPECT_EQ(topology->doubt(), "");
    EXPECT_EQ(topology->basis(), static_cast<uint32_t>(NEAR_BASIS_SYSFS | NEAR_BASIS_AFFINITY | NEAR_BASIS_GETCPU));
}

TEST(TopologyInDoubt, TheOnlyNodeHasAllAllowedCpus) {
    SysfsTree tree({{0, {0, 1}, 4096, {10}, 0}});
    const auto all = discovered(tree, {{0, {0, 1, 2, 3}}});
    EXPECT_EQ(cpus_of(*all, 0).text(), "0-3");
    EXPECT_EQ(all->doubt(), "");
    const auto hidden = discovered(tree, two_fake_nodes());
    EXPECT_EQ(cpus_of(*hidden, 0).text(), "0-3");
    EXPECT_TRUE(names(hidden->doubt(), "getcpu() says nodes 0-1")) << hidden->doubt();
}

TEST(TopologyInDoubt, CpusThatNoNodeListsAreWhereTheyCannotBeVisited) {
    for (const fakes::Call call : {fakes::Call::affinity_set, fakes::Call::threads_start}) {
        FakeMachine machine(two_fake_nodes());
        SysfsTree({{0, {0}, 4096, {10, 20}, 0}, {1, {2}, 4096, {20, 10}, 0}}).fill(machine.files());
        fakes::FailingPorts ports(machine.ports());
        ports.fail_always(call, EPERM);
        const auto topology = taken(Topology::discover(ports.ports()));
        EXPECT_EQ(cpus_of(*topology, 1).text(), "2");
        EXPECT_EQ(topology->cpu(3)->node, NEAR_NODE_UNKNOWN);
        EXPECT_TRUE(names(topology->doubt(), "none lists CPUs 1,3")) << topology->doubt();
    }
}

TEST(TopologyInDoubt, HiddenNodesAreWhereNoCpuCanBeVisited) {
    SysfsTree tree = two_nodes();
    tree.remove_folder(system_folder + "/node");
    tree.allow("0-3", "0");
    FakeMachine machine({{0, {0, 1, 2, 3}}});
    tree.fill(machine.files());
    fakes::FailingPorts ports(machine.ports());
    ports.fail_always(fakes::Call::affinity_set, EPERM);
    EXPECT_TRUE(names(taken(Topology::discover(ports.ports()))->doubt(), "getcpu() cannot be asked"));
}

// As sandboxes do that know no affinity: where the thread was is not where it should have been.
TEST(TopologyInDoubt, AnAffinityThatIsTakenAndNotFollowedVisitsNothing) {
    FakeMachine machine(two_fake_nodes());
    machine.nodes().ignore_affinity(true);
    const auto topology = discovered(SysfsTree({{0, {0}, 4096, {10, 20}, 0}, {1, {2}, 4096, {20, 10}, 0}}), machine);
    EXPECT_EQ(topology->cpu(3)->node, NEAR_NODE_UNKNOWN);
    EXPECT_TRUE(names(topology->doubt(), "none lists CPUs 1,3")) << topology->doubt();
}

// Not one of these CPUs is of this machine, so neither are the nodes.
TEST(TopologyInDoubt, TheNodesOfAnotherMachineAreLeftOut) {
    SysfsTree tree({{0, {64, 65}, 4096, {10, 20}, 0}, {1, {66, 67}, 4096, {20, 10}, 0}});
    tree.allow("0-3", "0");
    for (const char *online : {"64-67\n", "0-3\n", "0-7\n"}) { // with its CPUs, or only the folder of nodes is false
        tree.set(system_folder + "/cpu/online", online);
        const auto topology = discovered(tree, {{0, {0, 1, 2, 3}}});
        EXPECT_TRUE(topology->synthetic_node()) << online;
        EXPECT_EQ(cpus_of(*topology, 0).text(), std::string(online) == "0-7\n" ? "0-7" : "0-3");
    }
}

TEST(TopologyInDoubt, AMachineOfWhichNoCpuMayBeUsedIsShownWhole) {
    SysfsTree tree = two_nodes();
    tree.allow("8-11", "0-1");
    FakeMachine machine(two_fake_nodes());
    tree.fill(machine.files());
    fakes::FailingPorts ports(machine.ports());
    ports.fail_always(fakes::Call::affinity_get, EPERM);
    const auto topology = taken(Topology::discover(ports.ports()));
    EXPECT_EQ(topology->cpus().size(), 4U);
    EXPECT_EQ(topology->nodes().size(), 2U);
}

// Where the lists of all nodes are masked, the kernel says whose the CPUs are.
TEST(TopologyInDoubt, NodesOfWhichNoneListsACpuAreOfThisMachine) {
    SysfsTree tree = two_nodes();
    for (const char *node : {"/node/node0/cpulist", "/node/node1/cpulist"}) {
        tree.remove(system_folder + node);
    }
    const auto topology = discovered(tree, two_fake_nodes());
    EXPECT_EQ(cpus_of(*topology, 0).text(), "0-1");
    EXPECT_EQ(cpus_of(*topology, 1).text(), "2-3");
    EXPECT_EQ(topology->doubt(), "");
}

// It is copied to callers and into XML, which have room for so much.
TEST(TopologyInDoubt, AreSaidInNoMoreThanThereIsRoomFor) {
    std::string allowed = "0";
    for (int node = 2; node < 200; node += 2) {
        allowed += "," + std::to_string(node);
    }
    SysfsTree tree = two_nodes();
    tree.allow("0-3", allowed);
    const auto topology = discovered(tree, two_fake_nodes());
    EXPECT_EQ(topology->doubt().size(), sizeof near_topology_info::doubt - 1);
    EXPECT_EQ(xml(topology->xml().value())->doubt(), topology->doubt());
}

TEST(TopologyInDoubt, TheTextAndTheJsonSayIt) {
    SysfsTree tree = two_nodes();
    tree.remove_folder(system_folder + "/node");
    tree.allow("0-3", "0-3");
    const auto topology = discovered(tree, two_fake_nodes());
    EXPECT_TRUE(names(topology->text(), "not certain: " + topology->doubt())) << topology->text();
    EXPECT_TRUE(names(topology->json(), topology->doubt()));
    const Result<std::string> written = topology->xml();
    ASSERT_TRUE(written);
    EXPECT_EQ(xml(written.value())->doubt(), topology->doubt());
    EXPECT_EQ(xml(written.value())->json().substr(xml(written.value())->json().find("\"synthetic")),
              topology->json().substr(topology->json().find("\"synthetic")));
}

// What no nearpool wrote is no doubt: it would be printed, copied and written again.
TEST(TopologyInDoubt, OfAFileIsASentenceOfOurs) {
    const auto read = [](const std::string &name, const std::string &value) {
        std::string text = fakes::xml_machine({{{0, 1}, {fakes::XmlNode{}}}});
        const std::string object = "allowed_nodeset=\"0x1\">\n";
        text.insert(text.find(object) + object.size(), "<info name=\"" + name + "\" value=\"" + value + "\"/>\n");
        return xml(text);
    };
    EXPECT_EQ(read("NearpoolDoubt", "a doubt")->doubt(), "a doubt");
    for (const std::string &value : {std::string("two&#10;lines"), std::string("a\xc3\xa9"), std::string(192, 'x')}) {
        EXPECT_EQ(read("NearpoolDoubt", value)->doubt(), "") << value;
    }
    EXPECT_EQ(read("NearpoolBasis", "64")->basis(), static_cast<uint32_t>(NEAR_BASIS_XML));
    EXPECT_EQ(read("NearpoolBasis", "4294967297")->basis(), static_cast<uint32_t>(NEAR_BASIS_SYSFS));
}

} // namespace
} // namespace nearpool::testing
