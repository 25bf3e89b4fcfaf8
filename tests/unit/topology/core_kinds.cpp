// SPDX-License-Identifier: Apache-2.0
// Fast and efficient cores, as processors of several makers show them.
#include "support.hpp"

#include "fakes/machines/xml_machine.hpp"

namespace nearpool::testing {
namespace {

using fakes::SysfsTree;

SysfsTree four_cpus() {
    return SysfsTree({{0, {0, 1, 2, 3}, 4096, {10}, 0}});
}

// One letter a CPU: p, e, or - for unknown.
std::string kinds_of(const Topology &topology) {
    std::string text;
    for (const Cpu &cpu : topology.cpus()) {
        text += cpu.core_kind == NEAR_CORE_PERFORMANCE ? 'p' : cpu.core_kind == NEAR_CORE_EFFICIENT ? 'e' : '-';
    }
    return text;
}

TEST(CoreKinds, AreThoseOfIntelsCounterUnits) {
    SysfsTree tree = four_cpus();
    tree.set("/sys/devices/cpu_core/cpus", "0-1\n");
    tree.set("/sys/devices/cpu_atom/cpus", "2-3,9\n"); // 9 is offline
    EXPECT_EQ(kinds_of(*sysfs(tree)), "ppee");
    tree.set("/sys/devices/cpu_atom/cpus", "2\n");
    tree.set("/sys/devices/cpu_lowpower/cpus", "3\n");
    EXPECT_EQ(kinds_of(*sysfs(tree)), "ppee");
}

TEST(CoreKinds, AreThoseOfArmsCapacities) {
    SysfsTree tree = four_cpus();
    const std::vector<std::string> capacities = {"160", "160", "512", "1024"};
    for (uint32_t cpu = 0; cpu < 4; cpu++) {
        tree.set("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpu_capacity", capacities[cpu] + "\n");
    }
    EXPECT_EQ(kinds_of(*sysfs(tree)), "eeep");
}

TEST(CoreKinds, OfCapacitiesThatHardlyDifferAreOne) {
    SysfsTree tree = four_cpus();
    const std::vector<std::string> capacities = {"1024", "1010", "930", "1024"};
    for (uint32_t cpu = 0; cpu < 4; cpu++) {
        tree.set("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpu_capacity", capacities[cpu] + "\n");
    }
    EXPECT_EQ(kinds_of(*sysfs(tree)), "----");
    for (const auto &[capacity, kinds] :
         {std::pair("922\n", "----"), std::pair("921\n", "ppep"), std::pair("0\n", "ppep")}) {
        tree.set("/sys/devices/system/cpu/cpu2/cpu_capacity", capacity);
        EXPECT_EQ(kinds_of(*sysfs(tree)), kinds) << capacity;
    }
    for (uint32_t cpu = 0; cpu < 4; cpu++) {
        tree.set("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpu_capacity", cpu == 1 ? "3\n" : "2\n");
    }
    EXPECT_EQ(kinds_of(*sysfs(tree)), "epee");
}

// As hwloc writes what /sys says: a kind for each capacity.
TEST(CoreKinds, OfXmlThatHasCapacitiesAreThoseOfTheCapacities) {
    const auto kind = [](const std::string &cpus, const std::string &efficiency, const std::string &capacity) {
        return "<cpukind cpuset=\"" + cpus + "\" forced_efficiency=\"" + efficiency +
               "\">\n<info name=\"LinuxCapacity\" value=\"" + capacity + "\"/>\n</cpukind>\n";
    };
    const auto machine = [](const std::string &kinds) {
        return fakes::xml_machine({{{0, 1, 2, 3}, {fakes::XmlNode{}}}}, kinds);
    };
    EXPECT_EQ(kinds_of(*xml(machine(kind("0x3", "0", "1010") + kind("0xc", "1", "1024")))), "----");
    EXPECT_EQ(kinds_of(*xml(machine(kind("0x1", "0", "400") + kind("0x2", "1", "1010") + kind("0xc", "2", "1024")))),
              "eppp");
}

TEST(CoreKinds, AreNotKnownWhereAllAreAlikeOrOneIsNotSaid) {
    EXPECT_EQ(kinds_of(*sysfs(four_cpus())), "----");
    SysfsTree tree = four_cpus();
    for (uint32_t cpu = 0; cpu < 4; cpu++) {
        tree.set("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpu_capacity", "1024\n");
    }
    EXPECT_EQ(kinds_of(*sysfs(tree)), "----");
    tree.set("/sys/devices/system/cpu/cpu0/cpu_capacity", "512\n");
    EXPECT_EQ(kinds_of(*sysfs(tree)), "eppp");
    tree.remove("/sys/devices/system/cpu/cpu3/cpu_capacity");
    EXPECT_EQ(kinds_of(*sysfs(tree)), "----");
}

TEST(CoreKinds, AreNotKnownWhereUnitsContradictEachOther) {
    SysfsTree tree = four_cpus();
    tree.set("/sys/devices/cpu_core/cpus", "0-2\n");
    tree.set("/sys/devices/cpu_atom/cpus", "2-3\n");
    EXPECT_EQ(kinds_of(*sysfs(tree)), "----");
    tree.remove("/sys/devices/cpu_atom/cpus"); // one kind alone is no kind
    EXPECT_EQ(kinds_of(*sysfs(tree)), "----");
}

TEST(CoreKinds, OfXmlAreThoseThatHwlocRanks) {
    const std::string kinds = "<cpukind cpuset=\"0x3\" forced_efficiency=\"0\"/>\n"
                              "<cpukind cpuset=\"0xc\" forced_efficiency=\"1\"/>\n";
    EXPECT_EQ(kinds_of(*xml(fakes::xml_machine({{{0, 1, 2, 3}, {fakes::XmlNode{}}}}, kinds))), "eepp");
}

TEST(CoreKinds, AreInTextAndJson) {
    SysfsTree tree = four_cpus();
    tree.set("/sys/devices/cpu_core/cpus", "0-1\n");
    tree.set("/sys/devices/cpu_atom/cpus", "2-3\n");
    const auto topology = sysfs(tree);
    EXPECT_NE(topology->text().find("performance cores: CPUs 0-1; efficient cores: CPUs 2-3"), std::string::npos)
        << topology->text();
    EXPECT_NE(topology->json().find("\"core_kind\":\"efficient\""), std::string::npos);
}

} // namespace
} // namespace nearpool::testing
