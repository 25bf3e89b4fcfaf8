// SPDX-License-Identifier: Apache-2.0
// What kind of memory each node has, from what the kernel and the GPU driver leave in files. No driver is asked: what
// only it knows is in the device map.
#include "topology/claims.hpp"
#include "topology/limits.hpp"
#include "topology/sysfs.hpp"

#include <algorithm>

namespace nearpool {
namespace {

bool has_cpus(const Node &node) {
    return !node.cpus.empty();
}

void say(MachineFacts &facts, uint64_t number, int32_t kind, int32_t source) {
    Node *node = number > UINT32_MAX ? nullptr : facts.node(static_cast<uint32_t>(number));
    if (node != nullptr && node->memory.source == NEAR_KIND_SOURCE_NONE) {
        node->memory = {kind, source};
    }
}

// The node that NVIDIA's driver makes of a GPU's memory: "Node: 255". It has no CPUs.
void read_nvidia(const Reader &read, MachineFacts &facts) {
    static const std::string folder = "/proc/driver/nvidia/gpus";
    for (const std::string &gpu : read.list(folder)) {
        const std::string status = read.text(path_of({folder, gpu, "numa_status"})).value_or("");
        const std::optional<std::string> field = proc_field(status, "Node");
        const std::optional<uint64_t> number = field ? leading_number(*field) : std::nullopt;
        const Node *node = number && *number < node_number_limit ? facts.node(static_cast<uint32_t>(*number)) : nullptr;
        if (node != nullptr && !has_cpus(*node)) {
            say(facts, *number, NEAR_MEMORY_GPU, NEAR_KIND_SOURCE_NVIDIA);
        }
    }
}

// Memory that came as a DAX device: what it hangs on tells what it is. "hmem" is memory that the firmware reserved for
// a purpose that it does not name, such as high-bandwidth memory; its figures may tell.
void read_dax(const Reader &read, MachineFacts &facts) {
    static const std::string folder = "/sys/bus/dax/devices";
    for (const std::string &device : read.list(folder)) {
        const std::optional<uint64_t> number = read.number(path_of({folder, device, "target_node"}));
        const std::string place = read.link(path_of({folder, device}));
        const Node *node = number && *number < node_number_limit ? facts.node(static_cast<uint32_t>(*number)) : nullptr;
        const std::string driver = read.link(path_of({folder, device, "driver"}));
        const bool is_memory = driver.empty() || driver.find("/kmem") != std::string::npos; // or a device of its own
        if (node == nullptr || has_cpus(*node) || place.empty() || !is_memory) {
            continue;
        }
        if (place.find("ndbus") != std::string::npos) {
            say(facts, *number, NEAR_MEMORY_NVM, NEAR_KIND_SOURCE_DAX);
        } else if (place.find("dax_region") != std::string::npos || place.find("cxl") != std::string::npos) {
            say(facts, *number, NEAR_MEMORY_CXL, NEAR_KIND_SOURCE_CXL);
        }
    }
}

// Grace machines have eight nodes for the memory of each GPU, of which all but the first are empty until it is
// partitioned. Their driver names the first of each; where it has no file here, and of the others, their number does.
void guess_coherent_gpus(const Reader &read, MachineFacts &facts) {
    constexpr std::size_t nodes_of_a_gpu = 8;
    static const std::string folder = "/sys/bus/pci/devices";
    std::size_t gpus = 0;
    for (const std::string &device : read.list(folder)) {
        const std::string type = read.text(path_of({folder, device, "class"})).value_or("");
        const std::string vendor = read.text(path_of({folder, device, "vendor"})).value_or("0x10de");
        gpus += type.compare(0, 6, "0x0302") == 0 && vendor.compare(0, 6, "0x10de") == 0 ? 1 : 0;
    }
    const auto open = [](const Node &node) { return !has_cpus(node) && node.memory.source == NEAR_KIND_SOURCE_NONE; };
    const auto may_be = [&](const Node &node) { return open(node) || node.memory.source == NEAR_KIND_SOURCE_NVIDIA; };
    const auto count = static_cast<std::size_t>(std::count_if(facts.nodes.begin(), facts.nodes.end(), may_be));
    const auto filled =
        static_cast<std::size_t>(std::count_if(facts.nodes.begin(), facts.nodes.end(),
                                               [&](const Node &node) { return open(node) && node.memory_bytes != 0; }));
    const bool named = std::any_of(facts.nodes.begin(), facts.nodes.end(),
                                   [](const Node &node) { return node.memory.source == NEAR_KIND_SOURCE_NVIDIA; });
    if (gpus == 0 || count != gpus * nodes_of_a_gpu || (!named && filled > gpus)) {
        return;
    }
    for (Node &node : facts.nodes) {
        if (open(node)) {
            node.memory = {NEAR_MEMORY_GPU, NEAR_KIND_SOURCE_GUESSED_FROM_GPUS};
        }
    }
}

// Tiers are numbered from the fastest. A tier below that of the nodes with CPUs is high-bandwidth memory; one above is
// slower, and says no more. The tier of the nodes with CPUs says nothing: it is where the kernel puts what it does not
// know.
void read_tiers(const Reader &read, MachineFacts &facts) {
    static const std::string folder = "/sys/devices/virtual/memory_tiering";
    static const std::string prefix = "memory_tier";
    std::vector<std::pair<uint32_t, NumberSet>> tiers;
    NumberSet usual;
    const NumberSet known = facts.node_numbers();
    Claims claims(known); // a node is in one tier
    for (const std::string &name : read.list(folder)) {
        const std::optional<uint32_t> tier = number_after(name, prefix);
        const NumberSet nodes = tier ? claims.claim(read.ranges(path_of({folder, name, "nodelist"}))) : NumberSet();
        if (nodes.empty()) {
            continue;
        }
        tiers.emplace_back(*tier, nodes);
        const bool with_cpus =
            std::any_of(nodes.begin(), nodes.end(), [&](uint32_t node) { return has_cpus(*facts.node(node)); });
        if (with_cpus) {
            usual.add(*tier);
        }
    }
    for (const auto &[tier, nodes] : tiers) {
        for (const uint32_t number : nodes) {
            const Node *node = facts.node(number);
            const bool apart = !usual.empty() && (tier < usual[0] || tier > usual.back());
            if (apart && node != nullptr && !has_cpus(*node)) {
                say(facts, number, tier < usual[0] ? NEAR_MEMORY_HBM : NEAR_MEMORY_UNKNOWN, NEAR_KIND_SOURCE_TIER);
            }
        }
    }
}

} // namespace

void read_sysfs_memory(const Reader &read, MachineFacts &facts) {
    read_nvidia(read, facts);
    read_dax(read, facts);
    guess_coherent_gpus(read, facts);
    guess_kinds(facts); // before the tiers, which the kernel makes of the same figures
    read_tiers(read, facts);
}

} // namespace nearpool
