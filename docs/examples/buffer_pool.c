/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers on every node, used by the workers of that node: a task takes a buffer of the node on which it runs, fills
 * it, checks it and gives it back. A worker holds one buffer at most, so a buffer per worker is always enough.
 */
#include <inttypes.h>
#include <nearpool/nearpool.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TASKS_PER_NODE 500
#define BUFFER_WORDS ((size_t)8192)
#define BUFFER_BYTES (BUFFER_WORDS * sizeof(uint64_t))

/* The buffers of one node, all in one region there. */
struct buffers {
    uint32_t node;
    uint32_t worker_count;
    near_region *region;
    pthread_mutex_t lock;
    uint64_t **free; /* a stack */
    size_t free_count;
    size_t fewest_free;
    uint64_t lent_count;
};

struct example {
    numa_pool *pool;
    struct buffers *nodes;
    size_t node_count;
    numa_pool_group *group;
    near_error why;
};

static struct example self = {.why = {.struct_size = sizeof self.why}};

static bool failed(const char *why) {
    fflush(stdout);
    fprintf(stderr, "buffer_pool: %s\n", why);
    return false;
}

static uint64_t *take(struct buffers *buffers) {
    uint64_t *taken = NULL;
    pthread_mutex_lock(&buffers->lock);
    if (buffers->free_count > 0) {
        taken = buffers->free[--buffers->free_count];
        buffers->lent_count++;
        if (buffers->free_count < buffers->fewest_free)
            buffers->fewest_free = buffers->free_count;
    }
    pthread_mutex_unlock(&buffers->lock);
    return taken;
}

static void give_back(struct buffers *buffers, uint64_t *taken) {
    pthread_mutex_lock(&buffers->lock);
    buffers->free[buffers->free_count++] = taken;
    pthread_mutex_unlock(&buffers->lock);
}

/* The buffers of the node whose worker the caller is. */
static struct buffers *buffers_here(void) {
    uint32_t node = NEAR_NODE_UNKNOWN;
    if (numa_pool_current(NULL, &node, NULL) != NEAR_OK)
        return NULL;
    for (size_t i = 0; i < self.node_count; i++)
        if (self.nodes[i].node == node)
            return &self.nodes[i];
    return NULL;
}

/* Were a buffer lent twice, another task's number would stand in it. */
static bool fill_and_check(uint64_t *words, uint64_t task) {
    for (size_t i = 0; i < BUFFER_WORDS; i++)
        words[i] = task << 32 | i;
    for (size_t i = 0; i < BUFFER_WORDS; i++)
        if (words[i] != (task << 32 | i))
            return false;
    return true;
}

static near_status use_buffer(void *data) {
    const uint64_t *task = data;
    struct buffers *buffers = buffers_here();
    if (buffers == NULL)
        return near_task_fail("the task runs on a node that has no buffers");
    uint64_t *words = take(buffers);
    if (words == NULL)
        return near_task_fail("the node's buffers are all in use");
    bool good = fill_and_check(words, *task);
    give_back(buffers, words);
    return good ? NEAR_OK : near_task_fail("a buffer holds what another task wrote");
}

static bool make_buffers(struct buffers *buffers, uint32_t node) {
    numa_pool_node_info info = {.struct_size = sizeof info};
    near_status status = numa_pool_get_node_info(self.pool, node, &info);
    if (status != NEAR_OK)
        return failed(near_status_text(status));
    buffers->node = node;
    buffers->worker_count = info.worker_count;
    if (info.worker_count == 0)
        return true; /* another node serves it, with its own buffers */

    if (numa_pool_alloc(self.pool, node, info.worker_count * BUFFER_BYTES, NULL, &buffers->region, &self.why) !=
        NEAR_OK)
        return failed(self.why.message);
    buffers->free = calloc(info.worker_count, sizeof *buffers->free);
    if (buffers->free == NULL)
        return failed(near_status_text(NEAR_E_NOMEM));
    for (size_t i = 0; i < info.worker_count; i++)
        buffers->free[i] = (uint64_t *)near_region_data(buffers->region) + i * BUFFER_WORDS;
    buffers->free_count = buffers->fewest_free = info.worker_count;
    return true;
}

static bool make_all(void) {
    if (numa_pool_create(NULL, &self.pool, &self.why) != NEAR_OK ||
        numa_pool_group_create(self.pool, &self.group, &self.why) != NEAR_OK)
        return failed(self.why.message);
    near_status status = numa_pool_nodes(self.pool, NULL, 0, &self.node_count);
    uint32_t *nodes = calloc(self.node_count, sizeof *nodes);
    self.nodes = calloc(self.node_count, sizeof *self.nodes);
    bool made = status == NEAR_OK && nodes != NULL && self.nodes != NULL &&
                numa_pool_nodes(self.pool, nodes, self.node_count, &self.node_count) == NEAR_OK;
    if (!made)
        failed("the list of the pool's nodes could not be made");
    for (size_t i = 0; made && i < self.node_count; i++) {
        pthread_mutex_init(&self.nodes[i].lock, NULL);
        made = make_buffers(&self.nodes[i], nodes[i]);
    }
    free(nodes);
    return made;
}

static bool run_tasks(void) {
    size_t task_count = TASKS_PER_NODE * self.node_count;
    uint64_t *tasks = calloc(task_count, sizeof *tasks);
    near_status status = tasks != NULL ? NEAR_OK : NEAR_E_NOMEM;
    for (size_t i = 0; status == NEAR_OK && i < task_count; i++) {
        tasks[i] = i + 1;
        status = numa_pool_group_submit(self.group, self.nodes[i % self.node_count].node, use_buffer, &tasks[i]);
    }
    near_status waited = numa_pool_group_wait(self.group, NEAR_FOREVER, &self.why);
    free(tasks);
    if (status != NEAR_OK)
        return failed(near_status_text(status));
    return waited == NEAR_OK || failed(self.why.message);
}

static bool report_node(struct buffers *buffers) {
    near_placement where = {.struct_size = sizeof where};
    if (buffers->worker_count == 0) {
        printf("node %" PRIu32 ": no workers, its tasks used the buffers of the node that serves it\n", buffers->node);
        return true;
    }
    if (near_region_placement(buffers->region, &where, &self.why) != NEAR_OK)
        return failed(self.why.message);
    printf("node %" PRIu32 ": %" PRIu32 " buffers of %zu KiB, lent %" PRIu64 " times, at most %zu at once, %zu back; "
           "%zu of %zu pages near, %s%s%s\n",
           buffers->node, buffers->worker_count, BUFFER_BYTES / 1024, buffers->lent_count,
           buffers->worker_count - buffers->fewest_free, buffers->free_count, where.near_pages, where.page_count,
           near_level_name(where.level), where.reason[0] != '\0' ? ": " : "", where.reason);
    return buffers->free_count == buffers->worker_count || failed("a buffer was not given back");
}

static bool report(void) {
    uint64_t lent = 0;
    for (size_t i = 0; i < self.node_count; i++) {
        if (!report_node(&self.nodes[i]))
            return false;
        lent += self.nodes[i].lent_count;
    }
    printf("%" PRIu64 " of %zu tasks had a buffer of the node they ran on, and read back what they wrote\n", lent,
           TASKS_PER_NODE * self.node_count);
    return lent == TASKS_PER_NODE * self.node_count || failed("not every task ran");
}

static void clean_up(void) {
    numa_pool_group_destroy(self.group);
    numa_pool_destroy(self.pool);
    for (size_t i = 0; self.nodes != NULL && i < self.node_count; i++) {
        near_region_destroy(self.nodes[i].region);
        free(self.nodes[i].free);
    }
    free(self.nodes);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        puts("usage: buffer_pool\nRuns tasks that each use a buffer of their node. Exits 0 when every buffer held what "
             "was\n"
             "written into it and came back.");
        return 0;
    }
    if (argc > 1) {
        fprintf(stderr, "buffer_pool: \"%s\": no arguments are taken; try --help\n", argv[1]);
        return 2;
    }
    bool done = make_all() && run_tasks() && report();
    clean_up();
    return done ? 0 : 1;
}
