// SPDX-License-Identifier: Apache-2.0
// What a pool will look like: which nodes, how many workers on which CPUs, who serves whom, in which order a team's
// workers look at others' queues. A pure function of the topology and the options.
#pragma once

#include "base/error.hpp"
#include "base/status.hpp"
#include "topology/topology.hpp"

#include <nearpool/numa_pool.h>

#include <optional>
#include <vector>

namespace nearpool::numa {

struct Request {
    int32_t steal_policy = NUMA_POOL_STEAL_NEAREST;
    std::vector<uint32_t> nodes; // empty: all
    uint32_t workers_per_node = 0;
    bool strict = false;
    int32_t core_kind = NEAR_CORE_UNKNOWN; // unknown: all
    std::optional<NumberSet> cpus;         // nothing: all
    NumberSet excluded;
    NumberSet isolated;                   // the kernel does not spread threads over these
    std::optional<uint64_t> quota_millis; // CPU quota in thousandths of a CPU
    uint32_t most_workers = 0;            // of all nodes; 0: no such limit
};

struct PlannedNode {
    uint32_t number = 0;
    uint32_t package = NEAR_NODE_UNKNOWN;
    std::size_t team = 0; // index of the team that serves it
    Enforcement serving;  // why another node serves it; strict: its own team
};

struct PlannedTeam {
    uint32_t node = 0;
    std::size_t home = 0; // index of its own node; nodes.size() if the node is not in the pool
    uint32_t workers = 0;
    NumberSet cpus;
    std::vector<NumberSet> own;       // of each worker, where the kernel would not share them out; empty: all have all
    std::vector<std::size_t> serves;  // indices of nodes, its own first
    std::vector<std::size_t> victims; // indices of teams, in the order in which its idle workers look there
};

struct Plan {
    std::vector<PlannedNode> nodes;
    std::vector<PlannedTeam> teams;

    std::optional<std::size_t> find(uint32_t node) const; // index of a node
};

Result<Plan> make_plan(const Topology &topology, const Request &request);

// The CPUs of a team's worker.
const NumberSet &cpus_of_worker(const PlannedTeam &team, uint32_t worker);

const char *steal_policy_name(int32_t policy);

} // namespace nearpool::numa
