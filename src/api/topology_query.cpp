// SPDX-License-Identifier: Apache-2.0
#include "api/boundary.hpp"
#include "api/process.hpp"

#include <nearpool/topology_query.h>

#include <cstring>

using namespace nearpool;
using namespace nearpool::api;

namespace {

// Finds the topology and the node, then runs `body` with both.
template <class Body> Done with_node(const near_topology *handle, uint32_t node, Body &&body) {
    const Result<Ref<const Topology>> found = topology_of(handle);
    if (!found) {
        return found.error();
    }
    const Topology &topology = *found.value();
    const Node *known = topology.node(node);
    return known == nullptr ? as_done(NEAR_E_NO_NODE) : body(topology, *known);
}

template <class Choose>
near_status nearest(const near_topology *topology, uint32_t node, uint32_t *nearest, Choose choose) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(nearest, "nearest"); !ok) {
            return ok;
        }
        return with_node(topology, node, [&](const Topology &machine, const Node &) -> Done {
            *nearest = choose(machine);
            return {};
        });
    });
}

std::vector<uint32_t> list_of(const NumberSet &numbers) {
    return {numbers.begin(), numbers.end()};
}

near_cpu_info info_of(const Cpu &cpu) {
    near_cpu_info info{};
    info.cpu = cpu.number;
    info.node = cpu.node;
    info.core = cpu.core;
    info.package = cpu.package;
    info.cache = cpu.cache;
    info.smt = cpu.smt;
    info.allowed = cpu.allowed ? 1 : 0;
    info.core_kind = cpu.core_kind;
    return info;
}

// A CPU that came online after the discovery is not in the topology; the kernel still knows its node.
uint32_t current_node(const Topology &topology) {
    uint32_t cpu = 0;
    uint32_t node = 0;
    if (!topology.this_machine() || real_ports().affinity.current(&cpu, &node) != 0) {
        return NEAR_NODE_UNKNOWN;
    }
    if (const Cpu *known = topology.cpu(cpu); known != nullptr) {
        return known->node;
    }
    return topology.node(node) != nullptr ? node : NEAR_NODE_UNKNOWN;
}

Result<std::string> formatted(const Topology &topology, int32_t format) {
    switch (format) {
    case NEAR_FORMAT_TEXT:
        return topology.text();
    case NEAR_FORMAT_JSON:
        return topology.json();
    default:
        return topology.xml();
    }
}

Done check_format(int32_t format) {
    return format >= NEAR_FORMAT_TEXT && format <= NEAR_FORMAT_XML
               ? Done()
               : fail(NEAR_E_INVALID, "%d is no format (NEAR_FORMAT_*)", format);
}

} // namespace

extern "C" {

near_status near_topology_nodes_by_distance(const near_topology *topology, uint32_t node, uint32_t *nodes,
                                            size_t capacity, size_t *needed) {
    return guarded([&]() -> Done {
        if (Done ok = check_output_list(nodes, capacity, needed, "nodes"); !ok) {
            return ok;
        }
        return with_node(topology, node, [&](const Topology &machine, const Node &) {
            return write_list(machine.nodes_by_distance(node), nodes, capacity, needed, "nodes");
        });
    });
}

near_status near_topology_nearest_with_cpus(const near_topology *topology, uint32_t node, uint32_t *nearest) {
    return ::nearest(topology, node, nearest, [&](const Topology &machine) { return machine.nearest_with_cpus(node); });
}

near_status near_topology_nearest_with_memory(const near_topology *topology, uint32_t node, uint32_t *nearest) {
    return ::nearest(topology, node, nearest,
                     [&](const Topology &machine) { return machine.nearest_with_memory(node); });
}

near_status near_topology_cpus(const near_topology *topology, uint32_t node, uint32_t *cpus, size_t capacity,
                               size_t *needed) {
    return guarded([&]() -> Done {
        if (Done ok = check_output_list(cpus, capacity, needed, "cpus"); !ok) {
            return ok;
        }
        if (node != NEAR_NODE_UNKNOWN) {
            return with_node(topology, node, [&](const Topology &, const Node &known) {
                return write_list(list_of(known.cpus), cpus, capacity, needed, "cpus");
            });
        }
        const Result<Ref<const Topology>> found = topology_of(topology);
        return found ? write_list(list_of(found.value()->cpu_numbers()), cpus, capacity, needed, "cpus")
                     : Done(found.error());
    });
}

near_status near_topology_cpu_info(const near_topology *topology, uint32_t cpu, near_cpu_info *info) {
    return guarded([&]() -> Done {
        if (Done ok = check_output(info, "near_cpu_info"); !ok) {
            return ok;
        }
        const Result<Ref<const Topology>> found = topology_of(topology);
        if (!found) {
            return found.error();
        }
        const Cpu *known = found.value()->cpu(cpu);
        if (known == nullptr) {
            return as_done(NEAR_E_NO_CPU);
        }
        write_struct(info, info_of(*known));
        return {};
    });
}

near_status near_topology_link(const near_topology *topology, uint32_t from, uint32_t to, near_link *link) {
    return guarded([&]() -> Done {
        if (Done ok = check_output(link, "near_link"); !ok) {
            return ok;
        }
        return with_node(topology, from, [&](const Topology &machine, const Node &) -> Done {
            if (machine.node(to) == nullptr) {
                return as_done(NEAR_E_NO_NODE);
            }
            const Link known = machine.link(from, to);
            write_struct(link, near_link{0, known.distance, known.access.read_mib_per_s, known.access.read_ns,
                                         known.access.write_mib_per_s, known.access.write_ns});
            return {};
        });
    });
}

near_status near_topology_huge_pools(const near_topology *topology, uint32_t node, near_huge_pool *pools,
                                     size_t capacity, size_t *needed) {
    return guarded([&]() -> Done {
        if (Done ok = check_output_list(pools, capacity, needed, "pools"); !ok) {
            return ok;
        }
        return with_node(topology, node, [&](const Topology &, const Node &known) {
            return write_list(known.huge_pools, pools, capacity, needed, "pools");
        });
    });
}

near_status near_topology_current_node(const near_topology *topology, uint32_t *node) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(node, "node"); !ok) {
            return ok;
        }
        const Result<Ref<const Topology>> found = topology_of(topology);
        if (!found) {
            return found.error();
        }
        *node = current_node(*found.value());
        return {};
    });
}

near_status near_topology_pci_node(const near_topology *topology, const char *address, uint32_t *node,
                                   near_error *error) {
    return guarded("near_topology_pci_node", error, [&]() -> Done {
        if (Done ok = check_pointer(address, "address"); !ok) {
            return ok;
        }
        if (Done ok = check_pointer(node, "node"); !ok) {
            return ok;
        }
        const Result<Ref<const Topology>> found = topology_of(topology);
        if (!found) {
            return found.error();
        }
        const Result<NodeAnswer> answer = found.value()->pci_node(address);
        if (!answer) {
            return answer.error();
        }
        *node = answer.value().node;
        return {};
    });
}

near_status near_topology_format(const near_topology *topology, int32_t format, char *buffer, size_t capacity,
                                 size_t *needed, near_error *error) {
    return guarded("near_topology_format", error, [&]() -> Done {
        if (Done ok = check_format(format); !ok) {
            return ok;
        }
        if (Done ok = check_output_list(buffer, capacity, needed, "buffer"); !ok) {
            return ok;
        }
        const Result<Ref<const Topology>> found = topology_of(topology);
        if (!found) {
            return found.error();
        }
        const Result<std::string> text = formatted(*found.value(), format);
        return text ? write_text(text.value(), buffer, capacity, needed) : Done(text.error());
    });
}
}
