// SPDX-License-Identifier: Apache-2.0
// What NVML says of a device without a context on it. Optional: a machine may have the driver and not NVML.
#pragma once

#include "cuda/facts.hpp"
#include "cuda/nvml_types.hpp"

#include <vector>

namespace nearpool::cuda {

struct DeviceMemory {
    uint64_t total_bytes = 0;
    uint64_t free_bytes = 0;
};

class Nvml {
public:
    // Opens and initialises it.
    static Result<Nvml> open(LibraryPort &libraries, const std::string &name);

    Result<DeviceMemory> memory(const Facts &device) const;
    Result<unsigned> utilization(const Facts &device) const; // percent
    // The nodes whose memory is near the device, of those with numbers up to `last`.
    Result<std::vector<uint32_t>> nodes(const Facts &device, uint32_t last) const;

private:
    Result<nvmlDevice_t> find(const Facts &device) const;

// NOLINTBEGIN(bugprone-macro-parentheses): these are types and names
#define NEARPOOL_NVML(member, symbol, need, parameters) nvmlReturn_t(*member##_) parameters = nullptr;
// NOLINTEND(bugprone-macro-parentheses)
#include "cuda/nvml_entry_points.inc"
#undef NEARPOOL_NVML
};

} // namespace nearpool::cuda
