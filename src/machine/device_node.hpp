// SPDX-License-Identifier: Apache-2.0
// Next to which node a GPU is. Each single source is wrong somewhere, so several are asked in turn, and the answer says
// which one it was.
#pragma once

#include "cuda/facts.hpp"
#include "topology/topology.hpp"

#include <functional>
#include <vector>

namespace nearpool {

struct DeviceNode {
    uint32_t node = NEAR_NODE_UNKNOWN;     // with CPUs: where to work for the device
    uint32_t attached = NEAR_NODE_UNKNOWN; // what the source says; another one when that has no CPUs
    int32_t source = NEAR_NODE_SOURCE_NONE;
};

// The nodes whose memory is near the device, as NVML says; asked only when nobody before knows. Empty: it does not say.
using NearNodes = std::function<std::vector<uint32_t>(const cuda::Facts &device)>;

// "unknown" for NEAR_NODE_SOURCE_NONE and a value that is none.
const char *node_source_name(int32_t source);

DeviceNode device_node(const Topology &topology, const cuda::Facts &device, const NearNodes &nvml);

} // namespace nearpool
