// SPDX-License-Identifier: Apache-2.0
#include "fuzz/machine.hpp"

#include "fuzz/harness.hpp"

#include <nearpool/numa_pool.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace nearpool::fuzz {
namespace {

bool is_node_or_unknown(const Topology &topology, uint32_t node) {
    return node == NEAR_NODE_UNKNOWN || topology.node(node) != nullptr;
}

void examine_cpus(const Topology &topology) {
    require(topology.cpus().size() == topology.cpu_numbers().size(), "each CPU has a number");
    require(topology.cpu_numbers().contains_all(topology.allowed_cpus()), "allowed CPUs are CPUs");
    for (const Cpu &cpu : topology.cpus()) {
        require(topology.cpu(cpu.number) == &cpu, "a CPU is found by its number");
        require(is_node_or_unknown(topology, cpu.node), "a CPU's node exists");
        require(cpu.node == NEAR_NODE_UNKNOWN || topology.node(cpu.node)->cpus.contains(cpu.number),
                "a CPU is among its node's");
        require(cpu.core < topology.counts().cores, "a CPU's core exists");
        require(cpu.cache < topology.counts().caches, "a CPU's cache exists");
        require(cpu.package < topology.counts().packages || cpu.package == NEAR_NODE_UNKNOWN, "a CPU's package exists");
    }
}

void examine_order(const Topology &topology, uint32_t node) {
    const std::vector<uint32_t> order = topology.nodes_by_distance(node);
    require(!order.empty() && order.front() == node, "a node is the nearest to itself");
    require(NumberSet(order) == topology.node_numbers(), "all nodes are in the order");
    require(order.size() == topology.nodes().size(), "each node is in the order once");
    const uint32_t with_cpus = topology.nearest_with_cpus(node);
    require(with_cpus == NEAR_NODE_UNKNOWN || !topology.node(with_cpus)->cpus.empty(),
            "the nearest with CPUs has some");
    require(topology.allowed_cpus() != topology.cpu_numbers() || topology.nearest_with_allowed_cpus(node) == with_cpus,
            "where all CPUs are allowed, the nearest is the same");
    const uint32_t with_memory = topology.nearest_with_memory(node);
    require(with_memory == NEAR_NODE_UNKNOWN || topology.node(with_memory)->has_memory,
            "the nearest with memory has some");
    require(is_node_or_unknown(topology, topology.nearest_with_allowed_cpus(node)), "the nearest is a node");
}

void examine_nodes(const Topology &topology) {
    require(!topology.nodes().empty(), "there is a node");
    std::size_t cpus = 0;
    for (const Node &node : topology.nodes()) {
        require(topology.node(node.number) == &node, "a node is found by its number");
        require(node.number != NEAR_NODE_UNKNOWN && node.number != NUMA_POOL_NODE_LOCAL,
                "a node has a number of its own");
        require(topology.cpu_numbers().contains_all(node.cpus), "a node's CPUs are CPUs");
        require(node.cpus.contains_all(node.allowed_cpus), "a node's allowed CPUs are its CPUs");
        cpus += node.cpus.size();
    }
    require(cpus <= topology.cpus().size(), "no CPU is on two nodes");
    const std::size_t looked_at = std::min<std::size_t>(topology.nodes().size(), 16); // an order sorts all nodes
    for (std::size_t i = 0; i < looked_at; i++) {
        examine_order(topology, topology.nodes()[i].number);
    }
}

void examine_devices(const Topology &topology) {
    const Result<std::vector<IoDevice>> devices = topology.devices();
    if (!devices) {
        require(!devices.error().message.empty(), "an error has a sentence");
        return;
    }
    for (const IoDevice &device : devices.value()) {
        require(!device.name.empty(), "a device has a name");
        require(is_node_or_unknown(topology, device.node.node), "a device's node exists");
    }
}

// What is written as XML is read again as the same machine. hwloc, which writes it, walks past all that it has for each
// object: with 16 000 CPUs of one node that takes 14 s, which on a busy machine is more than an input may.
void examine_xml(const Topology &topology, fakes::FakeFiles &files) {
    constexpr std::size_t most_cpus_in_time = 8192;
    if (topology.cpus().size() > most_cpus_in_time) {
        return;
    }
    Result<std::string> written = topology.xml();
    if (!written) {
        require(topology.cpus().size() > 4096 || written.error().message.find("HWLOC_COMPONENTS") != std::string::npos,
                "a machine is written as XML: " + written.error().message);
        return;
    }
    files.set("/written.xml", written.take());
    const auto again = Topology::from_xml(ports_with(files), "/written.xml");
    require(static_cast<bool>(again), again ? std::string() : "written XML is read again: " + again.error().message);
    const NumberSet nodes = planted() ? NumberSet() : again.value()->node_numbers();
    require(nodes == topology.node_numbers(), "written XML has the same nodes");
    require(again.value()->json() == topology.json(), "written XML gives the same JSON");
}

} // namespace

void examine(const Topology &topology, fakes::FakeFiles &files) {
    examine_nodes(topology);
    examine_cpus(topology);
    require(!topology.text().empty(), "a machine has a text");
    require(nlohmann::json::accept(topology.json()), "a machine's JSON is JSON");
    examine_devices(topology);
    examine_xml(topology, files);
}

} // namespace nearpool::fuzz
