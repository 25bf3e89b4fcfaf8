// SPDX-License-Identifier: Apache-2.0
#include "api/boundary.hpp"
#include "api/handles.hpp"

#include <nearpool/numa_pool_group.h>

using namespace nearpool;
using namespace nearpool::api;

namespace {

Done check_group(numa_pool_group *group) {
    if (Done ok = check_pointer(group, "group"); !ok) {
        return ok;
    }
    if (group_of(group)->pool().forked()) {
        return fail(NEAR_E_FORKED, "the pool was made in the parent of this process");
    }
    return {};
}

} // namespace

extern "C" {

near_status numa_pool_group_create(numa_pool *pool, numa_pool_group **group, near_error *error) {
    return guarded("numa_pool_group_create", error, [&]() -> Done {
        if (Done ok = check_pointer(pool, "pool"); !ok) {
            return ok;
        }
        if (Done ok = check_pointer(group, "group"); !ok) {
            return ok;
        }
        if (pool_of(pool)->forked()) {
            return fail(NEAR_E_FORKED, "the pool was made in the parent of this process");
        }
        *group = reinterpret_cast<numa_pool_group *>(new numa::Group(Ref<numa::Pool>::share(pool_of(pool))));
        return {};
    });
}

void numa_pool_group_destroy(numa_pool_group *group) {
    if (group != nullptr) {
        group_of(group)->drop();
    }
}

near_status numa_pool_group_submit(numa_pool_group *group, uint32_t node, numa_pool_task_fn run, void *user_data) {
    const near_task task{run, nullptr, user_data};
    if (group == nullptr) {
        return NEAR_E_INVALID;
    }
    return numa_pool_submit_tasks(handle_of(&group_of(group)->pool()), node, &task, 1, group);
}

near_status numa_pool_group_wait(numa_pool_group *group, uint64_t timeout_ns, near_error *error) {
    return guarded("numa_pool_group_wait", error, [&]() -> Done {
        if (Done ok = check_group(group); !ok) {
            return ok;
        }
        return group_of(group)->wait(timeout_ns);
    });
}

near_status numa_pool_group_cancel(numa_pool_group *group) {
    return guarded([&]() -> Done {
        if (Done ok = check_group(group); !ok) {
            return ok;
        }
        group_of(group)->cancel();
        return {};
    });
}

near_status numa_pool_group_get_counts(numa_pool_group *group, numa_pool_group_counts *counts) {
    return guarded([&]() -> Done {
        if (Done ok = check_pointer(group, "group"); !ok) {
            return ok;
        }
        if (Done ok = check_output(counts, "numa_pool_group_counts"); !ok) {
            return ok;
        }
        if (Done ok = check_group(group); !ok) {
            return ok;
        }
        write_struct(counts, group_of(group)->counts());
        return {};
    });
}
}
