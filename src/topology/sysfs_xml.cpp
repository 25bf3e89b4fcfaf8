// SPDX-License-Identifier: Apache-2.0
#include "topology/sysfs_xml.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <hwloc/distances.h>
#include <hwloc/memattrs.h>
#include <limits>

namespace nearpool {
namespace {

// One object of hwloc's tree. Objects nest by their CPUs; nodes hang on the object that has exactly their CPUs.
struct Object {
    const char *type = "Group";
    uint32_t index = 0; // hwloc's os_index
    NumberSet cpus;
    NumberSet nodes;
    std::string attributes;
    std::vector<const SysfsNode *> memory; // the nodes that hang here
    std::vector<Object> children;
};

void insert(Object &parent, Object object) {
    for (Object &child : parent.children) {
        if (child.cpus.contains_all(object.cpus)) {
            insert(child, std::move(object));
            return;
        }
        if (!child.cpus.intersect(object.cpus).empty()) {
            return; // overlaps without nesting: no tree can show it, and hwloc would drop it too
        }
    }
    parent.children.push_back(std::move(object));
}

Object *find(Object &object, const NumberSet &cpus) {
    if (object.cpus == cpus) {
        return &object;
    }
    for (Object &child : object.children) {
        if (child.cpus.contains_all(cpus)) {
            return find(child, cpus);
        }
    }
    return nullptr;
}

// Where hwloc would hang a node: at its own CPUs; a memory-only node at those that reach it best, as HMAT or the
// distances say.
NumberSet near_cpus(const SysfsMachine &machine, const SysfsNode &node) {
    NumberSet cpus = node.cpus;
    if (!cpus.empty()) {
        return cpus;
    }
    uint32_t least = std::numeric_limits<uint32_t>::max();
    for (std::size_t i = 0; i < machine.nodes.size(); i++) {
        const SysfsNode &other = machine.nodes[i];
        const bool initiator = std::any_of(node.initiators.begin(), node.initiators.end(),
                                           [&](const SysfsInitiator &facts) { return facts.node == other.number; });
        const uint32_t distance = initiator ? 0 : i < node.distances.size() ? node.distances[i] : least;
        if (other.cpus.empty() || distance > least || distance == std::numeric_limits<uint32_t>::max()) {
            continue;
        }
        cpus = distance < least ? other.cpus : cpus.unite(other.cpus);
        least = distance;
    }
    return cpus;
}

std::vector<Object> objects_of(const SysfsMachine &machine) {
    std::vector<Object> objects;
    uint32_t packages = 0;
    uint32_t cores = 0;
    for (const SysfsNode &node : machine.nodes) {
        if (!node.cpus.empty()) {
            objects.push_back({"Group", node.number, node.cpus, {}, " kind=\"0\" subkind=\"0\"", {}, {}});
        }
    }
    for (const SysfsCpu &cpu : machine.details) { // the first CPU of each makes it
        if (!cpu.package.empty() && cpu.package[0] == cpu.number) {
            objects.push_back({"Package", packages++, cpu.package, {}, {}, {}, {}});
        }
        if (!cpu.cache.empty() && cpu.cache[0] == cpu.number) {
            objects.push_back({cpu.cache_level == 3   ? "L3Cache"
                               : cpu.cache_level == 2 ? "L2Cache"
                                                      : "L1Cache",
                               cpu.number,
                               cpu.cache,
                               {},
                               format(" cache_size=\"%llu\" depth=\"%u\" cache_linesize=\"64\" "
                                      "cache_associativity=\"0\" cache_type=\"%d\"",
                                      static_cast<unsigned long long>(cpu.cache_bytes), cpu.cache_level,
                                      cpu.cache_level == 1 ? 1 : 0),
                               {},
                               {}});
        }
        if (!cpu.core.empty() && cpu.core[0] == cpu.number) {
            objects.push_back({"Core", cores++, cpu.core, {}, {}, {}, {}});
        }
        objects.push_back({"PU", cpu.number, NumberSet{cpu.number}, {}, {}, {}, {}});
    }
    return objects;
}

// Which of two objects with the same CPUs is the outer one: as hwloc orders them.
int rank(const Object &object) {
    static constexpr std::array<const char *, 7> order = {"Package", "Group", "L3Cache", "L2Cache",
                                                          "L1Cache", "Core",  "PU"};
    const auto *const place = std::find_if(order.begin(), order.end(),
                                           [&](const char *type) { return std::string_view(type) == object.type; });
    return static_cast<int>(place - order.begin());
}

// hwloc wants children in the order of their first CPU.
void sort_children(Object &object) {
    std::sort(object.children.begin(), object.children.end(),
              [](const Object &a, const Object &b) { return a.cpus[0] < b.cpus[0]; });
    for (Object &child : object.children) {
        sort_children(child);
    }
}

Object tree_of(const SysfsMachine &machine) {
    Object root{"Machine", 0, machine.cpus, machine.node_numbers(), {}, {}, {}};
    std::vector<Object> objects = objects_of(machine);
    std::stable_sort(objects.begin(), objects.end(), [](const Object &a, const Object &b) {
        return a.cpus.size() != b.cpus.size() ? a.cpus.size() > b.cpus.size() : rank(a) < rank(b);
    });
    for (Object &object : objects) {
        if (std::string_view(object.type) == "Group" && find(root, object.cpus) != nullptr) {
            continue; // the machine or a package has the same CPUs already
        }
        if (machine.cpus.contains_all(object.cpus)) {
            insert(root, std::move(object));
        }
    }
    sort_children(root);
    for (const SysfsNode &node : machine.nodes) {
        const NumberSet cpus = near_cpus(machine, node);
        Object *home = cpus.empty() ? nullptr : find(root, cpus);
        (home != nullptr ? home : &root)->memory.push_back(&node);
    }
    return root;
}

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

void write_object(std::string &out, const Object &object, const SysfsMachine &machine) {
    NumberSet nodes;
    for (const SysfsNode &node : machine.nodes) {
        if (!node.cpus.intersect(object.cpus).empty() || std::string_view(object.type) == "Machine") {
            nodes.add(node.number);
        }
    }
    out += format("<object type=\"%s\" os_index=\"%u\"", object.type, object.index) + object.attributes;
    write_sets(out, object.cpus, nodes);
    if (std::string_view(object.type) == "Machine") {
        out += " allowed_cpuset=\"" + bitmap_text(machine.allowed.cpus.value_or(object.cpus).intersect(object.cpus)) +
               "\" allowed_nodeset=\"" + bitmap_text(machine.allowed.nodes.value_or(nodes).intersect(nodes)) + "\"";
    }
    out += ">\n";
    for (const SysfsNode *node : object.memory) {
        write_memory(out, *node, machine);
    }
    for (const Object &child : object.children) {
        write_object(out, child, machine);
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
    write_object(out, tree_of(machine), machine);
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
