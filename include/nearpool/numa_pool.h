/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_NUMA_POOL_H
#define NEARPOOL_NUMA_POOL_H

/**
 * @file
 * @brief Worker threads, a team per NUMA node: run tasks there, loop near the data, place memory.
 */

#include <nearpool/region.h>
#include <nearpool/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A pool of worker threads. */
typedef struct numa_pool numa_pool;

/** A group of tasks: see numa_pool_group.h. */
typedef struct numa_pool_group numa_pool_group;

/** Whose tasks an idle worker takes: numa_pool_options::steal_policy. */
enum {
    NUMA_POOL_STEAL_NEAREST = 0, /**< its node's; then the same package's; then others' by distance: the default */
    NUMA_POOL_STEAL_LOCAL = 1,   /**< only its node's */
    NUMA_POOL_STEAL_ANY = 2      /**< its node's; then any other's, whatever the distance */
};

/** What becomes of the memory policy that workers inherit from the thread that starts them (numactl, a container's
 * runtime, set_mempolicy()): numa_pool_options::memory_policy. */
enum {
    NUMA_POOL_MEMORY_LOCAL =
        0, /**< it is replaced (on this machine): a page goes to the node of the worker that touches it first */
    NUMA_POOL_MEMORY_INHERIT = 1 /**< it stays, and decides where the pages go that tasks touch first */
};

/** As the node of a task: the node of the caller. */
#define NUMA_POOL_NODE_LOCAL UINT32_C(0xfffffffe)

/**
 * @brief Runs on a worker thread when it starts and before it ends, outside any task.
 *
 * It may call the library. To its own pool the thread is then no worker: numa_pool_current() is ::NEAR_E_WRONG_THREAD,
 * and tasks are accepted as from any other thread; but numa_pool_wait_idle() and numa_pool_shutdown() are ::NEAR_E_BUSY
 * as from a task, and numa_pool_destroy() lets the last thread free the pool. Nothing is held while it runs.
 *
 * @param[in] node       the worker's node.
 * @param[in] worker     its index in the node, from 0.
 * @param[in] user_data  numa_pool_options::user_data.
 */
typedef void (*numa_pool_thread_fn)(uint32_t node, uint32_t worker, void *user_data);

/** How to make a pool. All zero: this machine, all nodes, a worker per allowed core, steal nearest, soft. */
typedef struct numa_pool_options {
    uint32_t struct_size;             /**< sizeof(numa_pool_options) */
    int32_t steal_policy;             /**< NUMA_POOL_STEAL_* */
    const near_topology *topology;    /**< NULL: this machine; another one's: routes and counts, pins nothing */
    const uint32_t *nodes;            /**< the nodes of the pool; NULL: all; in strict mode: all with allowed CPUs */
    size_t node_count;                /**< how many */
    uint32_t workers_per_node;        /**< 0: one per allowed core, in all at most the CPU quota, at least 1 a node */
    uint32_t strict;                  /**< 1: every worker is seen on its node's CPUs, or ::NEAR_E_STRICT */
    uint64_t queue_capacity;          /**< waiting tasks and continuations of streams per node, from outside its
                                           workers; 0: unbounded */
    uint64_t spin_ns;                 /**< how long a worker looks for work before it sleeps; 0: default; NEAR_NONE */
    uint64_t steal_delay_ns;          /**< a task that waited so long may be taken by any allowed thief; 0: default;
                                           ::NEAR_NONE: never */
    numa_pool_thread_fn thread_start; /**< called on each worker before its first task; may be NULL */
    numa_pool_thread_fn thread_stop;  /**< called on each worker after its last task; may be NULL */
    void *user_data;                  /**< passed to both */
    uint64_t pinned_limit_bytes;      /**< page-locked memory that a cache of the pool may hold on a node
                                           (pinned_cache.h); 0: half of the node's memory; ::NEAR_NONE: no limit */
    int32_t core_kind;                /**< NEAR_CORE_* (topology_memory.h): workers run on cores of this kind alone;
                                           0: on all. Where there are none: on all, and the level says so; strict
                                           fails */
    int32_t memory_policy;         /**< NUMA_POOL_MEMORY_*; numa_pool_info::inherited_policy says what was replaced */
    const uint32_t *cpus;          /**< workers run on these alone, those of a node on its own; NULL: on all allowed */
    size_t cpu_count;              /**< how many */
    const uint32_t *excluded_cpus; /**< and on none of these; NULL: none is left out */
    size_t excluded_count;         /**< how many */
} numa_pool_options;

/**
 * @brief Makes a pool and starts its threads.
 *
 * Threads are named `numa-w<node>-<index>`. A node without allowed CPUs has no threads: those of the nearest node with
 * some serve its tasks (numa_pool_node_info::serving_node). What is allowed is the cpuset and the affinity of the
 * process when the topology was discovered, not a later pin of the calling thread. On isolated CPUs, which the kernel
 * does not share out, each worker has a core of its own.
 *
 * @param[in]  options  NULL: all defaults.
 * @param[out] pool     the pool.
 * @param[out] error    the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p pool is NULL; an unknown steal policy, kind of core or memory policy; a strict that is not
 * 0 or 1; a list that is NULL with a count; a count that no memory holds; a node listed twice; more than 65 535 workers
 * - ::NEAR_E_VERSION      the options have a size or a field that this library does not know
 * - ::NEAR_E_EMPTY_SET    nodes, cpus or excluded_cpus are given and their count is 0
 * - ::NEAR_E_TOPOLOGY     no topology was given and this machine could not be read
 * - ::NEAR_E_NO_NODE      a listed node does not exist
 * - ::NEAR_E_NO_CPU       no CPU of the machine may be used, or the lists leave none; a listed CPU does not exist
 * - ::NEAR_E_NOT_ALLOWED  strict, and a listed CPU, or each CPU that a listed node has, is not allowed or left out
 * - ::NEAR_E_STRICT       strict, and a worker is not on its node's CPUs, or is seen to have inherited a memory policy
 * that cannot be replaced, the topology is of another machine or in doubt (near_topology_info::doubt), or there are no
 * cores of the kind
 * - ::NEAR_E_SYSTEM       a thread could not be started; no thread is left
 * - ::NEAR_E_NOMEM        out of memory
 *
 * @owner    The caller's; numa_pool_destroy() frees it.
 * @threads{safe}
 * @blocking In strict mode until every thread has verified its CPU; otherwise not.
 * @fork     In a child every call on the pool is ::NEAR_E_FORKED, and destroying it there is safe.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_create(const numa_pool_options *options, numa_pool **pool,
                                                      near_error *error);

/**
 * @brief The process's own pool, with all defaults: the same handle for every caller.
 *
 * Its threads start with the first task. It cannot be shut down, and destroying it does nothing. A child of fork() gets
 * a fresh one. The variable NEARPOOL_WORKER_POLICY of the environment, "local" (the default) or "inherit", is its
 * numa_pool_options::memory_policy; it is ignored in setuid programs.
 *
 * @param[out] pool   the pool.
 * @param[out] error  the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p pool is NULL
 * - ::NEAR_E_TOPOLOGY  this machine could not be read
 * - ::NEAR_E_NO_CPU    no CPU of the machine may be used
 * - ::NEAR_E_NOMEM     out of memory; the next call tries again
 *
 * @owner    The library's.
 * @threads{safe}
 * @blocking Never for long.
 * @fork     Makes a fresh pool in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_default(numa_pool **pool, near_error *error);

/**
 * @brief Stops the intake, runs what was accepted, ends the threads, frees the pool.
 *
 * From one of the pool's own tasks it only detaches: the intake stops and the last worker frees the pool. Requests for
 * page-locked memory end with ::NEAR_E_SHUTDOWN, and idle page-locked memory of the pool is given back.
 *
 * @param[in] pool  a pool, or NULL; the default pool stays as it is.
 *
 * @threads{exclusive}
 * @blocking Until all accepted tasks have run, those of stream_pool_then() among them. Where page-locked memory was
 * asked for, also until the driver's calls of requests have returned, streams have passed whose memory was freed
 *           (near_pinned_used_on()), and the driver has unlocked what is idle; from one of the pool's own tasks another
 *           thread waits for these.
 * @fork     In the child of the process that made it: frees what belongs to the child.
 * @since 0.1
 */
NEAR_API void numa_pool_destroy(numa_pool *pool);

/**
 * @brief Stops the intake, runs what was accepted, ends the threads; the pool stays to be asked what it counted.
 *
 * Running tasks may still submit, and what stream_pool_then() has accepted counts as running. After a ::NEAR_E_TIMEOUT
 * the pool goes on draining; call again to go on waiting.
 *
 * @param[in]  pool        a pool.
 * @param[in]  timeout_ns  how long at most; ::NEAR_FOREVER.
 * @param[out] left        tasks that have not ended; may be NULL; also written at ::NEAR_E_TIMEOUT, where 0 says that
 *                         only threads are left to end.
 * @param[out] error       the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p pool is NULL
 * - ::NEAR_E_NOT_ALLOWED  it is the default pool
 * - ::NEAR_E_BUSY         called from one of the pool's own tasks
 * - ::NEAR_E_TIMEOUT      tasks or threads have not ended; @p left says how many tasks
 * - ::NEAR_E_FORKED       the pool was made in the parent of this process
 *
 * @threads{safe}
 * @blocking Until all threads have ended, or the time is over.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_shutdown(numa_pool *pool, uint64_t timeout_ns, uint64_t *left,
                                                        near_error *error);

/**
 * @brief Where the caller runs, if it is a worker: in a task or a discard, not in the callbacks of numa_pool_options.
 *
 * @param[out] pool    the pool whose worker this is; may be NULL.
 * @param[out] node    the node on which the worker is; may be NULL. It is not a node of the pool when the worker only
 *                     serves nodes without CPUs: submit to ::NUMA_POOL_NODE_LOCAL, which is then the first of these.
 * @param[out] worker  its index in the node; may be NULL.
 *
 * @errors
 * - ::NEAR_E_WRONG_THREAD  the caller is no worker of a pool
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     In a child of a worker: ::NEAR_E_WRONG_THREAD.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_current(numa_pool **pool, uint32_t *node, uint32_t *worker);

/**
 * @brief Makes a region on a node of the pool: bound there in strict mode, preferred there in soft mode.
 *
 * @param[in]  pool     a pool.
 * @param[in]  node     as for numa_pool_submit().
 * @param[in]  bytes    its size.
 * @param[in]  options  as for near_region_create(), without policy and nodes; NULL: prefaulted on the node.
 * @param[out] region   the region.
 * @param[out] error    the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool is NULL, or the options name a policy or nodes
 * - ::NEAR_E_NO_NODE  @p node is not in the pool
 * - ::NEAR_E_FORKED   the pool was made in the parent of this process
 * - and those of near_region_create()
 *
 * @owner    The caller's; it may outlive the pool.
 * @threads{safe}
 * @blocking While pages are faulted in and looked at; never behind tasks.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_alloc(numa_pool *pool, uint32_t node, size_t bytes,
                                                     const near_region_options *options, near_region **region,
                                                     near_error *error);

/**
 * @brief The topology on which a pool stands.
 *
 * @param[in] pool  a pool.
 * @return never NULL for a pool; NULL when @p pool is NULL.
 *
 * @owner    The pool's; near_topology_retain() it to keep it longer.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const near_topology *numa_pool_topology(const numa_pool *pool);

#ifdef __cplusplus
}
#endif

#endif
