// SPDX-License-Identifier: Apache-2.0
// Which node a PCI device is next to: what the kernel says of it, of the bridges above it and of its buses; of a
// machine in XML, where hwloc has the device attached.
#include "topology/pci.hpp"

#include "base/text.hpp"
#include "topology/devices.hpp"
#include "topology/reader.hpp"
#include "topology/source.hpp"

#include <algorithm>
#include <charconv>

namespace nearpool {
namespace {

std::optional<uint32_t> hexadecimal(const std::string &text, std::size_t least, std::size_t most) {
    uint32_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
    return whole && text.size() >= least && text.size() <= most ? std::optional(value) : std::nullopt;
}

// The CPUs in a list, or else in a bitmap. Empty: neither file is there and understood.
NumberSet read_cpus(FilePort &files, const std::string &list, const std::string &bitmap) {
    const Reader read(files, "");
    const std::optional<NumberSet> listed = read.set(list);
    return listed && !listed->empty() ? *listed : read.bitmap(bitmap).value_or(NumberSet());
}

NodeAnswer next_to_cpus(const Topology &topology, const NumberSet &cpus, int32_t source) {
    std::vector<uint32_t> nodes;
    for (const uint32_t number : cpus.intersect(topology.cpu_numbers())) {
        nodes.push_back(topology.cpu(number)->node);
    }
    return next_to(topology, NumberSet(std::move(nodes)).intersect(topology.node_numbers()), source);
}

// A device of /sys: its own folder, then the bridges above it, then their buses, from the device up to the root.
class SysfsDevice {
public:
    SysfsDevice(const Topology &topology, FilePort &files, const std::string &root, const PciAddress &address)
        : topology_(topology), files_(files), root_(root), address_(address) {}

    bool exists() const {
        std::vector<std::string> names;
        return files_.list(folder_of(address_), &names) == 0;
    }

    NodeAnswer own() const { return kernel_node(topology_, files_, folder_of(address_), NEAR_NODE_SOURCE_SYSFS); }

    NodeAnswer above() const {
        const std::vector<PciAddress> path = path_up();
        for (std::size_t i = 1; i < path.size(); i++) {
            NodeAnswer said = kernel_node(topology_, files_, folder_of(path[i]), NEAR_NODE_SOURCE_PCI_ROOT);
            if (!said.nodes.empty()) {
                return said;
            }
        }
        for (const PciAddress &device : path) {
            const std::string bus = root_ + format("/sys/class/pci_bus/%04x:%02x", device.domain, device.bus);
            const NumberSet cpus = read_cpus(files_, bus + "/cpulistaffinity", bus + "/cpuaffinity");
            NodeAnswer said = next_to_cpus(topology_, cpus, NEAR_NODE_SOURCE_PCI_ROOT);
            if (!said.nodes.empty()) {
                return said;
            }
        }
        return {};
    }

private:
    std::string folder_of(const PciAddress &address) const { return root_ + "/sys/bus/pci/devices/" + address.text(); }

    std::vector<PciAddress> path_up() const { // the device itself first
        std::string target;
        files_.read_link(folder_of(address_), &target); // of a copy of /sys, it may be a folder
        std::vector<PciAddress> path = pci_devices_of(place_in(target));
        std::reverse(path.begin(), path.end());
        if (path.empty()) {
            path.push_back(address_);
        }
        return path;
    }

    const Topology &topology_;
    FilePort &files_;
    const std::string &root_;
    const PciAddress &address_;
};

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

std::vector<PciAddress> pci_devices_of(const std::string &place) {
    std::vector<PciAddress> found;
    for (std::size_t begin = 0; begin < place.size();) {
        const std::size_t end = std::min(place.find('/', begin), place.size());
        if (const auto address = parse_pci(place.substr(begin, end - begin)); address) {
            found.push_back(*address);
        }
        begin = end + 1;
    }
    return found;
}

std::string place_in(const std::string &link) {
    constexpr std::string_view root = "/devices/";
    const std::size_t found = link.find(root);
    return found == std::string::npos ? std::string() : link.substr(found + root.size());
}

NodeAnswer next_to(const Topology &topology, const NumberSet &nodes, int32_t source) {
    const NumberSet near = nodes.intersect(topology.node_numbers());
    std::vector<uint32_t> working;
    std::size_t all = 0;
    for (const Node &node : topology.nodes()) {
        all += node.cpus.empty() ? 0 : 1;
        if (!node.cpus.empty() && near.contains(node.number)) {
            working.push_back(node.number);
        }
    }
    if (near.empty() || working.size() == all) {
        return {};
    }
    if (working.empty()) {
        const uint32_t nearest = topology.nearest_with_cpus(near[0]);
        const bool one = std::all_of(near.begin(), near.end(),
                                     [&](uint32_t node) { return topology.nearest_with_cpus(node) == nearest; });
        working.assign(one ? 1 : near.size(), near[0]);
    }
    return working.size() == 1 ? NodeAnswer{working[0], source, near}
                               : NodeAnswer{NEAR_NODE_UNKNOWN, NEAR_NODE_SOURCE_NONE, near};
}

NodeAnswer kernel_node(const Topology &topology, FilePort &files, const std::string &folder, int32_t source) {
    const std::string text =
        Reader(files, "").text(folder + "/numa_node").value_or(""); // no kernel without NUMA has it
    uint32_t number = 0;
    const bool said = std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc();
    if (said && topology.node(number) != nullptr) {
        return NodeAnswer{number, source, {number}};
    }
    return next_to_cpus(topology, read_cpus(files, folder + "/local_cpulist", folder + "/local_cpus"), source);
}

NodeAnswer only_node(const Topology &topology) {
    NodeAnswer only;
    for (const Node &node : topology.nodes()) {
        if (!node.cpus.empty() || topology.nodes().size() == 1) {
            if (only.source != NEAR_NODE_SOURCE_NONE) {
                return {};
            }
            only = {node.number, NEAR_NODE_SOURCE_ONE_NODE, {node.number}};
        }
    }
    return only;
}

Result<NodeAnswer> Topology::pci_node(const std::string &address) const {
    const std::optional<PciAddress> parsed = parse_pci(address);
    if (!parsed) {
        return fail(NEAR_E_INVALID, "\"%.64s\" is no PCI address; it is written \"0000:3b:00.0\" or \"3b:00.0\"",
                    address.c_str());
    }
    if (FilePort *files = source_->files(); files != nullptr) {
        const SysfsDevice device(*this, *files, source_->root(), *parsed);
        NodeAnswer said = device.own();
        if (!said.nodes.empty() || !device.exists()) {
            return said;
        }
        said = nodes_.size() == 1 ? only_node(*this) : device.above(); // that would say the same, and seem to be more
        return said.nodes.empty() ? only_node(*this) : said;
    }
    Result<hwloc_topology_t> devices = source_->with_devices();
    if (!devices) {
        return devices.error();
    }
    return hwloc_node(
        *this, devices.value(),
        hwloc_get_pcidev_by_busid(devices.value(), parsed->domain, parsed->bus, parsed->device, parsed->function));
}

} // namespace nearpool
