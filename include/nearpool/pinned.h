/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_PINNED_H
#define NEARPOOL_PINNED_H

/**
 * @file
 * @brief Page-locked memory next to a GPU: made quickly, looked at, kept for the next who asks.
 *
 * The memory is on the GPU's node, and the report says what was seen there. It is made in the first of four ways that
 * works, whatever the driver answered before, and says why each before it did not; no other is tried where the device
 * is lost, or memory cannot be mapped at all. The driver's own allocation faults pages in inside its call, wherever the
 * caller happens to be, and what is page-locked cannot be moved: so pages are mapped, faulted in by threads of the node
 * and looked at before the driver registers them. What is freed stays page-locked, for others of the same pools
 * (pinned_cache.h). All devices of the process can use the memory, that of ::NEAR_PINNED_DRIVER_NODE only its own.
 */

#include <nearpool/device_pool.h>
#include <nearpool/numa_pool.h>
#include <nearpool/region.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A block of page-locked memory. */
typedef struct near_pinned near_pinned;

/** How memory came to be page-locked: near_pinned_info::method. The first four are tried in this order. */
enum {
    NEAR_PINNED_PLACED = 1,      /**< mapped, bound to the node, faulted in there, looked at, then registered */
    NEAR_PINNED_DRIVER_NODE = 2, /**< the driver's allocation on a node of the host (cuMemCreate, CUDA 12.2) */
    NEAR_PINNED_TOUCHED = 3,     /**< mapped, faulted in by threads of the node, then registered: nothing is bound */
    NEAR_PINNED_DRIVER = 4,      /**< cuMemHostAlloc, called by a thread of the node */
    NEAR_PINNED_ADOPTED = 5      /**< the caller's: near_pinned_options does not ask for it, numa_pool_adopt_pinned() */
};

/** Bits of near_pinned_options::flags. */
enum {
    NEAR_PINNED_FORK = 1,   /**< a child of fork() gets the pages, copied in the fork, idle ones too; else it gets none
                                 of what is mapped here (MADV_DONTFORK). The driver's own allocations are as the driver
                                 makes them. */
    NEAR_PINNED_SHARED = 2, /**< a memfd is behind it, for another process to map and adopt; never from the cache */
    NEAR_PINNED_NO_CACHE = 4, /**< made for this call, and unlocked when it is freed; after a stream: when the next who
                                  asks has memory made, or the cache is trimmed */
    NEAR_PINNED_NO_DUMP = 8   /**< the pages are not in core dumps, idle ones neither (MADV_DONTDUMP); the driver's own
                                  allocations, which are as the driver makes them, are not tried */
};

/** How to get page-locked memory. All zero: huge pages first, soft, from the cache. */
typedef struct near_pinned_options {
    uint32_t struct_size; /**< sizeof(near_pinned_options) */
    uint32_t strict;      /**< 1: every page is seen on the GPU's node, or ::NEAR_E_STRICT; so it is in a strict pool */
    int32_t pages;        /**< NEAR_PAGES_* of what is mapped here; 0: ::NEAR_PAGES_HUGE */
    uint32_t flags;       /**< NEAR_PINNED_FORK and so on */
    uint32_t methods;     /**< the ways to try: a sum of 1 << ::NEAR_PINNED_PLACED and so on; 0: all four */
    uint32_t reserved;    /**< 0 */
    size_t alignment;     /**< of the first byte: a power of two up to 1 GiB, of shared memory up to a page; 0: 64
                               bytes */
    size_t chunk_bytes;   /**< that one registration may have, of memory that is made now; rounded down to whole pages;
                               0: 64 GiB. Less lets others at the driver sooner. Linux 6.11 to 6.13 take less than
                               2 GiB, and get it. One that the driver refuses is halved, down to 2 MiB or a huge
                               page; one that it has no memory for is asked for once more without what is idle in the
                               cache. */
    uint64_t timeout_ns;  /**< how long at most, waiting for its turn included; 0: 10 s, and 1 s for each whole GiB, at
                               most 300 s; ::NEAR_FOREVER */
} near_pinned_options;

/**
 * @brief Page-locked memory on the node next to a GPU.
 *
 * From the cache of the two pools if it has some that fits; else it is made, on threads of the library: a task on the
 * only worker of a node may ask, and so may one of a pool whose workers are all busy. Near a GPU whose node nobody
 * knows it is made on the caller's node, with ::NEAR_LEVEL_NONE. What the memory holds is not defined: from the cache,
 * it is what was there before.
 *
 * @param[in]  pool     for whom: its mode, its limit (numa_pool_options::pinned_limit_bytes), its end.
 * @param[in]  devices  the pool of GPUs; NULL: device_pool_default().
 * @param[in]  ordinal  the driver's number of the GPU.
 * @param[in]  bytes    how many.
 * @param[in]  options  NULL: all defaults.
 * @param[out] pinned   the memory.
 * @param[out] error    the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p pool or @p pinned is NULL; @p bytes is 0, or overflows when rounded up to pages; an option
 *                         has a value that it cannot have
 * - ::NEAR_E_VERSION      the options have a size or a field that this library does not know
 * - ::NEAR_E_FORKED       a pool was made in the parent of this process
 * - ::NEAR_E_NO_DRIVER, ::NEAR_E_NO_DEVICE  there is no driver, or no GPU: numa_pool_alloc() gives other memory
 * - ::NEAR_E_TOPOLOGY     the pools stand on different topologies
 * - ::NEAR_E_DEVICE       @p ordinal is not in @p devices
 * - ::NEAR_E_STRICT       strict, and no way led to memory all of which was seen on the GPU's node, or that node is not
 *                         known, or the limit that the pool was given is reached; nothing was kept
 * - ::NEAR_E_UNSUPPORTED  none of the ways asked for works here; or the device has other addresses than the host
 *                         (near_pinned_info::device_pointer) and one registration cannot have so much
 * - ::NEAR_E_CUDA         driver calls failed; the sentence names that of each way, native_code is the first's
 * - ::NEAR_E_SYSTEM       the thread that page-locks could not be started, or a system call failed
 * - ::NEAR_E_TIMEOUT      the time was not enough; what comes later stays in the cache, or is given back
 * - ::NEAR_E_SHUTDOWN     @p pool, or @p devices, is being shut down or destroyed
 * - ::NEAR_E_NOMEM        out of memory, or a limit of the control group leaves less (the sentence names it)
 *
 * @owner    The caller's; near_pinned_free() gives it back. It may outlive both pools.
 * @threads{safe}
 * @blocking While it is made; from the cache not, but for a question to the driver about the streams of freed memory
 *           (near_pinned_used_on()) when nothing else fits.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_alloc_pinned(numa_pool *pool, device_pool *devices, int32_t ordinal,
                                                            size_t bytes, const near_pinned_options *options,
                                                            near_pinned **pinned, near_error *error);

/**
 * @brief Page-locks memory of the caller's, where it is.
 *
 * No page is moved; the report says where they are. Pages that are not in are faulted in by the driver, on one thread.
 * Another process's memory is shared so: map its descriptor (near_pinned_descriptor()), and adopt that.
 *
 * @param[in]  pool     for whom.
 * @param[in]  devices  the pool of GPUs; NULL: device_pool_default().
 * @param[in]  ordinal  the driver's number of the GPU.
 * @param[in]  data     the first byte.
 * @param[in]  bytes    how many. Two adoptions must not share a page.
 * @param[in]  options  strict and chunk_bytes have a meaning; the others must be zero. NULL: all defaults.
 * @param[out] pinned   the memory.
 * @param[out] error    the sentence; may be NULL.
 *
 * @errors As numa_pool_alloc_pinned(); and
 * - ::NEAR_E_INVALID      @p data is NULL
 * - ::NEAR_E_UNSUPPORTED  the device registers no memory, or one registration cannot have so much
 *
 * @owner    The handle is the caller's, and so is the memory: it must be mapped until near_pinned_free() returned.
 * @threads{safe}
 * @blocking Until the driver has done it.
 * @fork     ::NEAR_E_FORKED. Whether a child gets the pages is the caller's to say (MADV_DONTFORK).
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_adopt_pinned(numa_pool *pool, device_pool *devices, int32_t ordinal,
                                                            void *data, size_t bytes,
                                                            const near_pinned_options *options, near_pinned **pinned,
                                                            near_error *error);

/**
 * @brief Gives page-locked memory back: to the cache, or, where that is closed or has no room, to the system.
 *
 * Work of streams that were named to near_pinned_used_on() may still use it: it is nobody's until that is done. Adopted
 * memory is unlocked at once.
 *
 * @param[in] pinned  memory, or NULL.
 *
 * @threads{exclusive}
 * @blocking Never for memory of the cache while both pools live and it has room. Else, and for what is not of the
 * cache, until the driver has unlocked it, and, when a pool is gone, until the streams have passed.
 * @fork     In a child it does nothing: the memory is not there.
 * @since 0.1
 */
NEAR_API void near_pinned_free(near_pinned *pinned);

/**
 * @brief The first byte.
 *
 * @param[in] pinned  memory.
 * @return aligned as asked; NULL when @p pinned is NULL.
 *
 * @owner    The handle's.
 * @threads{safe}
 * @blocking Never.
 * @fork     Answers the same in a child, where nothing need be at that address.
 * @since 0.1
 */
NEAR_API void *near_pinned_data(const near_pinned *pinned);

/**
 * @brief The bytes that were asked for.
 *
 * @param[in] pinned  memory.
 * @return its size; 0 when @p pinned is NULL.
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API size_t near_pinned_bytes(const near_pinned *pinned);

#ifdef __cplusplus
}
#endif

#endif
