/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_DEVICE_POOL_H
#define NEARPOOL_DEVICE_POOL_H

/**
 * @file
 * @brief GPUs, one CUDA context each: which one next, and its context.
 *
 * Contexts are the primary ones, which the CUDA runtime and the libraries above it use too, and are retained when they
 * are first needed. A device is named by its ordinal, the number that the CUDA driver gives it in this process. The
 * driver is opened with dlopen() when GPUs are first asked for: `libcuda.so.1`, or the file that
 * `NEARPOOL_CUDA_LIBRARY` names (not in setuid programs); NVML, where it is needed, likewise: `libnvidia-ml.so.1` or
 * `NEARPOOL_NVML_LIBRARY`. The caller's current context is as before after every call but device_pool_push() and
 * device_pool_pop(), also when the call fails.
 */

#include <nearpool/topology.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A pool of GPUs. */
typedef struct device_pool device_pool;

/** How to make a pool. All zero: every device that can be used, primary contexts, soft. */
typedef struct device_pool_options {
    uint32_t struct_size;          /**< sizeof(device_pool_options) */
    uint32_t strict;               /**< 1: makes all contexts at once, and fails when a device cannot be used */
    const near_topology *topology; /**< the machine for nodes of devices; NULL: this one */
    const int32_t *ordinals;       /**< the devices, in the order of the pool; NULL: all, by ordinal */
    size_t ordinal_count;          /**< how many */
    uint32_t own_contexts;         /**< 1: contexts of its own, which share nothing with the CUDA runtime's */
    uint32_t reserved;             /**< 0 */
} device_pool_options;

/**
 * @brief Makes a pool of GPUs, without touching a context in soft mode.
 *
 * In soft mode a device that cannot be used gets no place in the pool, and device_pool_get_skipped() says why.
 *
 * @param[in]  options  NULL: all defaults.
 * @param[out] pool     the pool.
 * @param[out] error    the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID    @p pool is NULL; a flag is neither 0 nor 1; ordinals NULL with a count, or with one listed
 * twice; a count that no memory holds
 * - ::NEAR_E_EMPTY_SET  ordinals is given and ordinal_count is 0
 * - ::NEAR_E_VERSION    the options have a size or a field that this library does not know
 * - ::NEAR_E_TOPOLOGY   no topology was given and this machine could not be read
 * - ::NEAR_E_NO_DRIVER  there is no driver, or it is not usable; the sentence has the dynamic linker's words
 * - ::NEAR_E_NO_DEVICE  the driver has no device, or, in soft mode, none that can be used
 * - ::NEAR_E_DEVICE     a listed device does not exist; in strict mode, one cannot be used
 * - ::NEAR_E_CUDA       a driver call failed; in strict mode also the making of a context
 * - ::NEAR_E_FORKED     the parent of this process has initialised the driver, which works only there
 * - ::NEAR_E_NOMEM      out of memory
 *
 * @owner    The caller's; device_pool_destroy() frees it.
 * @threads{safe}
 * @blocking The driver's initialisation, the first time in a process: often more than 100 ms.
 * @fork     In a child every call on the pool is ::NEAR_E_FORKED, and destroying it there is safe.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status device_pool_create(const device_pool_options *options, device_pool **pool,
                                                        near_error *error);

/**
 * @brief The process's own pool, with all defaults: the same handle for every caller.
 *
 * Destroying it does nothing. It is made by the first call that succeeds.
 *
 * @param[out] pool   the pool.
 * @param[out] error  the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool is NULL
 * - and those of device_pool_create()
 *
 * @owner    The library's.
 * @threads{safe}
 * @blocking As device_pool_create(), the first time.
 * @fork     In a child of a process that has it: ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status device_pool_default(device_pool **pool, near_error *error);

/**
 * @brief Gives the contexts back and frees the pool, when the stream pools made on it are gone too.
 *
 * @param[in] pool  a pool, or NULL; the default pool stays as it is.
 *
 * @threads{exclusive}
 * @blocking As the driver's release of a context, which waits for its work when this was the last user. Where
 * page-locked memory was asked for with the pool, as numa_pool_destroy() of its caches.
 * @fork     In the child of the process that made it: frees memory, and calls no driver.
 * @since 0.1
 */
NEAR_API void device_pool_destroy(device_pool *pool);

/**
 * @brief How many devices a pool has.
 *
 * @param[in] pool  a pool.
 * @return at least 1 for a pool; 0 when @p pool is NULL.
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API size_t device_pool_count(const device_pool *pool);

/**
 * @brief The device at a place of the pool: for going through all of them in the pool's order.
 *
 * @param[in]  pool     a pool.
 * @param[in]  index    the place, from 0.
 * @param[out] ordinal  its device.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool or @p ordinal is NULL, or @p index is not less than device_pool_count()
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status device_pool_at(const device_pool *pool, size_t index, int32_t *ordinal);

/**
 * @brief The next device, round robin: the first call gives the first, every device gets its exact share.
 *
 * @param[in]  pool     a pool.
 * @param[out] ordinal  a device.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool or @p ordinal is NULL
 * - ::NEAR_E_FORKED   the pool was made in the parent of this process
 *
 * @threads{safe}
 * @blocking Never; one atomic addition.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status device_pool_next(device_pool *pool, int32_t *ordinal);

/**
 * @brief The context of a device, retained by the pool when this is first asked.
 *
 * @param[in]  pool     a pool.
 * @param[in]  ordinal  a device of the pool.
 * @param[out] context  a CUcontext; valid as long as the pool. It is not made current.
 * @param[out] error    the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool or @p context is NULL
 * - ::NEAR_E_DEVICE   the device is not in the pool
 * - ::NEAR_E_CUDA     the driver cannot make the context; the next call tries again
 * - ::NEAR_E_FORKED   the pool was made in the parent of this process
 *
 * @owner    The pool's.
 * @threads{safe}
 * @blocking The first time as long as the driver takes, often more than 100 ms.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status device_pool_context(device_pool *pool, int32_t ordinal, void **context,
                                                         near_error *error);

/**
 * @brief The context of the device at a place of the pool.
 *
 * @param[in]  pool     a pool.
 * @param[in]  index    the place, from 0.
 * @param[out] context  as for device_pool_context().
 * @param[out] error    the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool or @p context is NULL, or @p index is not less than device_pool_count()
 * - and those of device_pool_context()
 *
 * @owner    The pool's.
 * @threads{safe}
 * @blocking As device_pool_context().
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status device_pool_context_at(device_pool *pool, size_t index, void **context,
                                                            near_error *error);

/**
 * @brief Makes the context of a device current on the calling thread, above the one that is.
 *
 * @param[in]  pool     a pool; it must live until the pop.
 * @param[in]  ordinal  a device of the pool.
 * @param[out] error    the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool is NULL
 * - ::NEAR_E_DEVICE   the device is not in the pool
 * - ::NEAR_E_CUDA     the context cannot be made, or not be made current; the current context is as before
 * - ::NEAR_E_FORKED   the pool was made in the parent of this process
 *
 * @threads{safe}
 * @blocking As device_pool_context().
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status device_pool_push(device_pool *pool, int32_t ordinal, near_error *error);

/**
 * @brief Undoes the latest push of the calling thread: the context from before is current again.
 *
 * @param[out] error  the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_WRONG_THREAD  this thread has pushed nothing that is not popped
 * - ::NEAR_E_BUSY          the current context is not the one that was pushed: undo first what came after
 * - ::NEAR_E_CUDA          the driver refuses
 * - ::NEAR_E_FORKED        it was pushed in the parent of this process; the push is forgotten
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status device_pool_pop(near_error *error);

#ifdef __cplusplus
}
#endif

#endif
