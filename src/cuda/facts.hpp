// SPDX-License-Identifier: Apache-2.0
// What the driver says of a device without a context on it.
#pragma once

#include "cuda/driver.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace nearpool::cuda {

struct Facts {
    int32_t ordinal = 0;
    CUdevice handle = 0;
    std::string name;
    CUuuid uuid{};
    bool mig = false;        // an instance of a partitioned GPU; its uuid is the instance's
    std::string pci_address; // lower case
    int capability_major = 0;
    int capability_minor = 0;
    uint64_t total_bytes = 0;
    std::optional<int> host_node;   // next to it, as the driver says; nothing: it does not
    std::optional<int> memory_node; // of its own memory; nothing: that is no node of the machine, or it is not said

    // "GPU-8a9c1f..." or "MIG-...", as every tool writes it.
    std::string uuid_text() const;
};

// NEAR_E_CUDA when a query fails, NEAR_E_DEVICE when the device takes no contexts.
Result<Facts> read_facts(const Driver &driver, int32_t ordinal);

} // namespace nearpool::cuda
