// SPDX-License-Identifier: Apache-2.0
#include "topology/hwloc_facts.hpp"

#include "topology/hwloc_info.hpp"
#include "topology/limits.hpp"

#include <algorithm>
#include <hwloc/cpukinds.h>
#include <hwloc/distances.h>
#include <hwloc/memattrs.h>
#include <limits>
#include <map>
#include <string_view>

namespace nearpool {
namespace {

template <class Visit> void for_each_at(hwloc_topology_t topology, int depth, Visit visit) {
    for (hwloc_obj_t object = hwloc_get_next_obj_by_depth(topology, depth, nullptr); object != nullptr;
         object = hwloc_get_next_obj_by_depth(topology, depth, object)) {
        visit(object);
    }
}

// Objects of one type may be at several depths: packages inside a cache, and a cache inside a package.
template <class Visit> void for_each(hwloc_topology_t topology, hwloc_obj_type_t type, Visit visit) {
    const int only = hwloc_get_type_depth(topology, type);
    if (only != HWLOC_TYPE_DEPTH_MULTIPLE) {
        for_each_at(topology, only, visit);
        return;
    }
    for (int depth = 0; depth < hwloc_topology_get_depth(topology); depth++) {
        if (hwloc_get_depth_type(topology, depth) == type) {
            for_each_at(topology, depth, visit);
        }
    }
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

// Of versions of hwloc that say less in the subtype, what they say beside it: the device of CXL memory, and whether DAX
// memory keeps what is in it.
MemoryKind kind_of(hwloc_obj_t object) {
    const std::string_view name = object->subtype == nullptr ? "" : object->subtype;
    const char *dax = hwloc_obj_get_info_by_name(object, "DAXType");
    struct Known {
        std::string_view name;
        int32_t kind;
    };
    for (const Known &known :
         {Known{"DRAM", NEAR_MEMORY_DRAM}, Known{"HBM", NEAR_MEMORY_HBM}, Known{"MCDRAM", NEAR_MEMORY_HBM},
          Known{"NVM", NEAR_MEMORY_NVM}, Known{"CXL-NVM", NEAR_MEMORY_NVM}, Known{"CXL-DRAM", NEAR_MEMORY_CXL},
          Known{"CXL", NEAR_MEMORY_CXL}, Known{"GPUMemory", NEAR_MEMORY_GPU},
          Known{"CXL-GPUMemory", NEAR_MEMORY_GPU}}) {
        if (name == known.name) {
            return {known.kind, NEAR_KIND_SOURCE_HWLOC};
        }
    }
    if (dax != nullptr && std::string_view(dax) == "NVM") {
        return {NEAR_MEMORY_NVM, NEAR_KIND_SOURCE_HWLOC};
    }
    if (name.substr(0, 4) == "CXL-" || hwloc_obj_get_info_by_name(object, "CXLDevice") != nullptr) {
        return {NEAR_MEMORY_CXL, NEAR_KIND_SOURCE_HWLOC};
    }
    return {};
}

// Caches in front of memory are objects between the node and the CPUs.
uint64_t memory_side_cache_of(hwloc_obj_t object) {
    uint64_t bytes = 0;
    for (hwloc_obj_t above = object->parent; above != nullptr && above->type == HWLOC_OBJ_MEMCACHE;
         above = above->parent) {
        bytes = std::max<uint64_t>(bytes, above->attr->cache.size);
    }
    return bytes;
}

Node read_node(hwloc_obj_t object) {
    Node node;
    node.number = object->os_index;
    node.cpus = numbers_of(object->cpuset);
    node.near_cpus = node.cpus;
    node.memory_bytes = object->attr->numanode.local_memory;
    node.huge_pools = huge_pools_of(object->attr->numanode);
    node.memory = kind_of(object);
    node.memory_side_cache_bytes = memory_side_cache_of(object);
    return node;
}

// hwloc gives a memory-only node the CPUs that are near it, so a CPU can be in several sets. For the kernel it is in
// one. Whose: what nearpool has written says so; else of the node with the fewest CPUs, among those of one that is not
// known to be something else than DRAM, among those of the lowest number.
void give_cpus_to_nodes(MachineFacts &facts, const NumberSet &settled) {
    std::vector<Node *> order;
    for (Node &node : facts.nodes) {
        order.push_back(&node);
    }
    const auto rank = [&](const Node &node) {
        const bool special = node.memory.kind != NEAR_MEMORY_UNKNOWN && node.memory.kind != NEAR_MEMORY_DRAM;
        return std::make_tuple(!settled.contains(node.number), node.cpus.size(), special, node.number);
    };
    std::sort(order.begin(), order.end(), [&](const Node *a, const Node *b) { return rank(*a) < rank(*b); });
    std::vector<bool> taken(facts.cpus.empty() ? 0 : std::size_t{facts.cpus.back()} + 1); // by number
    for (Node *node : order) {
        std::vector<uint32_t> own;
        std::copy_if(node->cpus.begin(), node->cpus.end(), std::back_inserter(own),
                     [&](uint32_t cpu) { return cpu < taken.size() && !taken[cpu] && (taken[cpu] = true); });
        node->cpus = NumberSet(std::move(own));
        node->near_cpus = node->cpus.empty() ? node->near_cpus : NumberSet();
    }
}

void read_nodes(hwloc_topology_t topology, MachineFacts &facts) {
    NumberSet settled;
    const NumberSet numbers = numbers_of(hwloc_topology_get_topology_nodeset(topology));
    for_each(topology, HWLOC_OBJ_NUMANODE, [&](hwloc_obj_t object) {
        Node node = read_node(object);
        if (read_node_info(object, facts.cpus, numbers, node)) {
            settled.add(node.number);
        }
        if (facts.page_bytes == 0 && object->attr->numanode.page_types_len != 0) {
            facts.page_bytes = object->attr->numanode.page_types[0].size;
        }
        facts.nodes.push_back(std::move(node));
    });
    std::sort(facts.nodes.begin(), facts.nodes.end(), [](const Node &a, const Node &b) { return a.number < b.number; });
    give_cpus_to_nodes(facts, settled);
}

// What the CPUs of this unit share at last: the level 3 cache, else the largest below it. A level 3 cache may span
// packages. nullptr: no cache is known.
hwloc_obj_t last_level_cache(hwloc_obj_t unit) {
    hwloc_obj_t cache = nullptr;
    for (hwloc_obj_t object = unit; object != nullptr; object = object->parent) {
        if (hwloc_obj_type_is_dcache(object->type) != 0 && object->attr->cache.depth <= 3) {
            cache = object;
        }
    }
    return cache;
}

void read_cpus(hwloc_topology_t topology, MachineFacts &facts) {
    std::vector<uint32_t> numbers;
    std::map<hwloc_obj_t, std::vector<uint32_t>> caches;
    for_each(topology, HWLOC_OBJ_PU, [&](hwloc_obj_t unit) {
        numbers.push_back(unit->os_index);
        if (hwloc_obj_t cache = last_level_cache(unit); cache != nullptr) {
            caches[cache].push_back(unit->os_index);
        }
    });
    facts.cpus = NumberSet(std::move(numbers));
    for (auto &[cache, cpus] : caches) {
        facts.caches.push_back({NumberSet(std::move(cpus)), {cache->attr->cache.depth, cache->attr->cache.size}});
    }
    for_each(topology, HWLOC_OBJ_CORE, [&](hwloc_obj_t core) { facts.cores.push_back(numbers_of(core->cpuset)); });
    for_each(topology, HWLOC_OBJ_PACKAGE,
             [&](hwloc_obj_t package) { facts.packages.push_back(numbers_of(package->cpuset)); });
}

// By their capacity, as from /sys. Without it hwloc's rank says: the last is the fastest.
void read_core_kinds(hwloc_topology_t topology, MachineFacts &facts) {
    std::vector<CpuKind> kinds;
    for (int number = 0; number < hwloc_cpukinds_get_nr(topology, 0); number++) {
        if (std::optional<CpuKind> kind = cpukind_of(topology, number)) {
            kinds.push_back(std::move(*kind));
        }
    }
    std::map<uint64_t, std::vector<uint32_t>> by_capacity;
    bool all_have_one = true;
    for (const CpuKind &kind : kinds) {
        std::vector<uint32_t> &cpus = by_capacity[kind.capacity.value_or(0)];
        cpus.insert(cpus.end(), kind.cpus.begin(), kind.cpus.end());
        all_have_one = all_have_one && kind.capacity;
    }
    if (all_have_one) {
        give_core_kinds(facts, by_capacity);
        return;
    }
    for (std::size_t i = 0; kinds.size() > 1 && i < kinds.size(); i++) {
        if (kinds[i].efficiency >= 0) {
            NumberSet &set = i == kinds.size() - 1 ? facts.performance_cpus : facts.efficient_cpus;
            set = set.unite(kinds[i].cpus);
        }
    }
}

uint32_t saturated(uint64_t value) {
    return static_cast<uint32_t>(std::min<uint64_t>(value, std::numeric_limits<uint32_t>::max()));
}

void take_distances(const hwloc_distances_s &matrix, MachineFacts &facts) {
    std::map<uint32_t, std::size_t> places; // by number
    for (const Node &node : facts.nodes) {
        places.emplace(node.number, places.size());
    }
    facts.distances.assign(places.size() * places.size(), 0);
    for (unsigned row = 0; row < matrix.nbobjs; row++) {
        for (unsigned column = 0; column < matrix.nbobjs; column++) {
            if (matrix.objs[row] != nullptr && matrix.objs[column] != nullptr) {
                const std::size_t from = places[matrix.objs[row]->os_index];
                facts.distances[from * facts.nodes.size() + places[matrix.objs[column]->os_index]] =
                    saturated(matrix.values[row * matrix.nbobjs + column]);
            }
        }
    }
}

// The matrix of nodes that is named as the kernel's; else the first that is no bandwidth: hwloc 1 and many programs
// wrote it without a name.
void read_distances(hwloc_topology_t topology, MachineFacts &facts) {
    unsigned count = 0;
    hwloc_distances_get_by_type(topology, HWLOC_OBJ_NUMANODE, &count, nullptr, 0, 0);
    std::vector<hwloc_distances_s *> found(count);
    if (count == 0 || hwloc_distances_get_by_type(topology, HWLOC_OBJ_NUMANODE, &count, found.data(), 0, 0) < 0) {
        return;
    }
    found.resize(std::min<std::size_t>(count, found.size()));
    const hwloc_distances_s *chosen = nullptr;
    for (hwloc_distances_s *matrix : found) {
        const char *name = hwloc_distances_get_name(topology, matrix);
        const bool kernels = name != nullptr && std::string_view(name) == "NUMALatency";
        const bool fits = (matrix->kind & HWLOC_DISTANCES_KIND_MEANS_BANDWIDTH) == 0;
        chosen = kernels || (chosen == nullptr && fits) ? matrix : chosen;
    }
    if (chosen != nullptr) {
        take_distances(*chosen, facts);
    }
    for (hwloc_distances_s *matrix : found) {
        hwloc_distances_release(topology, matrix);
    }
}

struct Figure {
    hwloc_memattr_id_t id;
    uint64_t MemoryAccess::*field;
};

// "Bandwidth" and "Latency" are those of reads, unless these have figures of their own; hwloc 2.8 and later know such
// by name. The later of two wins.
std::vector<Figure> figures_of(hwloc_topology_t topology) {
    struct Named {
        const char *name;
        uint64_t MemoryAccess::*field;
    };
    std::vector<Figure> figures = {{HWLOC_MEMATTR_ID_BANDWIDTH, &MemoryAccess::read_mib_per_s},
                                   {HWLOC_MEMATTR_ID_LATENCY, &MemoryAccess::read_ns}};
    for (const Named &named :
         {Named{"ReadBandwidth", &MemoryAccess::read_mib_per_s}, Named{"ReadLatency", &MemoryAccess::read_ns},
          Named{"WriteBandwidth", &MemoryAccess::write_mib_per_s}, Named{"WriteLatency", &MemoryAccess::write_ns}}) {
        hwloc_memattr_id_t id = 0;
        if (hwloc_memattr_get_by_name(topology, named.name, &id) == 0) {
            figures.push_back({id, named.field});
        }
    }
    return figures;
}

MemoryAccess &access_from(Node &target, uint32_t from) {
    const auto place = std::lower_bound(target.accesses.begin(), target.accesses.end(), from,
                                        [](const MemoryAccess &one, uint32_t wanted) { return one.from < wanted; });
    if (place != target.accesses.end() && place->from == from) {
        return *place;
    }
    MemoryAccess access;
    access.from = from;
    return *target.accesses.insert(place, access);
}

// The figures of one target: from the nodes whose CPUs are among those of an initiator.
void read_figure(hwloc_topology_t topology, const Figure &figure, hwloc_obj_t object, MachineFacts &facts) {
    unsigned count = 0;
    if (hwloc_memattr_get_initiators(topology, figure.id, object, 0, &count, nullptr, nullptr) < 0 || count == 0) {
        return;
    }
    std::vector<hwloc_location> initiators(count);
    std::vector<hwloc_uint64_t> values(count);
    if (hwloc_memattr_get_initiators(topology, figure.id, object, 0, &count, initiators.data(), values.data()) < 0) {
        return;
    }
    Node &target = *facts.node(object->os_index);
    for (std::size_t i = 0; i < std::min<std::size_t>(count, initiators.size()); i++) {
        if (initiators[i].type != HWLOC_LOCATION_TYPE_CPUSET || values[i] == 0) {
            continue;
        }
        for (const Node &from : facts.nodes) {
            if (!from.cpus.empty() && hwloc_bitmap_isset(initiators[i].location.cpuset, from.cpus[0]) != 0) {
                access_from(target, from.number).*figure.field = values[i];
            }
        }
    }
}

// A figure that stands for both ways is that of reads. What is more than anybody's machine has is left out.
void read_accesses(hwloc_topology_t topology, MachineFacts &facts) {
    const std::vector<Figure> figures = figures_of(topology);
    std::size_t total = 0;
    for_each(topology, HWLOC_OBJ_NUMANODE, [&](hwloc_obj_t object) {
        for (const Figure &figure : figures) {
            if (total < most_accesses) {
                read_figure(topology, figure, object, facts);
            }
        }
        total += facts.node(object->os_index)->accesses.size();
    });
}

// Of a node without CPUs: those that reach it with the highest bandwidth, among these with the least latency. Often
// there are figures only from the best: Linux gives no others.
void guess_initiators(Node &node) {
    if (!node.cpus.empty() || !node.initiators.empty()) {
        return;
    }
    const auto rank = [](const MemoryAccess &access) { // higher is better; a latency of 0 is not known
        return std::make_pair(access.read_mib_per_s, access.read_ns == 0 ? 0 : UINT64_MAX - access.read_ns);
    };
    std::pair<uint64_t, uint64_t> best;
    for (const MemoryAccess &access : node.accesses) {
        best = std::max(best, rank(access));
    }
    for (const MemoryAccess &access : node.accesses) {
        if (best != std::pair<uint64_t, uint64_t>() && rank(access) == best) {
            node.initiators.add(access.from);
        }
    }
}

// XML was checked before. A synthetic description may say more than its XML could be read with again.
Done check_sizes(hwloc_topology_t topology) {
    uint64_t largest = 0;
    for_each(topology, HWLOC_OBJ_NUMANODE,
             [&](hwloc_obj_t object) { largest = std::max<uint64_t>(largest, object->attr->numanode.local_memory); });
    const auto look_at_cache = [&](hwloc_obj_t object) {
        largest = std::max<uint64_t>(largest, object->attr->cache.size);
    };
    for_each(topology, HWLOC_OBJ_MEMCACHE, look_at_cache);
    for (int depth = 0; depth < hwloc_topology_get_depth(topology); depth++) {
        if (hwloc_obj_type_is_cache(hwloc_get_depth_type(topology, depth)) != 0) {
            for_each_at(topology, depth, look_at_cache);
        }
    }
    return largest <= most_memory_bytes
               ? Done()
               : fail(NEAR_E_TOPOLOGY, "a memory or cache has %llu bytes, and may have %llu",
                      static_cast<unsigned long long>(largest), static_cast<unsigned long long>(most_memory_bytes));
}

} // namespace

Result<MachineFacts> read_hwloc(hwloc_topology_t topology) {
    MachineFacts facts;
    if (Done ok = check_sizes(topology); !ok) {
        return ok.error();
    }
    read_cpus(topology, facts);
    if (Done ok = check_cpu_numbers(ranges_of(facts.cpus)); !ok) {
        return ok.error();
    }
    read_nodes(topology, facts);
    if (Done ok = check_node_numbers(ranges_of(facts.node_numbers())); !ok) {
        return ok.error();
    }
    if (facts.nodes.empty()) {
        return fail(NEAR_E_TOPOLOGY, "hwloc shows no NUMA node, not even one for the whole machine");
    }
    read_core_kinds(topology, facts);
    read_distances(topology, facts);
    read_accesses(topology, facts);
    for (Node &node : facts.nodes) {
        guess_initiators(node);
    }
    guess_kinds(facts); // of XML that we wrote no more than was guessed then: the figures are the same
    facts.allowed_cpus = numbers_of(hwloc_topology_get_allowed_cpuset(topology));
    facts.allowed_nodes = numbers_of(hwloc_topology_get_allowed_nodeset(topology));
    read_machine_info(topology, facts);
    return facts;
}

} // namespace nearpool
