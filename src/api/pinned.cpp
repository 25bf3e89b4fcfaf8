// SPDX-License-Identifier: Apache-2.0
#include "api/pinned_near.hpp"

#include "api/boundary.hpp"
#include "api/default_pool.hpp"
#include "api/handles.hpp"
#include "api/pinned_caches.hpp"

using namespace nearpool;
using namespace nearpool::api;

Result<pinned::Wish> nearpool::api::wish_for(const numa::Pool &workers, Result<pinned::Wish> wish) {
    if (wish && workers.options().request.strict) {
        wish.value().strict = true;
    }
    return wish;
}

Result<Ref<pinned::Cache>> nearpool::api::cache_near(numa_pool *workers, device_pool *devices, int32_t ordinal) {
    if (Done ok = check_alive(*pool_of(workers)); !ok) {
        return ok.error();
    }
    const Result<device::Pool *> gpus = devices_or_default(devices);
    if (!gpus) {
        return gpus.error();
    }
    if (&pool_of(workers)->topology() != &gpus.value()->topology()) {
        return fail(NEAR_E_TOPOLOGY, "the workers and the GPUs are pools on different topologies");
    }
    if (gpus.value()->find(ordinal) == nullptr) {
        return gpus.value()->no_device(ordinal);
    }
    return cache_for(*pool_of(workers), *gpus.value());
}

namespace {

// Gives the caller the block that get(cache) gets, when all arguments are right.
template <class Get>
Done hand_out(numa_pool *pool, device_pool *devices, int32_t ordinal, const Result<pinned::Wish> &wish,
              near_pinned **pinned, Get &&get) {
    if (!wish) {
        return wish.error();
    }
    if (Done ok = check_pointer(pinned, "pinned"); !ok) {
        return ok;
    }
    const Result<Ref<pinned::Cache>> cache = cache_near(pool, devices, ordinal);
    if (!cache) {
        return cache.error();
    }
    const Result<pinned::Block *> block = get(*cache.value());
    if (!block) {
        return block.error();
    }
    *pinned = handle_of(block.value());
    return {};
}

} // namespace

extern "C" {

near_status numa_pool_alloc_pinned(numa_pool *pool, device_pool *devices, int32_t ordinal, size_t bytes,
                                   const near_pinned_options *options, near_pinned **pinned, near_error *error) {
    return guarded("numa_pool_alloc_pinned", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        const Result<pinned::Wish> wish = wish_for(*pool_of(pool), pinned::wish_of(bytes, options));
        return hand_out(pool, devices, ordinal, wish, pinned,
                        [&](pinned::Cache &cache) { return cache.allocate(ordinal, wish.value()); });
    });
}

near_status numa_pool_adopt_pinned(numa_pool *pool, device_pool *devices, int32_t ordinal, void *data, size_t bytes,
                                   const near_pinned_options *options, near_pinned **pinned, near_error *error) {
    return guarded("numa_pool_adopt_pinned", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (Done ok = check_pointer(data, "data"); !ok) {
            return ok;
        }
        const Result<pinned::Wish> wish = wish_for(*pool_of(pool), pinned::adoption_of(data, bytes, options));
        return hand_out(pool, devices, ordinal, wish, pinned, [&](pinned::Cache &cache) {
            return cache.adopt(ordinal, static_cast<char *>(data), wish.value());
        });
    });
}

// In a child the memory is not there, and locks may be taken for ever.
void near_pinned_free(near_pinned *pinned) {
    if (pinned != nullptr && !pinned::cache_of(*block_of(pinned)).forked()) {
        pinned::cache_of(*block_of(pinned)).give(block_of(pinned));
    }
}

void *near_pinned_data(const near_pinned *pinned) {
    return pinned != nullptr ? block_of(pinned)->data : nullptr;
}

size_t near_pinned_bytes(const near_pinned *pinned) {
    return pinned != nullptr ? block_of(pinned)->use.requested : 0;
}
}
