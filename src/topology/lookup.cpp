// SPDX-License-Identifier: Apache-2.0
#include "topology/source.hpp"
#include "topology/topology.hpp"

#include <algorithm>
#include <numeric>

namespace nearpool {
namespace {

template <class T> const T *find_number(const std::vector<T> &items, uint32_t number) {
    const auto place = std::lower_bound(items.begin(), items.end(), number,
                                        [](const T &item, uint32_t wanted) { return item.number < wanted; });
    return place == items.end() || place->number != number ? nullptr : &*place;
}

} // namespace

Topology::Topology() = default;
Topology::~Topology() = default;

const Node *Topology::node(uint32_t number) const {
    return find_number(nodes_, number);
}

const Cpu *Topology::cpu(uint32_t number) const {
    return find_number(cpus_, number);
}

uint64_t Topology::memory_bytes() const {
    return std::accumulate(nodes_.begin(), nodes_.end(), uint64_t{0},
                           [](uint64_t sum, const Node &one) { return sum + one.memory_bytes; });
}

const Link &Topology::link(uint32_t from, uint32_t to) const {
    const auto row = static_cast<std::size_t>(node(from) - nodes_.data());
    const auto column = static_cast<std::size_t>(node(to) - nodes_.data());
    return links_[row * nodes_.size() + column];
}

uint32_t Topology::distance(uint32_t from, uint32_t to) const {
    const uint32_t said = link(from, to).distance;
    if (said != 0) {
        return said;
    }
    return from == to ? 10 : 20;
}

std::vector<uint32_t> Topology::nodes_by_distance(uint32_t node) const {
    std::vector<uint32_t> order(node_numbers_.begin(), node_numbers_.end());
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
        if (a == node || b == node) { // first, whatever the firmware says
            return a == node && b != node;
        }
        return distance(node, a) < distance(node, b);
    });
    return order;
}

namespace {

template <class Wanted> uint32_t nearest(const Topology &topology, uint32_t node, Wanted wanted) {
    for (const uint32_t number : topology.nodes_by_distance(node)) {
        if (wanted(*topology.node(number))) {
            return number;
        }
    }
    return NEAR_NODE_UNKNOWN;
}

} // namespace

uint32_t Topology::nearest_with_cpus(uint32_t node) const {
    return nearest(*this, node, [](const Node &one) { return !one.cpus.empty(); });
}

uint32_t Topology::nearest_with_allowed_cpus(uint32_t node) const {
    return nearest(*this, node, [](const Node &one) { return !one.allowed_cpus.empty(); });
}

uint32_t Topology::nearest_with_memory(uint32_t node) const {
    return nearest(*this, node, [](const Node &one) { return one.memory_bytes != 0; });
}

Error Topology::no_node(uint32_t number) const {
    if (number == NEAR_NODE_UNKNOWN) {
        return fail(NEAR_E_NO_NODE, "the unknown node is not a node (nodes %s)", node_numbers_.text().c_str());
    }
    return fail(NEAR_E_NO_NODE, "node %u is not in this topology (nodes %s)", number, node_numbers_.text().c_str());
}

Result<std::string> Topology::xml() const {
    return source_->export_xml();
}

} // namespace nearpool
