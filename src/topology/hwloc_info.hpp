// SPDX-License-Identifier: Apache-2.0
// What hwloc's XML has no place for travels in info attributes, so that a topology that was written is read again as it
// was. Programs that do not know them are not disturbed: hwloc keeps infos that it does not know.
#pragma once

#include "topology/facts.hpp"
#include "topology/hwloc_handle.hpp"

namespace nearpool {

// Writes facts into a topology of hwloc's that is about to be exported; what is there already stays.
void write_infos(hwloc_topology_t hwloc, const Topology &topology);

// Writes the core, the package and the cache of each CPU: for machines of which hwloc's objects cannot say it, for they
// nest.
void write_groups(hwloc_topology_t hwloc, const Topology &topology);

// Whether nearpool has written of this node; of a machine with these CPUs and nodes.
bool read_node_info(hwloc_obj_t object, const NumberSet &cpus, const NumberSet &nodes, Node &node);
void read_machine_info(hwloc_topology_t hwloc, MachineFacts &facts);

// A kind of core. hwloc 3 changed the call.
struct CpuKind {
    NumberSet cpus;
    int efficiency = -1; // the rank, from the most efficient to the fastest; -1: not known
    std::optional<uint64_t> capacity;
};
std::optional<CpuKind> cpukind_of(hwloc_topology_t hwloc, int number);

} // namespace nearpool
