/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two copies of nearpool in one process, as when two plugins each bring their own: the first opened RTLD_GLOBAL, which
 * offers its functions to whatever is loaded later, the second RTLD_LOCAL. Each must call its own code and keep its own
 * state. usage: two_copies FIRST SECOND
 */
#define _GNU_SOURCE
#include "load.h"
#include <inttypes.h>
#include <stdlib.h>

#define TASK_COUNT 100

struct copy {
    const char *name;
    const char *path;
    void *library;
    const near_api *near;
    numa_pool *pool;
    uint64_t messages;
    uint64_t ran;
};

static bool open_copy(struct copy *copy, int flags) {
    copy->library = dlopen(copy->path, RTLD_NOW | flags);
    copy->near = table_of(copy->library);
    return copy->near != NULL;
}

/* Every function of a copy's table is in that copy's file. */
static bool functions_are_its_own(const struct copy *copy) {
    size_t count = (copy->near->size - sizeof(size_t)) / sizeof(void *);
    for (size_t i = 0; i < count; i++) {
        Dl_info found = {0};
        void *function = NULL;
        memcpy(&function, (const char *)copy->near + sizeof(size_t) + i * sizeof function, sizeof function);
        if (dladdr(function, &found) == 0 || strcmp(found.dli_fname, copy->path) != 0) {
            fprintf(stderr, "function %zu (%s) of %s is in %s\n", i, found.dli_sname != NULL ? found.dli_sname : "?",
                    copy->path, found.dli_fname != NULL ? found.dli_fname : "no file");
            return false;
        }
    }
    printf("%s copy: %zu functions, all its own\n", copy->name, count);
    return true;
}

static void count_message(int32_t level, const char *message, void *data) {
    (void)level;
    (void)message;
    __atomic_fetch_add((uint64_t *)data, 1, __ATOMIC_RELAXED);
}

static bool listen_to(struct copy *copy) {
    return copy->near->near_log_set_callback(count_message, &copy->messages, NEAR_LOG_DEBUG) == NEAR_OK;
}

/* A region and a pool made and destroyed: things that the library logs at the level debug. */
static bool make_noise(const struct copy *copy) {
    near_error why = {.struct_size = sizeof why};
    near_region_options how = {.struct_size = sizeof how, .prefault = NEAR_PREFAULT_HERE};
    near_region *region = NULL;
    numa_pool *pool = NULL;
    if (copy->near->near_region_create(NULL, 65536, &how, &region, &why) != NEAR_OK ||
        copy->near->numa_pool_create(NULL, &pool, &why) != NEAR_OK)
        return complain("making a region and a pool", why.message);
    copy->near->near_region_destroy(region);
    copy->near->numa_pool_destroy(pool);
    return true;
}

/* Messages of a copy go to the callback that was set in it, and to no other. */
static bool logs_are_its_own(struct copy *self, const struct copy *other) {
    uint64_t before = self->messages;
    uint64_t before_of_other = other->messages;
    if (!make_noise(self))
        return false;
    printf("%s copy: %" PRIu64 " messages to its own callback, %" PRIu64 " to the other's\n", self->name,
           self->messages - before, other->messages - before_of_other);
    return (self->messages > before && other->messages == before_of_other) ||
           complain(self->path, "its messages did not go to its own callback alone");
}

/* A worker of one copy is no worker for the other. */
static const struct copy *copies;

static near_status run_task(void *data) {
    struct copy *self = data;
    const struct copy *other = self == &copies[0] ? &copies[1] : &copies[0];
    numa_pool *pool = NULL;
    if (self->near->numa_pool_current(&pool, NULL, NULL) != NEAR_OK || pool != self->pool)
        return self->near->near_task_fail("the copy does not know its own worker");
    if (other->near->numa_pool_current(NULL, NULL, NULL) != NEAR_E_WRONG_THREAD)
        return self->near->near_task_fail("the other copy takes this worker for its own");
    __atomic_fetch_add(&self->ran, 1, __ATOMIC_RELAXED);
    return NEAR_OK;
}

static bool run_default_pool(struct copy *copy) {
    near_error why = {.struct_size = sizeof why};
    if (copy->near->numa_pool_default(&copy->pool, &why) != NEAR_OK)
        return complain("asking for the default pool", why.message);
    for (size_t i = 0; i < TASK_COUNT; i++) {
        near_status status = copy->near->numa_pool_submit(copy->pool, NUMA_POOL_NODE_LOCAL, run_task, copy);
        if (status != NEAR_OK)
            return complain("sending a task", copy->near->near_status_text(status));
    }
    if (copy->near->numa_pool_wait_idle(copy->pool, NEAR_FOREVER, &why) != NEAR_OK)
        return complain("waiting", why.message);
    printf("%s copy: %" PRIu64 " tasks on its default pool\n", copy->name, copy->ran);
    return copy->ran == TASK_COUNT || complain(copy->path, "not every task ran on a worker of its own");
}

static bool check(struct copy both[2]) {
    return functions_are_its_own(&both[0]) && functions_are_its_own(&both[1]) && listen_to(&both[0]) &&
           listen_to(&both[1]) && logs_are_its_own(&both[0], &both[1]) && logs_are_its_own(&both[1], &both[0]) &&
           run_default_pool(&both[0]) && run_default_pool(&both[1]) &&
           (both[0].pool != both[1].pool || complain("the default pool", "both copies have the same"));
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: two_copies FIRST SECOND (two files)\n");
        return 2;
    }
    struct copy both[2] = {{.name = "first", .path = argv[1]}, {.name = "second", .path = argv[2]}};
    copies = both;
    if (!open_copy(&both[0], RTLD_GLOBAL) || !open_copy(&both[1], RTLD_LOCAL))
        return 1;
    if (both[0].near == both[1].near)
        return complain("opening two copies", "both have the same table: they are the same file") ? 0 : 1;
    bool good = check(both);
    /* The default pools' workers live on; what they would report goes nowhere. */
    for (size_t i = 0; i < 2; i++)
        if (both[i].near->near_log_set_callback(NULL, NULL, NEAR_LOG_NONE) != NEAR_OK)
            good = complain(both[i].path, "the log callback could not be taken back");
    return good ? 0 : 1;
}
