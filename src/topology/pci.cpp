// SPDX-License-Identifier: Apache-2.0
// Which node a PCI device is next to: the kernel's own word first, then where hwloc finds the device attached.
#include "topology/pci.hpp"

#include "base/text.hpp"
#include "topology/source.hpp"

#include <charconv>

namespace nearpool {
namespace {

std::optional<uint32_t> hexadecimal(const std::string &text, std::size_t least, std::size_t most) {
    uint32_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
    return whole && text.size() >= least && text.size() <= most ? std::optional(value) : std::nullopt;
}

// The one node next to which hwloc has the device attached; NEAR_NODE_UNKNOWN: several, or there is no such device.
uint32_t hwloc_node(hwloc_topology_t topology, const PciAddress &address) {
    hwloc_obj_t device =
        hwloc_get_pcidev_by_busid(topology, address.domain, address.bus, address.device, address.function);
    hwloc_obj_t home = device == nullptr ? nullptr : hwloc_get_non_io_ancestor_obj(topology, device);
    const NumberSet nodes = home == nullptr ? NumberSet() : numbers_of(home->nodeset);
    return nodes.size() == 1 ? nodes[0] : NEAR_NODE_UNKNOWN;
}

} // namespace

std::string PciAddress::text() const {
    return format("%04x:%02x:%02x.%x", domain, bus, device, function);
}

std::optional<PciAddress> parse_pci(const std::string &text) {
    const std::size_t dot = text.rfind('.');
    const std::size_t second = dot == std::string::npos ? dot : text.rfind(':', dot);
    if (second == std::string::npos || second == 0) {
        return std::nullopt;
    }
    const std::size_t first = text.rfind(':', second - 1);
    const std::size_t bus_begin = first == std::string::npos ? 0 : first + 1;
    const std::string domain = first == std::string::npos ? "0000" : text.substr(0, first);
    const auto domain_value = hexadecimal(domain, 4, 8);
    const auto bus = hexadecimal(text.substr(bus_begin, second - bus_begin), 2, 2);
    const auto device = hexadecimal(text.substr(second + 1, dot - second - 1), 2, 2);
    const auto function = hexadecimal(text.substr(dot + 1), 1, 1);
    if (!domain_value || !bus || !device || *device > 0x1f || !function || *function > 7) {
        return std::nullopt;
    }
    return PciAddress{*domain_value, *bus, *device, *function};
}

NodeAnswer kernel_node(const Topology &topology, FilePort &files, const std::string &folder) {
    std::string text;
    files.read(folder + "/numa_node", &text); // not there on a kernel without NUMA
    uint32_t number = 0;
    const bool said = std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc();
    return said && topology.node(number) != nullptr ? NodeAnswer{number, NEAR_NODE_SOURCE_SYSFS} : NodeAnswer{};
}

Result<NodeAnswer> Topology::pci_node(const std::string &address) const {
    const std::optional<PciAddress> parsed = parse_pci(address);
    if (!parsed) {
        return fail(NEAR_E_INVALID, "\"%.64s\" is no PCI address; it is written \"0000:3b:00.0\" or \"3b:00.0\"",
                    address.c_str());
    }
    if (FilePort *files = source_->files(); files != nullptr) {
        const std::string folder = source_->root() + "/sys/bus/pci/devices/" + parsed->text();
        if (const NodeAnswer said = kernel_node(*this, *files, folder); said.source != NEAR_NODE_SOURCE_NONE) {
            return said;
        }
        std::vector<std::string> names;
        if (files->list(folder, &names) != 0) { // there is no such device
            return NodeAnswer{};
        }
        if (nodes_.size() == 1) { // hwloc's answer would be the same, and seem to be more
            return NodeAnswer{nodes_[0].number, NEAR_NODE_SOURCE_ONE_NODE};
        }
        return NodeAnswer{};
    }
    Result<hwloc_topology_t> devices = source_->with_devices();
    if (!devices) {
        return devices.error();
    }
    const uint32_t attached = hwloc_node(devices.value(), *parsed);
    return node(attached) != nullptr ? NodeAnswer{attached, NEAR_NODE_SOURCE_PCI_ROOT} : NodeAnswer{};
}

} // namespace nearpool
