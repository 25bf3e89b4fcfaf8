// SPDX-License-Identifier: Apache-2.0
#include "api/boundary.hpp"
#include "api/process.hpp"
#include "base/text.hpp"

#include <nearpool/topology.h>

#include <cerrno>

using namespace nearpool;
using namespace nearpool::api;

namespace {

Done check_source(const near_topology_options &options) {
    switch (options.source) {
    case NEAR_TOPOLOGY_THIS_MACHINE:
        return options.text == nullptr ? Done() : fail(NEAR_E_INVALID, "this machine takes no text");
    case NEAR_TOPOLOGY_XML:
    case NEAR_TOPOLOGY_SYNTHETIC:
    case NEAR_TOPOLOGY_SYSFS:
        return options.text != nullptr && *options.text != '\0'
                   ? Done()
                   : fail(NEAR_E_INVALID, "text is %s; the source needs one",
                          options.text == nullptr ? "NULL" : "empty");
    default:
        return fail(NEAR_E_INVALID, "%d is no source of a topology (NEAR_TOPOLOGY_*)", options.source);
    }
}

Result<Ref<const Topology>> make_topology(const near_topology_options &options) {
    switch (options.source) {
    case NEAR_TOPOLOGY_XML:
        return Topology::from_xml(real_ports(), options.text);
    case NEAR_TOPOLOGY_SYNTHETIC:
        return Topology::from_synthetic(options.text);
    case NEAR_TOPOLOGY_SYSFS:
        return Topology::from_sysfs(real_ports(), options.text);
    default:
        return this_machine();
    }
}

near_topology_info info_of(const Topology &topology) {
    near_topology_info info{};
    info.this_machine = topology.this_machine() ? 1 : 0;
    info.synthetic_node = topology.synthetic_node() ? 1 : 0;
    info.node_count = static_cast<uint32_t>(topology.nodes().size());
    info.cpu_count = static_cast<uint32_t>(topology.cpus().size());
    info.allowed_cpus = static_cast<uint32_t>(topology.allowed_cpus().size());
    info.core_count = topology.counts().cores;
    info.package_count = topology.counts().packages;
    info.cache_count = topology.counts().caches;
    info.page_bytes = static_cast<uint32_t>(topology.page_bytes());
    info.memory_bytes = topology.memory_bytes();
    info.basis = topology.basis();
    copy_text(info.basis_text, topology.basis_text());
    copy_text(info.doubt, topology.doubt());
    return info;
}

near_node_info info_of(const Node &node) {
    near_node_info info{};
    info.node = node.number;
    info.package = node.package;
    info.cpu_count = static_cast<uint32_t>(node.cpus.size());
    info.allowed_cpus = static_cast<uint32_t>(node.allowed_cpus.size());
    info.memory_allowed = node.memory_allowed ? 1 : 0;
    info.memory_bytes = node.memory_bytes;
    info.memory_kind = node.memory.kind;
    info.kind_source = node.memory.source;
    info.memory_by_default = node.memory_by_default ? 1 : 0;
    info.nearest_with_cpus = node.nearest_with_cpus;
    info.memory_side_cache_bytes = node.memory_side_cache_bytes;
    return info;
}

// For functions that return a number and have nothing to say about an error.
const Topology *find_topology(const near_topology *handle, Ref<const Topology> &owner) noexcept {
    try {
        Result<Ref<const Topology>> found = topology_of(handle);
        if (found) {
            owner = found.take();
        }
    } catch (...) { // no memory to discover this machine
        return nullptr;
    }
    return owner.get();
}

} // namespace

extern "C" {

near_status near_topology_create(const near_topology_options *options, near_topology **topology, near_error *error) {
    return guarded("near_topology_create", error, [&]() -> Done {
        const Result<near_topology_options> read = read_struct(options, "near_topology_options");
        if (!read) {
            return read.error();
        }
        if (Done ok = check_source(read.value()); !ok) {
            return ok;
        }
        if (Done ok = check_pointer(topology, "topology"); !ok) {
            return ok;
        }
        Result<Ref<const Topology>> made = make_topology(read.value());
        if (!made) {
            return made.error();
        }
        *topology = const_cast<near_topology *>(handle_of(made.value().detach()));
        return {};
    });
}

const near_topology *near_topology_retain(const near_topology *topology) {
    if (topology != nullptr) {
        reinterpret_cast<const Topology *>(topology)->retain();
    }
    return topology;
}

void near_topology_release(const near_topology *topology) {
    if (topology != nullptr) {
        reinterpret_cast<const Topology *>(topology)->release();
    }
}

near_status near_topology_get_info(const near_topology *topology, near_topology_info *info) {
    return guarded([&]() -> Done {
        if (Done ok = check_output(info, "near_topology_info"); !ok) {
            return ok;
        }
        const Result<Ref<const Topology>> found = topology_of(topology);
        if (!found) {
            return found.error();
        }
        write_struct(info, info_of(*found.value()));
        return {};
    });
}

size_t near_topology_node_count(const near_topology *topology) {
    Ref<const Topology> owner;
    const Topology *found = find_topology(topology, owner);
    return found == nullptr ? 0 : found->nodes().size();
}

uint32_t near_topology_node_at(const near_topology *topology, size_t index) {
    Ref<const Topology> owner;
    const Topology *found = find_topology(topology, owner);
    return found == nullptr || index >= found->nodes().size() ? NEAR_NODE_UNKNOWN : found->nodes()[index].number;
}

near_status near_topology_node_info(const near_topology *topology, uint32_t node, near_node_info *info) {
    return guarded([&]() -> Done {
        if (Done ok = check_output(info, "near_node_info"); !ok) {
            return ok;
        }
        const Result<Ref<const Topology>> found = topology_of(topology);
        if (!found) {
            return found.error();
        }
        const Node *known = found.value()->node(node);
        if (known == nullptr) {
            return as_done(NEAR_E_NO_NODE);
        }
        write_struct(info, info_of(*known));
        return {};
    });
}
}
