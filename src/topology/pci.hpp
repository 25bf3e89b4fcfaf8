// SPDX-License-Identifier: Apache-2.0
// Addresses of PCI devices, however they are written, and what the kernel says of a device.
#pragma once

#include "sys/ports.hpp"
#include "topology/topology.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nearpool {

struct PciAddress {
    uint32_t domain = 0;
    uint32_t bus = 0;
    uint32_t device = 0;
    uint32_t function = 0;

    // As /sys names it, "0000:3b:00.0"; domains of more than 16 bits have as many digits as they need.
    std::string text() const;
};

// "3b:00.0", "0000:3b:00.0", "10000:e1:00.0" (a domain that a storage controller makes) or "00000000:3B:00.0" (as GPU
// drivers write it).
std::optional<PciAddress> parse_pci(const std::string &text);

// The PCI devices of a place under /sys/devices from the outside in: "pci0000:00/0000:00:01.0/0000:03:00.0/net/eth0"
// has two, of which the second is what eth0 hangs on.
std::vector<PciAddress> pci_devices_of(const std::string &place);

// Where a symbolic link into /sys/devices leads, from there on: "pci0000:00/0000:00:03.0/virtio2/net/eth0".
std::string place_in(const std::string &link);

// What is next to a set of nodes: to the one of them that has CPUs; or where none has, to the one to work for which is
// the same node for all. No answer: nodes with CPUs are all in the set, so that it says nothing, or none is. Several
// with CPUs: the node is unknown, and the answer has the set.
NodeAnswer next_to(const Topology &topology, const NumberSet &nodes, int32_t source);

// What a device's folder of /sys says: numa_node, or else the CPUs that are near. No answer: -1, a node that the
// topology does not have, no such file; all CPUs.
NodeAnswer kernel_node(const Topology &topology, FilePort &files, const std::string &folder, int32_t source);

// The node of a machine of which only one has CPUs. No answer: several have.
NodeAnswer only_node(const Topology &topology);

} // namespace nearpool
