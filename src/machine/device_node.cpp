// SPDX-License-Identifier: Apache-2.0
#include "machine/device_node.hpp"

#include <array>

namespace nearpool {
namespace {

// What the drivers say is about this machine, and a node of theirs that the topology does not have is no answer.
NodeAnswer of_driver(const Topology &topology, const cuda::Facts &device) {
    if (!topology.this_machine() || !device.host_node) {
        return {};
    }
    const auto said = static_cast<uint32_t>(*device.host_node);
    return topology.node(said) != nullptr ? NodeAnswer{said, NEAR_NODE_SOURCE_DRIVER} : NodeAnswer{};
}

// The kernel's word and the PCI root's; that there is one node comes last of all.
NodeAnswer of_pci(const Topology &topology, const cuda::Facts &device) {
    const Result<NodeAnswer> said = topology.pci_node(device.pci_address);
    return said && said.value().source != NEAR_NODE_SOURCE_ONE_NODE ? said.value() : NodeAnswer{};
}

NodeAnswer of_nvml(const Topology &topology, const cuda::Facts &device, const NearNodes &nvml) {
    if (!topology.this_machine() || !nvml) {
        return {};
    }
    const std::vector<uint32_t> near = nvml(device);
    const bool one = near.size() == 1 && topology.node(near[0]) != nullptr;
    return one ? NodeAnswer{near[0], NEAR_NODE_SOURCE_NVML} : NodeAnswer{};
}

NodeAnswer ask_in_turn(const Topology &topology, const cuda::Facts &device, const NearNodes &nvml) {
    if (const NodeAnswer said = of_driver(topology, device); said.source != NEAR_NODE_SOURCE_NONE) {
        return said;
    }
    if (const NodeAnswer said = of_pci(topology, device); said.source != NEAR_NODE_SOURCE_NONE) {
        return said;
    }
    if (const NodeAnswer said = of_nvml(topology, device, nvml); said.source != NEAR_NODE_SOURCE_NONE) {
        return said;
    }
    const std::vector<Node> &nodes = topology.nodes();
    return nodes.size() == 1 ? NodeAnswer{nodes[0].number, NEAR_NODE_SOURCE_ONE_NODE} : NodeAnswer{};
}

constexpr std::array<const char *, NEAR_NODE_SOURCE_ONE_NODE + 1> source_names{
    "unknown", "driver", "sysfs", "PCI root", "NVML", "one node",
};

} // namespace

const char *node_source_name(int32_t source) {
    return source_names[source > 0 && source <= NEAR_NODE_SOURCE_ONE_NODE ? static_cast<std::size_t>(source) : 0];
}

NearNodes nvml_nodes(cuda::Loader &loader, const Topology &topology) {
    return [&loader, last = topology.nodes().back().number](const cuda::Facts &device) {
        std::string why;
        const cuda::Nvml *nvml = loader.nvml(&why);
        if (nvml == nullptr) {
            return std::vector<uint32_t>();
        }
        Result<std::vector<uint32_t>> nodes = nvml->nodes(device, last);
        return nodes ? nodes.take() : std::vector<uint32_t>();
    };
}

DeviceNode working_node(const Topology &topology, const NodeAnswer &said) {
    if (said.source == NEAR_NODE_SOURCE_NONE) {
        return {};
    }
    return DeviceNode{topology.nearest_with_cpus(said.node), said.node, said.source};
}

DeviceNode device_node(const Topology &topology, const cuda::Facts &device, const NearNodes &nvml) {
    return working_node(topology, ask_in_turn(topology, device, nvml));
}

} // namespace nearpool
