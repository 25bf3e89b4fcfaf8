// SPDX-License-Identifier: Apache-2.0
// The one place where the process's objects are put together: ports, this machine, the crew, the GPU driver.
#pragma once

#include "base/error.hpp"
#include "cuda/loader.hpp"
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

// The GPU driver and NVML. Never destroyed, and nothing is loaded before it is asked for.
cuda::Loader &gpu_loader();

} // namespace nearpool::api
