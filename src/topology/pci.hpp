// SPDX-License-Identifier: Apache-2.0
// Addresses of PCI devices, however they are written, and what the kernel says of a device.
#pragma once

#include "sys/ports.hpp"
#include "topology/topology.hpp"

#include <cstdint>
#include <optional>
#include <string>

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

// The numa_node in a device's folder of /sys. No answer: -1, a node that the topology does not have, no such file.
NodeAnswer kernel_node(const Topology &topology, FilePort &files, const std::string &folder);

} // namespace nearpool
