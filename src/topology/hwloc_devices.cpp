// SPDX-License-Identifier: Apache-2.0
#include "topology/devices.hpp"
#include "topology/gpu.hpp"
#include "topology/pci.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>

namespace nearpool {
namespace {

constexpr unsigned base_class_display = 0x03;

hwloc_obj_t pci_of(hwloc_obj_t device) {
    while (device != nullptr && device->type != HWLOC_OBJ_PCI_DEVICE) {
        device = device->parent;
    }
    return device;
}

std::string address_of(hwloc_obj_t pci) {
    const auto &at = pci->attr->pcidev;
    return PciAddress{at.domain, at.bus, at.dev, at.func}.text();
}

// The answer for what hangs on an object of the machine, sought once each: it takes a walk over the nodes.
class Homes {
public:
    Homes(const Topology &topology, hwloc_topology_t with_devices) : topology_(topology), hwloc_(with_devices) {}

    const NodeAnswer &of(hwloc_obj_t device) {
        const auto [place, is_new] = answers_.try_emplace(hwloc_get_non_io_ancestor_obj(hwloc_, device));
        if (is_new && place->first != nullptr) {
            NodeAnswer said = next_to(topology_, numbers_of(place->first->nodeset), NEAR_NODE_SOURCE_PCI_ROOT);
            place->second = said.nodes.empty() ? only_node(topology_) : std::move(said);
        }
        return place->second;
    }

private:
    const Topology &topology_;
    hwloc_topology_t hwloc_;
    std::map<hwloc_obj_t, NodeAnswer> answers_;
};

// Of a tool of its driver's, which saw it work: hwloc keeps those in objects under the PCI device.
bool is_of_accelerator(hwloc_obj_t object) {
    static constexpr std::array<const char *, 5> tools = {"CUDA", "NVML", "RSMI", "LevelZero", "OpenCL"};
    const char *subtype = object->subtype == nullptr ? "" : object->subtype;
    return std::any_of(tools.begin(), tools.end(), [&](const char *tool) { return std::strcmp(subtype, tool) == 0; });
}

bool is_gpu(hwloc_obj_t pci) {
    const auto &said = pci->attr->pcidev;
    bool driven = false;
    for (hwloc_obj_t child = pci->io_first_child; child != nullptr; child = child->next_sibling) {
        driven = driven || is_of_accelerator(child);
    }
    const bool displays = said.class_id >> 8U == base_class_display;
    return (displays && driven) || is_gpu(PciIdentity{said.class_id, said.vendor_id, said.device_id, {}});
}

// What the kernel and the GPU's tools call it.
IoDevice gpu_of(Homes &homes, hwloc_obj_t pci) {
    const std::string address = address_of(pci);
    IoDevice gpu{NEAR_DEVICE_GPU, address, address, {}, homes.of(pci)};
    for (hwloc_obj_t child = pci->io_first_child; child != nullptr; child = child->next_sibling) {
        if (child->name != nullptr && std::strncmp(child->name, "card", 4) == 0) {
            gpu.name = child->name;
        }
        if (const char *uuid = hwloc_obj_get_info_by_name(child, "NVIDIAUUID"); uuid != nullptr) {
            gpu.uuid = uuid;
        }
    }
    return gpu;
}

int32_t kind_of(hwloc_obj_t device) { // 0: none of ours
#if HWLOC_API_VERSION >= 0x00030000   // a set of types
    const auto types = device->attr->osdev.types;
    const bool memory = (types & HWLOC_OBJ_OSDEV_MEMORY) != 0;
    const bool block = (types & HWLOC_OBJ_OSDEV_STORAGE) != 0 && !memory;
    const bool infiniband = (types & HWLOC_OBJ_OSDEV_OPENFABRICS) != 0;
    const bool network = (types & HWLOC_OBJ_OSDEV_NETWORK) != 0;
#else
    std::underlying_type_t<hwloc_obj_osdev_type_t> type = 0; // of XML, it may be a number that the enumeration has not
    static_assert(sizeof type == sizeof device->attr->osdev.type);
    std::memcpy(&type, &device->attr->osdev.type, sizeof type);
    const bool block = type == HWLOC_OBJ_OSDEV_BLOCK;
    const bool infiniband = type == HWLOC_OBJ_OSDEV_OPENFABRICS;
    const bool network = type == HWLOC_OBJ_OSDEV_NETWORK;
#endif
    const int32_t kind = infiniband ? NEAR_DEVICE_INFINIBAND : network ? NEAR_DEVICE_NETWORK : NEAR_DEVICE_BLOCK;
    const bool ours = infiniband || network || block;
    const bool cxl_memory = device->subtype != nullptr && std::strcmp(device->subtype, "CXLMem") == 0;
    return ours && !cxl_memory ? kind_by_name(kind, device->name) : 0;
}

} // namespace

NodeAnswer hwloc_node(const Topology &topology, hwloc_topology_t with_devices, hwloc_obj_t device) {
    return device == nullptr ? NodeAnswer{} : Homes(topology, with_devices).of(device);
}

std::vector<IoDevice> hwloc_devices(const Topology &topology, hwloc_topology_t with_devices) {
    Homes homes(topology, with_devices);
    std::vector<IoDevice> devices;
    for (hwloc_obj_t pci = hwloc_get_next_pcidev(with_devices, nullptr); pci != nullptr;
         pci = hwloc_get_next_pcidev(with_devices, pci)) {
        if (is_gpu(pci)) {
            devices.push_back(gpu_of(homes, pci));
        }
    }
    for (hwloc_obj_t device = hwloc_get_next_osdev(with_devices, nullptr); device != nullptr;
         device = hwloc_get_next_osdev(with_devices, device)) {
        hwloc_obj_t pci = pci_of(device);
        const bool named = device->name != nullptr && *device->name != '\0';
        const int32_t kind = pci != nullptr && named ? kind_of(device) : 0;
        if (kind != 0) {
            devices.push_back({kind, device->name, address_of(pci), {}, homes.of(pci)});
        }
    }
    return devices;
}

std::vector<GpuMemory> hwloc_gpu_memory(const Topology &topology, hwloc_topology_t with_devices) {
    std::vector<GpuMemory> found;
    for (hwloc_obj_t node = hwloc_get_next_obj_by_type(with_devices, HWLOC_OBJ_NUMANODE, nullptr); node != nullptr;
         node = hwloc_get_next_obj_by_type(with_devices, HWLOC_OBJ_NUMANODE, node)) {
        const bool of_gpu = node->subtype != nullptr && std::strcmp(node->subtype, "GPUMemory") == 0;
        const char *place = of_gpu ? hwloc_obj_get_info_by_name(node, "PCIBusID") : nullptr;
        const std::optional<PciAddress> address = place == nullptr ? std::nullopt : parse_pci(place);
        if (address && topology.node(node->os_index) != nullptr) {
            found.push_back({address->text(), node->os_index});
        }
    }
    return found;
}

} // namespace nearpool
