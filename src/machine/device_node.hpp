// SPDX-License-Identifier: Apache-2.0
// Next to which node a device is. For a GPU, each single source is wrong somewhere, so several are asked in turn, and
// the answer says which one it was.
#pragma once

#include "cuda/facts.hpp"
#include "cuda/loader.hpp"
#include "topology/topology.hpp"

#include <functional>
#include <vector>

namespace nearpool {

struct DeviceNode {
    uint32_t node = NEAR_NODE_UNKNOWN;     // with CPUs: where to work for the device
    uint32_t attached = NEAR_NODE_UNKNOWN; // what the source says; another one when that has no CPUs
    int32_t source = NEAR_NODE_SOURCE_NONE;
    NumberSet near; // all nodes that it is next to, also without CPUs; several, too, if `node` is unknown
    uint32_t memory = NEAR_NODE_UNKNOWN; // of a GPU's own memory, where that is a node
};

// The nodes whose memory is near the device, as NVML says; asked only when nobody before knows. Empty: it does not say.
using NearNodes = std::function<std::vector<uint32_t>(const cuda::Facts &device)>;

// NVML's own answer; NVML is opened when it is asked. What is given must outlive what is returned.
NearNodes nvml_nodes(cuda::Loader &loader, const Topology &topology);

// "unknown" for NEAR_NODE_SOURCE_NONE and a value that is none.
const char *node_source_name(int32_t source);

// Where to work for a device of which somebody has said where it is: there, or on the nearest node with CPUs.
DeviceNode working_node(const Topology &topology, const NodeAnswer &said);

// The same for a GPU, when all have been asked; and its own memory.
DeviceNode device_node(const Topology &topology, const cuda::Facts &device, const NearNodes &nvml);

} // namespace nearpool
