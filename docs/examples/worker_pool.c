/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work on every node, and the truth about it: a pool with two workers per NUMA node, a buffer on every node, tasks sent
 * round-robin over the nodes, and a look at where pages and tasks really were.
 */
#define _POSIX_C_SOURCE 200112L
#include <errno.h>
#include <inttypes.h>
#include <nearpool/nearpool.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BLOCK_WORDS ((size_t)8192)
#define BLOCK_COUNT ((size_t)32)
#define BUFFER_BYTES (BLOCK_COUNT * BLOCK_WORDS * sizeof(uint64_t))

/* What this program has on one node of the pool. The tasks count with atomic additions. */
struct home {
    numa_pool_node_info info;
    near_region *buffer;
    near_placement placement;
    uint64_t sent;
    uint64_t ran;       /* tasks of this node that ran */
    uint64_t ran_local; /* of these: on a worker of the node that serves it */
    uint64_t ran_seen;  /* of these: on a CPU of that worker's node, as the kernel says */
};

struct task {
    struct home *home;
    size_t block;
};

struct example {
    uint64_t task_count;
    uint32_t workers_per_node;
    numa_pool *pool;
    size_t home_count;
    struct home *homes;
    struct task *tasks;
    uint64_t elapsed_ns;
    near_error why;
};

static bool failed(const struct example *self) {
    fflush(stdout);
    fprintf(stderr, "worker_pool: %s\n", self->why.message);
    return false;
}

static bool failed_with(const char *doing, near_status status) {
    fflush(stdout);
    fprintf(stderr, "worker_pool: %s: %s (%s)\n", doing, near_status_text(status), near_status_name(status));
    return false;
}

static bool out_of_memory(void) {
    return failed_with("asking for memory", NEAR_E_NOMEM);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NEAR_SECOND + (uint64_t)now.tv_nsec;
}

static double percent(uint64_t part, uint64_t whole) {
    return whole == 0 ? 0.0 : 100.0 * (double)part / (double)whole;
}

static void count(uint64_t *counter) {
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* A sentence after a colon, or nothing. */
static const char *colon(const char *reason) {
    return reason[0] != '\0' ? ": " : "";
}

static uint64_t *block_of(const struct home *home, size_t block) {
    return (uint64_t *)near_region_data(home->buffer) + block * BLOCK_WORDS;
}

/* What is in a block depends on the node and on the block, so that reading the wrong one is noticed. */
static uint64_t seed_of(const struct home *home, size_t block) {
    return (uint64_t)home->info.node * BLOCK_COUNT + block + 1;
}

static void fill_buffer(struct home *home) {
    for (size_t block = 0; block < BLOCK_COUNT; block++) {
        uint64_t *words = block_of(home, block);
        for (size_t i = 0; i < BLOCK_WORDS; i++)
            words[i] = seed_of(home, block) * i;
    }
}

/* Runs on a worker: adds up one block of its node's buffer, then notes where it ran. */
static near_status add_block(void *data) {
    const struct task *task = data;
    struct home *home = task->home;
    const uint64_t *words = block_of(home, task->block);
    uint64_t sum = 0;
    for (size_t i = 0; i < BLOCK_WORDS; i++)
        sum += words[i];
    if (sum != seed_of(home, task->block) * (BLOCK_WORDS * (BLOCK_WORDS - 1) / 2))
        return near_task_fail("a block does not add up to what was written into it");

    uint32_t worker_node = NEAR_NODE_UNKNOWN;
    uint32_t cpu_node = NEAR_NODE_UNKNOWN;
    near_status status = numa_pool_current(NULL, &worker_node, NULL);
    if (status == NEAR_OK)
        status = near_topology_current_node(NULL, &cpu_node);
    if (status != NEAR_OK)
        return near_task_fail(near_status_text(status));

    count(&home->ran);
    if (worker_node == home->info.serving_node)
        count(&home->ran_local);
    if (worker_node == home->info.serving_node && cpu_node == worker_node)
        count(&home->ran_seen);
    return NEAR_OK;
}

/* Nodes, the kinds of their memory, how far they are from each other, and what else the machine says of itself. */
static bool print_machine(struct example *self) {
    size_t bytes = 0;
    if (near_topology_format(NULL, NEAR_FORMAT_TEXT, NULL, 0, &bytes, &self->why) != NEAR_OK)
        return failed(self);
    char *text = malloc(bytes);
    if (text == NULL)
        return out_of_memory();
    bool done = near_topology_format(NULL, NEAR_FORMAT_TEXT, text, bytes, &bytes, &self->why) == NEAR_OK;
    if (done)
        printf("%s", text);
    free(text);
    return done || failed(self);
}

static bool print_missing(const near_capabilities *capabilities) {
    int32_t missing[NEAR_CAPABILITY_COUNT];
    size_t missing_count = 0;
    near_status status = near_capabilities_missing(capabilities, missing, NEAR_CAPABILITY_COUNT, &missing_count);
    if (status != NEAR_OK)
        return failed_with("asking what is missing for strict mode", status);
    printf("strict mode        %s\n", missing_count == 0 ? "yes" : "no");
    for (size_t i = 0; i < missing_count; i++) {
        near_capability one = {.struct_size = sizeof one};
        status = near_capabilities_get(capabilities, missing[i], &one);
        if (status != NEAR_OK)
            return failed_with("asking for a capability", status);
        printf("  missing          %s: %s\n", near_capability_name(missing[i]), one.text);
    }
    return true;
}

static bool print_strict_mode(struct example *self) {
    near_capabilities *capabilities = NULL;
    if (near_capabilities_create(NULL, &capabilities, &self->why) != NEAR_OK)
        return failed(self);
    bool done = print_missing(capabilities);
    near_capabilities_destroy(capabilities);
    return done;
}

static bool make_pool(struct example *self) {
    /* Local only: each task runs on the node to which it was sent. The default lets idle nodes help busy ones. */
    numa_pool_options options = {.struct_size = sizeof options,
                                 .workers_per_node = self->workers_per_node,
                                 .steal_policy = NUMA_POOL_STEAL_LOCAL};
    if (numa_pool_create(&options, &self->pool, &self->why) != NEAR_OK)
        return failed(self);
    near_status status = numa_pool_nodes(self->pool, NULL, 0, &self->home_count);
    if (status != NEAR_OK)
        return failed_with("asking for the pool's nodes", status);

    self->homes = calloc(self->home_count, sizeof *self->homes);
    uint32_t *nodes = calloc(self->home_count, sizeof *nodes);
    if (self->homes == NULL || nodes == NULL) {
        free(nodes);
        return out_of_memory();
    }
    status = numa_pool_nodes(self->pool, nodes, self->home_count, &self->home_count);
    for (size_t i = 0; status == NEAR_OK && i < self->home_count; i++) {
        self->homes[i].info.struct_size = sizeof self->homes[i].info;
        status = numa_pool_get_node_info(self->pool, nodes[i], &self->homes[i].info);
    }
    free(nodes);
    return status == NEAR_OK || failed_with("asking for the pool's nodes", status);
}

static bool print_pool(struct example *self) {
    numa_pool_info pool = {.struct_size = sizeof pool};
    near_status status = numa_pool_get_info(self->pool, &pool);
    if (status != NEAR_OK)
        return failed_with("asking what the pool is", status);
    printf("pool\n");
    printf("  workers in all   %" PRIu32 "\n", pool.worker_count);
    printf("  steal policy     %s\n", numa_pool_steal_policy_name(pool.steal_policy));
    printf("  pinning          %s%s%s\n", near_level_name(pool.level), colon(pool.reason), pool.reason);
    for (size_t i = 0; i < self->home_count; i++) {
        const numa_pool_node_info *node = &self->homes[i].info;
        printf("  node %-11" PRIu32 " ", node->node);
        if (node->serving_node == node->node)
            printf("%" PRIu32 " workers, %s%s%s\n", node->worker_count, near_level_name(node->level),
                   colon(node->reason), node->reason);
        else
            printf("no workers: node %" PRIu32 " serves it\n", node->serving_node);
    }
    return true;
}

static bool place_buffers(struct example *self) {
    printf("memory: %zu KiB placed on every node and looked at\n", BUFFER_BYTES / 1024);
    for (size_t i = 0; i < self->home_count; i++) {
        struct home *home = &self->homes[i];
        near_placement *where = &home->placement;
        where->struct_size = sizeof *where;
        if (numa_pool_alloc(self->pool, home->info.node, BUFFER_BYTES, NULL, &home->buffer, &self->why) != NEAR_OK)
            return failed(self);
        fill_buffer(home);
        if (near_region_placement(home->buffer, where, &self->why) != NEAR_OK)
            return failed(self);
        printf("  node %-11" PRIu32 " %zu of %zu pages of %zu KiB near (%s, %zu KiB in huge pages), %s%s%s\n",
               home->info.node, where->near_pages, where->page_count, where->page_bytes / 1024,
               near_pages_name(where->pages), where->huge_bytes / 1024, near_level_name(where->level),
               colon(where->reason), where->reason);
    }
    return true;
}

static bool submit_all(struct example *self) {
    for (uint64_t i = 0; i < self->task_count; i++) {
        struct task *task = &self->tasks[i];
        task->home = &self->homes[i % self->home_count];
        task->block = (size_t)(i / self->home_count) % BLOCK_COUNT;
        near_status status = numa_pool_submit(self->pool, task->home->info.node, add_block, task);
        if (status != NEAR_OK)
            return failed_with("sending a task", status);
        task->home->sent++;
    }
    return true;
}

static bool run_tasks(struct example *self) {
    self->tasks = calloc(self->task_count, sizeof *self->tasks);
    if (self->tasks == NULL)
        return out_of_memory();
    uint64_t start = now_ns();
    if (!submit_all(self))
        return false;
    if (numa_pool_wait_idle(self->pool, NEAR_FOREVER, &self->why) != NEAR_OK)
        return failed(self);
    self->elapsed_ns = now_ns() - start;
    return true;
}

static bool shut_down(struct example *self) {
    uint64_t left = 0;
    uint64_t start = now_ns();
    if (numa_pool_shutdown(self->pool, 10 * NEAR_SECOND, &left, &self->why) != NEAR_OK)
        return failed(self);
    printf("shutdown           graceful, %" PRIu64 " tasks left, %.2f ms\n", left, (double)(now_ns() - start) / 1e6);
    return true;
}

/* The tasks' own counts, summed over the nodes. */
static struct home sum_of_homes(const struct example *self) {
    struct home sum;
    memset(&sum, 0, sizeof sum);
    for (size_t i = 0; i < self->home_count; i++) {
        sum.sent += self->homes[i].sent;
        sum.ran += self->homes[i].ran;
        sum.ran_local += self->homes[i].ran_local;
        sum.ran_seen += self->homes[i].ran_seen;
        sum.placement.near_pages += self->homes[i].placement.near_pages;
        sum.placement.page_count += self->homes[i].placement.page_count;
    }
    return sum;
}

static void print_results(const struct example *self, const numa_pool_counts *counts, const struct home *sum) {
    double seconds = (double)self->elapsed_ns / 1e9;
    printf("tasks\n");
    printf("  sent             %" PRIu64 ", round-robin over %zu nodes\n", sum->sent, self->home_count);
    printf("  completed        %" PRIu64 " (they counted themselves; the pool counted %" PRIu64 ", %" PRIu64
           " failed, %" PRIu64 " discarded)\n",
           sum->ran, counts->run_local + counts->run_remote, counts->failed, counts->discarded);
    printf("  elapsed          %.3f ms\n", seconds * 1e3);
    printf("  tasks per second %.0f\n", seconds > 0 ? (double)sum->ran / seconds : 0.0);
    printf("  local share      %.1f %% (%" PRIu64 " on their node, %" PRIu64 " taken by another)\n",
           percent(counts->run_local, counts->run_local + counts->run_remote), counts->run_local, counts->run_remote);
    printf("  seen on its CPUs %" PRIu64 "\n", sum->ran_seen);
    for (size_t i = 0; i < self->home_count; i++)
        printf("  node %-11" PRIu32 " %" PRIu64 " sent, %" PRIu64 " ran, %" PRIu64 " of them locally\n",
               self->homes[i].info.node, self->homes[i].sent, self->homes[i].ran, self->homes[i].ran_local);
}

/* A grade for what was seen, the worse of two: tasks on CPUs of the node that serves theirs, pages on their node. */
static void print_locality(const struct example *self, const struct home *sum) {
    double tasks = percent(sum->ran_seen, sum->ran);
    double pages = percent(sum->placement.near_pages, sum->placement.page_count);
    double worse = tasks < pages ? tasks : pages;
    printf("locality           %.1f %% of tasks ran where they belong, %.1f %% of pages are there: ", tasks, pages);
    if (self->home_count < 2)
        printf("no grade, the pool has one node\n");
    else
        printf("%s\n", worse > 95 ? "excellent" : worse > 85 ? "good" : worse > 70 ? "fair" : "poor");
}

static bool report(const struct example *self) {
    numa_pool_counts counts = {.struct_size = sizeof counts};
    near_status status = numa_pool_get_counts(self->pool, NEAR_NODE_UNKNOWN, &counts);
    if (status != NEAR_OK)
        return failed_with("asking for the counts", status);
    struct home sum = sum_of_homes(self);
    print_results(self, &counts, &sum);
    print_locality(self, &sum);
    if (sum.ran == self->task_count && sum.ran_local == counts.run_local && counts.failed == 0)
        return true;
    fflush(stdout);
    fprintf(stderr,
            "worker_pool: %" PRIu64 " of %" PRIu64 " tasks completed, %" PRIu64 " of them locally by their own"
            " count and %" PRIu64 " by the pool's\n",
            sum.ran, self->task_count, sum.ran_local, counts.run_local);
    return false;
}

static bool run(struct example *self) {
    return print_machine(self) && print_strict_mode(self) && make_pool(self) && print_pool(self) &&
           place_buffers(self) && run_tasks(self) && shut_down(self) && report(self);
}

/* The pool first: its tasks use what is freed after it. */
static void clean_up(struct example *self) {
    numa_pool_destroy(self->pool);
    for (size_t i = 0; self->homes != NULL && i < self->home_count; i++)
        near_region_destroy(self->homes[i].buffer);
    free(self->homes);
    free(self->tasks);
}

static const char usage[] =
    "usage: worker_pool [TASKS [WORKERS_PER_NODE]]\n"
    "Runs TASKS (default 100) on a pool with WORKERS_PER_NODE (default 2) threads on every NUMA\n"
    "node, and prints where they and their memory were. Exits 0 when every task ran, 1 when not,\n"
    "2 for wrong arguments.\n";

static uint64_t number(const char *text, const char *what, uint64_t most) {
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && value >= 1 && value <= most)
        return value;
    fprintf(stderr, "worker_pool: %s is \"%s\": give a whole number from 1 to %" PRIu64 "\n%s", what, text, most,
            usage);
    exit(2);
}

int main(int argc, char **argv) {
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc > 3) {
        fprintf(stderr, "worker_pool: %d arguments, at most 2 are taken\n%s", argc - 1, usage);
        return 2;
    }
    struct example self = {.task_count = 100, .workers_per_node = 2, .why = {.struct_size = sizeof self.why}};
    if (argc > 1)
        self.task_count = number(argv[1], "the number of tasks", 10000000);
    if (argc > 2)
        self.workers_per_node = (uint32_t)number(argv[2], "the number of workers per node", 1024);
    bool done = run(&self);
    clean_up(&self);
    return done ? 0 : 1;
}
