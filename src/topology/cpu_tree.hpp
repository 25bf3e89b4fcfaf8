// SPDX-License-Identifier: Apache-2.0
// The machine as hwloc's kind of tree: objects nest by their CPUs, and each node hangs on one of them.
#pragma once

#include "topology/sysfs.hpp"

#include <memory>
#include <string>
#include <vector>

namespace nearpool {

struct TreeObject {
    std::string type;   // hwloc's name
    uint32_t index = 0; // hwloc's os_index
    NumberSet cpus;
    uint32_t cache_level = 0;
    uint64_t cache_bytes = 0;
    std::vector<const SysfsNode *> memory; // the nodes that hang here
    std::vector<std::unique_ptr<TreeObject>> children;
};

// Points into `machine`. What overlaps without nesting is left out, as hwloc does; nodes never are.
std::unique_ptr<TreeObject> cpu_tree(const SysfsMachine &machine);

// Where hwloc hangs a node: at its own CPUs; a memory-only node at those that reach it best, as HMAT or the distances
// say.
NumberSet near_cpus(const SysfsMachine &machine, const SysfsNode &node);

} // namespace nearpool
