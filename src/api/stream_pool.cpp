// SPDX-License-Identifier: Apache-2.0
#include "api/boundary.hpp"
#include "api/default_pool.hpp"
#include "api/handles.hpp"
#include "api/process.hpp"
#include "api/stream_budget.hpp"

#include <nearpool/stream_pool.h>

#include <array>

using namespace nearpool;
using namespace nearpool::api;

namespace {

constexpr std::array<const char *, 3> mode_names{"exclusive", "append-only", "shared"};
constexpr uint32_t most_slots = UINT32_C(1) << stream::slot_bits;

// The leases of the whole process: an id of one pool means nothing to another.
stream::Tickets &tickets() {
    static auto *const only = new stream::Tickets;
    return *only;
}

Done check_options(const stream_pool_options &from) {
    if (from.mode < STREAM_POOL_EXCLUSIVE || from.mode > STREAM_POOL_SHARED) {
        return fail(NEAR_E_INVALID, "mode is %d; it must be one of STREAM_POOL_EXCLUSIVE, _APPEND_ONLY, _SHARED",
                    from.mode);
    }
    if (from.max_streams > most_slots) {
        return fail(NEAR_E_INVALID, "max_streams is %u; it must be at most %u", from.max_streams, most_slots);
    }
    if (from.max_leases != 0 && from.mode != STREAM_POOL_SHARED) {
        return fail(NEAR_E_INVALID, "max_leases is %u; only a shared pool has more leases than streams",
                    from.max_leases);
    }
    if (from.max_leases > most_slots) {
        return fail(NEAR_E_INVALID, "max_leases is %u; it must be at most %u", from.max_leases, most_slots);
    }
    if (from.reserved != 0) {
        return fail(NEAR_E_INVALID, "reserved is %u; it must be 0", from.reserved);
    }
    return {};
}

Result<stream::Options> pool_options(const stream_pool_options *user) {
    const Result<stream_pool_options> read = read_struct(user, "stream_pool_options");
    if (!read) {
        return read.error();
    }
    const stream_pool_options &from = read.value();
    if (Done ok = check_options(from); !ok) {
        return ok.error();
    }
    stream::Options options;
    options.mode = from.mode;
    options.max_streams = from.max_streams != 0 ? from.max_streams : options.max_streams;
    options.max_leases = from.max_leases != 0 ? from.max_leases : options.max_leases;
    options.priority = from.priority;
    options.budget_bytes = from.budget_bytes != 0 ? from.budget_bytes : stream_budget();
    return options;
}

} // namespace

extern "C" {

near_status stream_pool_create(device_pool *devices, int32_t ordinal, const stream_pool_options *options,
                               stream_pool **pool, near_error *error) {
    return guarded("stream_pool_create", error, [&]() -> Done {
        const Result<stream::Options> wanted = pool_options(options);
        if (!wanted) {
            return wanted.error();
        }
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        const Result<device::Pool *> gpus = devices_or_default(devices);
        if (!gpus) {
            return gpus.error();
        }
        Result<Ref<stream::Pool>> made = stream::Pool::create(
            real_ports().futex, tickets(), Ref<device::Pool>::share(gpus.value()), ordinal, wanted.value());
        if (!made) {
            return made.error();
        }
        *pool = handle_of(made.value().detach());
        return {};
    });
}

void stream_pool_destroy(stream_pool *pool) {
    if (pool != nullptr) {
        pool_of(pool)->release();
    }
}

near_status stream_pool_acquire(stream_pool *pool, uint64_t *id) {
    if (pool == nullptr || id == nullptr) {
        return NEAR_E_INVALID;
    }
    if (pool_of(pool)->forked()) {
        return NEAR_E_FORKED;
    }
    return guarded([&] { return as_done(pool_of(pool)->acquire(id)); });
}

near_status stream_pool_release(stream_pool *pool, uint64_t id) {
    if (pool == nullptr) {
        return NEAR_E_INVALID;
    }
    if (pool_of(pool)->forked()) {
        return NEAR_E_FORKED;
    }
    return guarded([&] { return as_done(pool_of(pool)->give_back(id)); });
}

near_status stream_pool_resolve(const stream_pool *pool, uint64_t id, void **stream) {
    if (pool == nullptr || stream == nullptr) {
        return NEAR_E_INVALID;
    }
    if (pool_of(pool)->forked()) {
        return NEAR_E_FORKED;
    }
    cuda::CUstream known = nullptr;
    const Status status = pool_of(pool)->resolve(id, &known);
    if (status == NEAR_OK) {
        *stream = known;
    }
    return status;
}

near_status stream_pool_adopt(stream_pool *pool, void *stream, uint64_t *id, near_error *error) {
    return guarded("stream_pool_adopt", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (stream == nullptr) {
            return fail(NEAR_E_INVALID, "stream is NULL, the default stream; STREAM_POOL_DEFAULT is its id");
        }
        if (Done ok = check_pointer(id, "id"); !ok) {
            return ok;
        }
        if (Done ok = check_alive(*pool_of(pool)); !ok) {
            return ok;
        }
        return pool_of(pool)->adopt(static_cast<cuda::CUstream>(stream), id);
    });
}

near_status stream_pool_get_info(const stream_pool *pool, stream_pool_info *info) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (Done ok = check_output(info, "stream_pool_info"); !ok) {
            return ok;
        }
        if (Done ok = check_alive(*pool_of(pool)); !ok) {
            return ok;
        }
        write_struct(info, pool_of(pool)->info());
        return {};
    });
}

const char *stream_pool_mode_name(int32_t mode) {
    return mode >= 0 && mode <= STREAM_POOL_SHARED ? mode_names[static_cast<std::size_t>(mode)] : "unknown";
}
}
