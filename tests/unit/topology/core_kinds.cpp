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

std::string kinds_of_capacities(const std::vector<std::string> &capacities) {
    SysfsTree tree = four_cpus();
    for (std::size_t cpu = 0; cpu < capacities.size(); cpu++) {
        tree.set("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpu_capacity", capacities[cpu] + "\n");
    }
    return kinds_of(*sysfs(tree));
}

TEST(CoreKinds, AreThoseOfArmsCapacities) {
    EXPECT_EQ(kinds_of_capacities({"160", "160", "512", "1024"}), "eeep");
    EXPECT_EQ(kinds_of_capacities({"512", "1024", "1024", "1024"}), "eppp");
    EXPECT_EQ(kinds_of_capacities({"2", "3", "2", "0"}), "epee");
}

TEST(CoreKinds, OfCapacitiesThatHardlyDifferAreOne) {
    EXPECT_EQ(kinds_of_capacities({"1024", "1010", "922", "1024"}), "----");
    EXPECT_EQ(kinds_of_capacities({"1024", "1010", "921", "1024"}), "ppep");
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
    EXPECT_EQ(kinds_of(*xml(machine(kind("0x1", "0", "400") + kind("0x4", "1", "1024")))),
              "e-p-"); // the others in none
}

TEST(CoreKinds, AreNotKnownWhereAllAreAlikeOrOneIsNotSaid) {
    EXPECT_EQ(kinds_of(*sysfs(four_cpus())), "----");
    EXPECT_EQ(kinds_of_capacities({"1024", "1024", "1024", "1024"}), "----");
    EXPECT_EQ(kinds_of_capacities({"512", "1024", "1024"}), "----");
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
