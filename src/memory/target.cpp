// SPDX-License-Identifier: Apache-2.0
#include "memory/target.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdlib>

namespace nearpool {
namespace {

uint32_t home_node(const Ports &ports, const Topology &topology) {
    uint32_t cpu = 0;
    uint32_t node = NEAR_NODE_UNKNOWN;
    if (ports.affinity.current(&cpu, &node) < 0 || topology.node(node) == nullptr) {
        return topology.nodes().size() == 1 ? topology.nodes().front().number : NEAR_NODE_UNKNOWN;
    }
    return node;
}

// The nearest that holds pages and is a default for them; where none is, the nearest that holds any.
uint32_t stand_in(const Topology &topology, uint32_t node) {
    if (holds_pages(topology, node)) {
        return node;
    }
    const std::vector<uint32_t> order = topology.nodes_by_distance(node);
    const auto usual = std::find_if(order.begin(), order.end(), [&](uint32_t other) {
        return holds_pages(topology, other) && topology.node(other)->memory_by_default;
    });
    const auto any =
        std::find_if(order.begin(), order.end(), [&](uint32_t other) { return holds_pages(topology, other); });
    return usual != order.end() ? *usual : any != order.end() ? *any : node;
}

Enforcement why_not(const Topology &topology, uint32_t node, uint32_t instead) {
    const std::string where = instead == node ? std::string() : format(": pages go to node %u", instead);
    if (!topology.node(node)->has_memory) {
        return Enforcement::best_effort(NEAR_REASON_NO_MEMORY, format("node %u has no memory%s", node, where.c_str()));
    }
    return Enforcement::best_effort(NEAR_REASON_NOT_ALLOWED,
                                    format("the memory of node %u is outside the cpuset%s", node, where.c_str()));
}

// One node each: local, preferred, and the parts of split.
void use_each(const Topology &topology, Target *target) {
    for (const uint32_t node : target->listed) {
        target->usable.push_back(stand_in(topology, node));
        if (!holds_pages(topology, node) && target->limit.reason == NEAR_REASON_NONE) {
            target->limit = why_not(topology, node, target->usable.back());
        }
    }
}

// A set of nodes. Those that cannot hold pages are left out; that is a limit only where each has its own pages.
void use_set(const Topology &topology, bool each_has_pages, Target *target) {
    NumberSet usable;
    uint32_t left_out = NEAR_NODE_UNKNOWN;
    for (const uint32_t node : target->listed) {
        if (holds_pages(topology, node)) {
            usable.add(node);
        } else if (left_out == NEAR_NODE_UNKNOWN) {
            left_out = node;
        }
    }
    if (usable.empty()) {
        usable.add(stand_in(topology, target->listed.front()));
    }
    target->usable.assign(usable.begin(), usable.end());
    const bool none_is_near = std::none_of(usable.begin(), usable.end(), [&](uint32_t node) {
        return std::find(target->listed.begin(), target->listed.end(), node) != target->listed.end();
    });
    if (left_out != NEAR_NODE_UNKNOWN && (each_has_pages || none_is_near)) {
        target->limit = why_not(topology, left_out, usable[0]);
    }
}

// The system's weights; a kernel that has none uses 1.
void read_weights(const Ports &ports, Target *target) {
    for (const uint32_t node : target->usable) {
        std::string text;
        const std::string path = format("/sys/kernel/mm/mempolicy/weighted_interleave/node%u", node);
        const unsigned long weight = ports.files.read(path, &text) < 0 ? 1 : std::strtoul(text.c_str(), nullptr, 10);
        target->weights.push_back(std::max<unsigned long>(weight, 1));
    }
}

std::size_t share(std::size_t pages, std::size_t weight, std::size_t sum) {
    return std::min(pages, (pages + sum - 1) / std::max<std::size_t>(sum, 1) * weight);
}

} // namespace

// Of a machine with one node that one does, whatever it says.
bool holds_pages(const Topology &topology, uint32_t node) {
    const Node *facts = topology.node(node);
    return facts != nullptr && (topology.nodes().size() == 1 || facts->memory_allowed);
}

std::size_t memory_node_count(const Topology &topology) {
    const auto holds = [&](const Node &node) { return node.has_memory; };
    return static_cast<std::size_t>(std::count_if(topology.nodes().begin(), topology.nodes().end(), holds));
}

Target resolve_target(const Ports &ports, const Topology &topology, int32_t policy,
                      const std::vector<uint32_t> &nodes) {
    Target target;
    target.policy = policy;
    target.weighted = policy == NEAR_POLICY_WEIGHTED_INTERLEAVE;
    target.listed = nodes;
    if (!topology.this_machine()) {
        return target;
    }
    if (policy == NEAR_POLICY_LOCAL) {
        const uint32_t home = home_node(ports, topology);
        if (home == NEAR_NODE_UNKNOWN) {
            target.limit = Enforcement::best_effort(NEAR_REASON_UNKNOWN_NODE, "the caller's node is not known");
            return target;
        }
        target.listed = {home};
    }
    switch (policy) {
    case NEAR_POLICY_LOCAL:
    case NEAR_POLICY_PREFERRED:
    case NEAR_POLICY_SPLIT:
        use_each(topology, &target);
        break;
    case NEAR_POLICY_BIND:
    case NEAR_POLICY_PREFERRED_MANY:
        use_set(topology, false, &target);
        break;
    default:
        use_set(topology, true, &target);
        break;
    }
    if (target.limit.reason == NEAR_REASON_NONE && !topology.doubt().empty()) {
        target.limit = Enforcement::best_effort(NEAR_REASON_UNKNOWN_NODE, topology.doubt());
    }
    if (target.weighted) {
        read_weights(ports, &target);
    } else {
        target.weights.assign(target.usable.size(), 1);
    }
    return target;
}

std::vector<Part> parts_of(const Target &target, const Mapping &mapping) {
    if (target.policy != NEAR_POLICY_SPLIT || target.usable.empty()) {
        return {Part{0, mapping.bytes()}};
    }
    const std::size_t count = target.usable.size();
    const bool large = !mapping.pool_pages() && mapping.bytes() / count >= large_page_bytes;
    const std::size_t unit = large ? large_page_bytes : mapping.page_bytes();
    std::vector<Part> parts;
    for (std::size_t i = 0; i < count; i++) {
        const auto boundary = [&](std::size_t index) {
            // page count * index / count, without overflow
            const std::size_t page =
                mapping.page_count() / count * index + mapping.page_count() % count * index / count;
            return index == count ? mapping.bytes() : page * mapping.page_bytes() / unit * unit;
        };
        if (boundary(i) < boundary(i + 1)) {
            parts.push_back(Part{boundary(i), boundary(i + 1), target.listed[i], target.usable[i]});
        }
    }
    return parts;
}

std::map<uint32_t, std::size_t> pages_needed(const Target &target, const Mapping &mapping) {
    std::map<uint32_t, std::size_t> needed;
    switch (target.policy) {
    case NEAR_POLICY_SPLIT:
        for (const Part &part : parts_of(target, mapping)) {
            needed[part.usable] += (part.end - part.begin) / mapping.page_bytes();
        }
        return needed;
    case NEAR_POLICY_BIND:
    case NEAR_POLICY_PREFERRED_MANY:
        if (target.usable.size() > 1) {
            return needed;
        }
        break;
    default:
        break;
    }
    std::size_t sum = 0;
    for (const std::size_t weight : target.weights) {
        sum += weight;
    }
    for (std::size_t i = 0; i < target.usable.size(); i++) {
        needed[target.usable[i]] += share(mapping.page_count(), target.weights[i], sum);
    }
    return needed;
}

} // namespace nearpool
