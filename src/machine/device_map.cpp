// SPDX-License-Identifier: Apache-2.0
#include "machine/device_map.hpp"

#include "base/text.hpp"
#include "topology/pci.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <strings.h>

namespace nearpool {
namespace {

constexpr std::array<const char *, NEAR_DEVICE_BLOCK + 1> kind_names{
    "unknown", "GPU", "network", "InfiniBand", "NVMe", "block",
};

bool sorted_before(const MappedDevice &one, const MappedDevice &other) {
    if (one.kind != other.kind) {
        return one.kind < other.kind;
    }
    if (const int order = strverscmp(one.name.c_str(), other.name.c_str()); order != 0) { // eth2 before eth10
        return order < 0;
    }
    return one.ordinal < other.ordinal;
}

// As /sys writes it; a text that is no address, as it is.
std::string normal_address(const std::string &text) {
    const std::optional<PciAddress> parsed = parse_pci(text);
    return parsed ? parsed->text() : text;
}

bool same_letters(const std::string &one, const std::string &other) {
    return strcasecmp(one.c_str(), other.c_str()) == 0;
}

bool names_a_uuid(const std::string &name) {
    return strncasecmp(name.c_str(), "GPU-", 4) == 0 || strncasecmp(name.c_str(), "MIG-", 4) == 0;
}

constexpr std::size_t most_named = 12; // devices in a sentence

} // namespace

const char *device_kind_name(int32_t kind) {
    return kind_names[kind > 0 && kind <= NEAR_DEVICE_BLOCK ? static_cast<std::size_t>(kind) : 0];
}

DriverGpus without_driver() {
    DriverGpus gpus;
    gpus.missing.emplace_back("the driver was not asked (use_driver is 0)");
    return gpus;
}

DriverGpus ask_driver(cuda::Loader &loader, const Topology &topology) {
    DriverGpus gpus;
    if (!topology.this_machine()) {
        gpus.missing.emplace_back("the driver knows this machine, and the topology is of another");
        return gpus;
    }
    const Result<const cuda::Driver *> driver = loader.driver();
    if (!driver) {
        gpus.missing.push_back(driver.error().message);
        return gpus;
    }
    int count = 0;
    if (const cuda::CUresult code = driver.value()->device_get_count(&count); code != cuda::cuda_success) {
        gpus.missing.push_back(driver.value()->error(code, "cuDeviceGetCount").message);
        return gpus;
    }
    gpus.known = true;
    gpus.nvml = nvml_nodes(loader, topology);
    for (int32_t ordinal = 0; ordinal < count; ordinal++) {
        Result<cuda::Facts> facts = cuda::read_facts(*driver.value(), ordinal);
        if (facts) {
            gpus.facts.push_back(facts.take());
        } else {
            gpus.missing.push_back(format("GPU %d: %s", ordinal, facts.error().message.c_str()));
        }
    }
    return gpus;
}

Result<DeviceMap> DeviceMap::make(const Topology &topology, const DriverGpus &driver) {
    Result<std::vector<IoDevice>> found = topology.devices();
    if (!found) {
        return found.error();
    }
    DeviceMap map;
    map.driver_known_ = driver.known;
    map.missing_ = driver.missing;
    for (IoDevice &device : found.value()) {
        DeviceNode node = working_node(topology, device.node);
        node.memory = device.memory_node;
        map.devices_.push_back({device.kind,
                                std::move(device.name),
                                std::move(device.pci_address),
                                std::move(device.uuid),
                                {},
                                -1,
                                std::move(node)});
    }
    for (const cuda::Facts &facts : driver.facts) {
        map.add_driver_gpu(topology, driver, facts);
    }
    std::sort(map.devices_.begin(), map.devices_.end(), sorted_before);
    return map;
}

// The first of a PCI device completes its entry. Further ones (instances of one that is partitioned) and GPUs that /sys
// does not show get entries of their own.
void DeviceMap::add_driver_gpu(const Topology &topology, const DriverGpus &driver, const cuda::Facts &facts) {
    const std::string address = normal_address(facts.pci_address);
    const auto same_place = [&](const MappedDevice &one) {
        return one.kind == NEAR_DEVICE_GPU && one.pci_address == address;
    };
    auto entry = std::find_if(devices_.begin(), devices_.end(), same_place);
    if (entry == devices_.end()) {
        devices_.push_back({NEAR_DEVICE_GPU, address, address, {}, {}, -1, {}});
        entry = devices_.end() - 1;
    } else if (entry->ordinal >= 0) {
        devices_.push_back(MappedDevice(*entry));
        entry = devices_.end() - 1;
    }
    entry->uuid = facts.uuid_text();
    entry->model = facts.name;
    entry->ordinal = facts.ordinal;
    entry->node = device_node(topology, facts, driver.nvml);
}

Result<const MappedDevice *> DeviceMap::find(const std::string &name) const {
    const std::string address = normal_address(name);
    const auto first = [&](auto fits) -> const MappedDevice * {
        const auto found = std::find_if(devices_.begin(), devices_.end(), fits);
        return found == devices_.end() ? nullptr : &*found;
    };
    const MappedDevice *found = first([&](const MappedDevice &one) { return one.name == name; });
    if (found == nullptr) {
        found = first([&](const MappedDevice &one) { return !one.uuid.empty() && same_letters(one.uuid, name); });
    }
    if (found == nullptr) {
        found = first([&](const MappedDevice &one) { return one.pci_address == address && !address.empty(); });
    }
    return found != nullptr ? Result<const MappedDevice *>(found) : not_found(name);
}

// "there is no device \"eth7\"; there are GPU 0000:3b:00.0, network eth0, eth1"
Error DeviceMap::not_found(const std::string &name) const {
    std::string there = devices_.empty() ? "the map is empty" : "there are ";
    int32_t kind = 0;
    for (std::size_t i = 0; i < std::min(devices_.size(), most_named); i++) {
        const MappedDevice &device = devices_[i];
        there += i == 0 ? "" : ", ";
        there += device.kind == kind ? "" : std::string(device_kind_name(device.kind)) + " ";
        there += device.name;
        kind = device.kind;
    }
    if (devices_.size() > most_named) {
        there += format(" and %zu more", devices_.size() - most_named);
    }
    const bool why = names_a_uuid(name) && !missing_.empty();
    return fail(NEAR_E_DEVICE, "there is no device \"%.64s\"%s%.200s; %s", name.c_str(),
                why ? "; UUIDs are not all known: " : "", why ? missing_text().c_str() : "", there.c_str());
}

std::string DeviceMap::missing_text() const {
    std::string text;
    for (const std::string &sentence : missing_) {
        text += (text.empty() ? "" : "; ") + sentence;
    }
    return text;
}

} // namespace nearpool
