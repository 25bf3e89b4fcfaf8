// SPDX-License-Identifier: Apache-2.0
#include "topology/sysfs_xml.hpp"

#include "base/text.hpp"
#include "topology/cpu_tree.hpp"

#include <algorithm>
#include <hwloc/distances.h>
#include <hwloc/memattrs.h>

namespace nearpool {
namespace {

void write_sets(std::string &out, const NumberSet &cpus, const NumberSet &nodes) {
    const std::string cpu_text = bitmap_text(cpus);
    const std::string node_text = bitmap_text(nodes);
    out += " cpuset=\"" + cpu_text + "\" complete_cpuset=\"" + cpu_text + "\" nodeset=\"" + node_text +
           "\" complete_nodeset=\"" + node_text + "\"";
}

void write_memory(std::string &out, const SysfsNode &node, const SysfsMachine &machine) {
    const uint64_t page_bytes = base_page_bytes();
    out += format("<object type=\"NUMANode\" os_index=\"%u\"", node.number);
    write_sets(out, near_cpus(machine, node), NumberSet{node.number});
    out += format(" local_memory=\"%llu\">", static_cast<unsigned long long>(node.memory_bytes));
    uint64_t base_bytes = node.memory_bytes;
    std::string huge;
    for (const near_huge_pool &pool : node.huge_pools) {
        base_bytes -= std::min(base_bytes, pool.page_bytes * pool.page_count);
        huge += format("<page_type size=\"%llu\" count=\"%llu\"/>", static_cast<unsigned long long>(pool.page_bytes),
                       static_cast<unsigned long long>(pool.page_count));
    }
    out += format("<page_type size=\"%llu\" count=\"%llu\"/>", static_cast<unsigned long long>(page_bytes),
                  static_cast<unsigned long long>(base_bytes / page_bytes));
    out += huge + "</object>\n";
}

NumberSet nodes_of(const TreeObject &object, const SysfsMachine &machine) {
    if (object.type == "Machine") {
        return machine.node_numbers();
    }
    std::vector<uint32_t> nodes;
    for (const SysfsNode &node : machine.nodes) {
        if (std::any_of(node.cpus.begin(), node.cpus.end(), [&](uint32_t cpu) { return object.cpus.contains(cpu); })) {
            nodes.push_back(node.number);
        }
    }
    return NumberSet(std::move(nodes));
}

std::string attributes_of(const TreeObject &object, const SysfsMachine &machine) {
    if (object.type == "Machine") {
        const NumberSet nodes = machine.node_numbers();
        return " allowed_cpuset=\"" + bitmap_text(machine.allowed.cpus.value_or(object.cpus).intersect(object.cpus)) +
               "\" allowed_nodeset=\"" + bitmap_text(machine.allowed.nodes.value_or(nodes).intersect(nodes)) + "\"";
    }
    if (object.cache_level != 0) {
        return format(" cache_size=\"%llu\" depth=\"%u\" cache_linesize=\"64\" cache_associativity=\"0\" "
                      "cache_type=\"%d\"",
                      static_cast<unsigned long long>(object.cache_bytes), object.cache_level,
                      object.cache_level == 1 ? 1 : 0);
    }
    return object.type == "Group" ? " kind=\"0\" subkind=\"0\"" : "";
}

void write_object(std::string &out, const TreeObject &object, const SysfsMachine &machine) {
    out += format("<object type=\"%s\" os_index=\"%u\"", object.type.c_str(), object.index);
    write_sets(out, object.cpus, nodes_of(object, machine));
    out += attributes_of(object, machine) + ">\n";
    for (const SysfsNode *node : object.memory) {
        write_memory(out, *node, machine);
    }
    for (const std::unique_ptr<TreeObject> &child : object.children) {
        write_object(out, *child, machine);
    }
    out += "</object>\n";
}

void annotate_distances(hwloc_topology_t topology, const SysfsMachine &machine) {
    std::vector<hwloc_obj_t> objects;
    std::vector<hwloc_uint64_t> values;
    for (const SysfsNode &node : machine.nodes) {
        objects.push_back(hwloc_get_numanode_obj_by_os_index(topology, node.number));
        if (objects.back() == nullptr || node.distances.size() < machine.nodes.size()) {
            return;
        }
        values.insert(values.end(), node.distances.begin(),
                      node.distances.begin() + static_cast<std::ptrdiff_t>(machine.nodes.size()));
    }
    hwloc_distances_add_handle_t handle = hwloc_distances_add_create(
        topology, "NUMALatency", HWLOC_DISTANCES_KIND_FROM_OS | HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0);
    if (handle != nullptr && hwloc_distances_add_values(topology, handle, static_cast<unsigned>(objects.size()),
                                                        objects.data(), values.data(), 0) == 0) {
        hwloc_distances_add_commit(topology, handle, 0);
    }
}

void annotate_initiator(hwloc_topology_t topology, hwloc_obj_t target, const SysfsInitiator &facts,
                        const NumberSet &cpus) {
    const HwlocBitmap bitmap(cpus);
    hwloc_location from{};
    from.type = HWLOC_LOCATION_TYPE_CPUSET;
    from.location.cpuset = bitmap.get();
    if (facts.bandwidth_mib_per_s != 0) {
        hwloc_memattr_set_value(topology, HWLOC_MEMATTR_ID_BANDWIDTH, target, &from, 0, facts.bandwidth_mib_per_s);
    }
    if (facts.latency_ns != 0) {
        hwloc_memattr_set_value(topology, HWLOC_MEMATTR_ID_LATENCY, target, &from, 0, facts.latency_ns);
    }
}

} // namespace

std::string sysfs_xml(const SysfsMachine &machine) {
    std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
                      "<topology version=\"2.0\">\n";
    write_object(out, *cpu_tree(machine), machine);
    return out + "</topology>\n";
}

void annotate(hwloc_topology_t topology, const SysfsMachine &machine) {
    if (machine.nodes.size() > 1) {
        annotate_distances(topology, machine);
    }
    for (const SysfsNode &node : machine.nodes) {
        hwloc_obj_t target = hwloc_get_numanode_obj_by_os_index(topology, node.number);
        for (const SysfsInitiator &facts : node.initiators) {
            const auto from = std::find_if(machine.nodes.begin(), machine.nodes.end(),
                                           [&](const SysfsNode &other) { return other.number == facts.node; });
            if (target != nullptr && from != machine.nodes.end() && !from->cpus.empty()) {
                annotate_initiator(topology, target, facts, from->cpus);
            }
        }
    }
}

} // namespace nearpool
