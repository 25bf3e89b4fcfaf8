// SPDX-License-Identifier: Apache-2.0
#include "api/boundary.hpp"
#include "api/handles.hpp"
#include "base/text.hpp"
#include "pools/numa/worker.hpp"

#include <nearpool/numa_pool_run.h>

using namespace nearpool;
using namespace nearpool::api;

namespace {

Done submit_all(numa::Pool &pool, uint32_t node, const near_task *tasks, std::size_t count, numa::Group *group) {
    std::vector<numa::Item> items;
    items.reserve(count);
    for (std::size_t i = 0; i < count; i++) {
        if (tasks[i].run == nullptr) {
            return as_done(NEAR_E_INVALID);
        }
        items.push_back(numa::Item{tasks[i].run, tasks[i].discard, tasks[i].user_data, group});
    }
    return as_done(pool.submit(node, items.data(), items.size(), group));
}

} // namespace

extern "C" {

near_status near_task_fail(const char *text) {
    numa::Frame *frame = numa::Worker::current_frame();
    if (frame != nullptr) {
        frame->has_failure = true;
        copy_text(frame->failure, text != nullptr ? text : status_text(NEAR_E_TASK));
    }
    return NEAR_E_TASK;
}

near_status numa_pool_submit(numa_pool *pool, uint32_t node, numa_pool_task_fn run, void *user_data) {
    if (pool == nullptr || run == nullptr) {
        return NEAR_E_INVALID;
    }
    return guarded([&] {
        const numa::Item item{run, nullptr, user_data, nullptr};
        return as_done(pool_of(pool)->submit(node, &item, 1, nullptr));
    });
}

near_status numa_pool_submit_tasks(numa_pool *pool, uint32_t node, const near_task *tasks, size_t task_count,
                                   numa_pool_group *group) {
    if (pool == nullptr || (tasks == nullptr && task_count != 0)) {
        return NEAR_E_INVALID;
    }
    if (group != nullptr && &group_of(group)->pool() != pool_of(pool)) {
        return NEAR_E_INVALID;
    }
    return guarded([&]() -> Done {
        if (Done ok = check_count(task_count, sizeof *tasks, "tasks"); !ok) {
            return ok;
        }
        return submit_all(*pool_of(pool), node, tasks, task_count, group_of(group));
    });
}

near_status numa_pool_parallel_for(numa_pool *pool, size_t begin, size_t end, size_t grain, numa_pool_range_fn body,
                                   void *user_data, near_error *error) {
    return guarded("numa_pool_parallel_for", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (begin > end) {
            return fail(NEAR_E_INVALID, "begin %zu is greater than end %zu", begin, end);
        }
        if (body == nullptr) {
            return fail(NEAR_E_INVALID, "body is NULL");
        }
        return pool_of(pool)->parallel_for(begin, end, grain, body, user_data);
    });
}

near_status numa_pool_wait_idle(numa_pool *pool, uint64_t timeout_ns, near_error *error) {
    return guarded("numa_pool_wait_idle", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        return pool_of(pool)->wait_idle(timeout_ns);
    });
}
}
