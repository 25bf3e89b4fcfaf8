/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work near each GPU: tasks are sent to the CPUs next to it, and say where they ran. Next to which node a GPU is, and
 * who says so, is a fact that may be unknown. It is never guessed: the caller chooses then, here the node it is on
 * itself. Where there is no GPU this program says so, and that is no failure.
 */
#include <inttypes.h>
#include <nearpool/nearpool.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TASKS_PER_GPU ((size_t)64)

/* What a task found out; nobody reads it before all tasks have run. */
struct visit {
    uint32_t worker_node; /* of the worker that ran it */
    uint32_t cpu_node;    /* of the CPU, as the kernel says */
    bool ran;
};

struct gpu {
    device_pool_facts facts;
    bool chosen_here; /* its node is unknown: this program chose one */
    struct visit visits[TASKS_PER_GPU];
};

struct example {
    device_pool *devices;
    numa_pool *workers;
    struct gpu *gpus;
    size_t gpu_count;
    near_error why;
};

static bool failed(const char *why) {
    fflush(stdout);
    fprintf(stderr, "device_affine: %s\n", why);
    return false;
}

static bool failed_with(const char *doing, near_status status) {
    fflush(stdout);
    fprintf(stderr, "device_affine: %s: %s (%s)\n", doing, near_status_text(status), near_status_name(status));
    return false;
}

static near_status look_around(void *data) {
    struct visit *visit = data;
    near_status status = numa_pool_current(NULL, &visit->worker_node, NULL);
    if (status == NEAR_OK)
        status = near_topology_current_node(NULL, &visit->cpu_node);
    visit->ran = status == NEAR_OK;
    return visit->ran ? NEAR_OK : near_task_fail(near_status_text(status));
}

static bool make_workers(struct example *self) {
    /* Local only: each task runs on the node to which it was sent. The default lets idle nodes help busy ones. */
    numa_pool_options options = {.struct_size = sizeof options, .steal_policy = NUMA_POOL_STEAL_LOCAL};
    return numa_pool_create(&options, &self->workers, &self->why) == NEAR_OK || failed(self->why.message);
}

static bool list_gpus(struct example *self) {
    self->gpu_count = device_pool_count(self->devices);
    self->gpus = calloc(self->gpu_count, sizeof *self->gpus);
    if (self->gpus == NULL)
        return failed_with("making the list of GPUs", NEAR_E_NOMEM);
    for (size_t i = 0; i < self->gpu_count; i++) {
        int32_t ordinal = 0;
        self->gpus[i].facts.struct_size = sizeof self->gpus[i].facts;
        near_status status = device_pool_at(self->devices, i, &ordinal);
        if (status == NEAR_OK)
            status = device_pool_get_facts(self->devices, ordinal, &self->gpus[i].facts);
        if (status != NEAR_OK)
            return failed_with("asking for a GPU", status);
    }
    return true;
}

static bool send_to(struct example *self, struct gpu *gpu) {
    gpu->chosen_here = gpu->facts.node == NEAR_NODE_UNKNOWN; /* nobody knows: this program takes its own node */
    for (size_t i = 0; i < TASKS_PER_GPU; i++) {
        struct visit *visit = &gpu->visits[i];
        near_status status =
            gpu->chosen_here
                ? numa_pool_submit(self->workers, NUMA_POOL_NODE_LOCAL, look_around, visit)
                : numa_pool_submit_near(self->workers, self->devices, gpu->facts.ordinal, look_around, visit);
        if (status != NEAR_OK)
            return failed_with("sending a task", status);
    }
    return true;
}

static bool send_all(struct example *self) {
    bool sent = true;
    for (size_t i = 0; sent && i < self->gpu_count; i++)
        sent = send_to(self, &self->gpus[i]);
    /* Also after a failure: the tasks that were sent write into the list. */
    if (numa_pool_wait_idle(self->workers, NEAR_FOREVER, &self->why) != NEAR_OK)
        return failed(self->why.message);
    return sent;
}

static void print_gpu(const struct gpu *gpu) {
    const device_pool_facts *facts = &gpu->facts;
    printf("GPU %" PRId32 " %s, %s: ", facts->ordinal, facts->name, facts->pci_address);
    if (gpu->chosen_here)
        printf("its node is unknown; the tasks were sent to the node of the caller\n");
    else if (facts->node == facts->attached_node)
        printf("node %" PRIu32 " (says: %s)\n", facts->node, near_node_source_name(facts->node_source));
    else
        printf("node %" PRIu32 " (says: %s), which has no CPUs; the nearest with some is %" PRIu32 "\n",
               facts->attached_node, near_node_source_name(facts->node_source), facts->node);
}

static bool report_gpu(const struct gpu *gpu) {
    size_t ran = 0;
    print_gpu(gpu);
    for (size_t i = 0; i < near_topology_node_count(NULL); i++) {
        uint32_t node = near_topology_node_at(NULL, i);
        size_t by_workers = 0;
        size_t on_cpus = 0;
        for (size_t j = 0; j < TASKS_PER_GPU; j++) {
            const struct visit *visit = &gpu->visits[j];
            by_workers += visit->ran && visit->worker_node == node;
            on_cpus += visit->ran && visit->worker_node == node && visit->cpu_node == node;
        }
        if (by_workers > 0)
            printf("  %zu of %zu tasks ran on workers of node %" PRIu32 ", %zu seen on its CPUs\n", by_workers,
                   TASKS_PER_GPU, node, on_cpus);
        ran += by_workers;
    }
    return ran == TASKS_PER_GPU || failed("not every task ran");
}

static bool run(struct example *self) {
    if (!make_workers(self) || !list_gpus(self) || !send_all(self))
        return false;
    bool done = true;
    for (size_t i = 0; i < self->gpu_count; i++)
        done = report_gpu(&self->gpus[i]) && done;
    return done;
}

/* The workers first: their tasks write into the list of GPUs. */
static void clean_up(struct example *self) {
    numa_pool_destroy(self->workers);
    device_pool_destroy(self->devices);
    free(self->gpus);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        puts("usage: device_affine\nSends tasks near each GPU, and prints where they ran. Exits 0 when all ran, and "
             "where\n"
             "there is no GPU.");
        return 0;
    }
    if (argc > 1) {
        fprintf(stderr, "device_affine: \"%s\": no arguments are taken; try --help\n", argv[1]);
        return 2;
    }
    struct example self = {.why = {.struct_size = sizeof self.why}};
    near_status status = device_pool_create(NULL, &self.devices, &self.why);
    if (status == NEAR_E_NO_DRIVER || status == NEAR_E_NO_DEVICE) {
        printf("There is no GPU here, and nothing to do: %s\n", self.why.message);
        return 0;
    }
    if (status != NEAR_OK) {
        failed(self.why.message);
        return 1;
    }
    bool done = run(&self);
    clean_up(&self);
    return done ? 0 : 1;
}
