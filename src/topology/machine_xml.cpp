// SPDX-License-Identifier: Apache-2.0
#include "topology/machine_xml.hpp"

#include "base/text.hpp"
#include "topology/cpu_tree.hpp"
#include "topology/hwloc_info.hpp"
#include "topology/limits.hpp"

#include <algorithm>
#include <hwloc/distances.h>
#include <hwloc/memattrs.h>

namespace nearpool {
namespace {

class Writer {
public:
    explicit Writer(const Topology &topology) : topology_(topology) {}

    Result<std::string> write() {
        out_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
               "<topology version=\"2.0\">\n";
        write_object(*cpu_tree(topology_));
        if (out_.size() > most_xml_bytes) {
            return fail(NEAR_E_TOPOLOGY, "the XML of %zu CPUs and %zu nodes has more than %zu bytes",
                        topology_.cpus().size(), topology_.nodes().size(), most_xml_bytes);
        }
        return out_ + "</topology>\n";
    }

private:
    void write_object(const TreeObject &object) { // NOLINT(misc-no-recursion): six kinds of objects nest
        if (out_.size() > most_xml_bytes) {
            return;
        }
        out_ += format("<object type=\"%s\" os_index=\"%u\"", object.type.c_str(), object.index);
        write_sets(object.cpus, nodes_of(object));
        out_ += attributes_of(object) + ">\n";
        for (const Node *node : object.memory) {
            write_memory(*node, object.cpus);
        }
        for (const std::unique_ptr<TreeObject> &child : object.children) {
            write_object(*child);
        }
        out_ += "</object>\n";
    }

    void write_sets(const NumberSet &cpus, const NumberSet &nodes) {
        const std::string cpu_text = bitmap_text(cpus);
        const std::string node_text = bitmap_text(nodes);
        out_ += " cpuset=\"" + cpu_text + "\" complete_cpuset=\"" + cpu_text + "\" nodeset=\"" + node_text +
                "\" complete_nodeset=\"" + node_text + "\"";
    }

    NumberSet nodes_of(const TreeObject &object) const {
        if (object.type == "Machine") {
            return topology_.node_numbers();
        }
        std::vector<uint32_t> nodes;
        for (const uint32_t cpu : object.cpus) {
            nodes.push_back(topology_.cpu(cpu)->node);
        }
        return NumberSet(std::move(nodes)).intersect(topology_.node_numbers());
    }

    std::string attributes_of(const TreeObject &object) const {
        if (object.type == "Machine") {
            return " allowed_cpuset=\"" + bitmap_text(topology_.allowed_cpus()) + "\" allowed_nodeset=\"" +
                   bitmap_text(topology_.allowed_nodes()) + "\"";
        }
        if (object.cache.level != 0) {
            return format(" cache_size=\"%llu\" depth=\"%u\" cache_linesize=\"64\" cache_associativity=\"0\" "
                          "cache_type=\"%d\"",
                          static_cast<unsigned long long>(object.cache.bytes), object.cache.level,
                          object.cache.level == 1 ? 1 : 0);
        }
        return object.type == "Group" ? " kind=\"0\" subkind=\"0\"" : "";
    }

    void write_memory(const Node &node, const NumberSet &home) {
        const uint64_t page_bytes = topology_.page_bytes();
        out_ += format("<object type=\"NUMANode\" os_index=\"%u\"", node.number);
        write_sets(home, NumberSet{node.number});
        out_ += format(" local_memory=\"%llu\">", static_cast<unsigned long long>(node.memory_bytes));
        uint64_t base_bytes = node.memory_bytes;
        std::string huge;
        for (const near_huge_pool &pool : node.huge_pools) {
            const bool fits = pool.page_count == 0 || pool.page_bytes <= base_bytes / pool.page_count;
            base_bytes -= fits ? pool.page_bytes * pool.page_count : base_bytes;
            huge +=
                format("<page_type size=\"%llu\" count=\"%llu\"/>", static_cast<unsigned long long>(pool.page_bytes),
                       static_cast<unsigned long long>(pool.page_count));
        }
        out_ += format("<page_type size=\"%llu\" count=\"%llu\"/>", static_cast<unsigned long long>(page_bytes),
                       static_cast<unsigned long long>(base_bytes / page_bytes));
        out_ += huge + "</object>\n";
    }

    const Topology &topology_;
    std::string out_;
};

// Only a whole matrix: hwloc has no mark for what is not known.
void annotate_distances(hwloc_topology_t hwloc, const Topology &topology) {
    if (topology.nodes().size() < 2 || topology.distances_known() != Known::all) {
        return;
    }
    std::vector<hwloc_obj_t> objects;
    std::vector<hwloc_uint64_t> values;
    for (const Node &from : topology.nodes()) {
        objects.push_back(hwloc_get_numanode_obj_by_os_index(hwloc, from.number));
        if (objects.back() == nullptr) {
            return;
        }
        for (const Node &to : topology.nodes()) {
            values.push_back(topology.link(from.number, to.number).distance);
        }
    }
    hwloc_distances_add_handle_t handle = hwloc_distances_add_create(
        hwloc, "NUMALatency", HWLOC_DISTANCES_KIND_FROM_OS | HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0);
    if (handle != nullptr && hwloc_distances_add_values(hwloc, handle, static_cast<unsigned>(objects.size()),
                                                        objects.data(), values.data(), 0) == 0) {
        hwloc_distances_add_commit(hwloc, handle, 0);
    }
}

// hwloc 2.8 and later know the figures of writes by name; before that they are made.
hwloc_memattr_id_t attribute(hwloc_topology_t hwloc, const char *name, unsigned long order) {
    hwloc_memattr_id_t id = 0;
    if (hwloc_memattr_get_by_name(hwloc, name, &id) != 0) {
        hwloc_memattr_register(hwloc, name, order | HWLOC_MEMATTR_FLAG_NEED_INITIATOR, &id);
    }
    return id;
}

void annotate_access(hwloc_topology_t hwloc, hwloc_obj_t target, const MemoryAccess &access, const NumberSet &cpus) {
    const HwlocBitmap bitmap(cpus);
    hwloc_location from{};
    from.type = HWLOC_LOCATION_TYPE_CPUSET;
    from.location.cpuset = bitmap.get();
    const auto set = [&](hwloc_memattr_id_t id, uint64_t value) {
        if (value != 0) {
            hwloc_memattr_set_value(hwloc, id, target, &from, 0, value);
        }
    };
    set(HWLOC_MEMATTR_ID_BANDWIDTH, access.read_mib_per_s);
    set(HWLOC_MEMATTR_ID_LATENCY, access.read_ns);
    if (access.write_mib_per_s != 0) {
        set(attribute(hwloc, "WriteBandwidth", HWLOC_MEMATTR_FLAG_HIGHER_FIRST), access.write_mib_per_s);
    }
    if (access.write_ns != 0) {
        set(attribute(hwloc, "WriteLatency", HWLOC_MEMATTR_FLAG_LOWER_FIRST), access.write_ns);
    }
}

std::size_t count_of(const TreeObject &object, const std::string &type) { // NOLINT(misc-no-recursion): as write_object
    std::size_t count = object.type == type || (type == "Cache" && object.cache.level != 0) ? 1 : 0;
    for (const std::unique_ptr<TreeObject> &child : object.children) {
        count += count_of(*child, type);
    }
    return count;
}

// Whether all groups of CPUs are in the tree: those that overlap without nesting are not.
bool is_whole(const TreeObject &tree, const Topology &topology) {
    const auto caches = std::count_if(topology.caches().begin(), topology.caches().end(),
                                      [](const CacheFacts &cache) { return cache.level != 0; });
    return count_of(tree, "Package") == topology.counts().packages &&
           count_of(tree, "Core") == topology.counts().cores &&
           count_of(tree, "Cache") == static_cast<std::size_t>(caches);
}

} // namespace

Result<std::string> machine_xml(const Topology &topology) {
    return Writer(topology).write();
}

void annotate(hwloc_topology_t hwloc, const Topology &topology) {
    annotate_distances(hwloc, topology);
    if (!is_whole(*cpu_tree(topology), topology)) {
        write_groups(hwloc, topology);
    }
    for (const Node &node : topology.nodes()) {
        hwloc_obj_t target = hwloc_get_numanode_obj_by_os_index(hwloc, node.number);
        for (const MemoryAccess &access : node.accesses) {
            if (target != nullptr) {
                annotate_access(hwloc, target, access, topology.node(access.from)->cpus);
            }
        }
    }
}

} // namespace nearpool
