// SPDX-License-Identifier: Apache-2.0
// Where a topology comes from.
#include "topology/builder.hpp"
#include "topology/sysfs_xml.hpp"
#include "topology/xml_check.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>

namespace nearpool {
namespace {

// Whether hwloc saw what the kernel says is online, no more and no less.
bool agrees(hwloc_topology_t topology, const SysfsMachine &machine) {
    if (hwloc_topology_is_thissystem(topology) == 0) {
        return false;
    }
    const NumberSet cpus = numbers_of(hwloc_topology_get_topology_cpuset(topology));
    const NumberSet nodes = numbers_of(hwloc_topology_get_topology_nodeset(topology));
    return (machine.cpus.empty() || cpus == machine.cpus) &&
           (machine.nodes.empty() ? nodes.size() == 1 : nodes == machine.node_numbers());
}

// One node stands for a machine that shows none.
void give_a_node(SysfsMachine &machine) {
    if (machine.nodes.empty()) {
        SysfsNode whole;
        whole.cpus = machine.cpus;
        whole.memory_bytes = machine.memory_bytes;
        machine.nodes.push_back(std::move(whole));
    }
}

Result<Ref<const Topology>> from_reading(SysfsMachine machine, FilePort &files, const std::string &root, bool live) {
    const bool synthetic_node = machine.nodes.empty();
    read_sysfs_cpus(files, root, machine);
    give_a_node(machine);
    const std::string xml = sysfs_xml(machine);
    Result<HwlocHandle> loaded = load_hwloc(Origin::xml, xml, false);
    if (!loaded) {
        return loaded.error();
    }
    annotate(loaded.value().get(), machine);
    BuilderInput input;
    input.source = std::make_unique<TopologySource>(loaded.take(), Origin::xml, xml, &files, root);
    input.sysfs = &machine;
    input.allowed = machine.allowed;
    input.this_machine = live;
    input.synthetic_node = synthetic_node;
    return TopologyBuilder::build(std::move(input));
}

Result<Ref<const Topology>> from_hwloc(HwlocHandle loaded, const SysfsMachine &machine, FilePort &files) {
    BuilderInput input;
    input.source = std::make_unique<TopologySource>(std::move(loaded), Origin::live, "", &files, "");
    input.synthetic_node = machine.nodes.empty();
    input.sysfs = &machine;
    input.allowed = machine.allowed;
    input.this_machine = true;
    return TopologyBuilder::build(std::move(input));
}

Result<HwlocHandle> load_live() {
    if (const char *name = hwloc_override(); name != nullptr) {
        return fail(NEAR_E_TOPOLOGY,
                    "hwloc is not asked, because %s of the environment can make it read another machine", name);
    }
    return load_hwloc(Origin::live, "", false);
}

// A description that names no NUMA level gets one node from hwloc.
bool names_a_node(std::string description) {
    std::transform(description.begin(), description.end(), description.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    return description.find("numa") != std::string::npos || description.find("node") != std::string::npos;
}

Result<Ref<const Topology>> from_text(Origin origin, const std::string &text, bool synthetic_node) {
    Result<HwlocHandle> loaded = load_hwloc(origin, text, false);
    if (!loaded) {
        return loaded.error();
    }
    BuilderInput input;
    input.source = std::make_unique<TopologySource>(loaded.take(), origin, text, nullptr, "");
    input.synthetic_node = synthetic_node;
    return TopologyBuilder::build(std::move(input));
}

} // namespace

// hwloc reads the machine, and is believed when it agrees with the kernel about what is online. Where it does not (it
// can drop nodes, and the environment can make it read something else), the kernel's files are read here.
Result<Ref<const Topology>> Topology::discover(const Ports &ports) {
    SysfsMachine machine = read_sysfs(ports.files, "");
    NumberSet affinity; // within the cpuset: the kernel sees to that. Not the caller's, which may be pinned by now
    if (ports.affinity.get_process(&affinity) == 0) {
        machine.allowed.cpus = affinity;
    }
    Result<HwlocHandle> loaded = load_live();
    if (loaded && (machine.cpus.empty() || agrees(loaded.value().get(), machine))) {
        return from_hwloc(loaded.take(), machine, ports.files);
    }
    if (!machine.cpus.empty()) {
        return from_reading(std::move(machine), ports.files, "", true);
    }
    loaded.error().message += "; and /sys/devices/system/cpu/online cannot be read";
    return loaded.error();
}

Result<Ref<const Topology>> Topology::from_xml(const Ports &ports, const std::string &path) {
    std::string text;
    if (const int error = ports.files.read(path, &text); error < 0) {
        return fail_system(-error, "cannot read the XML file %s", path.c_str());
    }
    const Done checked = check_hwloc_xml(text);
    Result<Ref<const Topology>> made = checked ? from_text(Origin::xml, text, false) : checked.error();
    if (!made) {
        made.error().message = path + ": " + made.error().message;
    }
    return made;
}

Result<Ref<const Topology>> Topology::from_synthetic(const std::string &description) {
    return from_text(Origin::synthetic, description, !names_a_node(description));
}

Result<Ref<const Topology>> Topology::from_sysfs(const Ports &ports, const std::string &root) {
    const std::string online = root + "/sys/devices/system/cpu/online";
    std::string text;
    if (const int error = ports.files.read(online, &text); error < 0) {
        return fail_system(-error, "cannot read %s; the folder must hold what /sys and /proc show", online.c_str());
    }
    SysfsMachine machine = read_sysfs(ports.files, root);
    if (machine.cpus.empty()) {
        return fail(NEAR_E_TOPOLOGY, "%s names no CPU", online.c_str());
    }
    return from_reading(std::move(machine), ports.files, root, false);
}

} // namespace nearpool
