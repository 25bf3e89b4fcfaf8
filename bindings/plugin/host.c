/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker-pool example as a plugin's host: not linked with nearpool, it opens the library at run time and calls
 * through the table of near_api_get(). It closes the library while it still uses the table, which is allowed.
 */
#define _GNU_SOURCE
#include "load.h"
#include <inttypes.h>

#define TASK_COUNT 100

static const near_api *near;
static uint64_t ran;
static uint64_t ran_on[TASK_COUNT]; /* 1 + the node of the worker that ran the task */

static near_status run_task(void *data) {
    uint64_t *where = data;
    uint32_t node = NEAR_NODE_UNKNOWN;
    if (near->numa_pool_current(NULL, &node, NULL) != NEAR_OK)
        return near->near_task_fail("the task is not on a worker");
    *where = 1 + (uint64_t)node;
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
    return NEAR_OK;
}

static bool submit_all(numa_pool *pool) {
    uint32_t nodes[256];
    size_t node_count = 0;
    near_status status = near->numa_pool_nodes(pool, nodes, 256, &node_count);
    for (size_t i = 0; status == NEAR_OK && i < TASK_COUNT; i++)
        status = near->numa_pool_submit(pool, nodes[i % node_count], run_task, &ran_on[i]);
    return status == NEAR_OK || complain("sending tasks", near->near_status_text(status));
}

static bool report(numa_pool *pool) {
    numa_pool_counts counts = {.struct_size = sizeof counts};
    near_status status = near->numa_pool_get_counts(pool, NEAR_NODE_UNKNOWN, &counts);
    if (status != NEAR_OK)
        return complain("asking for the counts", near->near_status_text(status));
    uint64_t marked = 0;
    for (size_t i = 0; i < TASK_COUNT; i++)
        marked += ran_on[i] != 0;
    printf("%" PRIu64 " tasks completed, %" PRIu64 " of them on their node\n", ran, counts.run_local);
    return (ran == TASK_COUNT && marked == TASK_COUNT && counts.run_local + counts.run_remote == TASK_COUNT) ||
           complain("counting the tasks", "not all ran");
}

static bool run_pool(void) {
    near_error why = {.struct_size = sizeof why};
    numa_pool_options options = {.struct_size = sizeof options, .workers_per_node = 2};
    numa_pool *pool = NULL;
    if (near->numa_pool_create(&options, &pool, &why) != NEAR_OK)
        return complain("making a pool", why.message);
    bool done = submit_all(pool);
    if (near->numa_pool_shutdown(pool, NEAR_FOREVER, NULL, &why) != NEAR_OK)
        done = complain("shutting down", why.message);
    done = done && report(pool);
    near->numa_pool_destroy(pool);
    return done;
}

/* A table of another ABI, or a longer one than the library's, is refused. */
static bool refuses_what_it_is_not(void *library) {
    near_api_get_fn entry = entry_of(library);
    return (entry(NEAR_ABI_MAJOR + 1, sizeof(near_api)) == NULL && entry(NEAR_ABI_MAJOR, near->size + 1) == NULL &&
            entry(NEAR_ABI_MAJOR, sizeof(size_t)) == near) ||
           complain("near_api_get", "gave a table that it does not have, or refused the one that it has");
}

/* After dlclose the library stays: the table goes on working, and a second dlopen gives the same one. */
static bool survives_close(void *library, const char *path) {
    uint32_t version = near->near_version();
    if (dlclose(library) != 0)
        return complain("dlclose", dlerror());
    if (near->near_version() != version || !run_pool())
        return complain("after dlclose", "the table no longer works");
    void *again = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return (again != NULL && table_of(again) == near) || complain("a second dlopen", "gave another table");
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "libnearpool.so";
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    near = table_of(library);
    if (near == NULL)
        return 1;
    printf("version %" PRIu32 ", %zu functions, %zu nodes\n", near->near_version(),
           (near->size - sizeof(size_t)) / sizeof(void (*)(void)), near->near_topology_node_count(NULL));
    if (!refuses_what_it_is_not(library) || !run_pool())
        return 1;
    ran = 0;
    memset(ran_on, 0, sizeof ran_on);
    return survives_close(library, path) ? 0 : 1;
}
