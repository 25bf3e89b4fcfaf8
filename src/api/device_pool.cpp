// SPDX-License-Identifier: Apache-2.0
#include "api/boundary.hpp"
#include "api/default_pool.hpp"
#include "api/handles.hpp"
#include "api/pinned_caches.hpp"
#include "api/process.hpp"

#include <nearpool/device_pool.h>

#include <algorithm>

using namespace nearpool;
using namespace nearpool::api;

namespace {

// A list that names no device twice ends before this many: no machine has so many, and looking at all of a longer one
// could leave its memory.
constexpr std::size_t most_ordinals = 4096;

Result<std::vector<int32_t>> listed_ordinals(const device_pool_options &from) {
    const std::size_t count = std::min(from.ordinal_count, most_ordinals);
    std::vector<int32_t> ordinals(from.ordinals, from.ordinals + count);
    std::vector<int32_t> sorted = ordinals;
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice != sorted.end()) {
        return fail(NEAR_E_INVALID, "device %d is listed twice", *twice);
    }
    return ordinals;
}

Result<device::Options> pool_options(const device_pool_options &from) {
    if (Done ok = check_flag(from.strict, "strict"); !ok) {
        return ok.error();
    }
    if (Done ok = check_list(from.ordinals, from.ordinal_count, sizeof *from.ordinals, "ordinals"); !ok) {
        return ok.error();
    }
    if (Done ok = check_flag(from.own_contexts, "own_contexts"); !ok) {
        return ok.error();
    }
    if (from.reserved != 0) {
        return fail(NEAR_E_INVALID, "reserved is %u; it must be 0", from.reserved);
    }
    Result<std::vector<int32_t>> ordinals = listed_ordinals(from);
    if (!ordinals) {
        return ordinals.error();
    }
    device::Options options;
    options.ordinals = ordinals.take();
    options.strict = from.strict != 0;
    options.own_contexts = from.own_contexts != 0;
    return options;
}

Done give_context(device::Device &device, void **context) {
    const Result<cuda::CUcontext> known = device.context();
    if (!known) {
        return known.error();
    }
    *context = known.value();
    return {};
}

} // namespace

extern "C" {

near_status device_pool_create(const device_pool_options *options, device_pool **pool, near_error *error) {
    return guarded("device_pool_create", error, [&]() -> Done {
        const Result<device_pool_options> read = read_struct(options, "device_pool_options");
        if (!read) {
            return read.error();
        }
        const Result<device::Options> wanted = pool_options(read.value());
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
        Result<Ref<device::Pool>> made = device::Pool::create(gpu_loader(), topology.take(), wanted.value());
        if (!made) {
            return made.error();
        }
        *pool = handle_of(made.value().detach());
        return {};
    });
}

near_status device_pool_default(device_pool **pool, near_error *error) {
    return guarded("device_pool_default", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        const Result<device::Pool *> known = devices_or_default(nullptr);
        if (!known) {
            return known.error();
        }
        *pool = handle_of(known.value());
        return {};
    });
}

void device_pool_destroy(device_pool *pool) {
    if (pool != nullptr && !pool_of(pool)->process_wide()) {
        const EndOfCaches end(pool_of(pool));
        pool_of(pool)->release();
    }
}

size_t device_pool_count(const device_pool *pool) {
    return pool != nullptr ? pool_of(pool)->devices().size() : 0;
}

near_status device_pool_at(const device_pool *pool, size_t index, int32_t *ordinal) {
    if (pool == nullptr || index >= pool_of(pool)->devices().size() || ordinal == nullptr) {
        return NEAR_E_INVALID;
    }
    *ordinal = pool_of(pool)->devices()[index]->facts().ordinal;
    return NEAR_OK;
}

near_status device_pool_next(device_pool *pool, int32_t *ordinal) {
    if (pool == nullptr || ordinal == nullptr) {
        return NEAR_E_INVALID;
    }
    if (pool_of(pool)->forked()) {
        return NEAR_E_FORKED;
    }
    *ordinal = pool_of(pool)->next();
    return NEAR_OK;
}

near_status device_pool_context(device_pool *pool, int32_t ordinal, void **context, near_error *error) {
    return guarded("device_pool_context", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (Done ok = check_pointer(context, "context"); !ok) {
            return ok;
        }
        if (Done ok = check_alive(*pool_of(pool)); !ok) {
            return ok;
        }
        device::Device *device = pool_of(pool)->find(ordinal);
        return device != nullptr ? give_context(*device, context) : Done(pool_of(pool)->no_device(ordinal));
    });
}

near_status device_pool_context_at(device_pool *pool, size_t index, void **context, near_error *error) {
    return guarded("device_pool_context_at", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        const auto &devices = pool_of(pool)->devices();
        if (index >= devices.size()) {
            return fail(NEAR_E_INVALID, "index is %zu; the pool has %zu devices", index, devices.size());
        }
        if (Done ok = check_pointer(context, "context"); !ok) {
            return ok;
        }
        if (Done ok = check_alive(*pool_of(pool)); !ok) {
            return ok;
        }
        return give_context(*devices[index], context);
    });
}

near_status device_pool_push(device_pool *pool, int32_t ordinal, near_error *error) {
    return guarded("device_pool_push", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (Done ok = check_alive(*pool_of(pool)); !ok) {
            return ok;
        }
        device::Device *device = pool_of(pool)->find(ordinal);
        return device != nullptr ? device::push_current(*device) : Done(pool_of(pool)->no_device(ordinal));
    });
}

near_status device_pool_pop(near_error *error) {
    return guarded("device_pool_pop", error, [] { return device::pop_current(); });
}
}
