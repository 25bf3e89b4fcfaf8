// SPDX-License-Identifier: Apache-2.0
// The kernel's own account of a machine, read through the file port. On this machine it has the last word on nodes
// (hwloc gives a memory-only node the CPUs near it, for one); for another root of /sys it is the only account there is,
// because hwloc takes a root from the environment alone.
#pragma once

#include "base/error.hpp"
#include "base/number_set.hpp"
#include "sys/ports.hpp"

#include <nearpool/topology.h>

#include <optional>
#include <string>
#include <vector>

namespace nearpool {

// HMAT: how the best initiators of a node reach its memory.
struct SysfsInitiator {
    uint32_t node = 0;
    uint64_t bandwidth_mib_per_s = 0;
    uint64_t latency_ns = 0;
};

struct SysfsNode {
    uint32_t number = 0;
    NumberSet cpus;
    uint64_t memory_bytes = 0;
    std::vector<uint32_t> distances; // to the online nodes in ascending order; may be short
    std::vector<near_huge_pool> huge_pools;
    std::vector<SysfsInitiator> initiators;
};

struct SysfsCpu {
    uint32_t number = 0;
    NumberSet core;    // the CPUs of its core, and so on
    NumberSet package; // empty: not said
    NumberSet cache;   // empty: not said
    uint32_t cache_level = 0;
    uint64_t cache_bytes = 0;
};

// What a process of that machine may use; empty where it is not said.
struct SysfsAllowed {
    std::optional<NumberSet> cpus;
    std::optional<NumberSet> nodes;
};

struct SysfsMachine {
    NumberSet cpus;                // online
    std::vector<SysfsNode> nodes;  // ascending; empty: this kernel shows none
    std::vector<SysfsCpu> details; // of the CPUs, where asked for
    uint64_t memory_bytes = 0;     // of the whole machine
    SysfsAllowed allowed;

    NumberSet node_numbers() const;
};

// All but the details of CPUs. `root` is "" for this machine. Never fails: what is not there is empty.
SysfsMachine read_sysfs(FilePort &files, const std::string &root);

// Cores, packages and last-level caches.
void read_sysfs_cpus(FilePort &files, const std::string &root, SysfsMachine &machine);

// "Name:   value" of a file of /proc, without the blanks.
std::optional<std::string> proc_field(const std::string &text, const std::string &name);

} // namespace nearpool
