// SPDX-License-Identifier: Apache-2.0
// The machine as an immutable value. hwloc reads it; nobody above this folder sees hwloc.
#pragma once

#include "base/error.hpp"
#include "base/number_set.hpp"
#include "base/ref.hpp"
#include "sys/ports.hpp"

#include <nearpool/device_map.h>
#include <nearpool/topology.h>

#include <memory>
#include <string>
#include <vector>

namespace nearpool {

struct Node {
    uint32_t number = 0;
    uint32_t package = NEAR_NODE_UNKNOWN; // index
    NumberSet cpus;
    NumberSet allowed_cpus;
    uint64_t memory_bytes = 0;
    bool memory_allowed = false;
    std::vector<near_huge_pool> huge_pools; // smallest pages first
};

struct Cpu {
    uint32_t number = 0;
    uint32_t node = NEAR_NODE_UNKNOWN;
    uint32_t core = 0;    // index
    uint32_t package = 0; // index
    uint32_t cache = 0;   // index of the last-level-cache group
    uint32_t smt = 0;     // position in its core
    bool allowed = false;
};

struct Link {
    uint32_t distance = 0; // 0: not known
    uint64_t bandwidth_mib_per_s = 0;
    uint64_t latency_ns = 0;
};

struct TopologyCounts {
    uint32_t cores = 0;
    uint32_t packages = 0;
    uint32_t caches = 0;
};

// A node, and who said so: NEAR_NODE_SOURCE_*.
struct NodeAnswer {
    uint32_t node = NEAR_NODE_UNKNOWN;
    int32_t source = NEAR_NODE_SOURCE_NONE;
    NumberSet nodes = {}; // all that were named, also those without CPUs; may be several where `node` is unknown
};

// A device of the machine, as the kernel or hwloc's XML shows it.
struct IoDevice {
    int32_t kind = 0;        // NEAR_DEVICE_*
    std::string name;        // the kernel's, "eth0"; of a GPU to which it gave none, the PCI address
    std::string pci_address; // as /sys writes it; empty: it is on no PCI bus, or on several
    std::string uuid;        // of a GPU, where the XML has it
    NodeAnswer node;
    uint32_t memory_node = NEAR_NODE_UNKNOWN; // of a GPU whose memory is a node of the machine
};

// A GPU whose memory is a node of the machine.
struct GpuMemory {
    std::string pci_address; // as /sys writes it
    uint32_t node = NEAR_NODE_UNKNOWN;
};

class TopologySource; // what hwloc has read; topology/source.hpp

class Topology final : public RefCounted {
public:
    // This machine: with the cpuset and affinity of the process as they are now. The process-wide snapshot is made by
    // api/ with this.
    static Result<Ref<const Topology>> discover(const Ports &ports);
    static Result<Ref<const Topology>> from_xml(const Ports &ports, const std::string &path);
    static Result<Ref<const Topology>> from_synthetic(const std::string &description);
    static Result<Ref<const Topology>> from_sysfs(const Ports &ports, const std::string &root);

    bool this_machine() const { return this_machine_; }
    bool synthetic_node() const { return synthetic_node_; } // one node stands for a machine that shows none

    const std::vector<Node> &nodes() const { return nodes_; } // ascending numbers, never empty
    const std::vector<Cpu> &cpus() const { return cpus_; }    // ascending numbers
    const TopologyCounts &counts() const { return counts_; }
    const Node *node(uint32_t number) const; // nullptr: there is none
    const Cpu *cpu(uint32_t number) const;
    const NumberSet &node_numbers() const { return node_numbers_; }
    const NumberSet &cpu_numbers() const { return cpu_numbers_; }
    const NumberSet &allowed_cpus() const { return allowed_cpus_; }
    const NumberSet &allowed_nodes() const { return allowed_nodes_; } // nodes whose memory the cpuset allows
    uint64_t memory_bytes() const;

    // Both must exist. The distance is what the link says; where the machine says nothing, 10 for the same node and 20
    // for another.
    const Link &link(uint32_t from, uint32_t to) const;
    uint32_t distance(uint32_t from, uint32_t to) const;

    // `node` must exist. Itself first, then by distance, then by number.
    std::vector<uint32_t> nodes_by_distance(uint32_t node) const;
    uint32_t nearest_with_cpus(uint32_t node) const;         // any CPUs
    uint32_t nearest_with_allowed_cpus(uint32_t node) const; // NEAR_NODE_UNKNOWN: none in the machine
    uint32_t nearest_with_memory(uint32_t node) const;

    // The sentence for a node that does not exist: "node 7 is not in this topology (nodes 0,2,4)".
    Error no_node(uint32_t number) const;

    std::string text() const;
    std::string json() const;
    Result<std::string> xml() const;

    // Reads the I/O devices when first asked. NEAR_NODE_UNKNOWN is an answer.
    Result<NodeAnswer> pci_node(const std::string &address) const;

    // As the kernel's module of the GPUs or the XML says it; no driver is opened.
    std::vector<GpuMemory> gpu_memory() const;

    // GPUs, network interfaces, InfiniBand and block devices as they are now, in no order. Those that are software
    // alone (lo, loop0, bond0) are next to nothing, and not among them.
    Result<std::vector<IoDevice>> devices() const;

private:
    friend class TopologyBuilder;
    Topology();
    ~Topology() override;

    std::vector<Node> nodes_;
    std::vector<Cpu> cpus_;
    std::vector<Link> links_; // row by row: from index, to index
    TopologyCounts counts_;
    NumberSet node_numbers_;
    NumberSet cpu_numbers_;
    NumberSet allowed_cpus_;
    NumberSet allowed_nodes_;
    bool this_machine_ = false;
    bool synthetic_node_ = false;
    std::unique_ptr<TopologySource> source_;
};

} // namespace nearpool
