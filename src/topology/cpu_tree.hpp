// SPDX-License-Identifier: Apache-2.0
// The machine as hwloc's kind of tree: objects nest by their CPUs, and each node hangs on one of them.
#pragma once

#include "topology/topology.hpp"

#include <memory>
#include <string>
#include <vector>

namespace nearpool {

struct TreeObject {
    std::string type;   // hwloc's name
    uint32_t index = 0; // hwloc's os_index
    NumberSet cpus;
    CacheFacts cache;                 // level 0: it is none
    std::vector<const Node *> memory; // the nodes that hang here
    std::vector<std::unique_ptr<TreeObject>> children;
};

// Points into `topology`. What overlaps without nesting is left out, as hwloc does; nodes never are.
std::unique_ptr<TreeObject> cpu_tree(const Topology &topology);

} // namespace nearpool
