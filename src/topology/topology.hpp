// SPDX-License-Identifier: Apache-2.0
// The machine as an immutable value. Files of /sys are read here, and hwloc reads its own formats; nobody above this
// folder sees either.
#pragma once

#include "base/error.hpp"
#include "base/number_set.hpp"
#include "base/ref.hpp"
#include "sys/ports.hpp"

#include <nearpool/device_map.h>
#include <nearpool/topology.h>
#include <nearpool/topology_memory.h>

#include <memory>
#include <string>
#include <vector>

namespace nearpool {

// How the CPUs of one node reach the memory of another; 0: not known.
struct MemoryAccess {
    uint32_t from = 0; // number of a node with CPUs
    uint64_t read_mib_per_s = 0;
    uint64_t write_mib_per_s = 0;
    uint64_t read_ns = 0;
    uint64_t write_ns = 0;
};

// What kind of memory a node has, and who says so.
struct MemoryKind {
    int32_t kind = NEAR_MEMORY_UNKNOWN;
    int32_t source = NEAR_KIND_SOURCE_NONE;
};

struct Node {
    uint32_t number = 0;
    NumberSet cpus; // its own, as the kernel lists them
    uint64_t memory_bytes = 0;
    std::vector<near_huge_pool> huge_pools; // smallest pages first
    MemoryKind memory;
    uint64_t memory_side_cache_bytes = 0;
    NumberSet initiators;               // the nodes whose CPUs reach this memory best, where the machine says so
    NumberSet near_cpus;                // of a node without CPUs: next to which a tree hangs it; empty: not said
    std::vector<MemoryAccess> accesses; // to its memory, by ascending numbers

    // What follows from these.
    uint32_t package = NEAR_NODE_UNKNOWN;      // index
    NumberSet near_nodes;                      // with CPUs: itself, or those of near_cpus, unless these are all
    uint32_t tree_package = NEAR_NODE_UNKNOWN; // that of its CPUs or near_cpus, unless there is but one
    // Of a node without CPUs, all that are as good, the nearest first: those of its initiators, else those where the
    // machine's tree hangs it, else the nearest by distance. What names all nodes with CPUs says nothing.
    std::vector<uint32_t> served_by;
    uint32_t nearest_with_cpus = NEAR_NODE_UNKNOWN; // the first of these, or itself
    NumberSet allowed_cpus;
    bool has_memory = false; // also where the machine says of no node how much
    bool memory_allowed = false;
    bool memory_by_default = false; // what names no node may be put here
};

struct Cpu {
    uint32_t number = 0;
    uint32_t node = NEAR_NODE_UNKNOWN;
    uint32_t core = 0;    // index
    uint32_t package = 0; // index
    uint32_t cache = 0;   // index of the last-level-cache group
    uint32_t smt = 0;     // position in its core
    int32_t core_kind = NEAR_CORE_UNKNOWN;
    bool allowed = false;
};

enum class Known {
    none,
    partly,
    all
};

struct Link {
    uint32_t distance = 0; // 0: not known
    MemoryAccess access;
};

// A group of CPUs that share a cache; 0 bytes and level: no cache is known, and they share the package or the machine.
struct CacheFacts {
    uint32_t level = 0;
    uint64_t bytes = 0;
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

class TopologySource; // where it was read, and can be read again; topology/source.hpp
struct MachineFacts;  // what a reader found; topology/facts.hpp

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
    uint32_t basis() const { return basis_; }               // NEAR_BASIS_*: what the topology rests on
    std::string basis_text() const;
    // Of this machine: what the kernel says of nodes and /sys does not show, in words. Where it is not empty, nobody
    // can know that a thread or a page is on the node that this topology names. Empty: there is no such doubt.
    const std::string &doubt() const { return doubt_; }
    uint64_t page_bytes() const { return page_bytes_; } // of a base page of that machine

    const std::vector<Node> &nodes() const { return nodes_; } // ascending numbers, never empty
    const std::vector<Cpu> &cpus() const { return cpus_; }    // ascending numbers
    const TopologyCounts &counts() const { return counts_; }
    const std::vector<CacheFacts> &caches() const { return caches_; } // by index
    const Node *node(uint32_t number) const;                          // nullptr: there is none
    const Cpu *cpu(uint32_t number) const;
    const NumberSet &node_numbers() const { return node_numbers_; }
    const NumberSet &cpu_numbers() const { return cpu_numbers_; }
    const NumberSet &allowed_cpus() const { return allowed_cpus_; }
    const NumberSet &allowed_nodes() const { return allowed_nodes_; } // nodes whose memory the cpuset allows
    uint64_t memory_bytes() const;

    // Where memory goes that names no node: those that are allowed, in ascending order. Never to memory of GPUs, CXL or
    // non-volatile memory, and to high-bandwidth memory only where there is nothing else; where only those are
    // allowed, to CXL, else to non-volatile memory, else to that of GPUs.
    const std::vector<uint32_t> &default_memory_nodes() const { return default_memory_nodes_; }

    Known distances_known() const;

    // Both must exist.
    Link link(uint32_t from, uint32_t to) const;

    // For comparing the ways from one node; both must exist. 0 to itself; else what the link says, else the link back;
    // where neither is known, 1 for nodes that the machine's tree puts together, and UINT32_MAX for others: an unknown
    // way is not taken for a short one.
    uint32_t distance(uint32_t from, uint32_t to) const;

    // `node` must exist. By distance, then by number.
    std::vector<uint32_t> nodes_by_distance(uint32_t node) const;
    uint32_t nearest_with_cpus(uint32_t node) const;         // any CPUs
    uint32_t nearest_with_allowed_cpus(uint32_t node) const; // NEAR_NODE_UNKNOWN: none in the machine
    uint32_t nearest_with_memory(uint32_t node) const;       // another than itself is one of the default nodes

    // The allowed node whose memory is best from the CPUs of `from`, by NEAR_BEST_*; NEAR_NODE_UNKNOWN: the machine
    // gives no such figures.
    uint32_t best_memory(uint32_t from, int32_t by) const;

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

    bool near_in_tree(const Node &one, const Node &other) const;
    std::size_t index_of(uint32_t node) const;
    uint32_t said_distance(std::size_t from, std::size_t to) const; // indexes; 0: not known
    uint32_t distance_at(std::size_t from, std::size_t to) const;
    std::vector<uint32_t> serving_candidates(std::size_t home) const;

    std::vector<Node> nodes_;
    std::vector<Cpu> cpus_;
    std::vector<CacheFacts> caches_;  // by index
    std::vector<uint32_t> distances_; // row by row, from index to index; 0: not known; empty: none is
    std::vector<uint32_t> default_memory_nodes_;
    TopologyCounts counts_;
    NumberSet node_numbers_;
    NumberSet cpu_numbers_;
    NumberSet allowed_cpus_;
    NumberSet allowed_nodes_;
    bool this_machine_ = false;
    bool synthetic_node_ = false;
    uint32_t basis_ = 0;
    std::string doubt_;
    uint64_t page_bytes_ = 0;
    std::unique_ptr<TopologySource> source_;
};

// "unknown" or "nobody" for a value that is none.
const char *memory_kind_name(int32_t kind);
const char *memory_kind_source_name(int32_t source);
const char *core_kind_name(int32_t kind);

} // namespace nearpool
