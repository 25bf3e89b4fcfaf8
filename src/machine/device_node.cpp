// SPDX-License-Identifier: Apache-2.0
#include "machine/device_node.hpp"

#include "topology/pci.hpp"

#include <array>
#include <optional>

namespace nearpool {
namespace {

// The driver's word first: it is about this machine. Then what the kernel's module or the XML says.
uint32_t own_memory(const Topology &topology, const cuda::Facts &device, const std::vector<GpuMemory> &all) {
    if (topology.this_machine() && device.memory_node) {
        const auto said = static_cast<uint32_t>(*device.memory_node);
        return topology.node(said) != nullptr ? said : NEAR_NODE_UNKNOWN;
    }
    const std::optional<PciAddress> address = parse_pci(device.pci_address);
    for (const GpuMemory &one : all) {
        if (address && one.pci_address == address->text()) {
            return one.node;
        }
    }
    return NEAR_NODE_UNKNOWN;
}

// What the drivers say is about this machine, and a node of theirs that the topology does not have is no answer.
NodeAnswer of_driver(const Topology &topology, const cuda::Facts &device) {
    if (!topology.this_machine() || !device.host_node) {
        return {};
    }
    const auto said = static_cast<uint32_t>(*device.host_node);
    return topology.node(said) != nullptr ? NodeAnswer{said, NEAR_NODE_SOURCE_DRIVER, {said}} : NodeAnswer{};
}

// The kernel's word and the PCI root's; that only one node has CPUs comes last of all.
NodeAnswer of_pci(const Topology &topology, const cuda::Facts &device) {
    const Result<NodeAnswer> said = topology.pci_node(device.pci_address);
    return said && said.value().source != NEAR_NODE_SOURCE_ONE_NODE ? said.value() : NodeAnswer{};
}

// Where the memory of GPUs is a node, NVML may name that: the GPU's memory is near to itself, which says nothing of the
// host.
NodeAnswer of_nvml(const Topology &topology, const cuda::Facts &device, const NearNodes &nvml, const NumberSet &gpus) {
    if (!topology.this_machine() || !nvml) {
        return {};
    }
    std::vector<uint32_t> host;
    for (const uint32_t node : nvml(device)) {
        if (!gpus.contains(node)) {
            host.push_back(node);
        }
    }
    if (host.size() == 1 && topology.node(host[0]) != nullptr) {
        return NodeAnswer{host[0], NEAR_NODE_SOURCE_NVML, {host[0]}};
    }
    return next_to(topology, NumberSet(host), NEAR_NODE_SOURCE_NVML);
}

NodeAnswer ask_in_turn(const Topology &topology, const cuda::Facts &device, const NearNodes &nvml,
                       const NumberSet &gpus) {
    if (NodeAnswer said = of_driver(topology, device); said.source != NEAR_NODE_SOURCE_NONE) {
        return said;
    }
    NodeAnswer pci = of_pci(topology, device);
    if (pci.source != NEAR_NODE_SOURCE_NONE) {
        return pci;
    }
    if (NodeAnswer said = of_nvml(topology, device, nvml, gpus); said.source != NEAR_NODE_SOURCE_NONE) {
        return said;
    }
    return pci.nodes.empty() ? only_node(topology) : pci;
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
    DeviceNode answer;
    answer.near = said.nodes;
    if (said.source != NEAR_NODE_SOURCE_NONE) {
        answer.node = topology.nearest_with_cpus(said.node);
        answer.attached = said.node;
        answer.source = said.source;
    }
    return answer;
}

DeviceNode device_node(const Topology &topology, const cuda::Facts &device, const NearNodes &nvml) {
    const std::vector<GpuMemory> all = topology.gpu_memory();
    const uint32_t own = own_memory(topology, device, all);
    NumberSet gpus;
    for (const GpuMemory &one : all) {
        gpus.add(one.node);
    }
    for (const Node &node : topology.nodes()) {
        if (node.memory.kind == NEAR_MEMORY_GPU || node.number == own) {
            gpus.add(node.number);
        }
    }
    DeviceNode answer = working_node(topology, ask_in_turn(topology, device, nvml, gpus));
    answer.memory = own;
    return answer;
}

} // namespace nearpool
