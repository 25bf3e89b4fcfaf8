// SPDX-License-Identifier: Apache-2.0
#include "topology/hwloc_info.hpp"

#include "base/text.hpp"
#include "topology/reader.hpp"

#include <algorithm>
#include <hwloc/cpukinds.h>
#include <map>
#include <string_view>

namespace nearpool {
namespace {

constexpr const char *own_cpus = "NearpoolCPUs";
constexpr const char *near_cpus = "NearpoolNearCPUs";
constexpr const char *memory_kind = "NearpoolMemoryKind"; // number of the kind, number of who says so
constexpr const char *initiators = "NearpoolInitiators";
constexpr const char *memory_side_cache = "NearpoolMemorySideCache"; // bytes
constexpr const char *distances = "NearpoolDistances";               // a row, where hwloc has no matrix
constexpr const char *page_size = "NearpoolPageSize";                // bytes
constexpr const char *basis = "NearpoolBasis";
constexpr uint64_t all_bases = NEAR_BASIS_SYSFS | NEAR_BASIS_AFFINITY | NEAR_BASIS_MEMS_ALLOWED | NEAR_BASIS_GETCPU |
                               NEAR_BASIS_XML | NEAR_BASIS_SYNTHETIC;
constexpr const char *doubt = "NearpoolDoubt";
constexpr const char *synthetic_node = "NearpoolSyntheticNode";
constexpr const char *packages = "NearpoolPackages"; // of each CPU, by ascending numbers, an index; so are the next two
constexpr const char *cores = "NearpoolCores";
constexpr const char *caches = "NearpoolCaches";
constexpr const char *cache_facts = "NearpoolCacheFacts"; // of each cache level and bytes
constexpr const char *performance_cpus = "NearpoolPerformanceCPUs";
constexpr const char *efficient_cpus = "NearpoolEfficientCPUs";

void write(hwloc_obj_t object, const char *name, const std::string &value) {
    if (hwloc_obj_get_info_by_name(object, name) == nullptr) {
        hwloc_obj_add_info(object, name, value.c_str());
    }
}

void write(hwloc_obj_t object, const char *name, const NumberSet &numbers) {
    write(object, name, numbers.empty() ? "" : numbers.text());
}

std::string decimal(uint64_t value) {
    return format("%llu", static_cast<unsigned long long>(value));
}

std::optional<std::string> text_of(hwloc_obj_t object, const char *name) {
    const char *value = hwloc_obj_get_info_by_name(object, name);
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

// Of what there is: a short text may say much.
std::optional<NumberSet> set_of(hwloc_obj_t object, const char *name, const NumberSet &universe) {
    const std::optional<std::string> text = text_of(object, name);
    const auto ranges = text ? parse_ranges(*text) : std::nullopt;
    return ranges ? std::optional(numbers_within(universe, *ranges)) : std::nullopt;
}

std::optional<uint64_t> number_of(hwloc_obj_t object, const char *name) {
    const std::optional<std::string> text = text_of(object, name);
    return text ? leading_number(*text) : std::nullopt;
}

std::string row_text(const Topology &topology, uint32_t from) {
    std::string text;
    for (const Node &to : topology.nodes()) {
        text += (text.empty() ? "" : " ") + std::to_string(topology.link(from, to.number).distance);
    }
    return text;
}

void write_node(hwloc_obj_t object, const Topology &topology, const Node &node) {
    write(object, own_cpus, node.cpus);
    if (!node.near_cpus.empty()) {
        write(object, near_cpus, node.near_cpus);
    }
    if (node.memory.source != NEAR_KIND_SOURCE_NONE) {
        write(object, memory_kind, std::to_string(node.memory.kind) + " " + std::to_string(node.memory.source));
    }
    if (!node.initiators.empty()) {
        write(object, initiators, node.initiators);
    }
    if (node.memory_side_cache_bytes != 0) {
        write(object, memory_side_cache, decimal(node.memory_side_cache_bytes));
    }
    const Known known = topology.distances_known();
    if (known == Known::partly || (known == Known::all && topology.nodes().size() == 1)) {
        write(object, distances, row_text(topology, node.number));
    }
}

NumberSet cpus_of_kind(const Topology &topology, int32_t kind) {
    std::vector<uint32_t> numbers;
    for (const Cpu &cpu : topology.cpus()) {
        if (cpu.core_kind == kind) {
            numbers.push_back(cpu.number);
        }
    }
    return NumberSet(std::move(numbers));
}

// Not from a file's word alone: what is no kind or source is nothing.
MemoryKind kind_of(const std::string &text) {
    const std::size_t blank = text.find(' ');
    const uint64_t kind = leading_number(text).value_or(0);
    const uint64_t source = blank == std::string::npos ? 0 : leading_number(text.substr(blank)).value_or(0);
    if (kind > NEAR_MEMORY_GPU || source > NEAR_KIND_SOURCE_GUESSED_FROM_GPUS) {
        return {};
    }
    return {static_cast<int32_t>(kind), static_cast<int32_t>(source)};
}

// As many numbers, with blanks between them, as are wanted and there.
std::vector<uint64_t> numbers_in(const std::string &text, std::size_t wanted) {
    std::vector<uint64_t> numbers;
    for (std::size_t place = 0; place < text.size() && numbers.size() < wanted;) {
        const std::size_t end = std::min(text.find(' ', place), text.size());
        numbers.push_back(leading_number(text.substr(place, end - place)).value_or(0));
        place = end + 1;
    }
    return numbers;
}

void read_row(const std::string &text, std::size_t row, MachineFacts &facts) {
    const std::size_t count = facts.nodes.size();
    facts.distances.resize(count * count);
    const std::vector<uint64_t> values = numbers_in(text, count);
    std::transform(values.begin(), values.end(), facts.distances.begin() + static_cast<std::ptrdiff_t>(row * count),
                   [](uint64_t value) { return value > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(value); });
}

template <class Index> std::string indices_text(const Topology &topology, Index index) {
    std::string text;
    for (const Cpu &cpu : topology.cpus()) {
        text += (text.empty() ? "" : " ") + std::to_string(index(cpu));
    }
    return text;
}

// The CPUs of each index. Without NEAR_NODE_UNKNOWN: those are in none.
std::map<uint64_t, std::vector<uint32_t>> groups_in(const std::string &text, const NumberSet &cpus) {
    std::map<uint64_t, std::vector<uint32_t>> groups;
    const std::vector<uint64_t> indices = numbers_in(text, cpus.size());
    for (std::size_t i = 0; i < indices.size(); i++) {
        groups[indices[i]].push_back(cpus[i]);
    }
    groups.erase(NEAR_NODE_UNKNOWN);
    return groups;
}

std::vector<NumberSet> sets_of(const std::map<uint64_t, std::vector<uint32_t>> &groups) {
    std::vector<NumberSet> sets;
    sets.reserve(groups.size());
    for (const auto &[index, cpus] : groups) {
        sets.emplace_back(cpus);
    }
    return sets;
}

// Not from a file's word alone: what we would not have written is nothing.
std::string sentence(const std::string &text) {
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
    return plain && text.size() < sizeof near_topology_info::doubt ? text : std::string();
}

void read_groups(hwloc_obj_t root, MachineFacts &facts) {
    const std::optional<std::string> of_caches = text_of(root, caches);
    if (!of_caches) {
        return;
    }
    facts.packages = sets_of(groups_in(text_of(root, packages).value_or(""), facts.cpus));
    facts.cores = sets_of(groups_in(text_of(root, cores).value_or(""), facts.cpus));
    facts.caches.clear();
    const std::vector<uint64_t> known = numbers_in(text_of(root, cache_facts).value_or(""), 2 * facts.cpus.size());
    for (auto &[index, cpus] : groups_in(*of_caches, facts.cpus)) {
        if (index < known.size() / 2 && known[2 * index] >= 1 && known[2 * index] <= 3) {
            const CacheFacts one{static_cast<uint32_t>(known[2 * index]), known[2 * index + 1]};
            facts.caches.push_back({NumberSet(std::move(cpus)), one});
        }
    }
}

} // namespace

void write_infos(hwloc_topology_t hwloc, const Topology &topology) {
    for (const Node &node : topology.nodes()) {
        if (hwloc_obj_t object = hwloc_get_numanode_obj_by_os_index(hwloc, node.number); object != nullptr) {
            write_node(object, topology, node);
        }
    }
    hwloc_obj_t root = hwloc_get_root_obj(hwloc);
    write(root, page_size, decimal(topology.page_bytes()));
    write(root, basis, std::to_string(topology.basis()));
    if (topology.synthetic_node()) {
        write(root, synthetic_node, "1");
    }
    if (!topology.doubt().empty()) {
        write(root, doubt, topology.doubt());
    }
    if (const NumberSet cpus = cpus_of_kind(topology, NEAR_CORE_PERFORMANCE); !cpus.empty()) {
        write(root, performance_cpus, cpus);
        write(root, efficient_cpus, cpus_of_kind(topology, NEAR_CORE_EFFICIENT));
    }
}

void write_groups(hwloc_topology_t hwloc, const Topology &topology) {
    hwloc_obj_t root = hwloc_get_root_obj(hwloc);
    write(root, packages, indices_text(topology, [](const Cpu &cpu) { return cpu.package; }));
    write(root, cores, indices_text(topology, [](const Cpu &cpu) { return cpu.core; }));
    write(root, caches, indices_text(topology, [](const Cpu &cpu) { return cpu.cache; }));
    std::string known;
    for (const CacheFacts &cache : topology.caches()) {
        known += (known.empty() ? "" : " ") + std::to_string(cache.level) + " " + decimal(cache.bytes);
    }
    write(root, cache_facts, known);
}

bool read_node_info(hwloc_obj_t object, const NumberSet &cpus, const NumberSet &nodes, Node &node) {
    const std::optional<NumberSet> own = set_of(object, own_cpus, cpus);
    if (!own) {
        return false;
    }
    node.cpus = *own;
    node.near_cpus = set_of(object, near_cpus, cpus).value_or(NumberSet());
    node.initiators = set_of(object, initiators, nodes).value_or(NumberSet());
    node.memory_side_cache_bytes = number_of(object, memory_side_cache).value_or(node.memory_side_cache_bytes);
    // Nothing, where nobody said one: hwloc guesses subtypes of its own from the figures.
    node.memory = kind_of(text_of(object, memory_kind).value_or(""));
    return true;
}

void read_machine_info(hwloc_topology_t hwloc, MachineFacts &facts) {
    hwloc_obj_t root = hwloc_get_root_obj(hwloc);
    facts.page_bytes = number_of(root, page_size).value_or(facts.page_bytes);
    facts.basis = static_cast<uint32_t>(number_of(root, basis).value_or(facts.basis) & all_bases);
    facts.synthetic_node = number_of(root, synthetic_node).value_or(0) == 1;
    facts.doubt = sentence(text_of(root, doubt).value_or(""));
    read_groups(root, facts);
    const NumberSet performance = set_of(root, performance_cpus, facts.cpus).value_or(NumberSet());
    if (!performance.empty()) {
        facts.performance_cpus = performance;
        facts.efficient_cpus = set_of(root, efficient_cpus, facts.cpus).value_or(NumberSet()).subtract(performance);
    }
    for (std::size_t row = 0; row < facts.nodes.size(); row++) {
        hwloc_obj_t object = hwloc_get_numanode_obj_by_os_index(hwloc, facts.nodes[row].number);
        if (const std::optional<std::string> text = object != nullptr ? text_of(object, distances) : std::nullopt) {
            read_row(*text, row, facts);
        }
    }
}

std::optional<CpuKind> cpukind_of(hwloc_topology_t hwloc, int number) {
    const HwlocBitmap cpus((NumberSet()));
    CpuKind kind;
    std::optional<std::string> capacity;
    const auto take = [&](const char *name, const char *value) {
        if (std::string_view(name) == "LinuxCapacity") {
            capacity = value;
        }
    };
    const auto which = static_cast<unsigned>(number);
#if HWLOC_API_VERSION >= 0x00030000
    hwloc_infos_s *infos = nullptr;
    if (hwloc_cpukinds_get_info(hwloc, which, cpus.get(), &kind.efficiency, &infos, 0) != 0) {
        return std::nullopt;
    }
    for (unsigned i = 0; infos != nullptr && i < infos->count; i++) {
        take(infos->array[i].name, infos->array[i].value);
    }
#else
    unsigned count = 0;
    hwloc_info_s *infos = nullptr;
    if (hwloc_cpukinds_get_info(hwloc, which, cpus.get(), &kind.efficiency, &count, &infos, 0) != 0) {
        return std::nullopt;
    }
    for (unsigned i = 0; i < count; i++) {
        take(infos[i].name, infos[i].value);
    }
#endif
    kind.cpus = numbers_of(cpus.get());
    kind.capacity = capacity ? leading_number(*capacity) : std::nullopt;
    return kind;
}

} // namespace nearpool
