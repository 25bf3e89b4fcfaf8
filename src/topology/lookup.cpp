// SPDX-License-Identifier: Apache-2.0
#include "topology/source.hpp"
#include "topology/topology.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

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
    return std::accumulate(nodes_.begin(), nodes_.end(), uint64_t{0}, [](uint64_t sum, const Node &one) {
        return one.memory_bytes > UINT64_MAX - sum ? UINT64_MAX : sum + one.memory_bytes;
    });
}

std::size_t Topology::index_of(uint32_t number) const {
    return static_cast<std::size_t>(node(number) - nodes_.data());
}

Known Topology::distances_known() const {
    const auto unknown = std::count(distances_.begin(), distances_.end(), 0U);
    if (distances_.empty() || unknown == static_cast<std::ptrdiff_t>(distances_.size())) {
        return Known::none;
    }
    return unknown == 0 ? Known::all : Known::partly;
}

Link Topology::link(uint32_t from, uint32_t to) const {
    Link link;
    link.distance = said_distance(index_of(from), index_of(to));
    const std::vector<MemoryAccess> &accesses = node(to)->accesses;
    const auto place = std::lower_bound(accesses.begin(), accesses.end(), from,
                                        [](const MemoryAccess &one, uint32_t wanted) { return one.from < wanted; });
    if (place != accesses.end() && place->from == from) {
        link.access = *place;
    }
    return link;
}

uint32_t Topology::said_distance(std::size_t from, std::size_t to) const {
    return distances_.empty() ? 0 : distances_[from * nodes_.size() + to];
}

uint32_t Topology::distance(uint32_t from, uint32_t to) const {
    return distance_at(index_of(from), index_of(to));
}

uint32_t Topology::distance_at(std::size_t from, std::size_t to) const {
    if (from == to) {
        return 0;
    }
    const uint32_t there = said_distance(from, to);
    const uint32_t known = there != 0 ? there : said_distance(to, from);
    return known != 0 ? known : near_in_tree(nodes_[from], nodes_[to]) ? 1 : UINT32_MAX;
}

// Whether the tree of the machine puts both together.
bool Topology::near_in_tree(const Node &one, const Node &other) const {
    if (one.tree_package != NEAR_NODE_UNKNOWN && one.tree_package == other.tree_package) {
        return true;
    }
    return other.cpus.empty() ? other.near_nodes.overlaps(one.near_nodes) : one.near_nodes.contains(other.number);
}

std::vector<uint32_t> Topology::nodes_by_distance(uint32_t number) const {
    const std::size_t home = index_of(number);
    std::vector<std::pair<uint32_t, uint32_t>> places; // distance and number
    places.reserve(nodes_.size());
    for (std::size_t to = 0; to < nodes_.size(); to++) {
        places.emplace_back(distance_at(home, to), nodes_[to].number);
    }
    std::sort(places.begin(), places.end());
    std::vector<uint32_t> order;
    order.reserve(places.size());
    for (const auto &[distance, other] : places) {
        order.push_back(other);
    }
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

// See Node::served_by.
std::vector<uint32_t> Topology::serving_candidates(std::size_t home) const {
    std::vector<std::pair<uint32_t, uint32_t>> with_cpus; // distance and number
    for (std::size_t i = 0; i < nodes_.size(); i++) {
        if (!nodes_[i].cpus.empty()) {
            with_cpus.emplace_back(distance_at(home, i), nodes_[i].number);
        }
    }
    std::sort(with_cpus.begin(), with_cpus.end());
    const auto chosen = [&](auto fits) {
        std::vector<uint32_t> numbers;
        for (const auto &[distance, number] : with_cpus) {
            if (fits(distance, number)) {
                numbers.push_back(number);
            }
        }
        return numbers;
    };
    for (const NumberSet *said : {&nodes_[home].initiators, &nodes_[home].near_nodes}) {
        std::vector<uint32_t> found = chosen([&](uint32_t, uint32_t number) { return said->contains(number); });
        if (!found.empty() && found.size() != with_cpus.size()) {
            return found;
        }
    }
    return chosen([&](uint32_t distance, uint32_t) { return distance == with_cpus.front().first; });
}

uint32_t Topology::nearest_with_cpus(uint32_t number) const {
    return node(number)->nearest_with_cpus;
}

uint32_t Topology::nearest_with_allowed_cpus(uint32_t number) const {
    const auto allowed = [](const Node &one) { return !one.allowed_cpus.empty(); };
    const Node &home = *node(number);
    if (allowed(home)) {
        return number;
    }
    for (const uint32_t candidate : home.served_by) {
        if (allowed(*node(candidate))) {
            return candidate;
        }
    }
    return nearest(*this, number, allowed);
}

uint32_t Topology::nearest_with_memory(uint32_t number) const {
    if (node(number)->has_memory) {
        return number;
    }
    const uint32_t found = nearest(*this, number, [](const Node &one) { return one.memory_by_default; });
    return found != NEAR_NODE_UNKNOWN ? found : nearest(*this, number, [](const Node &one) { return one.has_memory; });
}

uint32_t Topology::best_memory(uint32_t from, int32_t by) const {
    uint32_t best = NEAR_NODE_UNKNOWN;
    uint64_t best_value = 0; // higher is better
    for (const uint32_t number : nodes_by_distance(from)) {
        const Node &candidate = *node(number);
        const MemoryAccess access = link(from, number).access;
        uint64_t value = candidate.memory_bytes;
        if (by == NEAR_BEST_BANDWIDTH) {
            value = access.read_mib_per_s;
        } else if (by == NEAR_BEST_LATENCY) {
            value = access.read_ns == 0 ? 0 : UINT64_MAX - access.read_ns;
        }
        if (candidate.memory_allowed && value > best_value) {
            best = number;
            best_value = value;
        }
    }
    return best;
}

Error Topology::no_node(uint32_t number) const {
    if (number == NEAR_NODE_UNKNOWN) {
        return fail(NEAR_E_NO_NODE, "the unknown node is not a node (nodes %s)", node_numbers_.text().c_str());
    }
    return fail(NEAR_E_NO_NODE, "node %u is not in this topology (nodes %s)", number, node_numbers_.text().c_str());
}

} // namespace nearpool
