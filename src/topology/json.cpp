// SPDX-License-Identifier: Apache-2.0
// A topology as JSON: everything, for programs. The names are those of the structs of the public headers.
#include "topology/topology.hpp"

#include <nlohmann/json.hpp>

namespace nearpool {
namespace {

using Json = nlohmann::ordered_json;

// Unknown numbers are null.
Json known(uint32_t number) {
    return number == NEAR_NODE_UNKNOWN ? Json(nullptr) : Json(number);
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
            {"huge_pools", std::move(pools)}};
}

Json json_of(const Cpu &cpu) {
    return {{"cpu", cpu.number},  {"node", known(cpu.node)}, {"core", cpu.core},      {"package", known(cpu.package)},
            {"cache", cpu.cache}, {"smt", cpu.smt},          {"allowed", cpu.allowed}};
}

Json json_of(const Topology &topology, uint32_t from, uint32_t to) {
    const Link &link = topology.link(from, to);
    Json entry = {{"from", from}, {"to", to}};
    entry["distance"] = link.distance == 0 ? Json(nullptr) : Json(link.distance);
    entry["bandwidth_mib_per_s"] = link.bandwidth_mib_per_s == 0 ? Json(nullptr) : Json(link.bandwidth_mib_per_s);
    entry["latency_ns"] = link.latency_ns == 0 ? Json(nullptr) : Json(link.latency_ns);
    return entry;
}

} // namespace

std::string Topology::json() const {
    Json root = {{"this_machine", this_machine_},
                 {"synthetic_node", synthetic_node_},
                 {"core_count", counts_.cores},
                 {"package_count", counts_.packages},
                 {"cache_count", counts_.caches},
                 {"page_bytes", base_page_bytes()},
                 {"memory_bytes", memory_bytes()},
                 {"allowed_cpus", json_of(allowed_cpus_)},
                 {"allowed_nodes", json_of(allowed_nodes_)},
                 {"nodes", Json::array()},
                 {"cpus", Json::array()},
                 {"links", Json::array()}};
    for (const Node &node : nodes_) {
        root["nodes"].push_back(json_of(node));
        for (const Node &to : nodes_) {
            root["links"].push_back(json_of(*this, node.number, to.number));
        }
    }
    for (const Cpu &cpu : cpus_) {
        root["cpus"].push_back(json_of(cpu));
    }
    return root.dump(2) + "\n";
}

} // namespace nearpool
