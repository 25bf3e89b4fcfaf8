// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include "fakes/machines/four_nodes.hpp"
#include "fakes/machines/hmat.hpp"
#include "fakes/machines/memoryless_node.hpp"

#include <cerrno>
#include <cstdlib>
#include <sys/wait.h>
#include <unistd.h>

namespace nearpool::testing {
namespace {

TEST(XmlTopology, HasTheDistancesOfTheMachineThatWasRecorded) {
    const auto topology = xml(fakes::four_nodes_xml);
    EXPECT_FALSE(topology->this_machine());
    EXPECT_EQ(topology->link(0, 1).distance, 12U);
    EXPECT_EQ(topology->link(0, 3).distance, 22U);
    EXPECT_EQ(topology->link(3, 1).distance, 20U);
    EXPECT_EQ(topology->nodes_by_distance(3), (std::vector<uint32_t>{3, 2, 1, 0}));
}

// hwloc gives nodes 2 and 3 the CPUs of 0 and 1; the kernel says that they have none.
TEST(XmlTopology, AMemoryOnlyNodeHasNoCpusAndItsHmatFigures) {
    const auto topology = xml(fakes::hmat_xml);
    EXPECT_EQ(cpus_of(*topology, 0).text(), "0-1");
    EXPECT_TRUE(cpus_of(*topology, 2).empty());
    EXPECT_TRUE(cpus_of(*topology, 3).empty());
    EXPECT_EQ(topology->cpu(1)->node, 0U);
    EXPECT_EQ(topology->node(3)->package, 1U);
    EXPECT_EQ(topology->link(0, 2).access.read_mib_per_s, 102400U);
    EXPECT_EQ(topology->link(0, 2).access.read_ns, 120U);
    EXPECT_EQ(topology->link(0, 3).access.read_mib_per_s, 0U); // the machine says nothing of that way
    EXPECT_EQ(topology->nearest_with_cpus(3), 1U);
}

TEST(XmlTopology, ANodeWithoutMemoryIsANode) {
    const auto topology = xml(fakes::memoryless_node_xml);
    ASSERT_NE(topology->node(1), nullptr);
    EXPECT_EQ(topology->node(1)->memory_bytes, 0U);
    EXPECT_EQ(cpus_of(*topology, 1).text(), "2-3");
    EXPECT_FALSE(topology->node(1)->memory_allowed);
    EXPECT_FALSE(topology->allowed_nodes().contains(1));
    EXPECT_EQ(topology->nearest_with_memory(1), 2U); // distance 14, node 0 has 24
}

TEST(XmlTopology, HugePagePoolsLeaveTheBasePagesOut) {
    const auto topology = xml(fakes::hmat_xml);
    ASSERT_EQ(topology->node(0)->huge_pools.size(), 2U);
    EXPECT_EQ(topology->node(0)->huge_pools[0].page_bytes, 2U << 20);
    EXPECT_EQ(topology->node(0)->huge_pools[1].page_bytes, 1U << 30);
}

TEST(XmlTopology, AMissingFileIsASystemErrorThatNamesIt) {
    const auto missing = Topology::from_xml(real_ports(), "/nowhere/machine.xml");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().status, NEAR_E_SYSTEM);
    EXPECT_EQ(missing.error().code, ENOENT);
    EXPECT_NE(missing.error().message.find("/nowhere/machine.xml"), std::string::npos);
}

TEST(XmlTopology, WhatIsNoTopologyIsRefused) {
    const fakes::TemporaryFolder folder;
    for (const char *text : {"", "not xml", "<topology", "<?xml version=\"1.0\"?><other/>"}) {
        const auto refused = Topology::from_xml(real_ports(), folder.write("bad.xml", text));
        ASSERT_FALSE(refused) << text;
        EXPECT_EQ(refused.error().status, NEAR_E_TOPOLOGY) << text;
        EXPECT_NE(refused.error().message.find("bad.xml"), std::string::npos) << refused.error().message;
    }
}

TEST(XmlTopology, WhatIsWrittenReadsBackTheSame) {
    for (const auto &first : {synthetic("pack:2 numa:2 l3:2 core:2 pu:2"), xml(fakes::hmat_xml),
                              sysfs(fakes::sparse_machine()), xml(fakes::memoryless_node_xml)}) {
        Result<std::string> written = first->xml();
        ASSERT_TRUE(written) << written.error().message;
        EXPECT_EQ(xml(written.value())->text(), first->text());
    }
}

TEST(XmlTopology, OfMoreThanTheLimitIsRefusedWhileItIsRead) {
    const fakes::TemporaryFolder folder;
    const std::string path = folder.write("machine.xml", fakes::hmat_xml);
    ASSERT_EQ(::truncate(path.c_str(), (64 << 20) + 1), 0);
    const auto refused = Topology::from_xml(real_ports(), path);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, NEAR_E_TOPOLOGY);
    EXPECT_NE(refused.error().message.find("more than 67108864 bytes"), std::string::npos) << refused.error().message;
}

// hwloc would print that it lacks the component. In a child: the environment of the test program stays as it is.
TEST(XmlTopology, IsNotReadWithAComponentOfHwlocsThatMayBeMissing) {
    const fakes::TemporaryFolder folder;
    const std::string path = folder.write("machine.xml", fakes::hmat_xml);
    const auto status_with = [&](const char *components) {
        const pid_t child = ::fork();
        if (child == 0) {
            ::setenv("HWLOC_COMPONENTS", components, 1);
            const auto read = Topology::from_xml(real_ports(), path);
            ::_exit(read ? 0 : read.error().message.find("HWLOC_COMPONENTS") != std::string::npos ? 3 : 1);
        }
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    };
    for (const char *components : {"", "-gl,-cuda", "xml,stop", "linux,synthetic,no_os"}) {
        EXPECT_EQ(status_with(components), 0) << components;
    }
    for (const char *components : {"cuda", "-gl,nosuch", "xml,opencl"}) {
        EXPECT_EQ(status_with(components), 3) << components;
    }
}

} // namespace
} // namespace nearpool::testing
