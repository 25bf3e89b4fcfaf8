// SPDX-License-Identifier: Apache-2.0
#include "topology/facts.hpp"

#include "topology/limits.hpp"

#include <algorithm>

namespace nearpool {
namespace {

Done check_numbers(const char *what, const std::vector<NumberRange> &ranges, uint32_t limit, std::size_t most) {
    if (!ranges.empty() && ranges.back().last >= limit) {
        return fail(NEAR_E_TOPOLOGY, "the machine has a %s number %u, and they must be below %u", what,
                    ranges.back().last, limit);
    }
    std::size_t count = 0;
    for (const NumberRange &range : ranges) {
        count += range.last - range.first + std::size_t{1};
    }
    if (count > most) {
        return fail(NEAR_E_TOPOLOGY, "the machine has %zu %ss, and at most %zu are taken", count, what, most);
    }
    return {};
}

uint64_t best_bandwidth(const Node &node) {
    uint64_t best = 0;
    for (const MemoryAccess &access : node.accesses) {
        best = std::max(best, access.read_mib_per_s);
    }
    return best;
}

} // namespace

NumberSet MachineFacts::node_numbers() const {
    std::vector<uint32_t> numbers;
    numbers.reserve(nodes.size());
    for (const Node &node : nodes) {
        numbers.push_back(node.number);
    }
    return NumberSet(std::move(numbers));
}

Node *MachineFacts::node(uint32_t number) {
    const auto place = std::lower_bound(nodes.begin(), nodes.end(), number,
                                        [](const Node &node, uint32_t wanted) { return node.number < wanted; });
    return place == nodes.end() || place->number != number ? nullptr : &*place;
}

void give_a_node(MachineFacts &facts, uint32_t number) {
    Node whole;
    whole.number = number;
    whole.cpus = facts.cpus;
    whole.memory_bytes = facts.memory_bytes;
    facts.nodes.push_back(std::move(whole));
    facts.synthetic_node = true;
}

void guess_kinds(MachineFacts &facts) {
    uint64_t usual = 0;
    for (const Node &node : facts.nodes) {
        usual = node.cpus.empty() ? usual : std::max(usual, best_bandwidth(node));
    }
    for (Node &node : facts.nodes) {
        const uint64_t bandwidth = best_bandwidth(node);
        if (!node.cpus.empty() || usual == 0 || bandwidth == 0 || node.memory.source != NEAR_KIND_SOURCE_NONE) {
            continue;
        }
        if (bandwidth / 2 >= usual) {
            node.memory = {NEAR_MEMORY_HBM, NEAR_KIND_SOURCE_GUESSED_FROM_HMAT};
        } else if (bandwidth <= usual / 2) {
            node.memory = {NEAR_MEMORY_UNKNOWN, NEAR_KIND_SOURCE_GUESSED_FROM_HMAT};
        }
    }
}

void give_core_kinds(MachineFacts &facts, const std::map<uint64_t, std::vector<uint32_t>> &cpus_by_capacity) {
    std::vector<uint32_t> performance;
    std::vector<uint32_t> efficient;
    for (const auto &[capacity, cpus] : cpus_by_capacity) {
        const uint64_t largest = cpus_by_capacity.rbegin()->first;
        std::vector<uint32_t> &kind = largest - capacity > largest / 10 ? efficient : performance;
        kind.insert(kind.end(), cpus.begin(), cpus.end());
    }
    if (!efficient.empty()) {
        facts.efficient_cpus = NumberSet(std::move(efficient));
        facts.performance_cpus = NumberSet(std::move(performance));
    }
}

Done check_cpu_numbers(const std::vector<NumberRange> &cpus) {
    return check_numbers("CPU", cpus, cpu_number_limit, most_cpus);
}

Done check_node_numbers(const std::vector<NumberRange> &nodes) {
    return check_numbers("node", nodes, node_number_limit, most_nodes);
}

std::vector<NumberRange> ranges_of(const NumberSet &numbers) {
    std::vector<NumberRange> ranges;
    for (const uint32_t number : numbers) {
        if (!ranges.empty() && ranges.back().last + 1 == number) {
            ranges.back().last = number;
        } else {
            ranges.push_back({number, number});
        }
    }
    return ranges;
}

NumberSet numbers_within(const NumberSet &universe, const std::vector<NumberRange> &ranges) {
    std::vector<uint32_t> found;
    for (const NumberRange &range : ranges) {
        const auto begin = std::lower_bound(universe.begin(), universe.end(), range.first);
        found.insert(found.end(), begin, std::upper_bound(begin, universe.end(), range.last));
    }
    return NumberSet(std::move(found));
}

} // namespace nearpool
