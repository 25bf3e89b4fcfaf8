// SPDX-License-Identifier: Apache-2.0
// The one place where the process's objects are put together: ports, this machine, the crew.
#pragma once

#include "base/error.hpp"
#include "memory/crew.hpp"
#include "topology/topology.hpp"

namespace nearpool::api {

// This machine, discovered once; a failed discovery is tried again by the next call.
Result<Ref<const Topology>> this_machine();

// What a `const near_topology *` of the ABI stands for: NULL is this machine.
Result<Ref<const Topology>> topology_of(const near_topology *handle);
const near_topology *handle_of(const Topology *topology);

// The helper threads of the memory layer. Never destroyed.
Crew &crew();

} // namespace nearpool::api
