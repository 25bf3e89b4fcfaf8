// SPDX-License-Identifier: Apache-2.0
// A topology as a summary for people.
#include "topology/topology.hpp"

#include "base/text.hpp"

namespace nearpool {
namespace {

std::string bytes_text(uint64_t bytes) {
    static constexpr uint64_t kibi = 1024;
    const char *unit = "KiB";
    uint64_t scale = kibi;
    for (const char *larger : {"MiB", "GiB", "TiB"}) {
        if (bytes / scale < kibi) {
            break;
        }
        scale *= kibi;
        unit = larger;
    }
    const uint64_t tenths = bytes / (scale / kibi) * 10 / kibi;
    return tenths % 10 == 0 ? format("%llu %s", static_cast<unsigned long long>(tenths / 10), unit)
                            : format("%llu.%llu %s", static_cast<unsigned long long>(tenths / 10),
                                     static_cast<unsigned long long>(tenths % 10), unit);
}

std::string counted(std::size_t count, const char *one) {
    return format("%zu %s%s", count, one, count == 1 ? "" : "s");
}

std::string size_text(uint64_t bytes) {
    return bytes == 0 ? "memory of unknown size" : bytes_text(bytes);
}

std::string head_line(const Topology &topology) {
    const TopologyCounts &counts = topology.counts();
    return std::string(topology.this_machine() ? "this machine: " : "another machine: ") +
           counted(topology.nodes().size(), "node") +
           (topology.synthetic_node() ? " (stands for a machine that shows none)" : "") + ", " +
           counted(counts.packages, "package") + ", " + counted(counts.cores, "core") + ", " +
           counted(topology.cpus().size(), "CPU") + " (allowed " + topology.allowed_cpus().text() + "), " +
           counted(counts.caches, "last-level cache group") + ", " + size_text(topology.memory_bytes()) +
           " (rests on " + topology.basis_text() + ")\n";
}

std::string node_line(const Node &node) {
    std::string line = format("node %u: ", node.number);
    line += node.cpus.empty() ? "no CPUs" : "CPUs " + node.cpus.text();
    if (node.allowed_cpus != node.cpus) {
        line += " (allowed " + node.allowed_cpus.text() + ")";
    }
    line += node.has_memory ? ", " + size_text(node.memory_bytes) : ", no memory";
    if (node.has_memory && !node.memory_allowed) {
        line += " (not allowed)";
    }
    if (node.package != NEAR_NODE_UNKNOWN) {
        line += format(", package %u", node.package);
    }
    if (node.has_memory) {
        line += format(", kind %s", memory_kind_name(node.memory.kind));
        line += node.memory.source == NEAR_KIND_SOURCE_NONE
                    ? std::string()
                    : format(" (%s)", memory_kind_source_name(node.memory.source));
    }
    if (node.memory_side_cache_bytes != 0) {
        line += ", memory-side cache of " + bytes_text(node.memory_side_cache_bytes);
    }
    if (node.cpus.empty() && node.nearest_with_cpus != NEAR_NODE_UNKNOWN) {
        line += format(", served by node %u", node.nearest_with_cpus);
    }
    if (!node.initiators.empty()) {
        line += ", initiators " + node.initiators.text();
    }
    for (const near_huge_pool &pool : node.huge_pools) {
        if (pool.page_count != 0) {
            line += format(", %llu huge pages of ", static_cast<unsigned long long>(pool.page_count)) +
                    bytes_text(pool.page_bytes);
        }
    }
    return line + "\n";
}

std::string matrix(const Topology &topology) {
    std::string text = "distances\n    ";
    for (const Node &to : topology.nodes()) {
        text += format(" %4u", to.number);
    }
    for (const Node &from : topology.nodes()) {
        text += format("\n%4u", from.number);
        for (const Node &to : topology.nodes()) {
            const uint32_t distance = topology.link(from.number, to.number).distance;
            text += distance == 0 ? "    -" : format(" %4u", distance);
        }
    }
    return text + "\n";
}

std::string figure(uint64_t value, const char *unit) {
    return value == 0 ? std::string() : format(" %llu %s", static_cast<unsigned long long>(value), unit);
}

std::string memory_figures(const Topology &topology) {
    std::string text;
    for (const Node &to : topology.nodes()) {
        for (const MemoryAccess &access : to.accesses) {
            text += format("from node %u to the memory of node %u:", access.from, to.number);
            text += figure(access.read_mib_per_s, "MiB/s") + figure(access.read_ns, "ns");
            if (access.write_mib_per_s != 0 || access.write_ns != 0) {
                text += ", writes" + figure(access.write_mib_per_s, "MiB/s") + figure(access.write_ns, "ns");
            }
            text += "\n";
        }
    }
    return text;
}

std::string core_kinds_line(const Topology &topology) {
    std::vector<uint32_t> fast;
    std::vector<uint32_t> efficient;
    for (const Cpu &cpu : topology.cpus()) {
        if (cpu.core_kind != NEAR_CORE_UNKNOWN) {
            (cpu.core_kind == NEAR_CORE_PERFORMANCE ? fast : efficient).push_back(cpu.number);
        }
    }
    return fast.empty() ? std::string()
                        : "performance cores: CPUs " + NumberSet(std::move(fast)).text() + "; efficient cores: CPUs " +
                              NumberSet(std::move(efficient)).text() + "\n";
}

} // namespace

std::string Topology::text() const {
    std::string text = head_line(*this);
    for (const Node &node : nodes_) {
        text += node_line(node);
    }
    text += doubt_.empty() ? "" : "not certain: " + doubt_ + "\n";
    text += core_kinds_line(*this);
    return text + (distances_known() != Known::none ? matrix(*this) : "distances: not known\n") + memory_figures(*this);
}

} // namespace nearpool
