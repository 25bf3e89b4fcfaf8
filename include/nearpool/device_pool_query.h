/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_DEVICE_POOL_QUERY_H
#define NEARPOOL_DEVICE_POOL_QUERY_H

/**
 * @file
 * @brief What the devices of a pool are, and which one is best. None of these makes a context just to ask.
 */

#include <nearpool/device_map.h>
#include <nearpool/device_pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What makes a device the best: device_pool_best(). */
enum {
    DEVICE_POOL_BEST_TOTAL_MEMORY = 0, /**< the most memory in all */
    DEVICE_POOL_BEST_FREE_MEMORY = 1,  /**< the most free memory, less what is reserved in stream pools on this pool */
    DEVICE_POOL_BEST_LEAST_BUSY = 2, /**< the fewest leased streams here; then the fewest reserved bytes here; then the
                                          lowest utilisation, where NVML says it */
    DEVICE_POOL_BEST_NEAREST = 3     /**< the smallest distance from a node */
};

/** What two devices can do with each other's memory: device_pool_get_peers(). */
enum {
    DEVICE_POOL_PEER_ACCESS = 1,  /**< the first can reach the second's memory directly */
    DEVICE_POOL_PEER_ATOMICS = 2, /**< with native atomic operations */
    DEVICE_POOL_PEER_ARRAYS = 4   /**< CUDA arrays too */
};

/** What is known of a device without a context. */
typedef struct device_pool_facts {
    uint32_t struct_size;      /**< in: sizeof(device_pool_facts) */
    int32_t ordinal;           /**< its number in this process */
    uint64_t total_bytes;      /**< memory in all */
    uint32_t capability_major; /**< compute capability */
    uint32_t capability_minor; /**< and its second part */
    uint32_t node;             /**< the node to work on for it, which has CPUs; ::NEAR_NODE_UNKNOWN */
    uint32_t attached_node;    /**< what the source says; another one than node when that has no CPUs */
    int32_t node_source;       /**< NEAR_NODE_SOURCE_* */
    uint32_t mig;              /**< 1: an instance of a partitioned GPU */
    uint8_t uuid[16];          /**< the driver's */
    char uuid_text[48];        /**< "GPU-..." or "MIG-..." */
    char pci_address[32];      /**< "0000:3b:00.0", lower case */
    char name[128];            /**< the driver's */
    uint32_t memory_node;      /**< the node of its own memory, where that is one; ::NEAR_NODE_UNKNOWN */
    uint32_t reserved;         /**< 0 */
} device_pool_facts;

/** The memory of a device now. */
typedef struct device_pool_memory {
    uint32_t struct_size;    /**< in: sizeof(device_pool_memory) */
    uint32_t reserved;       /**< 0 */
    uint64_t total_bytes;    /**< in all */
    uint64_t free_bytes;     /**< free, over all processes */
    uint64_t reserved_bytes; /**< reserved in stream pools on this pool of GPUs; not subtracted from free_bytes */
} device_pool_memory;

/** A device that was asked for, or exists, and is not in the pool. */
typedef struct device_pool_skipped {
    uint32_t struct_size; /**< in: sizeof(device_pool_skipped) */
    int32_t ordinal;      /**< its number */
    near_status status;   /**< why, as a status */
    int32_t native_code;  /**< the CUresult, for ::NEAR_E_CUDA */
    char reason[240];     /**< why, as a sentence */
} device_pool_skipped;

/**
 * @brief What is known of a device.
 *
 * @param[in]  pool     a pool.
 * @param[in]  ordinal  a device of the pool.
 * @param[out] facts    what is known.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool or @p facts is NULL
 * - ::NEAR_E_DEVICE   the device is not in the pool
 * - ::NEAR_E_VERSION  @p facts has a struct_size that this library does not know
 *
 * @threads{safe}
 * @blocking Never; it was read when the pool was made.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status device_pool_get_facts(const device_pool *pool, int32_t ordinal,
                                                           device_pool_facts *facts);

/**
 * @brief The node to work on for a device.
 *
 * @param[in]  pool     a pool.
 * @param[in]  ordinal  a device of the pool.
 * @param[out] node     device_pool_facts::node; ::NEAR_NODE_UNKNOWN is an answer.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool or @p node is NULL
 * - ::NEAR_E_DEVICE   the device is not in the pool
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status device_pool_node(const device_pool *pool, int32_t ordinal, uint32_t *node);

/**
 * @brief The memory of a device now: from the pool's context when it is made, else from NVML, else from the primary
 *        context when something else in this process uses it.
 *
 * @param[in]  pool     a pool.
 * @param[in]  ordinal  a device of the pool.
 * @param[out] memory   the numbers.
 * @param[out] error    the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p pool or @p memory is NULL
 * - ::NEAR_E_DEVICE       the device is not in the pool
 * - ::NEAR_E_VERSION      @p memory has a struct_size that this library does not know
 * - ::NEAR_E_UNSUPPORTED  no context is active and NVML does not say
 * - ::NEAR_E_CUDA         a driver call failed
 * - ::NEAR_E_FORKED       the pool was made in the parent of this process
 *
 * @threads{safe}
 * @blocking A driver call.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status device_pool_get_memory(device_pool *pool, int32_t ordinal,
                                                            device_pool_memory *memory, near_error *error);

/**
 * @brief The best device of a pool; of several equally good ones, the first in the pool's order.
 *
 * A query that fails is returned, and no guess takes its place.
 *
 * @param[in]  pool       a pool.
 * @param[in]  criterion  DEVICE_POOL_BEST_*.
 * @param[in]  node       the node for ::DEVICE_POOL_BEST_NEAREST; not looked at otherwise.
 * @param[out] ordinal    the device.
 * @param[out] error      the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p pool or @p ordinal is NULL, or @p criterion is unknown
 * - ::NEAR_E_NO_NODE      the topology has no node @p node
 * - ::NEAR_E_UNSUPPORTED  nearest, and the node of no device is known
 * - ::NEAR_E_FORKED       the pool was made in the parent of this process
 * - and those of device_pool_get_memory() for ::DEVICE_POOL_BEST_FREE_MEMORY
 *
 * @threads{safe}
 * @blocking A few driver calls.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status device_pool_best(device_pool *pool, int32_t criterion, uint32_t node,
                                                      int32_t *ordinal, near_error *error);

/**
 * @brief Which devices can reach which others' memory.
 *
 * @param[in]  pool      a pool.
 * @param[out] peers     DEVICE_POOL_PEER_* bits, row by row: from the device at place i to the one at place j, at
 *                       i * device_pool_count() + j; 0 for a device and itself. NULL with capacity 0: only @p needed.
 * @param[in]  capacity  how many @p peers can take.
 * @param[out] needed    how many there are.
 * @param[out] error     the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p pool or @p needed is NULL, or @p peers is NULL with a capacity
 * - ::NEAR_E_CAPACITY  the array is too short; @p needed is written
 * - ::NEAR_E_CUDA      a driver call failed
 * - ::NEAR_E_FORKED    the pool was made in the parent of this process
 *
 * @threads{safe}
 * @blocking Some driver calls a pair.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status device_pool_get_peers(device_pool *pool, uint32_t *peers, size_t capacity,
                                                           size_t *needed, near_error *error);

/**
 * @brief A device that is not in the pool, and why.
 *
 * @param[in]  pool     a pool.
 * @param[in]  index    which of them, from 0.
 * @param[out] skipped  the device; NULL asks only for @p count.
 * @param[out] count    how many were skipped; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool is NULL, or @p skipped is given and @p index is not less than @p count; @p count is
 * written
 * - ::NEAR_E_VERSION  @p skipped has a struct_size that this library does not know
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status device_pool_get_skipped(const device_pool *pool, size_t index,
                                                             device_pool_skipped *skipped, size_t *count);

/**
 * @brief Describes a pool in text: a line for each device, and for each that was skipped.
 *
 * @param[in]  pool      a pool.
 * @param[out] buffer    the text, ending in NUL; NULL with capacity 0 asks only for @p needed.
 * @param[in]  capacity  bytes of @p buffer.
 * @param[out] needed    bytes of the text with its NUL.
 * @param[out] error     the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p pool or @p needed is NULL, or @p buffer is NULL with a capacity
 * - ::NEAR_E_CAPACITY  the buffer is too short; @p needed is written
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status device_pool_describe(const device_pool *pool, char *buffer, size_t capacity,
                                                          size_t *needed, near_error *error);

#ifdef __cplusplus
}
#endif

#endif
