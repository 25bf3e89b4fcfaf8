/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page-locked memory next to a GPU: how it was come by and why not in a better way, where its pages are, and giving it
 * back while a stream still uses it. Needs no CUDA headers. Where there is no GPU it says so, and does its work in
 * memory that is not page-locked, which is no failure.
 */
#include <inttypes.h>
#include <nearpool/nearpool.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BYTES ((size_t)8 << 20)

struct example {
    numa_pool *pool;
    device_pool *devices;
    stream_pool *streams;
    uint64_t stream; /* the lease; 0: none */
    near_pinned *buffer;
    near_error why;
};

static bool failed(const char *why) {
    fflush(stdout);
    fprintf(stderr, "pinned_near_gpu: %s\n", why);
    return false;
}

static bool failed_with(const char *doing, near_status status) {
    fflush(stdout);
    fprintf(stderr, "pinned_near_gpu: %s: %s (%s)\n", doing, near_status_text(status), near_status_name(status));
    return false;
}

/* What a program would read from a file or from the network. */
static bool fill_and_check(unsigned char *data) {
    for (size_t i = 0; i < BYTES; i++)
        data[i] = (unsigned char)(i * 31);
    for (size_t i = 0; i < BYTES; i++)
        if (data[i] != (unsigned char)(i * 31))
            return failed("the memory does not hold what was written");
    return true;
}

static void print_placement(const near_placement *where) {
    printf("  %s: %zu of %zu pages near, pages of %zu KiB%s%s\n", near_level_name(where->level), where->near_pages,
           where->page_count, where->page_bytes / 1024, where->reason[0] != '\0' ? ": " : "", where->reason);
}

/* Every way before the one that was taken has a reason why it was not. */
static bool print_missed(const near_pinned *buffer, int32_t method) {
    for (int32_t way = NEAR_PINNED_PLACED; way < method; way++) {
        int32_t reason = NEAR_REASON_NONE;
        char text[256] = "";
        near_status status = near_pinned_reason(buffer, way, &reason, text, sizeof text);
        if (status != NEAR_OK)
            return failed_with("asking why a way was not taken", status);
        printf("  not \"%s\": %s\n", near_pinned_method_name(way), text);
    }
    return true;
}

static bool print_buffer(struct example *self) {
    near_pinned_info info = {.struct_size = sizeof info};
    near_placement where = {.struct_size = sizeof where};
    if (near_pinned_get_info(self->buffer, &info, &self->why) != NEAR_OK ||
        near_pinned_placement(self->buffer, &where, &self->why) != NEAR_OK)
        return failed(self->why.message);
    printf("%zu page-locked bytes near GPU %" PRId32 ", ", info.bytes, info.ordinal);
    if (info.node == NEAR_NODE_UNKNOWN)
        printf("whose node is unknown");
    else
        printf("on node %" PRIu32, info.node);
    printf("; way: %s\n", near_pinned_method_name(info.method));
    print_placement(&where);
    return print_missed(self->buffer, info.method);
}

static bool open_stream(struct example *self, int32_t gpu) {
    if (stream_pool_create(self->devices, gpu, NULL, &self->streams, &self->why) != NEAR_OK)
        return failed(self->why.message);
    near_status status = stream_pool_acquire(self->streams, &self->stream);
    return status == NEAR_OK || failed_with("borrowing a stream", status);
}

/* Lends the buffer to the stream's work and gives it back at once: nobody gets it before that work is done. */
static bool use_and_free(struct example *self) {
    void *stream = NULL;
    near_status status = stream_pool_resolve(self->streams, self->stream, &stream);
    if (status != NEAR_OK)
        return failed_with("looking at a stream", status);
    /*
     * Here a program starts its copies: cudaMemcpyAsync(target, near_pinned_data(buffer), near_pinned_bytes(buffer),
     * cudaMemcpyHostToDevice, stream), for the CUDA runtime takes `stream` as its cudaStream_t.
     */
    status = near_pinned_free_after(self->buffer, self->streams, self->stream);
    if (status != NEAR_OK)
        return failed_with("giving memory back after a stream", status);
    self->buffer = NULL;
    return true;
}

static bool print_cache(struct example *self, const char *when) {
    near_pinned_stats stats = {.struct_size = sizeof stats};
    if (numa_pool_pinned_stats(self->pool, self->devices, NEAR_NODE_UNKNOWN, &stats, &self->why) != NEAR_OK)
        return failed(self->why.message);
    printf("%s: %" PRIu64 " made, %" PRIu64 " from the cache, %" PRIu64 " live, %" PRIu64 " KiB kept for the next\n",
           when, stats.misses, stats.hits, stats.live_count, stats.idle_bytes / 1024);
    return true;
}

static bool allocate(struct example *self, int32_t gpu) {
    near_status status = numa_pool_alloc_pinned(self->pool, self->devices, gpu, BYTES, NULL, &self->buffer, &self->why);
    return status == NEAR_OK || failed(self->why.message);
}

static bool run_near_gpu(struct example *self) {
    int32_t gpu = 0;
    near_status status = device_pool_next(self->devices, &gpu);
    if (status != NEAR_OK)
        return failed_with("choosing a GPU", status);
    if (!open_stream(self, gpu) || !allocate(self, gpu) || !print_buffer(self))
        return false;
    if (!fill_and_check(near_pinned_data(self->buffer)) || !use_and_free(self))
        return false;
    if (stream_pool_synchronize(self->streams, self->stream, NEAR_FOREVER, &self->why) != NEAR_OK)
        return failed(self->why.message);
    /* The stream is done: the same memory serves again, page-locked as it is. */
    if (!print_cache(self, "after the stream") || !allocate(self, gpu))
        return false;
    return print_cache(self, "asked again");
}

/* The same program without a GPU: memory on the caller's node, which any loop can use, but no GPU. */
static bool run_unpinned(struct example *self) {
    near_region *region = NULL;
    near_placement where = {.struct_size = sizeof where};
    if (numa_pool_alloc(self->pool, NUMA_POOL_NODE_LOCAL, BYTES, NULL, &region, &self->why) != NEAR_OK)
        return failed(self->why.message);
    bool done = near_region_placement(region, &where, &self->why) == NEAR_OK || failed(self->why.message);
    if (done) {
        printf("%zu bytes that are not page-locked, on the caller's node\n", near_region_bytes(region));
        print_placement(&where);
        done = fill_and_check(near_region_data(region));
    }
    near_region_destroy(region);
    return done;
}

static bool run(struct example *self) {
    if (numa_pool_create(NULL, &self->pool, &self->why) != NEAR_OK)
        return failed(self->why.message);
    near_status status = device_pool_create(NULL, &self->devices, &self->why);
    if (status == NEAR_E_NO_DRIVER || status == NEAR_E_NO_DEVICE) {
        printf("There is no GPU here, and nothing to page-lock for: %s\n", self->why.message);
        return run_unpinned(self);
    }
    if (status != NEAR_OK)
        return failed(self->why.message);
    return run_near_gpu(self);
}

/* In any order: a handle keeps what it stands on. */
static void clean_up(struct example *self) {
    near_pinned_free(self->buffer);
    if (self->stream != STREAM_POOL_DEFAULT) {
        near_status status = stream_pool_release(self->streams, self->stream);
        if (status != NEAR_OK)
            failed_with("giving a stream back", status);
    }
    stream_pool_destroy(self->streams);
    device_pool_destroy(self->devices);
    numa_pool_destroy(self->pool);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        puts("usage: pinned_near_gpu\nPage-locks memory next to a GPU, prints where it is and how it was come by, and\n"
             "gives it back after a stream. Exits 0 when that worked, and where there is no GPU.");
        return 0;
    }
    if (argc > 1) {
        fprintf(stderr, "pinned_near_gpu: \"%s\": no arguments are taken; try --help\n", argv[1]);
        return 2;
    }
    struct example self = {.why = {.struct_size = sizeof self.why}};
    bool done = run(&self);
    clean_up(&self);
    return done ? 0 : 1;
}
