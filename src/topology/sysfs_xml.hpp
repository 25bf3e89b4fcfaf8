// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "topology/hwloc_handle.hpp"
#include "topology/sysfs.hpp"

#include <string>

namespace nearpool {

// What was read from a root of /sys as hwloc's XML, because that is the only door through which hwloc takes a machine
// that is not a regular tree.
std::string sysfs_xml(const SysfsMachine &machine);

// Adds distances and HMAT figures to a topology, so that it carries them when it is exported.
void annotate(hwloc_topology_t topology, const SysfsMachine &machine);

} // namespace nearpool
