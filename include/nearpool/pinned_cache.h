/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_PINNED_CACHE_H
#define NEARPOOL_PINNED_CACHE_H

/**
 * @file
 * @brief Page-locked memory that streams use when it is freed, and the cache that it goes to.
 *
 * There is one cache for each pair of a numa_pool and a device_pool that page-locked memory was asked for with. It
 * splits and joins blocks of any size, node by node; what is idle keeps no context: destroying either pool gives it
 * back. numa_pool_options::pinned_limit_bytes bounds what it may hold: idle memory makes room; then memory is made that
 * goes to the system when it is freed (after a stream: when memory is made next, or the cache is trimmed), but in
 * strict mode, where the caller has given a limit, it is refused.
 */

#include <nearpool/pinned.h>
#include <nearpool/stream_pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a cache has and has counted. Of one node; sums where all are asked for. */
typedef struct near_pinned_stats {
    uint32_t struct_size;       /**< in: sizeof(near_pinned_stats) */
    uint32_t reserved;          /**< 0 */
    uint64_t hits;              /**< times that idle memory was given */
    uint64_t misses;            /**< times that memory had to be made, also in vain */
    uint64_t live_count;        /**< blocks that are not free again */
    uint64_t live_bytes;        /**< bytes that were asked for in them; adopted memory among them */
    uint64_t peak_live_bytes;   /**< the most that those ever were; of several nodes, the sum of the most of each */
    uint64_t waiting_bytes;     /**< of live_bytes: freed, and still used by streams */
    uint64_t idle_bytes;        /**< page-locked for nobody */
    uint64_t held_bytes;        /**< page-locked in all */
    uint64_t limit_bytes;       /**< of what may be held */
    uint64_t pinning_ns;        /**< time that was spent on making memory */
    uint64_t bookkeeping_bytes; /**< of the library, for the blocks */
} near_pinned_stats;

/**
 * @brief Says that the work which is in a stream now uses the memory: when freed, it is nobody's until that is done.
 *
 * For each stream that uses it, after the last work was put in. Nobody waits.
 *
 * @param[in] pinned   memory.
 * @param[in] streams  a pool of streams, of any GPU.
 * @param[in] id       a lease of it, or ::STREAM_POOL_DEFAULT.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p pinned or @p streams is NULL
 * - ::NEAR_E_STALE        the id is unknown, another pool's, or was released
 * - ::NEAR_E_BUSY         the stream captures a graph
 * - ::NEAR_E_UNSUPPORTED  the memory is adopted: wait for the stream, then free it
 * - ::NEAR_E_CUDA         the driver refuses
 * - ::NEAR_E_FORKED       the memory, or @p streams, was made in the parent of this process
 * - ::NEAR_E_NOMEM        out of memory
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pinned_used_on(near_pinned *pinned, stream_pool *streams, uint64_t id);

/**
 * @brief near_pinned_used_on() and near_pinned_free() in one. When it fails, the memory is the caller's still.
 *
 * @param[in] pinned   memory.
 * @param[in] streams  a pool of streams, of any GPU.
 * @param[in] id       a lease of it, which may be released at once; or ::STREAM_POOL_DEFAULT.
 *
 * @errors As near_pinned_used_on().
 *
 * @threads{exclusive}
 * @blocking Never while both pools live; else until the streams have passed.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pinned_free_after(near_pinned *pinned, stream_pool *streams, uint64_t id);

/**
 * @brief Gives idle page-locked memory back to the system.
 *
 * @param[in]  pool         whose cache.
 * @param[in]  devices      with which GPUs; NULL: device_pool_default().
 * @param[in]  node         of which node; ::NEAR_NODE_UNKNOWN: of all.
 * @param[in]  keep_bytes   how much of each node may stay idle. Idle parts of what is in use stay.
 * @param[out] freed_bytes  how much was given back; may be NULL.
 * @param[out] error        the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool is NULL
 * - ::NEAR_E_NO_NODE  there is no such node
 * - ::NEAR_E_FORKED   a pool was made in the parent of this process
 * - ::NEAR_E_NO_DRIVER, ::NEAR_E_NO_DEVICE  there is no driver, or no GPU
 *
 * @threads{safe}
 * @blocking Until the driver has unlocked it.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_trim_pinned(numa_pool *pool, device_pool *devices, uint32_t node,
                                                           size_t keep_bytes, size_t *freed_bytes, near_error *error);

/**
 * @brief What a cache has and has counted.
 *
 * @param[in]  pool     whose cache.
 * @param[in]  devices  with which GPUs; NULL: device_pool_default().
 * @param[in]  node     of which node; ::NEAR_NODE_UNKNOWN: of all.
 * @param[out] stats    the figures; zeros where no memory was asked for yet.
 * @param[out] error    the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool or @p stats is NULL
 * - ::NEAR_E_VERSION  @p stats has a struct_size that this library does not know
 * - ::NEAR_E_NO_NODE  there is no such node
 * - ::NEAR_E_FORKED   a pool was made in the parent of this process
 * - ::NEAR_E_NO_DRIVER, ::NEAR_E_NO_DEVICE  there is no driver, or no GPU
 *
 * @threads{safe}
 * @blocking Never, but for a question to the driver about the streams of freed memory.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_pinned_stats(numa_pool *pool, device_pool *devices, uint32_t node,
                                                            near_pinned_stats *stats, near_error *error);

#ifdef __cplusplus
}
#endif

#endif
