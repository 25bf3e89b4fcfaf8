// SPDX-License-Identifier: Apache-2.0
// What a policy and its nodes mean on one machine: where pages should be, and where they can be.
#pragma once

#include "base/status.hpp"
#include "memory/mapping.hpp"
#include "topology/topology.hpp"

#include <vector>

namespace nearpool {

struct Target {
    int32_t policy = NEAR_POLICY_LOCAL; // in force
    bool weighted = false;              // near is judged by the weights
    std::vector<uint32_t> listed;       // near means on these; for local, the creator's node
    // Where pages can go: for split, one for each listed node; else those listed nodes that can hold pages, ascending,
    // or, where none can, the nearest that can.
    std::vector<uint32_t> usable;
    std::vector<std::size_t> weights; // of the usable nodes
    Enforcement limit;                // why not every listed node is usable; NEAR_REASON_NONE: they are
};

Target resolve_target(const Ports &ports, const Topology &topology, int32_t policy, const std::vector<uint32_t> &nodes);

// Whether pages can be on the node at all.
bool holds_pages(const Topology &topology, uint32_t node);

// How many nodes can hold pages.
std::size_t memory_node_count(const Topology &topology);

// A range of a region with one rule. Offsets in bytes.
struct Part {
    std::size_t begin = 0;
    std::size_t end = 0;
    uint32_t listed = NEAR_NODE_UNKNOWN; // split: the node that is near
    uint32_t usable = NEAR_NODE_UNKNOWN; // split: the node that its pages go to
};

// One part, or for split as many as there are nodes, without the empty ones. Part i of n begins at page count * i / n,
// rounded down to 2 MiB where parts are at least so long, so that huge pages do not straddle.
std::vector<Part> parts_of(const Target &target, const Mapping &mapping);

// How many pages from the pool each node must have free; empty: the sum over the nodes is what counts.
std::map<uint32_t, std::size_t> pages_needed(const Target &target, const Mapping &mapping);

} // namespace nearpool
