// SPDX-License-Identifier: Apache-2.0
// The two readers of devices. Both ask the topology for the node of a PCI address.
#pragma once

#include "topology/hwloc_handle.hpp"
#include "topology/topology.hpp"

#include <vector>

namespace nearpool {

// From /sys under `root`, of this machine too: hwloc would load its plugins for GPUs and start their drivers.
std::vector<IoDevice> sysfs_devices(const Topology &topology, FilePort &files, const std::string &root);

// From XML that was recorded with I/O devices; those that hang on no PCI bus are left out.
std::vector<IoDevice> hwloc_devices(const Topology &topology, hwloc_topology_t with_devices);

// Whether a PCI device of that class is a GPU: one with a screen (0x0300) or without (0x0302).
bool is_gpu_class(uint32_t pci_class);

// NEAR_DEVICE_NVME or NEAR_DEVICE_BLOCK, by the name.
int32_t block_kind(const std::string &name);

} // namespace nearpool
