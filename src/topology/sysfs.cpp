// SPDX-License-Identifier: Apache-2.0
#include "topology/sysfs.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace nearpool {
namespace {

constexpr uint64_t kibibyte = 1024;

// A reader of one root; what is missing or not understood is nothing.
class Reader {
public:
    Reader(FilePort &files, const std::string &root) : files_(files), root_(root) {}

    std::optional<std::string> text(const std::string &path) const {
        std::string result;
        return files_.read(root_ + path, &result) == 0 ? std::optional(std::move(result)) : std::nullopt;
    }

    std::optional<NumberSet> set(const std::string &path) const {
        const std::optional<std::string> read = text(path);
        return read ? NumberSet::parse(*read) : std::nullopt;
    }

    std::optional<uint64_t> number(const std::string &path) const {
        const std::optional<std::string> read = text(path);
        return read ? leading_number(*read) : std::nullopt;
    }

    std::vector<std::string> list(const std::string &path) const {
        std::vector<std::string> names;
        if (files_.list(root_ + path, &names) != 0) {
            names.clear();
        }
        std::sort(names.begin(), names.end());
        return names;
    }

    static std::optional<uint64_t> leading_number(const std::string &text) {
        const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
        uint64_t value = 0;
        const auto parsed = std::from_chars(text.data() + begin, text.data() + text.size(), value);
        return parsed.ec == std::errc() ? std::optional(value) : std::nullopt;
    }

private:
    FilePort &files_;
    const std::string &root_;
};

// The number at the end of a name such as "node12"; nothing when the name is another.
std::optional<uint64_t> number_after(const std::string &name, const std::string &prefix) {
    if (name.compare(0, prefix.size(), prefix) != 0) {
        return std::nullopt;
    }
    return Reader::leading_number(name.substr(prefix.size()));
}

// "Node 0 MemTotal:  5728460 kB" or "MemTotal:  5728460 kB"
uint64_t memory_total(const std::optional<std::string> &text) {
    static const std::string name = "MemTotal:";
    const std::size_t place = text ? text->find(name) : std::string::npos;
    if (place == std::string::npos) {
        return 0;
    }
    return Reader::leading_number(text->substr(place + name.size())).value_or(0) * kibibyte;
}

std::vector<near_huge_pool> read_huge_pools(const Reader &read, const std::string &folder) {
    std::vector<near_huge_pool> pools;
    for (const std::string &name : read.list(folder)) {
        const std::optional<uint64_t> size = number_after(name, "hugepages-");
        if (size) {
            pools.push_back({*size * kibibyte,
                             read.number(format("%s/%s/nr_hugepages", folder.c_str(), name.c_str())).value_or(0)});
        }
    }
    std::sort(pools.begin(), pools.end(),
              [](const near_huge_pool &a, const near_huge_pool &b) { return a.page_bytes < b.page_bytes; });
    return pools;
}

// Class 0 is the nearest initiators of any kind, class 1 the nearest that are CPUs.
std::vector<SysfsInitiator> read_initiators(const Reader &read, const std::string &node) {
    std::vector<SysfsInitiator> initiators;
    for (const char *access : {"/access1/initiators", "/access0/initiators"}) {
        const std::string folder = node + access;
        SysfsInitiator facts;
        facts.bandwidth_mib_per_s = read.number(folder + "/read_bandwidth").value_or(0);
        facts.latency_ns = read.number(folder + "/read_latency").value_or(0);
        if (facts.bandwidth_mib_per_s == 0 && facts.latency_ns == 0) {
            continue;
        }
        for (const std::string &name : read.list(folder)) {
            const std::optional<uint64_t> number = number_after(name, "node");
            if (number) {
                facts.node = static_cast<uint32_t>(*number);
                initiators.push_back(facts);
            }
        }
    }
    return initiators;
}

std::vector<uint32_t> read_distances(const std::optional<std::string> &text) {
    std::vector<uint32_t> distances;
    const std::string &line = text ? *text : std::string();
    for (std::size_t place = 0; place < line.size();) {
        const std::size_t end = std::min(line.find_first_of(" \n", place), line.size());
        if (end > place) {
            const uint64_t value = Reader::leading_number(line.substr(place, end - place)).value_or(0);
            distances.push_back(static_cast<uint32_t>(std::min<uint64_t>(value, std::numeric_limits<uint32_t>::max())));
        }
        place = end + 1;
    }
    return distances;
}

SysfsNode read_node(const Reader &read, uint32_t number) {
    const std::string folder = "/sys/devices/system/node/node" + std::to_string(number);
    SysfsNode node;
    node.number = number;
    node.cpus = read.set(folder + "/cpulist").value_or(NumberSet());
    node.memory_bytes = memory_total(read.text(folder + "/meminfo"));
    node.distances = read_distances(read.text(folder + "/distance"));
    node.huge_pools = read_huge_pools(read, folder + "/hugepages");
    node.initiators = read_initiators(read, folder);
    return node;
}

// The level 3 cache where there is one, else the largest below it: what CPUs share at last.
void read_cache(const Reader &read, const std::string &folder, SysfsCpu &cpu) {
    for (const std::string &name : read.list(folder)) {
        const std::string index = format("%s/%s", folder.c_str(), name.c_str());
        const auto level = static_cast<uint32_t>(read.number(index + "/level").value_or(0));
        const std::string type = read.text(index + "/type").value_or("");
        if (level <= cpu.cache_level || level > 3 || type.compare(0, 11, "Instruction") == 0) {
            continue;
        }
        const NumberSet shared = read.set(index + "/shared_cpu_list").value_or(NumberSet());
        if (!shared.empty()) {
            cpu.cache = shared;
            cpu.cache_level = level;
            cpu.cache_bytes = read.number(index + "/size").value_or(0) * kibibyte;
        }
    }
}

NumberSet first_set(const Reader &read, const std::string &folder, const char *name, const char *old_name) {
    std::optional<NumberSet> set = read.set(folder + name);
    if (!set) {
        set = read.set(folder + old_name);
    }
    return set.value_or(NumberSet());
}

} // namespace

std::optional<std::string> proc_field(const std::string &text, const std::string &name) {
    const std::string key = name + ":";
    std::size_t place = 0;
    while (text.compare(place, key.size(), key) != 0) {
        place = text.find('\n', place);
        if (place == std::string::npos) {
            return std::nullopt;
        }
        place++;
    }
    const std::size_t end = std::min(text.find('\n', place), text.size());
    const std::size_t begin = std::min(text.find_first_not_of(" \t", place + key.size()), end);
    return text.substr(begin, end - begin);
}

NumberSet SysfsMachine::node_numbers() const {
    std::vector<uint32_t> numbers;
    for (const SysfsNode &node : nodes) {
        numbers.push_back(node.number);
    }
    return NumberSet(std::move(numbers));
}

SysfsMachine read_sysfs(FilePort &files, const std::string &root) {
    const Reader read(files, root);
    SysfsMachine machine;
    machine.cpus = read.set("/sys/devices/system/cpu/online").value_or(NumberSet());
    for (const uint32_t number : read.set("/sys/devices/system/node/online").value_or(NumberSet())) {
        machine.nodes.push_back(read_node(read, number));
    }
    machine.memory_bytes = memory_total(read.text("/proc/meminfo"));
    if (const std::optional<std::string> status = read.text("/proc/self/status")) {
        const std::optional<std::string> cpus = proc_field(*status, "Cpus_allowed_list");
        const std::optional<std::string> nodes = proc_field(*status, "Mems_allowed_list");
        machine.allowed.cpus = cpus ? NumberSet::parse(*cpus) : std::nullopt;
        machine.allowed.nodes = nodes ? NumberSet::parse(*nodes) : std::nullopt;
    }
    return machine;
}

void read_sysfs_cpus(FilePort &files, const std::string &root, SysfsMachine &machine) {
    const Reader read(files, root);
    for (const uint32_t number : machine.cpus) {
        const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(number);
        SysfsCpu cpu;
        cpu.number = number;
        cpu.core = first_set(read, folder + "/topology", "/core_cpus_list", "/thread_siblings_list");
        cpu.package = first_set(read, folder + "/topology", "/package_cpus_list", "/core_siblings_list");
        read_cache(read, folder + "/cache", cpu);
        machine.details.push_back(std::move(cpu));
    }
}

} // namespace nearpool
