// SPDX-License-Identifier: Apache-2.0
// A topology as a summary for people.
#include "topology/topology.hpp"

#include "base/text.hpp"

#include <algorithm>

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

std::string head_line(const Topology &topology) {
    const TopologyCounts &counts = topology.counts();
    return std::string(topology.this_machine() ? "this machine: " : "another machine: ") +
           counted(topology.nodes().size(), "node") +
           (topology.synthetic_node() ? " (stands for a machine that shows none)" : "") + ", " +
           counted(counts.packages, "package") + ", " + counted(counts.cores, "core") + ", " +
           counted(topology.cpus().size(), "CPU") + " (allowed " + topology.allowed_cpus().text() + "), " +
           counted(counts.caches, "last-level cache group") + ", " + bytes_text(topology.memory_bytes()) + "\n";
}

std::string node_line(const Node &node) {
    std::string line = format("node %u: ", node.number);
    line += node.cpus.empty() ? "no CPUs" : "CPUs " + node.cpus.text();
    if (node.allowed_cpus != node.cpus) {
        line += " (allowed " + node.allowed_cpus.text() + ")";
    }
    line += node.memory_bytes == 0 ? ", no memory" : ", " + bytes_text(node.memory_bytes);
    if (node.memory_bytes != 0 && !node.memory_allowed) {
        line += " (not allowed)";
    }
    if (node.package != NEAR_NODE_UNKNOWN) {
        line += format(", package %u", node.package);
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

std::string memory_figures(const Topology &topology) {
    std::string text;
    for (const Node &from : topology.nodes()) {
        for (const Node &to : topology.nodes()) {
            const Link &link = topology.link(from.number, to.number);
            if (link.bandwidth_mib_per_s != 0 || link.latency_ns != 0) {
                text += format("from node %u to the memory of node %u:", from.number, to.number);
                text += link.bandwidth_mib_per_s == 0
                            ? ""
                            : format(" %llu MiB/s", static_cast<unsigned long long>(link.bandwidth_mib_per_s));
                text +=
                    link.latency_ns == 0 ? "" : format(" %llu ns", static_cast<unsigned long long>(link.latency_ns));
                text += "\n";
            }
        }
    }
    return text;
}

} // namespace

std::string Topology::text() const {
    std::string text = head_line(*this);
    for (const Node &node : nodes_) {
        text += node_line(node);
    }
    const bool known = std::any_of(links_.begin(), links_.end(), [](const Link &link) { return link.distance != 0; });
    return text + (known ? matrix(*this) : "distances: not known\n") + memory_figures(*this);
}

} // namespace nearpool
