// SPDX-License-Identifier: Apache-2.0
// What of NVML's interface is used here, under its own names; compared with nvml.h like the driver's (types.hpp).
#pragma once

namespace nearpool::cuda {

using nvmlReturn_t = int;                    // NOLINT(readability-identifier-naming)
using nvmlDevice_t = struct nvmlDevice_st *; // NOLINT(readability-identifier-naming)
using nvmlAffinityScope_t = unsigned;        // NOLINT(readability-identifier-naming)
struct nvmlMemory_t {                        // NOLINT(readability-identifier-naming)
    unsigned long long total;
    unsigned long long free;
    unsigned long long used;
};
struct nvmlUtilization_t { // NOLINT(readability-identifier-naming)
    unsigned gpu;          // percent of the last sample period in which a kernel ran
    unsigned memory;
};

constexpr nvmlReturn_t nvml_success = 0;
constexpr nvmlReturn_t nvml_error_not_supported = 3;
constexpr nvmlAffinityScope_t nvml_affinity_scope_node = 0;

} // namespace nearpool::cuda
