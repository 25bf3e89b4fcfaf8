/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_PINNED_REQUEST_H
#define NEARPOOL_PINNED_REQUEST_H

/**
 * @file
 * @brief Page-locked memory without waiting for it: hundreds of GB take tens of seconds.
 */

#include <nearpool/numa_pool_group.h>
#include <nearpool/pinned.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A request for page-locked memory. */
typedef struct near_pinned_request near_pinned_request;

/** Where a request is: near_pinned_progress::state. */
enum {
    NEAR_PINNED_STATE_WAITING = 0, /**< for its turn */
    NEAR_PINNED_STATE_WORKING = 1, /**< pages are faulted in, or locked */
    NEAR_PINNED_STATE_DONE = 2,    /**< the memory is there, or was taken */
    NEAR_PINNED_STATE_FAILED = 3   /**< it will not come; near_pinned_request_wait() says why */
};

/** How far a request has come. */
typedef struct near_pinned_progress {
    uint32_t struct_size; /**< in: sizeof(near_pinned_progress) */
    int32_t state;        /**< NEAR_PINNED_STATE_* */
    size_t bytes;         /**< that were asked for */
    size_t faulted_bytes; /**< of these: in memory; where the driver allocates, it does not say */
    size_t locked_bytes;  /**< of these: page-locked. Both begin again when another way is tried. */
} near_pinned_progress;

/**
 * @brief Asks for page-locked memory, and does not wait.
 *
 * As numa_pool_alloc_pinned(), whose errors that come from making the memory are near_pinned_request_wait()'s. The
 * request's time (near_pinned_options::timeout_ns) begins now.
 *
 * @param[in]  pool     as there.
 * @param[in]  devices  as there.
 * @param[in]  ordinal  as there.
 * @param[in]  bytes    as there.
 * @param[in]  options  as there.
 * @param[out] request  the request.
 * @param[out] error    the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p pool or @p request is NULL; @p bytes is 0, or overflows; an option has a wrong value
 * - ::NEAR_E_VERSION      the options have a size or a field that this library does not know
 * - ::NEAR_E_FORKED       a pool was made in the parent of this process
 * - ::NEAR_E_NO_DRIVER, ::NEAR_E_NO_DEVICE  there is no driver, or no GPU
 * - ::NEAR_E_TOPOLOGY     the pools stand on different topologies
 * - ::NEAR_E_DEVICE       @p ordinal is not in @p devices
 * - ::NEAR_E_STRICT       strict, and the GPU's node is not known
 * - ::NEAR_E_SYSTEM       the thread that page-locks could not be started
 * - ::NEAR_E_SHUTDOWN     a pool is being shut down or destroyed
 * - ::NEAR_E_NOMEM        out of memory
 *
 * @owner    The caller's; near_pinned_request_destroy() frees it.
 * @threads{safe}
 * @blocking Never, but for a question to the driver about the streams of freed memory.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_request_pinned(numa_pool *pool, device_pool *devices, int32_t ordinal,
                                                              size_t bytes, const near_pinned_options *options,
                                                              near_pinned_request **request, near_error *error);

/**
 * @brief Waits for the memory and takes it.
 *
 * @param[in]  request     a request.
 * @param[in]  timeout_ns  how long at most; 0: looks; ::NEAR_FOREVER: as long as the request has.
 * @param[out] pinned      the memory, once.
 * @param[out] error       the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID    @p request or @p pinned is NULL
 * - ::NEAR_E_TIMEOUT    not yet: ask again; or, as near_pinned_progress::state says, the request's own time is over
 * - ::NEAR_E_CANCELLED  near_pinned_request_cancel() was called
 * - ::NEAR_E_SHUTDOWN   a pool was destroyed
 * - ::NEAR_E_STALE      the memory was taken before
 * - ::NEAR_E_FORKED     the request was made in the parent of this process
 * - and ::NEAR_E_STRICT, _UNSUPPORTED, _CUDA, _SYSTEM and _NOMEM as of numa_pool_alloc_pinned()
 *
 * @owner    The memory is the caller's, and may outlive the request.
 * @threads{safe}
 * @blocking Until the request has ended or the time is over.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pinned_request_wait(near_pinned_request *request, uint64_t timeout_ns,
                                                              near_pinned **pinned, near_error *error);

/**
 * @brief Runs a task when the request has ended, whatever came of it.
 *
 * The task is accepted by @p workers at once, as one of stream_pool_then() is; near_pinned_request_wait() with 0 then
 * takes the memory. A shutdown of @p workers waits for it.
 *
 * @param[in]  request  a request. It may be destroyed before: then the task runs at once.
 * @param[in]  workers  who runs it; NULL: numa_pool_default().
 * @param[in]  node     where: a node of @p workers, or ::NUMA_POOL_NODE_LOCAL.
 * @param[in]  task     the task; copied.
 * @param[in]  group    a group of @p workers that it is in; NULL: none.
 * @param[out] error    the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p request, @p task or its run is NULL, or the group is of another pool
 * - ::NEAR_E_NO_NODE   @p node is not in @p workers
 * - ::NEAR_E_AGAIN     the node's queue is full
 * - ::NEAR_E_SHUTDOWN  @p workers takes no more tasks
 * - ::NEAR_E_FORKED    the request, or @p workers, was made in the parent of this process
 * - ::NEAR_E_NOMEM     out of memory
 * - and those of numa_pool_default(), and of starting its threads (::NEAR_E_SYSTEM), where @p workers is NULL
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pinned_request_then(near_pinned_request *request, numa_pool *workers,
                                                              uint32_t node, const near_task *task,
                                                              numa_pool_group *group, near_error *error);

/**
 * @brief How far a request has come.
 *
 * @param[in]  request   a request.
 * @param[out] progress  the figures, which other threads change.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p request or @p progress is NULL
 * - ::NEAR_E_VERSION  @p progress has a struct_size that this library does not know
 * - ::NEAR_E_FORKED   the request was made in the parent of this process
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pinned_request_progress(const near_pinned_request *request,
                                                                  near_pinned_progress *progress);

/**
 * @brief Ends a request that has not ended. The work stops after the driver's call that is being made, if any.
 *
 * @param[in] request  a request.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p request is NULL
 * - ::NEAR_E_STALE    it has ended before
 * - ::NEAR_E_FORKED   the request was made in the parent of this process
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pinned_request_cancel(near_pinned_request *request);

/**
 * @brief Frees a request. One that has not ended is cancelled; memory that nobody took goes to the cache.
 *
 * @param[in] request  a request, or NULL.
 *
 * @threads{exclusive}
 * @blocking As near_pinned_free() of its memory.
 * @fork     In a child it does nothing.
 * @since 0.1
 */
NEAR_API void near_pinned_request_destroy(near_pinned_request *request);

#ifdef __cplusplus
}
#endif

#endif
