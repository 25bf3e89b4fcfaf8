/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All GPUs of a machine, one stream each, work handed out in turn: and when the GPU is done with a piece, a task goes
 * on with it on a CPU next to that GPU. Needs no CUDA headers; where there is no GPU it says so, and that is no
 * failure.
 */
#include <inttypes.h>
#include <nearpool/nearpool.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECES_PER_GPU 32

/* One GPU and its stream. The tasks count with atomic additions. */
struct gpu {
    device_pool_facts facts;
    stream_pool *streams;
    uint64_t stream; /* the lease; 0: none */
    uint64_t sent;
    uint64_t continued; /* tasks that ran when the GPU was done */
    uint64_t near;      /* of these: on a worker of the GPU's node */
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
    fprintf(stderr, "multi_gpu: %s\n", why);
    return false;
}

static bool failed_with(const char *doing, near_status status) {
    fflush(stdout);
    fprintf(stderr, "multi_gpu: %s: %s (%s)\n", doing, near_status_text(status), near_status_name(status));
    return false;
}

/* Runs on a worker when all that was in the stream before it is done. */
static near_status go_on(void *data) {
    struct gpu *gpu = data;
    uint32_t node = NEAR_NODE_UNKNOWN;
    near_status status = numa_pool_current(NULL, &node, NULL);
    if (status != NEAR_OK)
        return near_task_fail(near_status_text(status));
    __atomic_fetch_add(&gpu->continued, 1, __ATOMIC_RELAXED);
    if (node == gpu->facts.node)
        __atomic_fetch_add(&gpu->near, 1, __ATOMIC_RELAXED);
    return NEAR_OK;
}

/* What is not usable is in no pool: its reason is worth a line. */
static bool print_skipped(const struct example *self) {
    size_t count = 0;
    near_status status = device_pool_get_skipped(self->devices, 0, NULL, &count);
    for (size_t i = 0; status == NEAR_OK && i < count; i++) {
        device_pool_skipped skipped = {.struct_size = sizeof skipped};
        status = device_pool_get_skipped(self->devices, i, &skipped, NULL);
        if (status == NEAR_OK)
            printf("GPU %" PRId32 " is left out: %s\n", skipped.ordinal, skipped.reason);
    }
    return status == NEAR_OK || failed_with("asking which GPUs are left out", status);
}

static bool open_stream(struct example *self, struct gpu *gpu) {
    stream_pool_options options = {.struct_size = sizeof options, .max_streams = 1};
    if (stream_pool_create(self->devices, gpu->facts.ordinal, &options, &gpu->streams, &self->why) != NEAR_OK)
        return failed(self->why.message);
    near_status status = stream_pool_acquire(gpu->streams, &gpu->stream);
    return status == NEAR_OK || failed_with("borrowing a stream", status);
}

static bool open_gpus(struct example *self) {
    self->gpu_count = device_pool_count(self->devices);
    self->gpus = calloc(self->gpu_count, sizeof *self->gpus);
    if (self->gpus == NULL)
        return failed_with("making the list of GPUs", NEAR_E_NOMEM);
    for (size_t i = 0; i < self->gpu_count; i++) {
        struct gpu *gpu = &self->gpus[i];
        int32_t ordinal = 0;
        gpu->facts.struct_size = sizeof gpu->facts;
        near_status status = device_pool_at(self->devices, i, &ordinal);
        if (status == NEAR_OK)
            status = device_pool_get_facts(self->devices, ordinal, &gpu->facts);
        if (status != NEAR_OK)
            return failed_with("asking for a GPU", status);
        if (!open_stream(self, gpu))
            return false;
    }
    return print_skipped(self);
}

static struct gpu *gpu_of(struct example *self, int32_t ordinal) {
    for (size_t i = 0; i < self->gpu_count; i++)
        if (self->gpus[i].facts.ordinal == ordinal)
            return &self->gpus[i];
    return NULL;
}

static bool send_piece(struct example *self, struct gpu *gpu) {
    void *stream = NULL;
    near_status status = stream_pool_resolve(gpu->streams, gpu->stream, &stream);
    if (status != NEAR_OK)
        return failed_with("looking at a stream", status);
    /*
     * Here a program starts its copies and kernels: `stream` is a CUstream, which the CUDA runtime takes as its
     * cudaStream_t; between device_pool_push() and device_pool_pop() the GPU's context is current.
     */
    if (stream_pool_then(gpu->streams, gpu->stream, self->workers, go_on, gpu, &self->why) != NEAR_OK)
        return failed(self->why.message);
    gpu->sent++;
    return true;
}

static bool send_all(struct example *self) {
    for (size_t i = 0; i < PIECES_PER_GPU * self->gpu_count; i++) {
        int32_t ordinal = 0;
        near_status status = device_pool_next(self->devices, &ordinal); /* round robin, and no GPU twice as often */
        if (status != NEAR_OK)
            return failed_with("choosing a GPU", status);
        struct gpu *gpu = gpu_of(self, ordinal);
        if (gpu == NULL)
            return failed("the pool chose a GPU that it does not list");
        if (!send_piece(self, gpu))
            return false;
    }
    return true;
}

/* The streams first: a task is only there when its stream is done. */
static bool wait_for_all(struct example *self) {
    for (size_t i = 0; i < self->gpu_count; i++)
        if (stream_pool_synchronize(self->gpus[i].streams, self->gpus[i].stream, NEAR_FOREVER, &self->why) != NEAR_OK)
            return failed(self->why.message);
    return numa_pool_wait_idle(self->workers, NEAR_FOREVER, &self->why) == NEAR_OK || failed(self->why.message);
}

static bool report_gpu(const struct gpu *gpu) {
    printf("GPU %" PRId32 " %s, %s: %" PRIu64 " MiB, ", gpu->facts.ordinal, gpu->facts.name, gpu->facts.pci_address,
           gpu->facts.total_bytes >> 20);
    if (gpu->facts.node == NEAR_NODE_UNKNOWN)
        printf("its node is unknown; ");
    else
        printf("node %" PRIu32 " (%s); ", gpu->facts.node, near_node_source_name(gpu->facts.node_source));
    printf("%" PRIu64 " pieces sent, %" PRIu64 " continued on a CPU", gpu->sent, gpu->continued);
    if (gpu->facts.node != NEAR_NODE_UNKNOWN)
        printf(", %" PRIu64 " of them on its node", gpu->near);
    printf("\n");
    return gpu->continued == gpu->sent || failed("not every piece was continued");
}

static bool run(struct example *self) {
    /* Local only: what a GPU has done is continued next to it. The default lets idle nodes help busy ones. */
    numa_pool_options options = {.struct_size = sizeof options, .steal_policy = NUMA_POOL_STEAL_LOCAL};
    if (numa_pool_create(&options, &self->workers, &self->why) != NEAR_OK)
        return failed(self->why.message);
    if (!open_gpus(self) || !send_all(self) || !wait_for_all(self))
        return false;
    bool done = true;
    for (size_t i = 0; i < self->gpu_count; i++)
        done = report_gpu(&self->gpus[i]) && done;
    printf("%zu pieces of work on %zu GPUs, round robin\n", PIECES_PER_GPU * self->gpu_count, self->gpu_count);
    return done;
}

/* Tasks use the list of GPUs, and streams may still send some: so first the streams, then the workers, then the list.
 */
static void clean_up(struct example *self) {
    for (size_t i = 0; self->gpus != NULL && i < self->gpu_count; i++) {
        struct gpu *gpu = &self->gpus[i];
        if (gpu->stream != STREAM_POOL_DEFAULT) {
            near_status status = stream_pool_release(gpu->streams, gpu->stream);
            if (status != NEAR_OK)
                failed_with("giving a stream back", status);
        }
        stream_pool_destroy(gpu->streams);
    }
    numa_pool_destroy(self->workers);
    device_pool_destroy(self->devices);
    free(self->gpus);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        puts(
            "usage: multi_gpu\nHands pieces of work to all GPUs in turn, and goes on with each on a CPU. Exits 0 when\n"
            "every piece was continued, and where there is no GPU.");
        return 0;
    }
    if (argc > 1) {
        fprintf(stderr, "multi_gpu: \"%s\": no arguments are taken; try --help\n", argv[1]);
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
