// SPDX-License-Identifier: Apache-2.0
#include "topology/source.hpp"
#include "topology/topology.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <tuple>

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
    for (const uint32_t said : {said_distance(from, to), said_distance(to, from)}) {
        if (said != 0) {
            return said;
        }
    }
    if (from == to) {
        return 10;
    }
    return has_distances_[from] && !near_in_tree(nodes_[from], nodes_[to]) ? UINT32_MAX : 20;
}

// Whether the tree of the machine puts both together.
bool Topology::near_in_tree(const Node &one, const Node &other) const {
    return one.near_nodes.overlaps(other.near_nodes) ||
           (one.package != NEAR_NODE_UNKNOWN && one.package == other.package);
}

std::vector<uint32_t> Topology::nodes_by_distance(uint32_t number) const {
    const std::size_t home = index_of(number);
    struct Place {
        bool other; // itself comes first, whatever the firmware says
        uint32_t distance;
        bool apart;
        uint32_t number;
    };
    std::vector<Place> places;
    places.reserve(nodes_.size());
    for (std::size_t to = 0; to < nodes_.size(); to++) {
        const bool said = said_distance(home, to) != 0 || said_distance(to, home) != 0;
        places.push_back(
            {to != home, distance_at(home, to), !said && !near_in_tree(nodes_[home], nodes_[to]), nodes_[to].number});
    }
    std::sort(places.begin(), places.end(), [](const Place &a, const Place &b) {
        return std::tie(a.other, a.distance, a.apart, a.number) < std::tie(b.other, b.distance, b.apart, b.number);
    });
    std::vector<uint32_t> order;
    order.reserve(places.size());
    for (const Place &place : places) {
        order.push_back(place.number);
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

// The nodes with CPUs that may serve a node without: by distance, all equally good otherwise.
std::vector<uint32_t> Topology::serving_candidates(const Node &home) const {
    struct Candidate {
        uint32_t distance;
        uint32_t number;
    };
    const std::size_t from = index_of(home.number);
    std::vector<Candidate> with_cpus;
    for (std::size_t i = 0; i < nodes_.size(); i++) {
        if (!nodes_[i].cpus.empty()) {
            with_cpus.push_back({distance_at(from, i), nodes_[i].number});
        }
    }
    std::stable_sort(with_cpus.begin(), with_cpus.end(),
                     [](const Candidate &a, const Candidate &b) { return a.distance < b.distance; });
    const auto chosen = [&](auto fits) {
        std::vector<uint32_t> numbers;
        for (const Candidate &candidate : with_cpus) {
            if (fits(candidate)) {
                numbers.push_back(candidate.number);
            }
        }
        return numbers;
    };
    for (const NumberSet *said : {&home.initiators, &home.near_nodes}) {
        std::vector<uint32_t> found = chosen([&](const Candidate &one) { return said->contains(one.number); });
        if (!found.empty() && found.size() != with_cpus.size()) { // all and none say nothing
            return found;
        }
    }
    return chosen([&](const Candidate &one) { return one.distance == with_cpus.front().distance; });
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
    if (home.cpus.empty()) {
        for (const uint32_t candidate : serving_candidates(home)) {
            if (allowed(*node(candidate))) {
                return candidate;
            }
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
