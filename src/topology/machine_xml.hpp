// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "topology/hwloc_handle.hpp"
#include "topology/topology.hpp"

#include <string>

namespace nearpool {

// A machine that was read from /sys as hwloc's XML: the only door through which hwloc takes a machine that is not a
// regular tree. NEAR_E_TOPOLOGY: it would be longer than anybody reads.
Result<std::string> machine_xml(const Topology &topology);

// Adds distances and HMAT figures to such a topology, so that it carries them when it is exported.
void annotate(hwloc_topology_t hwloc, const Topology &topology);

} // namespace nearpool
