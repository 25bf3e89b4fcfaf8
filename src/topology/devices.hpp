// SPDX-License-Identifier: Apache-2.0
// Devices, by two readers, and where hwloc has one.
#pragma once

#include "topology/hwloc_handle.hpp"
#include "topology/topology.hpp"

#include <string>
#include <vector>

namespace nearpool {

// From /sys under `root`, of this machine too: hwloc would load its plugins for GPUs and start their drivers.
std::vector<IoDevice> sysfs_devices(const Topology &topology, FilePort &files, const std::string &root);

// From XML that was recorded with I/O devices; those that hang on no PCI bus are left out.
std::vector<IoDevice> hwloc_devices(const Topology &topology, hwloc_topology_t with_devices);

// Where hwloc has the device attached. No answer: there is none (nullptr), or it is attached to the whole machine.
NodeAnswer hwloc_node(const Topology &topology, hwloc_topology_t with_devices, hwloc_obj_t device);

// The same of GPUs whose memory is a node.
std::vector<GpuMemory> sysfs_gpu_memory(const Topology &topology, FilePort &files, const std::string &root);
std::vector<GpuMemory> hwloc_gpu_memory(const Topology &topology, hwloc_topology_t with_devices);

// The kind of a device that its class calls InfiniBand or a block device, as its name has it. 0: none of ours, which
// are memory that is no block device ("mem0" on CXL, "dax0.0") and the "scif0" of a Xeon Phi card, which is no network.
int32_t kind_by_name(int32_t kind, const std::string &name);

} // namespace nearpool
