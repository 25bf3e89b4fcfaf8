/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_NUMA_POOL_STATS_H
#define NEARPOOL_NUMA_POOL_STATS_H

/**
 * @file
 * @brief What a pool is, and what it has counted by itself; also after shutdown.
 *
 * How far workers are pinned is looked at when it is asked for, because the kernel takes an affinity away without a
 * word when a cpuset moves or CPUs go offline. A worker whose own CPUs are allowed again is pinned again by that, and
 * what changed is logged at ::NEAR_LOG_WARN, once. While a task on the worker holds a near_pin it is what was seen
 * last. So it is after shutdown and in a child of fork(), with the reason ::NEAR_REASON_NOT_STARTED.
 */

#include <nearpool/numa_pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a pool is. */
typedef struct numa_pool_info {
    uint32_t struct_size;       /**< in: sizeof(numa_pool_info) */
    int32_t steal_policy;       /**< NUMA_POOL_STEAL_* */
    uint32_t node_count;        /**< nodes, also those that other nodes serve */
    uint32_t worker_count;      /**< workers of all nodes */
    uint32_t strict;            /**< 1 in strict mode */
    int32_t level;              /**< NEAR_LEVEL_*: the lowest of its nodes, now */
    int32_t reason_code;        /**< NEAR_REASON_*: of that node */
    char reason[228];           /**< a sentence; empty where reason_code is ::NEAR_REASON_NONE */
    int32_t memory_policy;      /**< NUMA_POOL_MEMORY_* */
    char inherited_policy[124]; /**< the memory policy that its threads inherited, "interleave on nodes 0-3", replaced
                                     or not, or that nobody may ask; empty: none, or they have not been started */
    uint64_t loose_failures;    /**< tasks that failed and belong to no group, so that no wait tells of them */
    char first_failure[240];    /**< what the first of these said; empty: none */
    char last_failure[240];     /**< what the last of these said */
} numa_pool_info;

/** What a node of a pool is. */
typedef struct numa_pool_node_info {
    uint32_t struct_size;  /**< in: sizeof(numa_pool_node_info) */
    uint32_t node;         /**< its number */
    uint32_t serving_node; /**< the node whose workers run its tasks: itself, unless it has no allowed CPUs */
    uint32_t worker_count; /**< its workers; 0 when another node serves it */
    uint32_t package;      /**< index of its package */
    int32_t level;         /**< NEAR_LEVEL_* of its workers' pins, now */
    int32_t reason_code;   /**< NEAR_REASON_* */
    char reason[228];      /**< a sentence; empty where reason_code is ::NEAR_REASON_NONE */
} numa_pool_node_info;

/** What a pool, or a node of it, has counted. Since the pool was made; each value is exact when the pool is idle. */
typedef struct numa_pool_counts {
    uint32_t struct_size; /**< in: sizeof(numa_pool_counts) */
    uint32_t reserved;    /**< 0 */
    uint64_t accepted;    /**< tasks sent to the node */
    uint64_t run_local;   /**< tasks of the node that its serving node's workers ran */
    uint64_t run_remote;  /**< tasks of the node that other nodes' workers took and ran */
    uint64_t failed;      /**< of those that ran: failed */
    uint64_t discarded; /**< cancelled before they started; continuations of work that failed, of GPUs that were lost */
    uint64_t queued;    /**< tasks of the node that wait now */
    uint64_t taken;     /**< tasks that the node's workers took from other nodes */
    uint64_t wakeups;   /**< times that a worker of the node was woken */
    uint64_t busy_ns;   /**< time that the node's workers were not asleep and not looking for work */
} numa_pool_counts;

/**
 * @brief What a pool is.
 *
 * Asks the kernel once for each worker.
 *
 * @param[in]  pool  a pool.
 * @param[out] info  the facts.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool or @p info is NULL
 * - ::NEAR_E_VERSION  @p info has a struct_size that this library does not know
 * - ::NEAR_E_NOMEM    out of memory
 *
 * @threads{safe}
 * @blocking Until the threads that were started have verified their CPUs.
 * @fork     Works in the child: what was seen last in the parent.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_get_info(numa_pool *pool, numa_pool_info *info);

/**
 * @brief The nodes of a pool, in the order in which parallel_for uses them.
 *
 * @param[in]  pool      a pool.
 * @param[out] nodes     the numbers; NULL with capacity 0 asks only for @p needed.
 * @param[in]  capacity  how many @p nodes can take.
 * @param[out] needed    how many there are.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p pool or @p needed is NULL, or @p nodes is NULL with a capacity
 * - ::NEAR_E_CAPACITY  the array is too short; @p needed is written
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_nodes(const numa_pool *pool, uint32_t *nodes, size_t capacity,
                                                     size_t *needed);

/**
 * @brief What one node of a pool is.
 *
 * Asks the kernel once for each worker of the node that serves it.
 *
 * @param[in]  pool  a pool.
 * @param[in]  node  one of its nodes.
 * @param[out] info  the facts.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool or @p info is NULL
 * - ::NEAR_E_NO_NODE  @p node is not in the pool
 * - ::NEAR_E_VERSION  @p info has a struct_size that this library does not know
 * - ::NEAR_E_NOMEM    out of memory
 *
 * @threads{safe}
 * @blocking Until the threads that were started have verified their CPUs.
 * @fork     Works in the child: what was seen last in the parent.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_get_node_info(numa_pool *pool, uint32_t node, numa_pool_node_info *info);

/**
 * @brief What a pool, or one node of it, has counted.
 *
 * @param[in]  pool    a pool.
 * @param[in]  node    one of its nodes, or ::NEAR_NODE_UNKNOWN for the sum of all.
 * @param[out] counts  the counts.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool or @p counts is NULL
 * - ::NEAR_E_NO_NODE  @p node is not in the pool
 * - ::NEAR_E_VERSION  @p counts has a struct_size that this library does not know
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child: what the parent had counted.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_get_counts(numa_pool *pool, uint32_t node, numa_pool_counts *counts);

/**
 * @brief Who ran whose tasks: a matrix with a row and a column per node, in the order of numa_pool_nodes().
 *
 * Element [row * node_count + column] counts the tasks of the column's node that the row's workers ran. The diagonal is
 * what was run locally. What a node's serving node ran is in the serving node's row, and the row of a node without
 * workers is zero; but when the serving node is not in the pool, the first of the nodes that it serves has its row.
 *
 * @param[in]  pool      a pool.
 * @param[out] matrix    the elements; NULL with capacity 0 asks only for @p needed.
 * @param[in]  capacity  how many @p matrix can take.
 * @param[out] needed    node_count * node_count.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p pool or @p needed is NULL, or @p matrix is NULL with a capacity
 * - ::NEAR_E_CAPACITY  the array is too short; @p needed is written
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child: what the parent had counted.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_get_steals(numa_pool *pool, uint64_t *matrix, size_t capacity,
                                                          size_t *needed);

/**
 * @brief The name of a steal policy.
 *
 * @param[in] steal_policy  NUMA_POOL_STEAL_*.
 * @return "nearest first", "local only", "any"; "unknown" for any other value.
 *
 * @owner    The library's; valid for ever.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *numa_pool_steal_policy_name(int32_t steal_policy);

/**
 * @brief The name of what becomes of an inherited memory policy.
 *
 * @param[in] memory_policy  NUMA_POOL_MEMORY_*.
 * @return "local", "inherit"; "unknown" for any other value.
 *
 * @owner    The library's; valid for ever.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *numa_pool_memory_policy_name(int32_t memory_policy);

#ifdef __cplusplus
}
#endif

#endif
