/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_NUMA_POOL_RUN_H
#define NEARPOOL_NUMA_POOL_RUN_H

/**
 * @file
 * @brief Running work on a pool: tasks, loops, waiting until it is idle.
 */

#include <nearpool/numa_pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @brief Runs a task on a worker of one node.
 *
 * The submit happens before the run. Tasks of one node from outside its workers start oldest first. Of a task that
 * fails no wait tells: it is counted, the log says so, and numa_pool_info::first_failure and last_failure have its
 * words. To be told, submit to a group (numa_pool_group.h).
 *
 * @param[in] pool       a pool.
 * @param[in] node       a node of the pool, or ::NUMA_POOL_NODE_LOCAL: the caller's, or the pool's node nearest to it.
 *                       On a topology of another machine: the node that has a CPU of the caller's number there, else
 *                       the first.
 * @param[in] run        the task.
 * @param[in] user_data  passed to it.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p pool or @p run is NULL
 * - ::NEAR_E_NO_NODE   @p node is not in the pool
 * - ::NEAR_E_AGAIN     the node's queue is full (numa_pool_options::queue_capacity)
 * - ::NEAR_E_SHUTDOWN  shutdown or destroy has begun and the caller is not one of the pool's own tasks
 * - ::NEAR_E_FORKED    the pool was made in the parent of this process
 * - ::NEAR_E_NOMEM     out of memory
 * - ::NEAR_E_SYSTEM    the default pool could not start its threads
 *
 * Whatever the error, nothing was queued.
 *
 * @owner    user_data stays the caller's; it must live until the task has run.
 * @threads{safe}
 * @blocking Never waits; takes no lock on the usual path.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_submit(numa_pool *pool, uint32_t node, numa_pool_task_fn run,
                                                      void *user_data);

/**
 * @brief Runs several tasks on workers of one node; all are accepted, or none.
 *
 * @param[in] pool        a pool.
 * @param[in] node        as for numa_pool_submit().
 * @param[in] tasks       the tasks; copied.
 * @param[in] task_count  how many; of none nothing is queued, whatever the state of the pool and the group.
 * @param[in] group       a group of this pool that they belong to, or NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID    @p pool is NULL, @p tasks is NULL with a count, a task's run is NULL, @p group is of another
 *                       pool, or @p task_count is one that no memory holds
 * - ::NEAR_E_BUSY       @p group is cancelled and was not waited for since
 * - ::NEAR_E_NO_NODE    @p node is not in the pool
 * - ::NEAR_E_AGAIN      the node's queue has not room for all
 * - ::NEAR_E_SHUTDOWN   shutdown or destroy has begun and the caller is not one of the pool's own tasks
 * - ::NEAR_E_FORKED     the pool was made in the parent of this process
 * - ::NEAR_E_NOMEM      out of memory
 * - ::NEAR_E_SYSTEM     the default pool could not start its threads
 *
 * Whatever the error, nothing was queued, and neither run nor discard is called.
 *
 * @owner    What user_data points to stays the caller's until run or discard is called.
 * @threads{safe}
 * @blocking Never waits; takes no lock on the usual path.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_submit_tasks(numa_pool *pool, uint32_t node, const near_task *tasks,
                                                            size_t task_count, numa_pool_group *group);

/**
 * @brief A part of a loop: called for [begin, end) on a worker thread.
 *
 * @param[in] begin      first index.
 * @param[in] end        one past the last.
 * @param[in] node       the node to which this part of the range belongs.
 * @param[in] user_data  as given to numa_pool_parallel_for().
 * @return as for a task.
 */
typedef near_status (*numa_pool_range_fn)(size_t begin, size_t end, uint32_t node, void *user_data);

/**
 * @brief Loops over [begin, end) on all nodes, and waits.
 *
 * The range is cut into one contiguous block per node in proportion to their workers, always in the same way: a second
 * loop over the same range has the same index on the same node. Idle workers take parts of others' blocks as the steal
 * policy allows. After the first failure parts that have not started are skipped.
 *
 * @param[in]  pool       a pool.
 * @param[in]  begin      first index.
 * @param[in]  end        one past the last; an empty range is ::NEAR_OK and calls nothing.
 * @param[in]  grain      most indices in one call of @p body; 0: chosen.
 * @param[in]  body       the loop's body.
 * @param[in]  user_data  passed to it.
 * @param[out] error      the sentence, the first failure's text for ::NEAR_E_TASK; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p pool or @p body is NULL, or @p begin is greater than @p end
 * - ::NEAR_E_TASK      a part failed
 * - ::NEAR_E_SHUTDOWN  shutdown or destroy has begun and the caller is not one of the pool's own tasks
 * - ::NEAR_E_FORKED    the pool was made in the parent of this process
 * - ::NEAR_E_NOMEM     out of memory; some parts may have run
 * - ::NEAR_E_SYSTEM    the default pool could not start its threads
 *
 * @owner    user_data stays the caller's.
 * @threads{safe}
 * @blocking Until every part has run. A worker that calls it runs tasks meanwhile.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_parallel_for(numa_pool *pool, size_t begin, size_t end, size_t grain,
                                                            numa_pool_range_fn body, void *user_data,
                                                            near_error *error);

/**
 * @brief Waits for a moment at which no accepted task waits or runs.
 *
 * So also for the tasks that tasks submit, and for those that other threads submit meanwhile; a group waits for some
 * tasks alone.
 *
 * @param[in]  pool        a pool.
 * @param[in]  timeout_ns  how long at most; ::NEAR_FOREVER.
 * @param[out] error       the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool is NULL
 * - ::NEAR_E_BUSY     called from one of the pool's own tasks
 * - ::NEAR_E_TIMEOUT  tasks are left
 * - ::NEAR_E_FORKED   the pool was made in the parent of this process
 *
 * @threads{safe}
 * @blocking Until the pool is idle, or the time is over.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_wait_idle(numa_pool *pool, uint64_t timeout_ns, near_error *error);

#ifdef __cplusplus
}
#endif

#endif
