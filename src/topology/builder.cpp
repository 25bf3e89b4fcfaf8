// SPDX-License-Identifier: Apache-2.0
#include "topology/builder.hpp"

#include <algorithm>
#include <hwloc/distances.h>
#include <hwloc/memattrs.h>
#include <limits>
#include <map>

namespace nearpool {
namespace {

uint32_t saturated(uint64_t value) {
    return static_cast<uint32_t>(std::min<uint64_t>(value, std::numeric_limits<uint32_t>::max()));
}

// hwloc lists the pages of a node with the base pages first.
std::vector<near_huge_pool> huge_pools_of(const hwloc_obj_attr_u::hwloc_numanode_attr_s &facts) {
    std::vector<near_huge_pool> pools;
    for (unsigned i = 1; i < facts.page_types_len; i++) {
        pools.push_back({facts.page_types[i].size, facts.page_types[i].count});
    }
    std::sort(pools.begin(), pools.end(),
              [](const near_huge_pool &a, const near_huge_pool &b) { return a.page_bytes < b.page_bytes; });
    return pools;
}

// What the CPUs of this unit share at last: the level 3 cache, else the largest below it, else package or machine.
hwloc_obj_t cache_group(hwloc_obj_t unit) {
    hwloc_obj_t cache = nullptr;
    hwloc_obj_t last = unit;
    for (hwloc_obj_t object = unit; object != nullptr; object = object->parent) {
        const bool level_fits = hwloc_obj_type_is_dcache(object->type) != 0 && object->attr->cache.depth <= 3;
        if (level_fits) {
            cache = object;
        }
        if (object->type == HWLOC_OBJ_PACKAGE) {
            return cache != nullptr ? cache : object;
        }
        last = object;
    }
    return cache != nullptr ? cache : last;
}

hwloc_obj_t ancestor(hwloc_topology_t topology, hwloc_obj_t object, hwloc_obj_type_t type) {
    return hwloc_get_ancestor_obj_by_type(topology, type, object);
}

} // namespace

TopologyBuilder::TopologyBuilder(BuilderInput input)
    : input_(std::move(input)), hwloc_(input_.source->plain()), made_(new Topology),
      owner_(Ref<const Topology>::adopt(made_)) {}

Result<Ref<const Topology>> TopologyBuilder::build(BuilderInput input) {
    TopologyBuilder builder(std::move(input));
    builder.made_->this_machine_ = builder.input_.this_machine;
    builder.made_->synthetic_node_ = builder.input_.synthetic_node;
    builder.read_nodes();
    if (builder.made_->nodes_.empty()) {
        return fail(NEAR_E_TOPOLOGY, "hwloc shows no NUMA node, not even one for the whole machine");
    }
    builder.read_cpus();
    builder.find_packages();
    builder.mark_allowed();
    builder.read_links();
    builder.made_->source_ = std::move(builder.input_.source);
    return builder.owner_;
}

const SysfsNode *TopologyBuilder::sysfs_node(uint32_t number) const {
    if (input_.sysfs == nullptr) {
        return nullptr;
    }
    const auto place = std::find_if(input_.sysfs->nodes.begin(), input_.sysfs->nodes.end(),
                                    [&](const SysfsNode &node) { return node.number == number; });
    return place == input_.sysfs->nodes.end() ? nullptr : &*place;
}

Node TopologyBuilder::read_node(hwloc_obj_t object) const {
    Node node;
    node.number = object->os_index;
    node.cpus = numbers_of(object->cpuset);
    node.memory_bytes = object->attr->numanode.local_memory;
    node.huge_pools = huge_pools_of(object->attr->numanode);
    if (const SysfsNode *seen = sysfs_node(node.number)) {
        node.cpus = seen->cpus;
        node.huge_pools = seen->huge_pools;
        if (seen->memory_bytes != 0) {
            node.memory_bytes = seen->memory_bytes;
        }
    }
    return node;
}

void TopologyBuilder::read_nodes() {
    for (hwloc_obj_t object = hwloc_get_next_obj_by_type(hwloc_, HWLOC_OBJ_NUMANODE, nullptr); object != nullptr;
         object = hwloc_get_next_obj_by_type(hwloc_, HWLOC_OBJ_NUMANODE, object)) {
        objects_.push_back(object);
    }
    std::sort(objects_.begin(), objects_.end(),
              [](const hwloc_obj *a, const hwloc_obj *b) { return a->os_index < b->os_index; });
    for (hwloc_obj_t object : objects_) {
        made_->nodes_.push_back(read_node(object));
    }
    std::vector<uint32_t> numbers;
    for (const Node &node : made_->nodes_) {
        numbers.push_back(node.number);
    }
    made_->node_numbers_ = NumberSet(std::move(numbers));
    give_cpus_to_nodes();
}

// hwloc gives a memory-only node the CPUs that are near it, so a CPU can be in several sets. For the kernel it is in
// one: the node with the fewest CPUs, among those the lowest number (nodes with CPUs are numbered first).
void TopologyBuilder::give_cpus_to_nodes() {
    std::vector<Node *> order;
    for (Node &node : made_->nodes_) {
        order.push_back(&node);
    }
    std::stable_sort(order.begin(), order.end(),
                     [](const Node *a, const Node *b) { return a->cpus.size() < b->cpus.size(); });
    NumberSet taken;
    for (Node *node : order) {
        if (node->cpus.intersect(taken).empty()) {
            taken = taken.unite(node->cpus);
            continue;
        }
        std::vector<uint32_t> left;
        std::copy_if(node->cpus.begin(), node->cpus.end(), std::back_inserter(left),
                     [&](uint32_t cpu) { return !taken.contains(cpu); });
        node->cpus = NumberSet(std::move(left));
        taken = taken.unite(node->cpus);
    }
}

Cpu TopologyBuilder::read_cpu(hwloc_obj_t unit) const {
    Cpu cpu;
    cpu.number = unit->os_index;
    hwloc_obj_t core = ancestor(hwloc_, unit, HWLOC_OBJ_CORE);
    hwloc_obj_t package = ancestor(hwloc_, unit, HWLOC_OBJ_PACKAGE);
    cpu.core = core != nullptr ? core->logical_index : unit->logical_index;
    cpu.package = package != nullptr ? package->logical_index : NEAR_NODE_UNKNOWN;
    return cpu;
}

void TopologyBuilder::read_cpus() {
    std::map<const hwloc_obj *, uint32_t> groups; // last-level caches in the order in which they are met
    std::map<uint32_t, uint32_t> threads_of_core; // met so far
    std::vector<uint32_t> numbers;
    for (hwloc_obj_t unit = hwloc_get_next_obj_by_type(hwloc_, HWLOC_OBJ_PU, nullptr); unit != nullptr;
         unit = hwloc_get_next_obj_by_type(hwloc_, HWLOC_OBJ_PU, unit)) {
        Cpu cpu = read_cpu(unit);
        cpu.cache = groups.emplace(cache_group(unit), static_cast<uint32_t>(groups.size())).first->second;
        cpu.smt = threads_of_core[cpu.core]++;
        numbers.push_back(cpu.number);
        made_->cpus_.push_back(cpu);
    }
    std::sort(made_->cpus_.begin(), made_->cpus_.end(), [](const Cpu &a, const Cpu &b) { return a.number < b.number; });
    made_->cpu_numbers_ = NumberSet(std::move(numbers));
    made_->counts_.caches = static_cast<uint32_t>(groups.size());
    count_groups();
    for (Node &node : made_->nodes_) {
        node.cpus = node.cpus.intersect(made_->cpu_numbers_);
        for (const uint32_t number : node.cpus) {
            const auto cpu = std::lower_bound(made_->cpus_.begin(), made_->cpus_.end(), number,
                                              [](const Cpu &one, uint32_t wanted) { return one.number < wanted; });
            cpu->node = node.number;
        }
    }
}

void TopologyBuilder::count_groups() {
    const int cores = hwloc_get_nbobjs_by_type(hwloc_, HWLOC_OBJ_CORE);
    const int packages = hwloc_get_nbobjs_by_type(hwloc_, HWLOC_OBJ_PACKAGE);
    made_->counts_.cores = cores > 0 ? static_cast<uint32_t>(cores) : static_cast<uint32_t>(made_->cpus_.size());
    made_->counts_.packages = packages > 0 ? static_cast<uint32_t>(packages) : 0;
}

// The package that has all CPUs of the node; for a node without CPUs, the package to which hwloc attached it.
void TopologyBuilder::find_packages() {
    std::vector<std::pair<uint32_t, NumberSet>> packages;
    for (hwloc_obj_t package = hwloc_get_next_obj_by_type(hwloc_, HWLOC_OBJ_PACKAGE, nullptr); package != nullptr;
         package = hwloc_get_next_obj_by_type(hwloc_, HWLOC_OBJ_PACKAGE, package)) {
        packages.emplace_back(package->logical_index, numbers_of(package->cpuset));
    }
    for (std::size_t i = 0; i < objects_.size(); i++) {
        Node &node = made_->nodes_[i];
        const NumberSet near = node.cpus.empty() ? numbers_of(objects_[i]->cpuset) : node.cpus;
        for (const auto &[index, cpus] : packages) {
            if (!near.empty() && cpus.contains_all(near)) {
                node.package = index;
            }
        }
    }
}

void TopologyBuilder::mark_allowed() {
    const NumberSet cpus =
        input_.allowed.cpus ? *input_.allowed.cpus : numbers_of(hwloc_topology_get_allowed_cpuset(hwloc_));
    const NumberSet nodes =
        input_.allowed.nodes ? *input_.allowed.nodes : numbers_of(hwloc_topology_get_allowed_nodeset(hwloc_));
    made_->allowed_cpus_ = cpus.intersect(made_->cpu_numbers_);
    for (Cpu &cpu : made_->cpus_) {
        cpu.allowed = made_->allowed_cpus_.contains(cpu.number);
    }
    for (Node &node : made_->nodes_) {
        node.allowed_cpus = node.cpus.intersect(made_->allowed_cpus_);
        node.memory_allowed = node.memory_bytes != 0 && nodes.contains(node.number);
        if (node.memory_allowed) {
            made_->allowed_nodes_.add(node.number);
        }
    }
}

Link *TopologyBuilder::link(uint32_t from, uint32_t to) {
    const NumberSet &numbers = made_->node_numbers_;
    if (!numbers.contains(from) || !numbers.contains(to)) {
        return nullptr;
    }
    const auto row = std::lower_bound(numbers.begin(), numbers.end(), from) - numbers.begin();
    const auto column = std::lower_bound(numbers.begin(), numbers.end(), to) - numbers.begin();
    return &made_->links_[static_cast<std::size_t>(row) * numbers.size() + static_cast<std::size_t>(column)];
}

void TopologyBuilder::read_links() {
    made_->links_.resize(made_->nodes_.size() * made_->nodes_.size());
    read_hwloc_distances();
    read_sysfs_distances();
    read_hwloc_memory_attributes();
}

void TopologyBuilder::read_hwloc_distances() {
    hwloc_distances_s *matrix = nullptr;
    unsigned count = 1;
    if (hwloc_distances_get_by_name(hwloc_, "NUMALatency", &count, &matrix, 0) < 0 || count == 0) {
        return;
    }
    for (unsigned row = 0; row < matrix->nbobjs; row++) {
        for (unsigned column = 0; column < matrix->nbobjs; column++) {
            const bool nodes = matrix->objs[row] != nullptr && matrix->objs[column] != nullptr &&
                               matrix->objs[row]->type == HWLOC_OBJ_NUMANODE &&
                               matrix->objs[column]->type == HWLOC_OBJ_NUMANODE;
            Link *between = nodes ? link(matrix->objs[row]->os_index, matrix->objs[column]->os_index) : nullptr;
            if (between != nullptr) {
                between->distance = saturated(matrix->values[row * matrix->nbobjs + column]);
            }
        }
    }
    hwloc_distances_release(hwloc_, matrix);
}

// The kernel lists distances for the online nodes, in ascending order: the n-th is not that of node n (peers.md, N29).
void TopologyBuilder::read_sysfs_distances() {
    if (input_.sysfs == nullptr) {
        return;
    }
    for (const SysfsNode &from : input_.sysfs->nodes) {
        for (std::size_t i = 0; i < from.distances.size() && i < input_.sysfs->nodes.size(); i++) {
            if (Link *between = link(from.number, input_.sysfs->nodes[i].number)) {
                between->distance = from.distances[i];
            }
        }
    }
}

void TopologyBuilder::read_hwloc_memory_attributes() {
    for (std::size_t row = 0; row < objects_.size(); row++) {
        const NumberSet &from = made_->nodes_[row].cpus;
        if (from.empty()) {
            continue;
        }
        const HwlocBitmap cpus(from);
        hwloc_location initiator{};
        initiator.type = HWLOC_LOCATION_TYPE_CPUSET;
        initiator.location.cpuset = cpus.get();
        for (std::size_t column = 0; column < objects_.size(); column++) {
            Link &between = made_->links_[row * objects_.size() + column];
            hwloc_uint64_t value = 0;
            if (hwloc_memattr_get_value(hwloc_, HWLOC_MEMATTR_ID_BANDWIDTH, objects_[column], &initiator, 0, &value) ==
                0) {
                between.bandwidth_mib_per_s = value;
            }
            if (hwloc_memattr_get_value(hwloc_, HWLOC_MEMATTR_ID_LATENCY, objects_[column], &initiator, 0, &value) ==
                0) {
                between.latency_ns = value;
            }
        }
    }
}

} // namespace nearpool
