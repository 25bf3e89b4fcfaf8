// SPDX-License-Identifier: Apache-2.0
#include "api/boundary.hpp"
#include "api/handles.hpp"

#include <nearpool/stream_pool_work.h>

using namespace nearpool;
using namespace nearpool::api;

namespace {

Done check_pool(const stream_pool *pool, const char *name) {
    if (Done ok = check_pointer(pool, name); !ok) {
        return ok;
    }
    return check_alive(*pool_of(pool));
}

} // namespace

extern "C" {

near_status stream_pool_query(stream_pool *pool, uint64_t id, uint32_t *done, near_error *error) {
    return guarded("stream_pool_query", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (Done ok = check_pointer(done, "done"); !ok) {
            return ok;
        }
        if (Done ok = check_alive(*pool_of(pool)); !ok) {
            return ok;
        }
        bool is_done = false;
        Done asked = pool_of(pool)->query(id, &is_done);
        if (asked) {
            *done = is_done ? 1 : 0;
        }
        return asked;
    });
}

near_status stream_pool_synchronize(stream_pool *pool, uint64_t id, uint64_t timeout_ns, near_error *error) {
    return guarded("stream_pool_synchronize", error, [&]() -> Done {
        if (Done ok = check_pool(pool, "pool"); !ok) {
            return ok;
        }
        return pool_of(pool)->synchronize(id, timeout_ns);
    });
}

near_status stream_pool_wait_on(stream_pool *pool, uint64_t id, stream_pool *other, uint64_t other_id,
                                near_error *error) {
    return guarded("stream_pool_wait_on", error, [&]() -> Done {
        if (Done ok = check_pool(pool, "pool"); !ok) {
            return ok;
        }
        if (Done ok = check_pool(other, "other"); !ok) {
            return ok;
        }
        return pool_of(pool)->wait_on(id, *pool_of(other), other_id);
    });
}

near_status stream_pool_reserve(stream_pool *pool, uint64_t id, uint64_t bytes) {
    return guarded([&]() -> Done {
        if (Done ok = check_pool(pool, "pool"); !ok) {
            return ok;
        }
        return as_done(pool_of(pool)->reserve(id, bytes));
    });
}

near_status stream_pool_unreserve(stream_pool *pool, uint64_t id, uint64_t bytes) {
    return guarded([&]() -> Done {
        if (Done ok = check_pool(pool, "pool"); !ok) {
            return ok;
        }
        return as_done(pool_of(pool)->unreserve(id, bytes));
    });
}
}
