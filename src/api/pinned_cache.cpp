// SPDX-License-Identifier: Apache-2.0
#include "api/default_pool.hpp"
#include "api/handles.hpp"
#include "api/pinned_caches.hpp"
#include "api/pinned_near.hpp"

#include <nearpool/pinned_cache.h>

using namespace nearpool;
using namespace nearpool::api;

namespace {

Done use_on(near_pinned *pinned, stream_pool *streams, uint64_t id) {
    if (Done ok = check_pointer(pinned, "pinned"); !ok) {
        return ok;
    }
    if (Done ok = check_pointer(streams, "streams"); !ok) {
        return ok;
    }
    if (Done ok = check_here(*block_of(pinned)); !ok) {
        return ok;
    }
    if (Done ok = check_alive(*pool_of(streams)); !ok) {
        return ok;
    }
    return pinned::cache_of(*block_of(pinned)).use(block_of(pinned), *pool_of(streams), id);
}

// The cache of both pools, if they have one yet.
Result<Ref<pinned::Cache>> cache_of_both(numa_pool *workers, device_pool *devices, uint32_t node) {
    if (Done ok = check_alive(*pool_of(workers)); !ok) {
        return ok.error();
    }
    const Result<device::Pool *> gpus = devices_or_default(devices);
    if (!gpus) {
        return gpus.error();
    }
    if (node != NEAR_NODE_UNKNOWN && gpus.value()->topology().node(node) == nullptr) {
        return fail(NEAR_E_NO_NODE, "node %u is not in this topology", node);
    }
    return known_cache(*pool_of(workers), *gpus.value());
}

} // namespace

extern "C" {

near_status near_pinned_used_on(near_pinned *pinned, stream_pool *streams, uint64_t id) {
    return guarded([&] { return use_on(pinned, streams, id); });
}

near_status near_pinned_free_after(near_pinned *pinned, stream_pool *streams, uint64_t id) {
    return guarded([&]() -> Done {
        Done used = use_on(pinned, streams, id);
        if (used) {
            near_pinned_free(pinned);
        }
        return used;
    });
}

near_status numa_pool_trim_pinned(numa_pool *pool, device_pool *devices, uint32_t node, size_t keep_bytes,
                                  size_t *freed_bytes, near_error *error) {
    return guarded("numa_pool_trim_pinned", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        const Result<Ref<pinned::Cache>> cache = cache_of_both(pool, devices, node);
        if (!cache) {
            return cache.error();
        }
        const std::size_t freed = cache.value() ? cache.value()->trim(node, keep_bytes) : 0;
        if (freed_bytes != nullptr) {
            *freed_bytes = freed;
        }
        return {};
    });
}

near_status numa_pool_pinned_stats(numa_pool *pool, device_pool *devices, uint32_t node, near_pinned_stats *stats,
                                   near_error *error) {
    return guarded("numa_pool_pinned_stats", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (Done ok = check_output(stats, "near_pinned_stats"); !ok) {
            return ok;
        }
        const Result<Ref<pinned::Cache>> cache = cache_of_both(pool, devices, node);
        if (!cache) {
            return cache.error();
        }
        write_struct(stats, cache.value() ? cache.value()->stats(node) : near_pinned_stats{});
        return {};
    });
}
}
