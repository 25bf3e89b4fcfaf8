// SPDX-License-Identifier: Apache-2.0
#include "topology/facts.hpp"

#include "topology/limits.hpp"

#include <algorithm>

namespace nearpool {
namespace {

Done check_numbers(const char *what, const NumberSet &numbers, uint32_t limit, std::size_t most) {
    if (!numbers.empty() && numbers.back() >= limit) {
        return fail(NEAR_E_TOPOLOGY, "the machine has a %s number %u, and they must be below %u", what, numbers.back(),
                    limit);
    }
    if (numbers.size() > most) {
        return fail(NEAR_E_TOPOLOGY, "the machine has %zu %ss, and at most %zu are taken", numbers.size(), what, most);
    }
    return {};
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

Done check_cpu_numbers(const NumberSet &cpus) {
    return check_numbers("CPU", cpus, cpu_number_limit, most_cpus);
}

Done check_node_numbers(const NumberSet &nodes) {
    return check_numbers("node", nodes, node_number_limit, most_nodes);
}

} // namespace nearpool
