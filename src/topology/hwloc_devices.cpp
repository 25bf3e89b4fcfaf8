// SPDX-License-Identifier: Apache-2.0
#include "topology/devices.hpp"
#include "topology/pci.hpp"

#include <cstring>

namespace nearpool {
namespace {

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

NodeAnswer node_of(const Topology &topology, const std::string &address) {
    const Result<NodeAnswer> said = topology.pci_node(address);
    return said ? said.value() : NodeAnswer{};
}

// What the kernel and the GPU's tools call it: hwloc keeps both in objects under the PCI device.
IoDevice gpu_of(const Topology &topology, hwloc_obj_t pci) {
    const std::string address = address_of(pci);
    IoDevice gpu{NEAR_DEVICE_GPU, address, address, {}, node_of(topology, address)};
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
    switch (device->attr->osdev.type) {
    case HWLOC_OBJ_OSDEV_NETWORK:
        return NEAR_DEVICE_NETWORK;
    case HWLOC_OBJ_OSDEV_OPENFABRICS:
        return NEAR_DEVICE_INFINIBAND;
    case HWLOC_OBJ_OSDEV_BLOCK:
        return block_kind(device->name);
    default:
        return 0;
    }
}

} // namespace

std::vector<IoDevice> hwloc_devices(const Topology &topology, hwloc_topology_t with_devices) {
    std::vector<IoDevice> devices;
    for (hwloc_obj_t pci = hwloc_get_next_pcidev(with_devices, nullptr); pci != nullptr;
         pci = hwloc_get_next_pcidev(with_devices, pci)) {
        if (is_gpu_class(pci->attr->pcidev.class_id)) {
            devices.push_back(gpu_of(topology, pci));
        }
    }
    for (hwloc_obj_t device = hwloc_get_next_osdev(with_devices, nullptr); device != nullptr;
         device = hwloc_get_next_osdev(with_devices, device)) {
        hwloc_obj_t pci = pci_of(device);
        const int32_t kind = pci == nullptr || device->name == nullptr ? 0 : kind_of(device);
        if (kind != 0) {
            const std::string address = address_of(pci);
            devices.push_back({kind, device->name, address, {}, node_of(topology, address)});
        }
    }
    return devices;
}

} // namespace nearpool
