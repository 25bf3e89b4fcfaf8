// SPDX-License-Identifier: Apache-2.0
// What hwloc makes of its XML and of synthetic descriptions, as facts.
#pragma once

#include "topology/facts.hpp"
#include "topology/hwloc_handle.hpp"

namespace nearpool {

// NEAR_E_TOPOLOGY: a limit is exceeded, or it shows no node.
Result<MachineFacts> read_hwloc(hwloc_topology_t topology);

} // namespace nearpool
