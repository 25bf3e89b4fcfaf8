// SPDX-License-Identifier: Apache-2.0
#include "api/boundary.hpp"
#include "api/default_pool.hpp"
#include "api/handles.hpp"
#include "api/pinned_caches.hpp"
#include "api/process.hpp"
#include "pools/numa/worker.hpp"

#include <nearpool/numa_pool_default.h>

#include <algorithm>

using namespace nearpool;
using namespace nearpool::api;

namespace {

NumberSet cpu_set(const uint32_t *cpus, std::size_t count) {
    return NumberSet(std::vector<uint32_t>(cpus, cpus + count));
}

Result<numa::PoolOptions> pool_options(const numa_pool_options &from) {
    if (Done ok = check_list(from.nodes, from.node_count, sizeof *from.nodes, "nodes"); !ok) {
        return ok.error();
    }
    if (Done ok = check_list(from.cpus, from.cpu_count, sizeof *from.cpus, "cpus"); !ok) {
        return ok.error();
    }
    if (Done ok = check_list(from.excluded_cpus, from.excluded_count, sizeof *from.excluded_cpus, "excluded_cpus");
        !ok) {
        return ok.error();
    }
    if (Done ok = check_flag(from.strict, "strict"); !ok) {
        return ok.error();
    }
    numa::PoolOptions options;
    options.request.steal_policy = from.steal_policy;
    options.request.workers_per_node = from.workers_per_node;
    options.request.core_kind = from.core_kind;
    options.request.strict = from.strict != 0;
    if (from.cpus != nullptr) {
        options.request.cpus = cpu_set(from.cpus, from.cpu_count);
    }
    options.request.excluded = cpu_set(from.excluded_cpus, from.excluded_count);
    options.queue_capacity = from.queue_capacity;
    options.spin_ns = from.spin_ns;
    options.steal_delay_ns = from.steal_delay_ns;
    options.thread_start = from.thread_start;
    options.thread_stop = from.thread_stop;
    options.user_data = from.user_data;
    options.pinned_limit_bytes = from.pinned_limit_bytes;
    options.memory_policy = from.memory_policy;
    return options;
}

// One more than there are is enough to find the one that is listed twice or does not exist, however long the list.
std::vector<uint32_t> listed_nodes(const numa_pool_options &from, const Topology &topology) {
    return {from.nodes, from.nodes + std::min(from.node_count, topology.nodes().size() + 1)};
}

} // namespace

extern "C" {

near_status numa_pool_create(const numa_pool_options *options, numa_pool **pool, near_error *error) {
    return guarded("numa_pool_create", error, [&]() -> Done {
        const Result<numa_pool_options> read = read_struct(options, "numa_pool_options");
        if (!read) {
            return read.error();
        }
        Result<numa::PoolOptions> wanted = pool_options(read.value());
        if (!wanted) {
            return wanted.error();
        }
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        Result<Ref<const Topology>> topology = topology_of(read.value().topology);
        if (!topology) {
            return topology.error();
        }
        wanted.value().request.nodes = listed_nodes(read.value(), *topology.value());
        Result<Ref<numa::Pool>> made = numa::Pool::create(real_ports(), crew(), topology.take(), wanted.value());
        if (!made) {
            return made.error();
        }
        *pool = handle_of(made.value().detach());
        return {};
    });
}

near_status numa_pool_default(numa_pool **pool, near_error *error) {
    return guarded("numa_pool_default", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        Result<numa::Pool *> known = default_pool();
        if (!known) {
            return known.error();
        }
        *pool = handle_of(known.value());
        return {};
    });
}

near_status numa_pool_limit_default(uint32_t workers, near_error *error) {
    return guarded("numa_pool_limit_default", error, [&] { return limit_default_pool(workers); });
}

void numa_pool_destroy(numa_pool *pool) {
    if (pool != nullptr && !pool_of(pool)->process_wide()) {
        const EndOfCaches end(pool_of(pool)); // first: a task may wait for memory
        pool_of(pool)->destroy();
    }
}

near_status numa_pool_shutdown(numa_pool *pool, uint64_t timeout_ns, uint64_t *left, near_error *error) {
    return guarded("numa_pool_shutdown", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        return pool_of(pool)->shutdown(timeout_ns, left);
    });
}

near_status numa_pool_current(numa_pool **pool, uint32_t *node, uint32_t *worker) {
    numa::Worker *current = numa::Worker::current();
    if (current == nullptr || current->pool().forked()) {
        return NEAR_E_WRONG_THREAD;
    }
    if (pool != nullptr) {
        *pool = handle_of(&current->pool());
    }
    if (node != nullptr) {
        *node = current->team().plan().node;
    }
    if (worker != nullptr) {
        *worker = current->index();
    }
    return NEAR_OK;
}

near_status numa_pool_alloc(numa_pool *pool, uint32_t node, size_t bytes, const near_region_options *options,
                            near_region **region, near_error *error) {
    return guarded("numa_pool_alloc", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        Result<near_region_options> read = read_struct(options, "near_region_options");
        if (!read) {
            return read.error();
        }
        if (options == nullptr) {
            read.value().prefault = NEAR_PREFAULT_ON_NODE;
        }
        if (Done ok = check_pointer(region, "region"); !ok) {
            return ok;
        }
        Result<std::unique_ptr<Region>> made = pool_of(pool)->allocate(node, bytes, read.value());
        if (!made) {
            return made.error();
        }
        *region = reinterpret_cast<near_region *>(made.value().release());
        return {};
    });
}

const near_topology *numa_pool_topology(const numa_pool *pool) {
    return pool != nullptr ? handle_of(&pool_of(pool)->topology()) : nullptr;
}
}
