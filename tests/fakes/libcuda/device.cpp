// SPDX-License-Identifier: Apache-2.0
#include "state.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>

namespace fakes::cuda {

namespace {

Device *find_device(CUdevice device) {
    Driver &all = driver();
    return device < 0 || static_cast<std::size_t>(device) >= all.devices.size()
               ? nullptr
               : all.devices[static_cast<std::size_t>(device)].get();
}

std::string pci_text(const DeviceConfig &config) {
    char text[32];
    std::snprintf(text, sizeof text, "%0*X:%02X:%02X.0", config.domain_width, config.pci.domain, config.pci.bus,
                  config.pci.device);
    return text;
}

/// As the driver does it: what does not fit is cut.
CUresult copy_text(const std::string &text, char *to, int bytes) {
    if (to == nullptr || bytes <= 0) {
        return cuda_error_invalid_value;
    }
    std::snprintf(to, static_cast<std::size_t>(bytes), "%s", text.c_str());
    return cuda_success;
}

bool fits_version(CUdevice_attribute attribute, int version) {
    if (attribute == attribute_host_numa_id || attribute == attribute_numa_config || attribute == attribute_numa_id) {
        return version >= 12020;
    }
    return attribute < 141 || version >= 12090;
}

/// The value of an attribute, or that there is no such one.
bool attribute_value(const DeviceConfig &config, CUdevice_attribute attribute, int *value) {
    const bool offset = driver().config.host_pointer_offset != 0;
    const int tables = config.pageable_by_host_tables ? 1 : 0;
    const int host_numa = driver().config.host_numa ? 1 : 0;
    const struct {
        CUdevice_attribute attribute;
        int value;
    } values[] = {
        {1, 1024}, // most threads of a block
        {10, 32},  // threads of a warp
        {16, 108}, // multiprocessors
        {19, 1},   // can map host memory
        {attribute_compute_mode, config.compute_mode},
        {33, static_cast<int>(config.pci.bus)},
        {34, static_cast<int>(config.pci.device)},
        {40, 3}, // engines that copy
        {41, 1}, // unified addresses
        {50, static_cast<int>(config.pci.domain)},
        {attribute_compute_capability_major, config.compute_capability_major},
        {attribute_compute_capability_minor, config.compute_capability_minor},
        {78, 1},      // stream priorities
        {83, 1},      // managed memory
        {84, 0},      // several GPUs on one board
        {88, tables}, // pageable memory can be read
        {attribute_can_use_host_pointer_for_registered_mem, offset ? 0 : 1},
        {attribute_host_register_supported, config.host_register ? 1 : 0},
        {attribute_pageable_memory_access_uses_host_page_tables, tables},
        {102, 1}, // virtual memory management
        {113, 1}, // cuMemHostRegister of read-only memory
        {115, 1}, // memory pools
        {attribute_numa_config, config.numa_id < 0 ? 0 : numa_config_node},
        {attribute_numa_id, config.numa_id},
        {attribute_host_numa_id, config.host_numa_id},
        {141, host_numa}, // memory can be made on a node of the host
        {142, host_numa}, // and in pools
        {143, 0},
        {144, 1},
        {145, 1},
    };
    for (const auto &known : values) {
        if (known.attribute == attribute) {
            *value = known.value;
            return true;
        }
    }
    return false;
}

bool same_address(const DeviceConfig &config, const char *address) {
    unsigned domain = 0, bus = 0, device = 0;
    const bool full = std::sscanf(address, "%x:%x:%x", &domain, &bus, &device) == 3;
    if (!full) {
        domain = 0;
        if (std::sscanf(address, "%x:%x", &bus, &device) != 2) {
            return false;
        }
    }
    return config.pci.domain == domain && config.pci.bus == bus && config.pci.device == device;
}

} // namespace

namespace calls {

CUresult cuInit(unsigned flags) {
    if (flags != 0) {
        return cuda_error_invalid_value;
    }
    Driver &all = driver();
    const std::lock_guard<std::mutex> lock(all.mutex);
    if (all.config.mode == "no-device" || all.devices.empty()) {
        return cuda_error_no_device;
    }
    obstacles.fetch_and(~static_cast<uint32_t>(obstacle_fresh));
    return cuda_success;
}

CUresult cuDeviceGetCount(int *count) {
    if (count == nullptr) {
        return cuda_error_invalid_value;
    }
    *count = static_cast<int>(driver().devices.size());
    return cuda_success;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
    if (device == nullptr) {
        return cuda_error_invalid_value;
    }
    if (find_device(ordinal) == nullptr) {
        return cuda_error_invalid_device;
    }
    *device = ordinal;
    return cuda_success;
}

CUresult cuDeviceGetName(char *name, int bytes, CUdevice device) {
    const Device *found = find_device(device);
    return found == nullptr ? cuda_error_invalid_device : copy_text(found->config.name, name, bytes);
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
    const Device *found = find_device(device);
    if (found == nullptr) {
        return cuda_error_invalid_device;
    }
    if (value == nullptr || !fits_version(attribute, driver().version.load()) ||
        !attribute_value(found->config, attribute, value)) {
        return cuda_error_invalid_value;
    }
    return cuda_success;
}

CUresult cuDeviceTotalMem_v2(std::size_t *bytes, CUdevice device) {
    const Device *found = find_device(device);
    if (found == nullptr) {
        return cuda_error_invalid_device;
    }
    if (bytes == nullptr) {
        return cuda_error_invalid_value;
    }
    *bytes = found->config.memory_bytes;
    return cuda_success;
}

CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device) {
    const Device *found = find_device(device);
    if (found == nullptr) {
        return cuda_error_invalid_device;
    }
    if (uuid == nullptr) {
        return cuda_error_invalid_value;
    }
    std::memcpy(uuid->bytes, found->config.uuid.data(), sizeof uuid->bytes);
    return cuda_success;
}

CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device) {
    const CUresult result = cuDeviceGetUuid(uuid, device);
    if (result == cuda_success && find_device(device)->config.mig) {
        std::memcpy(uuid->bytes, find_device(device)->config.mig_uuid.data(), sizeof uuid->bytes);
    }
    return result;
}

CUresult cuDeviceGetPCIBusId(char *address, int bytes, CUdevice device) {
    const Device *found = find_device(device);
    return found == nullptr ? cuda_error_invalid_device : copy_text(pci_text(found->config), address, bytes);
}

CUresult cuDeviceGetByPCIBusId(CUdevice *device, const char *address) {
    if (device == nullptr || address == nullptr) {
        return cuda_error_invalid_value;
    }
    const auto &devices = driver().devices;
    for (std::size_t i = 0; i < devices.size(); i++) {
        if (same_address(devices[i]->config, address)) {
            *device = static_cast<CUdevice>(i);
            return cuda_success;
        }
    }
    return cuda_error_invalid_device;
}

CUresult cuDeviceCanAccessPeer(int *can, CUdevice device, CUdevice peer) {
    if (find_device(device) == nullptr || find_device(peer) == nullptr) {
        return cuda_error_invalid_device;
    }
    if (can == nullptr) {
        return cuda_error_invalid_value;
    }
    const auto &peers = driver().config.peers;
    *can = device != peer && peers[static_cast<std::size_t>(device)][static_cast<std::size_t>(peer)].access ? 1 : 0;
    return cuda_success;
}

CUresult cuDeviceGetP2PAttribute(int *value, CUdevice_P2PAttribute attribute, CUdevice from, CUdevice to) {
    if (find_device(from) == nullptr || find_device(to) == nullptr || from == to) {
        return cuda_error_invalid_device;
    }
    if (value == nullptr || attribute < peer_performance_rank || attribute > peer_array_access_supported) {
        return cuda_error_invalid_value;
    }
    const PeerConfig &peer = driver().config.peers[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
    const int values[] = {peer.rank, peer.access ? 1 : 0, peer.atomics ? 1 : 0, peer.access ? 1 : 0};
    *value = values[attribute - peer_performance_rank];
    return cuda_success;
}

} // namespace calls

} // namespace fakes::cuda
