// SPDX-License-Identifier: Apache-2.0
#include "api/boundary.hpp"
#include "api/process.hpp"

#include <nearpool/topology_memory.h>

using namespace nearpool;
using namespace nearpool::api;

extern "C" {

near_status near_topology_initiators(const near_topology *topology, uint32_t node, uint32_t *nodes, size_t capacity,
                                     size_t *needed) {
    return guarded([&]() -> Done {
        if (Done ok = check_output_list(nodes, capacity, needed, "nodes"); !ok) {
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
        const std::vector<uint32_t> list(known->initiators.begin(), known->initiators.end());
        return write_list(list, nodes, capacity, needed, "nodes");
    });
}

near_status near_topology_memory_nodes(const near_topology *topology, uint32_t *nodes, size_t capacity,
                                       size_t *needed) {
    return guarded([&]() -> Done {
        if (Done ok = check_output_list(nodes, capacity, needed, "nodes"); !ok) {
            return ok;
        }
        const Result<Ref<const Topology>> found = topology_of(topology);
        return found ? write_list(found.value()->default_memory_nodes(), nodes, capacity, needed, "nodes")
                     : Done(found.error());
    });
}

near_status near_topology_best_memory(const near_topology *topology, uint32_t from, int32_t by, uint32_t *node) {
    return guarded([&]() -> Done {
        if (by < NEAR_BEST_BANDWIDTH || by > NEAR_BEST_CAPACITY) {
            return as_done(NEAR_E_INVALID);
        }
        if (Done ok = check_pointer(node, "node"); !ok) {
            return ok;
        }
        const Result<Ref<const Topology>> found = topology_of(topology);
        if (!found) {
            return found.error();
        }
        if (found.value()->node(from) == nullptr) {
            return as_done(NEAR_E_NO_NODE);
        }
        *node = found.value()->best_memory(from, by);
        return {};
    });
}

const char *near_memory_kind_name(int32_t kind) {
    return memory_kind_name(kind);
}

const char *near_memory_kind_source_name(int32_t source) {
    return memory_kind_source_name(source);
}

const char *near_core_kind_name(int32_t kind) {
    return core_kind_name(kind);
}
}
