// SPDX-License-Identifier: Apache-2.0
#include "api/boundary.hpp"
#include "api/handles.hpp"
#include "base/text.hpp"

#include <nearpool/numa_pool_stats.h>

using namespace nearpool;
using namespace nearpool::api;

namespace {

static_assert(sizeof numa_pool_info::first_failure == numa::failure_capacity &&
              sizeof numa_pool_info::last_failure == numa::failure_capacity);

numa_pool_info info_of(numa::Pool &pool) {
    numa_pool_info info{};
    const Enforcement enforcement = pool.enforcement();
    info.steal_policy = pool.options().request.steal_policy;
    info.node_count = static_cast<uint32_t>(pool.plan().nodes.size());
    for (const numa::PlannedTeam &team : pool.plan().teams) {
        info.worker_count += team.workers;
    }
    info.strict = pool.options().request.strict ? 1 : 0;
    info.level = enforcement.level;
    info.reason_code = enforcement.reason;
    copy_text(info.reason, enforcement.text);
    info.memory_policy = pool.options().memory_policy;
    copy_text(info.inherited_policy, pool.inherited_policy());
    const numa::LooseFailures::Known failures = pool.loose_failures().known();
    info.loose_failures = failures.count;
    copy_text(info.first_failure, failures.first);
    copy_text(info.last_failure, failures.last);
    return info;
}

numa_pool_node_info node_info_of(numa::Pool &pool, std::size_t index) {
    numa_pool_node_info info{};
    const numa::PlannedNode &node = pool.plan().nodes[index];
    const numa::PlannedTeam &team = pool.plan().teams[node.team];
    const Enforcement enforcement = pool.node_enforcement(index);
    info.node = node.number;
    info.serving_node = team.node;
    info.worker_count = team.node == node.number ? team.workers : 0;
    info.package = node.package;
    info.level = enforcement.level;
    info.reason_code = enforcement.reason;
    copy_text(info.reason, enforcement.text);
    return info;
}

} // namespace

extern "C" {

near_status numa_pool_get_info(numa_pool *pool, numa_pool_info *info) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (Done ok = check_output(info, "numa_pool_info"); !ok) {
            return ok;
        }
        write_struct(info, info_of(*pool_of(pool)));
        return {};
    });
}

near_status numa_pool_nodes(const numa_pool *pool, uint32_t *nodes, size_t capacity, size_t *needed) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (Done ok = check_output_list(nodes, capacity, needed, "nodes"); !ok) {
            return ok;
        }
        std::vector<uint32_t> numbers;
        for (const numa::PlannedNode &node : pool_of(pool)->plan().nodes) {
            numbers.push_back(node.number);
        }
        return write_list(numbers, nodes, capacity, needed, "nodes");
    });
}

near_status numa_pool_get_node_info(numa_pool *pool, uint32_t node, numa_pool_node_info *info) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        const std::optional<std::size_t> index = pool_of(pool)->plan().find(node);
        if (!index) {
            return as_done(NEAR_E_NO_NODE);
        }
        if (Done ok = check_output(info, "numa_pool_node_info"); !ok) {
            return ok;
        }
        write_struct(info, node_info_of(*pool_of(pool), *index));
        return {};
    });
}

near_status numa_pool_get_counts(numa_pool *pool, uint32_t node, numa_pool_counts *counts) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        const std::optional<std::size_t> index = pool_of(pool)->plan().find(node);
        if (!index && node != NEAR_NODE_UNKNOWN) {
            return as_done(NEAR_E_NO_NODE);
        }
        if (Done ok = check_output(counts, "numa_pool_counts"); !ok) {
            return ok;
        }
        write_struct(counts, pool_of(pool)->counts(index));
        return {};
    });
}

near_status numa_pool_get_steals(numa_pool *pool, uint64_t *matrix, size_t capacity, size_t *needed) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (Done ok = check_output_list(matrix, capacity, needed, "matrix"); !ok) {
            return ok;
        }
        return write_list(pool_of(pool)->steals(), matrix, capacity, needed, "matrix");
    });
}

const char *numa_pool_steal_policy_name(int32_t steal_policy) {
    return numa::steal_policy_name(steal_policy);
}

const char *numa_pool_memory_policy_name(int32_t memory_policy) {
    return numa::memory_policy_name(memory_policy);
}
}
