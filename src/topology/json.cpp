// SPDX-License-Identifier: Apache-2.0
// A topology as JSON: everything, for programs. The names are those of the structs of the public headers.
#include "topology/topology.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace nearpool {
namespace {

using Json = nlohmann::ordered_json;

// Unknown numbers are null.
Json known(uint32_t number) {
    return number == NEAR_NODE_UNKNOWN ? Json(nullptr) : Json(number);
}

Json known_figure(uint64_t figure) {
    return figure == 0 ? Json(nullptr) : Json(figure);
}

Json json_of(const NumberSet &numbers) {
    Json list = Json::array();
    for (const uint32_t number : numbers) {
        list.push_back(number);
    }
    return list;
}

Json json_of(const Node &node) {
    Json pools = Json::array();
    for (const near_huge_pool &pool : node.huge_pools) {
        pools.push_back({{"page_bytes", pool.page_bytes}, {"page_count", pool.page_count}});
    }
    return {{"node", node.number},
            {"package", known(node.package)},
            {"cpus", json_of(node.cpus)},
            {"allowed_cpus", json_of(node.allowed_cpus)},
            {"memory_bytes", node.memory_bytes},
            {"memory_allowed", node.memory_allowed},
            {"memory_kind", memory_kind_name(node.memory.kind)},
            {"kind_source", memory_kind_source_name(node.memory.source)},
            {"memory_by_default", node.memory_by_default},
            {"memory_side_cache_bytes", node.memory_side_cache_bytes},
            {"nearest_with_cpus", known(node.nearest_with_cpus)},
            {"initiators", json_of(node.initiators)},
            {"huge_pools", std::move(pools)}};
}

Json json_of(const Cpu &cpu) {
    return {{"cpu", cpu.number},      {"node", known(cpu.node)},
            {"core", cpu.core},       {"package", known(cpu.package)},
            {"cache", cpu.cache},     {"smt", cpu.smt},
            {"allowed", cpu.allowed}, {"core_kind", core_kind_name(cpu.core_kind)}};
}

Json json_of(const MemoryAccess &access, uint32_t to) {
    return {{"from", access.from},
            {"to", to},
            {"bandwidth_mib_per_s", known_figure(access.read_mib_per_s)},
            {"latency_ns", known_figure(access.read_ns)},
            {"write_bandwidth_mib_per_s", known_figure(access.write_mib_per_s)},
            {"write_latency_ns", known_figure(access.write_ns)}};
}

// A row for each node, in the order of `nodes`; null where the machine gives no distance.
Json distances_of(const Topology &topology) {
    if (topology.distances_known() == Known::none) {
        return nullptr;
    }
    Json rows = Json::array();
    for (const Node &from : topology.nodes()) {
        Json row = Json::array();
        for (const Node &to : topology.nodes()) {
            row.push_back(known_figure(topology.link(from.number, to.number).distance));
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

// Only the ways of which something is known, beside distances.
Json links_of(const Topology &topology) {
    Json links = Json::array();
    for (const Node &to : topology.nodes()) {
        for (const MemoryAccess &access : to.accesses) {
            links.push_back(json_of(access, to.number));
        }
    }
    return links;
}

// A line for each member, and one for each element of a list of objects or lists: as long as what it says, and still
// read by people.
std::string lines_of(const Json &root) {
    std::string text = "{";
    for (const auto &[key, value] : root.items()) {
        text += (text.size() == 1 ? "\n  \"" : ",\n  \"") + key + "\": ";
        if (!value.is_array() || value.empty() || !value[0].is_structured()) {
            text += value.dump();
            continue;
        }
        const char *before = "[\n    ";
        for (const Json &element : value) {
            text += before + element.dump();
            before = ",\n    ";
        }
        text += "\n  ]";
    }
    return text + "\n}\n";
}

} // namespace

std::string Topology::json() const {
    Json root = {{"this_machine", this_machine_},
                 {"synthetic_node", synthetic_node_},
                 {"basis", basis_text()},
                 {"doubt", doubt_.empty() ? Json(nullptr) : Json(doubt_)},
                 {"core_count", counts_.cores},
                 {"package_count", counts_.packages},
                 {"cache_count", counts_.caches},
                 {"page_bytes", page_bytes_},
                 {"memory_bytes", memory_bytes()},
                 {"allowed_cpus", json_of(allowed_cpus_)},
                 {"allowed_nodes", json_of(allowed_nodes_)},
                 {"nodes", Json::array()},
                 {"cpus", Json::array()},
                 {"distances", distances_of(*this)},
                 {"links", links_of(*this)}};
    for (const Node &node : nodes_) {
        root["nodes"].push_back(json_of(node));
    }
    for (const Cpu &cpu : cpus_) {
        root["cpus"].push_back(json_of(cpu));
    }
    return lines_of(root);
}

} // namespace nearpool
