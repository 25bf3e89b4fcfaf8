// SPDX-License-Identifier: Apache-2.0
#include "api/default_pool.hpp"
#include "api/handles.hpp"
#include "api/pinned_near.hpp"

#include <nearpool/pinned_request.h>

using namespace nearpool;
using namespace nearpool::api;

namespace {

Done check_here(const pinned::Request &request) {
    return request.stock.cache().forked() ? fail(NEAR_E_FORKED, "the request was made in the parent of this process")
                                          : Done();
}

Done check_task(const near_task *task) {
    if (task == nullptr || task->run == nullptr) {
        return fail(NEAR_E_INVALID, "%s is NULL", task == nullptr ? "task" : "the task's run");
    }
    return {};
}

} // namespace

extern "C" {

near_status numa_pool_request_pinned(numa_pool *pool, device_pool *devices, int32_t ordinal, size_t bytes,
                                     const near_pinned_options *options, near_pinned_request **request,
                                     near_error *error) {
    return guarded("numa_pool_request_pinned", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        const Result<pinned::Wish> wish = wish_for(*pool_of(pool), pinned::wish_of(bytes, options));
        if (!wish) {
            return wish.error();
        }
        if (Done ok = check_pointer(request, "request"); !ok) {
            return ok;
        }
        const Result<Ref<pinned::Cache>> cache = cache_near(pool, devices, ordinal);
        if (!cache) {
            return cache.error();
        }
        Result<Ref<pinned::Request>> made = cache.value()->request(ordinal, wish.value());
        if (!made) {
            return made.error();
        }
        *request = handle_of(made.value().detach());
        return {};
    });
}

near_status near_pinned_request_wait(near_pinned_request *request, uint64_t timeout_ns, near_pinned **pinned,
                                     near_error *error) {
    return guarded("near_pinned_request_wait", error, [&]() -> Done {
        if (Done ok = check_pointer(request, "request"); !ok) {
            return ok;
        }
        if (Done ok = check_pointer(pinned, "pinned"); !ok) {
            return ok;
        }
        if (Done ok = check_here(*request_of(request)); !ok) {
            return ok;
        }
        const Result<pinned::Block *> block = request_of(request)->wait(timeout_ns);
        if (!block) {
            return block.error();
        }
        *pinned = handle_of(block.value());
        return {};
    });
}

near_status near_pinned_request_then(near_pinned_request *request, numa_pool *workers, uint32_t node,
                                     const near_task *task, numa_pool_group *group, near_error *error) {
    return guarded("near_pinned_request_then", error, [&]() -> Done {
        if (Done ok = check_pointer(request, "request"); !ok) {
            return ok;
        }
        if (Done ok = check_task(task); !ok) {
            return ok;
        }
        if (Done ok = check_here(*request_of(request)); !ok) {
            return ok;
        }
        const Result<numa::Pool *> pool = pool_or_default(workers);
        if (!pool) {
            return pool.error();
        }
        if (group != nullptr && &group_of(group)->pool() != pool.value()) {
            return fail(NEAR_E_INVALID, "the group is of another pool");
        }
        // The task may be discarded once it is accepted, and destroy the request.
        const Ref<pinned::Request> kept = Ref<pinned::Request>::share(request_of(request));
        std::list<Ref<numa::Promise>> promise(1); // what comes after it was accepted cannot fail
        const numa::Item item{task->run, task->discard, task->user_data, group_of(group)};
        if (const Status status = pool.value()->promise(node, item, promise.front()); status != NEAR_OK) {
            return fail(status, "the workers take no task: %s", status_text(status));
        }
        kept->then(std::move(promise));
        return {};
    });
}

near_status near_pinned_request_progress(const near_pinned_request *request, near_pinned_progress *progress) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(request, "request"); !ok) {
            return ok;
        }
        if (Done ok = check_output(progress, "near_pinned_progress"); !ok) {
            return ok;
        }
        if (Done ok = check_here(*request_of(request)); !ok) {
            return ok;
        }
        write_struct(progress, request_of(request)->progress());
        return {};
    });
}

near_status near_pinned_request_cancel(near_pinned_request *request) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(request, "request"); !ok) {
            return ok;
        }
        if (Done ok = check_here(*request_of(request)); !ok) {
            return ok;
        }
        return as_done(request_of(request)->cancel() ? NEAR_OK : NEAR_E_STALE);
    });
}

void near_pinned_request_destroy(near_pinned_request *request) {
    if (request != nullptr && !request_of(request)->stock.cache().forked()) {
        request_of(request)->cancel();
        request_of(request)->leave();
        request_of(request)->release();
    }
}
}
