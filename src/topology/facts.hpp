// SPDX-License-Identifier: Apache-2.0
// What a reader found out about a machine, from /sys or from hwloc: the one thing from which topologies are built.
#pragma once

#include "base/number_set.hpp"
#include "topology/topology.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace nearpool {

// CPUs that share a cache.
struct CacheGroup {
    NumberSet cpus;
    CacheFacts facts;
};

struct MachineFacts {
    NumberSet cpus;                  // online
    std::vector<Node> nodes;         // ascending, with what readers fill; empty: the machine shows none
    std::vector<uint32_t> distances; // row by row in the order of the nodes, 0: not known; empty: none is

    // Each CPU is in at most one group of each sort. A CPU in no core is one of its own; one in no cache shares its
    // package, else the machine.
    std::vector<NumberSet> cores;
    std::vector<NumberSet> packages;
    std::vector<CacheGroup> caches;
    NumberSet performance_cpus;
    NumberSet efficient_cpus;

    uint64_t memory_bytes = 0; // of the whole machine
    uint64_t page_bytes = 0;   // of a base page

    // What a process of that machine may use; nothing where it is not said.
    std::optional<NumberSet> allowed_cpus;
    std::optional<NumberSet> allowed_nodes;

    bool this_machine = false;
    bool synthetic_node = false;
    bool nodes_list_cpus = false; // whether a node names any CPU, be it one of this machine or not
    uint32_t basis = 0;           // NEAR_BASIS_*
    std::string doubt;

    NumberSet node_numbers() const;
    Node *node(uint32_t number);
};

// One node stands for a machine that shows none.
void give_a_node(MachineFacts &facts, uint32_t number);

// The kind of memory-only nodes of which nobody says one, by their bandwidth against that of the fastest node with
// CPUs: HBM reaches several times that of the DRAM beside it, and what hangs on a link a fraction.
void guess_kinds(MachineFacts &facts);

// Where CPUs differ in capacity, the largest are the performance cores, and what lacks more than a tenth of that is
// efficient: makers bin cores, and firmware rounds.
void give_core_kinds(MachineFacts &facts, const std::map<uint64_t, std::vector<uint32_t>> &cpus_by_capacity);

// NEAR_E_TOPOLOGY, with limit and value, where a number or their count is beyond limits.hpp.
Done check_cpu_numbers(const std::vector<NumberRange> &cpus);
Done check_node_numbers(const std::vector<NumberRange> &nodes);

// The set as ranges, and back: of a universe what is in the ranges. Takes no more time than the universe and the ranges
// are long, however much the ranges say.
std::vector<NumberRange> ranges_of(const NumberSet &numbers);
NumberSet numbers_within(const NumberSet &universe, const std::vector<NumberRange> &ranges);

} // namespace nearpool
