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
    if (!distances_.empty()) {
        link.distance = distances_[index_of(from) * nodes_.size() + index_of(to)];
    }
    const std::vector<MemoryAccess> &accesses = node(to)->accesses;
    const auto place = std::lower_bound(accesses.begin(), accesses.end(), from,
                                        [](const MemoryAccess &one, uint32_t wanted) { return one.from < wanted; });
    if (place != accesses.end() && place->from == from) {
        link.access = *place;
    }
    return link;
}

uint32_t Topology::distance(uint32_t from, uint32_t to) const {
    const uint32_t said = distances_.empty() ? 0 : distances_[index_of(from) * nodes_.size() + index_of(to)];
    if (said != 0) {
        return said;
    }
    return from == to ? 10 : 20;
}

// Whether the tree of the machine puts both together.
bool Topology::near_in_tree(const Node &one, const Node &other) const {
    return one.near_nodes.overlaps(other.near_nodes) ||
           (one.package != NEAR_NODE_UNKNOWN && one.package == other.package);
}

std::vector<uint32_t> Topology::nodes_by_distance(uint32_t number) const {
    const Node &home = *node(number);
    struct Place {
        bool other; // itself comes first, whatever the firmware says
        uint32_t distance;
        bool apart;
        uint32_t number;
    };
    std::vector<Place> places;
    places.reserve(nodes_.size());
    for (const Node &to : nodes_) {
        const bool said = !distances_.empty() && link(number, to.number).distance != 0;
        places.push_back(
            {to.number != number, distance(number, to.number), !said && !near_in_tree(home, to), to.number});
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
    std::vector<uint32_t> with_cpus;
    for (const Node &other : nodes_) {
        if (!other.cpus.empty()) {
            with_cpus.push_back(other.number);
        }
    }
    const auto chosen = [&](auto fits) {
        std::vector<uint32_t> result;
        std::copy_if(with_cpus.begin(), with_cpus.end(), std::back_inserter(result), fits);
        return result;
    };
    const auto from_home = [&](uint32_t number) { return distance(home.number, number); };
    std::vector<uint32_t> found = chosen([&](uint32_t number) { return home.initiators.contains(number); });
    if (found.empty()) {
        found = chosen([&](uint32_t number) { return home.near_nodes.contains(number); });
        if (found.empty() || found.size() == with_cpus.size()) { // the tree says nothing
            uint32_t least = UINT32_MAX;
            for (const uint32_t number : with_cpus) {
                least = std::min(least, from_home(number));
            }
            found = chosen([&](uint32_t number) { return from_home(number) == least; });
        }
    }
    std::stable_sort(found.begin(), found.end(), [&](uint32_t a, uint32_t b) { return from_home(a) < from_home(b); });
    return found;
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
    if (node(number)->memory_bytes != 0) {
        return number;
    }
    const uint32_t found = nearest(*this, number, [](const Node &one) { return one.memory_by_default; });
    return found != NEAR_NODE_UNKNOWN ? found
                                      : nearest(*this, number, [](const Node &one) { return one.memory_bytes != 0; });
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
