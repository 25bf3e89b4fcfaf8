// SPDX-License-Identifier: Apache-2.0
#include "topology/sysfs.hpp"

#include "base/text.hpp"
#include "topology/kernel_view.hpp"
#include "topology/limits.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace nearpool {
namespace {

constexpr uint64_t kibibyte = 1024;
const std::string cpu_folder = "/sys/devices/system/cpu";
const std::string node_folder = "/sys/devices/system/node";

// "Node 0 MemTotal:  5728460 kB" or "MemTotal:  5728460 kB", in bytes.
uint64_t memory_field(const std::optional<std::string> &text, const std::string &name) {
    const std::size_t place = text ? text->find(name + ":") : std::string::npos;
    if (place == std::string::npos) {
        return 0;
    }
    const uint64_t kib = leading_number(text->substr(place + name.size() + 1)).value_or(0);
    return kib <= most_memory_bytes / kibibyte ? kib * kibibyte : 0;
}

std::vector<near_huge_pool> read_huge_pools(const Reader &read, const std::string &folder) {
    static const std::string prefix = "hugepages-";
    std::vector<near_huge_pool> pools;
    for (const std::string &name : read.list(folder)) {
        const std::optional<uint64_t> size =
            name.compare(0, prefix.size(), prefix) == 0 ? leading_number(name.substr(prefix.size())) : std::nullopt;
        if (size && *size <= most_memory_bytes / kibibyte) {
            const uint64_t count = read.number(path_of({folder, name, "nr_hugepages"})).value_or(0);
            pools.push_back({*size * kibibyte, count <= most_memory_bytes ? count : 0});
        }
    }
    std::sort(pools.begin(), pools.end(),
              [](const near_huge_pool &a, const near_huge_pool &b) { return a.page_bytes < b.page_bytes; });
    return pools;
}

// HMAT. Class 1 is the nearest initiators that are CPUs, class 0 the nearest of any kind, of which those are taken that
// have CPUs.
void read_initiators_of(Node &node, const NumberSet &with_cpus, const Reader &read) {
    const std::string folder = node_folder + "/node" + std::to_string(node.number);
    for (const char *access : {"/access1/initiators", "/access0/initiators"}) {
        const std::string place = folder + access;
        const NumberSet nodes = read.numbered(place, "node").intersect(with_cpus);
        MemoryAccess figures;
        figures.read_mib_per_s = read.number(place + "/read_bandwidth").value_or(0);
        figures.write_mib_per_s = read.number(place + "/write_bandwidth").value_or(0);
        figures.read_ns = read.number(place + "/read_latency").value_or(0);
        figures.write_ns = read.number(place + "/write_latency").value_or(0);
        if (nodes.empty()) {
            continue;
        }
        if (node.initiators.empty()) {
            node.initiators = nodes;
        }
        for (const uint32_t from : nodes) {
            figures.from = from;
            const bool known = std::any_of(node.accesses.begin(), node.accesses.end(),
                                           [&](const MemoryAccess &other) { return other.from == from; });
            const bool said =
                figures.read_mib_per_s + figures.write_mib_per_s + figures.read_ns + figures.write_ns != 0;
            if (said && !known) {
                node.accesses.push_back(figures);
            }
        }
    }
    std::sort(node.accesses.begin(), node.accesses.end(),
              [](const MemoryAccess &a, const MemoryAccess &b) { return a.from < b.from; });
}

void read_initiators(const Reader &read, MachineFacts &facts) {
    std::vector<uint32_t> with_cpus;
    for (const Node &node : facts.nodes) {
        if (!node.cpus.empty()) {
            with_cpus.push_back(node.number);
        }
    }
    const NumberSet initiators(std::move(with_cpus));
    for (Node &node : facts.nodes) {
        read_initiators_of(node, initiators, read);
    }
}

uint64_t read_memory_side_cache(const Reader &read, const std::string &folder) {
    uint64_t bytes = 0;
    for (const std::string &name : read.list(folder + "/memory_side_cache")) {
        if (number_after(name, "index")) {
            const uint64_t size = read.number(path_of({folder, "memory_side_cache", name, "size"})).value_or(0);
            bytes = size <= most_memory_bytes ? std::max(bytes, size) : bytes;
        }
    }
    return bytes;
}

// As far as a machine may have them: what is beyond is told before any work is done with it.
using Check = Done (*)(const std::vector<NumberRange> &);

Result<NumberSet> expanded(const std::vector<NumberRange> &ranges, Check check) {
    if (Done ok = check(ranges); !ok) {
        return ok.error();
    }
    std::vector<uint32_t> numbers;
    for (const NumberRange &range : ranges) {
        for (uint32_t number = range.first; number <= range.last; number++) {
            numbers.push_back(number);
        }
    }
    return NumberSet(std::move(numbers));
}

// By its list, else its bitmap, else its links to them.
std::vector<NumberRange> cpus_of_node(const Reader &read, uint32_t number) {
    const std::string folder = node_folder + "/node" + std::to_string(number);
    const std::optional<std::string> list = read.text(folder + "/cpulist");
    if (const auto ranges = list ? parse_ranges(*list) : std::nullopt) {
        return *ranges;
    }
    const std::optional<NumberSet> map = read.bitmap(folder + "/cpumap");
    return ranges_of(map ? *map : read.numbered(folder, "cpu"));
}

// `cpus` are those that are its own.
Node read_node(const Reader &read, uint32_t number, NumberSet cpus) {
    const std::string folder = node_folder + "/node" + std::to_string(number);
    Node node;
    node.number = number;
    node.cpus = std::move(cpus);
    node.memory_bytes = memory_field(read.text(folder + "/meminfo"), "MemTotal");
    node.huge_pools = read_huge_pools(read, folder + "/hugepages");
    node.memory_side_cache_bytes = read_memory_side_cache(read, folder);
    return node;
}

std::vector<uint32_t> numbers_in(const std::string &line) {
    std::vector<uint32_t> numbers;
    for (std::size_t place = 0; place < line.size() && numbers.size() <= most_nodes;) {
        const std::size_t end = std::min(line.find_first_of(" \n", place), line.size());
        if (end > place) {
            const uint64_t value = leading_number(line.substr(place, end - place)).value_or(0);
            numbers.push_back(static_cast<uint32_t>(std::min<uint64_t>(value, std::numeric_limits<uint32_t>::max())));
        }
        place = end + 1;
    }
    return numbers;
}

// One row of the distances: of nodes in ascending order, so that the n-th is not that of node n. The kernel lists the
// nodes that are online, which are those that have folders; some list all that are possible. Of a row that is as long
// as none of these `listings` it is not known whose its numbers are.
void read_distances(const Reader &read, uint32_t number, const NumberSet &online,
                    const std::array<NumberSet, 3> &listings, std::vector<uint32_t> &distances) {
    const std::vector<uint32_t> row =
        numbers_in(read.text(node_folder + "/node" + std::to_string(number) + "/distance").value_or(""));
    const auto listed = std::find_if(listings.begin(), listings.end(),
                                     [&](const NumberSet &nodes) { return nodes.size() == row.size(); });
    const std::size_t known = listed == listings.end() ? 0 : row.size();
    std::size_t at = 0;
    for (const uint32_t to : online) {
        while (at < known && (*listed)[at] < to) {
            at++;
        }
        distances.push_back(at < known && (*listed)[at] == to ? row[at] : 0);
    }
}

// Some recorded machines lack the file `online`; the folders say the same, and those of CPUs have a file of that name.
// What is there and not understood is nothing.
Result<NumberSet> read_numbers(const Reader &read, const std::string &folder, const std::string &prefix, Check check) {
    std::vector<NumberRange> ranges;
    if (const std::optional<std::string> online = read.text(folder + "/online")) {
        ranges = parse_ranges(*online).value_or(ranges);
    } else {
        for (const uint32_t number : read.numbered(folder, prefix)) {
            const std::string file = path_of({folder, prefix + std::to_string(number), "online"});
            if (read.number(file).value_or(1) != 0) {
                ranges.push_back({number, number});
            }
        }
    }
    return expanded(ranges, check);
}

Done read_nodes(const Reader &read, MachineFacts &facts) {
    const Result<NumberSet> online = read_numbers(read, node_folder, "node", check_node_numbers);
    if (!online) {
        return online.error();
    }
    const NumberSet &numbers = online.value();
    const std::array<NumberSet, 3> listings = {read.numbered(node_folder, "node"), numbers,
                                               read.set(node_folder + "/possible").value_or(numbers)};
    NumberSet free = facts.cpus; // a CPU is of one node
    for (const uint32_t number : numbers) {
        const std::vector<NumberRange> listed = cpus_of_node(read, number);
        facts.nodes_list_cpus = facts.nodes_list_cpus || !listed.empty();
        facts.nodes.push_back(read_node(read, number, numbers_within(free, listed)));
        if (const NumberSet &own = facts.nodes.back().cpus; !own.empty()) {
            free = free.subtract(own);
        }
        read_distances(read, number, numbers, listings, facts.distances);
    }
    if (std::all_of(facts.distances.begin(), facts.distances.end(), [](uint32_t one) { return one == 0; })) {
        facts.distances.clear();
    }
    return {};
}

// The size of a base page is in no file of /sys, but the same count stands in one file as pages and in another as KiB.
// 0: they do not say it.
uint64_t page_bytes_from(const Reader &read, const std::string &meminfo, const std::string &vmstat) {
    static constexpr std::array<uint64_t, 4> sizes = {4 * kibibyte, 8 * kibibyte, 16 * kibibyte, 64 * kibibyte};
    static const std::string word = "nr_free_pages ";
    const uint64_t bytes = memory_field(read.text(meminfo), "MemFree");
    const std::string counters = read.text(vmstat).value_or("");
    const std::size_t place = counters.find(word);
    const uint64_t pages =
        place == std::string::npos ? 0 : leading_number(counters.substr(place + word.size())).value_or(0);
    if (pages == 0 || pages > UINT64_MAX / sizes.back() || bytes == 0) {
        return 0;
    }
    return *std::min_element(sizes.begin(), sizes.end(), [&](uint64_t a, uint64_t b) {
        const auto off = [&](uint64_t size) { // read at two moments, so only near
            return std::max(size * pages, bytes) / std::min(size * pages, bytes);
        };
        return off(a) < off(b);
    });
}

uint64_t recorded_page_bytes(const Reader &read, const MachineFacts &facts) {
    for (const Node &node : facts.nodes) {
        const std::string folder = node_folder + "/node" + std::to_string(node.number);
        if (const uint64_t bytes = page_bytes_from(read, folder + "/meminfo", folder + "/vmstat"); bytes != 0) {
            return bytes;
        }
    }
    if (const uint64_t bytes = page_bytes_from(read, "/proc/meminfo", "/proc/vmstat"); bytes != 0) {
        return bytes;
    }
    const uint64_t mapped = memory_field(read.beginning("/proc/self/smaps"), "KernelPageSize");
    return mapped != 0 ? mapped : 4 * kibibyte;
}

void read_allowed(const Reader &read, MachineFacts &facts) {
    const std::string status = read.text("/proc/self/status").value_or("");
    const std::optional<std::string> cpus = proc_field(status, "Cpus_allowed_list");
    const std::optional<std::string> nodes = proc_field(status, "Mems_allowed_list");
    facts.allowed_cpus = cpus ? NumberSet::parse(*cpus) : std::nullopt;
    facts.allowed_nodes = nodes ? NumberSet::parse(*nodes) : std::nullopt;
}

// The CPUs that the nodes list, whichever are said to be online.
NumberSet listed_by_nodes(const Reader &read) {
    NumberSet listed;
    const Result<NumberSet> nodes = read_numbers(read, node_folder, "node", check_node_numbers);
    for (const uint32_t node : nodes ? nodes.value() : NumberSet()) {
        const Result<NumberSet> own = expanded(cpus_of_node(read, node), check_cpu_numbers);
        listed = own ? listed.unite(own.value()) : listed;
    }
    return listed;
}

// Which CPUs are online. The affinity is the kernel's own answer: where it has a CPU that the file does not name, the
// file is another's (containers show files of their own), and what the nodes list is believed in its place.
Done read_online(const Reader &read, const Ports &ports, bool live, MachineFacts &facts) {
    const Result<NumberSet> online = read_numbers(read, cpu_folder, "cpu", check_cpu_numbers);
    facts.cpus = online ? online.value() : NumberSet();
    NumberSet affinity; // within the cpuset: the kernel sees to that. Not the caller's, which may be pinned by now
    if (live && ports.affinity.get_process(&affinity) == 0 && !affinity.empty()) {
        facts.allowed_cpus = affinity;
        if (facts.cpus.empty() || !facts.cpus.contains_all(affinity)) {
            facts.cpus = listed_by_nodes(read).unite(affinity);
            facts.basis |= NEAR_BASIS_AFFINITY;
        }
    }
    if (facts.cpus.empty() && live) {
        return fail(NEAR_E_TOPOLOGY, "this machine cannot be read: neither %s/online nor the affinity names a CPU",
                    cpu_folder.c_str());
    }
    if (facts.cpus.empty() && online) {
        const std::string file = read.root() + cpu_folder + "/online";
        return read.text(cpu_folder + "/online")
                   ? fail(NEAR_E_TOPOLOGY, "%s names no CPU", file.c_str())
                   : fail_system(ENOENT, "cannot read %s; the folder must hold what /sys and /proc show", file.c_str());
    }
    return facts.cpus.empty() ? Done(online.error()) : check_cpu_numbers(ranges_of(facts.cpus));
}

// The number of the one node of a machine that shows none: what the kernel calls it, where it says that there is one.
uint32_t whole_number(const MachineFacts &facts) {
    return facts.allowed_nodes && facts.allowed_nodes->size() == 1 ? (*facts.allowed_nodes)[0] : 0;
}

} // namespace

Result<MachineFacts> read_sysfs(const Ports &ports, const std::string &root, bool live) {
    const Reader read(ports.files, root);
    MachineFacts facts;
    facts.this_machine = live;
    read_allowed(read, facts);
    if (Done ok = read_online(read, ports, live, facts); !ok) {
        return read.outcome() ? ok.error() : read.outcome().error(); // a file too large is no file that is missing
    }
    if ((facts.basis & NEAR_BASIS_AFFINITY) == 0 || read.has_folder(node_folder)) {
        facts.basis |= NEAR_BASIS_SYSFS;
    }
    if (Done ok = read_nodes(read, facts); !ok) {
        return ok.error();
    }
    facts.memory_bytes = memory_field(read.text("/proc/meminfo"), "MemTotal");
    if (facts.nodes.size() == 1 &&
        !read.text(node_folder + "/node" + std::to_string(facts.nodes[0].number) + "/meminfo")) {
        facts.nodes[0].memory_bytes = facts.memory_bytes;
    }
    KernelView kernel;
    if (live) {
        kernel = ask_kernel(ports, facts);
        serve_the_allowed(kernel, facts);
    }
    read_initiators(read, facts);
    facts.page_bytes = live ? base_page_bytes() : recorded_page_bytes(read, facts);
    if (facts.nodes.empty()) {
        give_a_node(facts, whole_number(facts));
    }
    if (live) {
        look_for_doubt(kernel, facts);
    }
    read_sysfs_cpus(read, facts);
    read_sysfs_memory(read, facts);
    return read.outcome() ? Result<MachineFacts>(std::move(facts)) : read.outcome().error();
}

} // namespace nearpool
