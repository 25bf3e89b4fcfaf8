// SPDX-License-Identifier: Apache-2.0
// Cores, packages and caches from /sys/devices/system/cpu: each file lists the CPUs that share something.
#include "topology/sysfs.hpp"

#include "base/text.hpp"
#include "topology/claims.hpp"
#include "topology/limits.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nearpool {
namespace {

constexpr uint64_t kibibyte = 1024;

using Names = std::initializer_list<const char *>;

std::string cpu_folder(uint32_t cpu) {
    return "/sys/devices/system/cpu/cpu" + std::to_string(cpu);
}

bool contains(const std::vector<NumberRange> &ranges, uint32_t cpu) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const NumberRange &range) { return range.first <= cpu && cpu <= range.last; });
}

// Of several files that say the same (the kernel renamed them), the first that is there and names the CPU itself. What
// does not end in "_list" is a bitmap. Empty: none is.
std::vector<NumberRange> siblings(const Reader &read, const std::string &folder, uint32_t cpu, const Names &names) {
    for (const std::string name : names) {
        const bool is_list = name.size() > 5 && name.compare(name.size() - 5, 5, "_list") == 0;
        const std::string text = read.text(path_of({folder, name})).value_or("");
        std::vector<NumberRange> ranges = is_list ? parse_ranges(text).value_or(std::vector<NumberRange>())
                                                  : ranges_of(NumberSet::parse_bitmap(text).value_or(NumberSet()));
        if (contains(ranges, cpu)) {
            return ranges;
        }
    }
    return {};
}

std::vector<NumberSet> read_groups(const Reader &read, const NumberSet &cpus, const Names &names) {
    Claims claims(cpus);
    std::vector<NumberSet> groups;
    for (std::size_t i = 0; i < cpus.size(); i++) {
        if (!claims.is_free(i)) {
            continue;
        }
        const std::vector<NumberRange> ranges = siblings(read, cpu_folder(cpus[i]) + "/topology", cpus[i], names);
        if (!ranges.empty()) {
            groups.push_back(claims.claim(i, ranges));
        }
    }
    return groups;
}

std::optional<uint64_t> topology_number(const Reader &read, uint32_t cpu, const char *file) {
    return read.number(cpu_folder(cpu) + "/topology/" + file); // -1, not known, is no number
}

// Where no file lists a CPU's siblings, those with the same numbers are. Some kernels number within what the files of
// `within` number, which others do not have; without those of `needed` nothing is said.
void add_by_numbers(const Reader &read, const NumberSet &cpus, const Names &within, const Names &needed,
                    std::vector<NumberSet> &groups) {
    using Numbers = std::vector<uint64_t>;
    const auto numbers_of = [&](uint32_t cpu) {
        Numbers numbers;
        for (const char *file : needed) {
            numbers.push_back(topology_number(read, cpu, file).value_or(UINT64_MAX));
            if (numbers.back() == UINT64_MAX) {
                return Numbers();
            }
        }
        for (const char *file : within) {
            numbers.push_back(topology_number(read, cpu, file).value_or(UINT64_MAX));
        }
        return numbers;
    };
    std::vector<uint32_t> listed;
    for (const NumberSet &group : groups) {
        listed.insert(listed.end(), group.begin(), group.end());
    }
    std::map<Numbers, std::vector<uint32_t>> unlisted;
    for (const uint32_t cpu : cpus.subtract(NumberSet(std::move(listed)))) {
        unlisted[numbers_of(cpu)].push_back(cpu);
    }
    unlisted.erase(Numbers());
    for (std::size_t i = 0; !unlisted.empty() && i < groups.size(); i++) {
        if (const auto same = unlisted.find(numbers_of(groups[i][0])); same != unlisted.end()) {
            groups[i] = groups[i].unite(NumberSet(std::move(same->second)));
            unlisted.erase(same);
        }
    }
    for (auto &[numbers, members] : unlisted) {
        groups.emplace_back(std::move(members));
    }
}

// AMD's processors of family 15h list the two cores of a module as siblings, each with a number of its own.
std::vector<NumberSet> split_modules(const Reader &read, std::vector<NumberSet> cores) {
    const std::string processor = read.beginning("/proc/cpuinfo");
    if (processor.find("AuthenticAMD") == std::string::npos ||
        processor.find("cpu family\t: 21\n") == std::string::npos) {
        return cores;
    }
    std::vector<NumberSet> split;
    for (const NumberSet &core : cores) {
        std::map<uint64_t, std::vector<uint32_t>> by_number;
        for (const uint32_t cpu : core) {
            by_number[topology_number(read, cpu, "core_id").value_or(0)].push_back(cpu);
        }
        for (auto &[number, cpus] : by_number) {
            split.emplace_back(std::move(cpus));
        }
    }
    return split;
}

struct FoundCache {
    CacheFacts facts;
    std::vector<NumberRange> cpus;
};

// The level 3 cache where there is one, else the largest below it: what CPUs share at last. Level 0: none is known.
FoundCache last_level_cache(const Reader &read, uint32_t cpu) {
    const std::string folder = cpu_folder(cpu) + "/cache";
    FoundCache found;
    for (const std::string &name : read.list(folder)) {
        const std::string index = path_of({folder, name});
        const auto level = static_cast<uint32_t>(std::min<uint64_t>(read.number(index + "/level").value_or(0), 99));
        if (level <= found.facts.level || level > 3 ||
            read.text(index + "/type").value_or("").compare(0, 11, "Instruction") == 0) {
            continue;
        }
        std::vector<NumberRange> shared = siblings(read, index, cpu, {"shared_cpu_list", "shared_cpu_map"});
        if (!shared.empty()) {
            const uint64_t size = read.number(index + "/size").value_or(0);
            const uint64_t kib = size <= most_memory_bytes / kibibyte ? size : 0;
            found = {{level, kib * kibibyte}, std::move(shared)};
        }
    }
    return found;
}

std::vector<CacheGroup> read_caches(const Reader &read, const NumberSet &cpus) {
    Claims claims(cpus);
    std::vector<CacheGroup> groups;
    for (std::size_t i = 0; i < cpus.size(); i++) {
        if (!claims.is_free(i)) {
            continue;
        }
        FoundCache found = last_level_cache(read, cpus[i]);
        if (found.facts.level != 0) {
            groups.push_back({claims.claim(i, found.cpus), found.facts});
        }
    }
    return groups;
}

// Arm's kernels give each CPU a capacity.
void read_capacities(const Reader &read, MachineFacts &facts) {
    std::map<uint64_t, std::vector<uint32_t>> by_capacity;
    for (const uint32_t cpu : facts.cpus) {
        const std::optional<uint64_t> capacity = read.number(cpu_folder(cpu) + "/cpu_capacity");
        if (!capacity) { // no kernel gives it for some
            return;
        }
        by_capacity[*capacity].push_back(cpu);
    }
    give_core_kinds(facts, by_capacity);
}

// Intel's hybrid processors have a counter unit for each kind of core, which lists its CPUs.
void read_core_kinds(const Reader &read, MachineFacts &facts) {
    const auto cpus_of = [&](const char *unit) {
        return numbers_within(facts.cpus, read.ranges(std::string("/sys/devices/") + unit + "/cpus"));
    };
    const NumberSet core = cpus_of("cpu_core");
    const NumberSet atom = cpus_of("cpu_atom").unite(cpus_of("cpu_lowpower"));
    if (!core.empty() && !atom.empty() && core.intersect(atom).empty()) {
        facts.performance_cpus = core;
        facts.efficient_cpus = atom;
        return;
    }
    read_capacities(read, facts);
}

} // namespace

void read_sysfs_cpus(const Reader &read, MachineFacts &facts) {
    facts.cores =
        split_modules(read, read_groups(read, facts.cpus,
                                        {"core_cpus_list", "thread_siblings_list", "core_cpus", "thread_siblings"}));
    facts.packages =
        read_groups(read, facts.cpus, {"package_cpus_list", "core_siblings_list", "package_cpus", "core_siblings"});
    add_by_numbers(read, facts.cpus, {"drawer_id", "book_id", "die_id", "cluster_id"},
                   {"physical_package_id", "core_id"}, facts.cores);
    add_by_numbers(read, facts.cpus, {"drawer_id", "book_id"}, {"physical_package_id"}, facts.packages);
    facts.caches = read_caches(read, facts.cpus);
    read_core_kinds(read, facts);
}

} // namespace nearpool
