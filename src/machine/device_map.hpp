// SPDX-License-Identifier: Apache-2.0
// The devices of a machine and the node to work on for each (public header device_map.h): a snapshot.
#pragma once

#include "machine/device_node.hpp"

#include <string>
#include <vector>

namespace nearpool {

// What the GPU driver says, for those that ask it.
struct DriverGpus {
    bool known = false; // it has answered, if only for some of its GPUs
    std::vector<cuda::Facts> facts;
    NearNodes nvml;
    std::vector<std::string> missing; // why there is no UUID, one sentence each
};

// Nobody asks: no driver is initialised, which would take CUDA from the children of fork() made later.
DriverGpus without_driver();
DriverGpus ask_driver(cuda::Loader &loader, const Topology &topology);

struct MappedDevice {
    int32_t kind = 0; // NEAR_DEVICE_*
    std::string name;
    std::string pci_address;
    std::string uuid;
    std::string model;    // what the driver calls it
    int32_t ordinal = -1; // the driver's
    DeviceNode node;
};

class DeviceMap {
public:
    static Result<DeviceMap> make(const Topology &topology, const DriverGpus &driver);

    const std::vector<MappedDevice> &devices() const { return devices_; } // by kind, then by name as people count

    // By its name, its UUID or its PCI address; of several at one address, the first.
    Result<const MappedDevice *> find(const std::string &name) const;

    std::string text() const;
    std::string json() const;

private:
    void add_driver_gpu(const Topology &topology, const DriverGpus &driver, const cuda::Facts &facts);
    Error not_found(const std::string &name) const;
    std::string missing_text() const;

    std::vector<MappedDevice> devices_;
    bool driver_known_ = false;
    std::vector<std::string> missing_; // as in DriverGpus
};

// "unknown" for a value that is none.
const char *device_kind_name(int32_t kind);

} // namespace nearpool
