/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_STREAM_POOL_H
#define NEARPOOL_STREAM_POOL_H

/**
 * @file
 * @brief The CUDA streams of one GPU: lent under ids that are never used twice, and bounded.
 *
 * A stream is an exclusive loan: nobody else gets it until it is released and its work is done. When all are lent or
 * busy, acquire says so; the default stream is never given instead. What the streams do is in stream_pool_work.h. All
 * calls may be made while another thread captures a graph.
 */

#include <nearpool/device_pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The streams of one GPU. */
typedef struct stream_pool stream_pool;

/** How streams are lent: stream_pool_options::mode. */
enum {
    STREAM_POOL_EXCLUSIVE = 0,   /**< a stream has one holder: the default */
    STREAM_POOL_APPEND_ONLY = 1, /**< likewise, and none is released: ids live as long as the pool */
    STREAM_POOL_SHARED = 2       /**< round robin: a stream has several holders; release drops the caller's hold */
};

/** The id of the default stream: always resolved, never lent. */
#define STREAM_POOL_DEFAULT UINT64_C(0)

/** How to make a pool. All zero: at most 16 streams, exclusive, of the least priority. */
typedef struct stream_pool_options {
    uint32_t struct_size; /**< sizeof(stream_pool_options) */
    int32_t mode;         /**< STREAM_POOL_EXCLUSIVE and so on */
    uint32_t max_streams; /**< how many at most, up to 65 536; 0: 16 */
    uint32_t max_leases;  /**< of a shared pool, up to 65 536; 0: 1024; otherwise 0: one for each stream */
    int32_t priority;     /**< of the streams: 0 is the least, lower numbers go first; clamped to what the device has */
    uint32_t reserved;    /**< 0 */
    uint64_t budget_bytes; /**< a stream's: stream_pool_reserve(); 0: NEARPOOL_STREAM_MB (in MiB), else 256 MiB */
} stream_pool_options;

/** What a pool is and has: stream_pool_get_info(). */
typedef struct stream_pool_info {
    uint32_t struct_size;      /**< in: sizeof(stream_pool_info) */
    int32_t mode;              /**< STREAM_POOL_EXCLUSIVE and so on */
    int32_t ordinal;           /**< its device */
    uint32_t max_streams;      /**< how many there can be */
    uint32_t max_leases;       /**< how many leases there can be at once */
    uint32_t made;             /**< streams made so far */
    uint32_t lent;             /**< leases that are not released, adopted streams among them */
    uint32_t busy;             /**< released streams whose work is not known to be done */
    int32_t asked_priority;    /**< stream_pool_options::priority */
    int32_t priority;          /**< what the streams have */
    uint32_t priority_clamped; /**< 1: they differ */
    uint32_t reserved;         /**< 0 */
    uint64_t budget_bytes;     /**< a stream's */
} stream_pool_info;

/**
 * @brief Makes a pool of streams on a device. The device's context is retained; streams are made when first needed.
 *
 * @param[in]  devices  a pool of GPUs; NULL: device_pool_default().
 * @param[in]  ordinal  a device of it.
 * @param[in]  options  NULL: all defaults.
 * @param[out] pool     the pool.
 * @param[out] error    the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool is NULL; an unknown mode; more streams or leases than 65 536; leases without the shared
 * mode
 * - ::NEAR_E_VERSION  the options have a size or a field that this library does not know
 * - ::NEAR_E_DEVICE   the device is not in the pool of GPUs
 * - ::NEAR_E_CUDA     a driver call failed; the sentence has the driver's words
 * - ::NEAR_E_FORKED   the pool of GPUs was made in the parent of this process
 * - ::NEAR_E_NOMEM    out of memory
 * - and those of device_pool_default() where @p devices is NULL
 *
 * @owner    The caller's; stream_pool_destroy() frees it. It keeps the pool of GPUs alive.
 * @threads{safe}
 * @blocking As device_pool_context().
 * @fork     In a child every call on the pool is ::NEAR_E_FORKED, and destroying it there is safe.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status stream_pool_create(device_pool *devices, int32_t ordinal,
                                                        const stream_pool_options *options, stream_pool **pool,
                                                        near_error *error);

/**
 * @brief Gives the streams back to the driver, the work in them included, and frees the pool. All its ids end.
 *
 * @param[in] pool  a pool, or NULL.
 *
 * @threads{exclusive}
 * @blocking Not for the streams' work, except while a task of stream_pool_then() waits for it: then until that is done.
 *           Not to be called from a callback of the driver.
 * @fork     In the child of the process that made it: frees memory, and calls no driver.
 * @since 0.1
 */
NEAR_API void stream_pool_destroy(stream_pool *pool);

/**
 * @brief Lends a stream.
 *
 * @param[in]  pool  a pool.
 * @param[out] id    the lease: unique in this process, for ever.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p pool or @p id is NULL
 * - ::NEAR_E_CAPACITY  all streams are lent, or released and still at work (stream_pool_get_info() counts them); or
 *                      this process has used up its 2^48 ids
 * - ::NEAR_E_CUDA      the driver makes no stream, or says of a released one that its work has failed or its context is
 *                      lost, and there is no other; the log has its words
 * - ::NEAR_E_FORKED    the pool was made in the parent of this process
 * - ::NEAR_E_NOMEM     out of memory
 *
 * @owner    The caller's until stream_pool_release().
 * @threads{safe}
 * @blocking Never waits for the work of a stream; the driver's time for a new stream, until all are made. While there
 * is room for one, the driver is asked about a few of those that were released, otherwise about each until one is done;
 * about those that are lent never.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status stream_pool_acquire(stream_pool *pool, uint64_t *id);

/**
 * @brief Gives a stream back. It is lent again only when the work that is in it now is done.
 *
 * What is reserved by the lease is given back too. An adopted stream goes back to its owner.
 *
 * @param[in] pool  a pool.
 * @param[in] id    a lease of it.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p pool is NULL, or @p id is ::STREAM_POOL_DEFAULT
 * - ::NEAR_E_STALE        the id is unknown, another pool's, or was released
 * - ::NEAR_E_UNSUPPORTED  the pool is append-only
 * - ::NEAR_E_BUSY         the stream captures a graph; it stays lent. Not of a shared pool, where other holders stay
 * - ::NEAR_E_FORKED       the pool was made in the parent of this process
 *
 * @threads{safe}
 * @blocking Never waits.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status stream_pool_release(stream_pool *pool, uint64_t id);

/**
 * @brief The stream of a lease.
 *
 * @param[in]  pool    a pool.
 * @param[in]  id      a lease of it; ::STREAM_POOL_DEFAULT gives NULL, the default stream of whichever context is
 * current.
 * @param[out] stream  a CUstream, which is also the CUDA runtime's cudaStream_t.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool or @p stream is NULL
 * - ::NEAR_E_STALE    the id is unknown, another pool's, or was released
 * - ::NEAR_E_FORKED   the pool was made in the parent of this process
 *
 * @owner    The pool's; not to be destroyed.
 * @threads{safe}
 * @blocking Never; takes no lock and calls no driver.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status stream_pool_resolve(const stream_pool *pool, uint64_t id, void **stream);

/**
 * @brief Gives a stream that was made elsewhere an id of this pool. It takes one of the pool's places until it is
 *        released; in an append-only pool that is never.
 *
 * @param[in]  pool    a pool.
 * @param[in]  stream  a CUstream of the same context.
 * @param[out] id      the lease.
 * @param[out] error   the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p pool, @p stream or @p id is NULL; it is a default stream; the pool has it already
 * - ::NEAR_E_DEVICE    it is of another context
 * - ::NEAR_E_CAPACITY  no place is left
 * - ::NEAR_E_CUDA      the driver does not know it
 * - ::NEAR_E_FORKED    the pool was made in the parent of this process
 *
 * @owner    The stream stays the caller's, who destroys it after the release, and after what stream_pool_then() was
 *           given has run.
 * @threads{safe}
 * @blocking Never.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status stream_pool_adopt(stream_pool *pool, void *stream, uint64_t *id,
                                                       near_error *error);

/**
 * @brief What a pool is and has now.
 *
 * @param[in]  pool  a pool.
 * @param[out] info  the numbers; those of other threads' leases may have changed when they are read.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool or @p info is NULL
 * - ::NEAR_E_VERSION  @p info has a struct_size that this library does not know
 * - ::NEAR_E_FORKED   the pool was made in the parent of this process
 *
 * @threads{safe}
 * @blocking A driver call for each released stream.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status stream_pool_get_info(const stream_pool *pool, stream_pool_info *info);

/**
 * @brief The name of a mode.
 *
 * @param[in] mode  a mode of a pool.
 * @return "exclusive", "append-only", "shared"; "unknown" for any other value.
 *
 * @owner    The library's; valid for ever.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *stream_pool_mode_name(int32_t mode);

#ifdef __cplusplus
}
#endif

#endif
