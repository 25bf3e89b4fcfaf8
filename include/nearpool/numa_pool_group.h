/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_NUMA_POOL_GROUP_H
#define NEARPOOL_NUMA_POOL_GROUP_H

/**
 * @file
 * @brief Tasks that belong together: wait for them, cancel them, learn how many failed and why the first did.
 *
 * A worker that waits for a group, its own pool's or another's, runs other tasks of its own pool that the steal policy
 * allows, and never those of another pool; so does one that waits for another pool to be idle or to end. They lie above
 * the waiting task on the stack and may wait in their turn; once three quarters of the stack are used, the worker only
 * waits, and leaves the tasks to others. That cannot deadlock while no task holds a lock across a wait, waits form no
 * cycle, and fewer tasks wait at a time than stacks have room for (thousands a worker). A time-out may be overrun by
 * one task.
 */

#include <nearpool/numa_pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What has become of a group's tasks. */
typedef struct numa_pool_group_counts {
    uint32_t struct_size; /**< in: sizeof(numa_pool_group_counts) */
    uint32_t cancelled;   /**< 1 after numa_pool_group_cancel(), until the group was waited for */
    uint64_t accepted;    /**< tasks that were submitted */
    uint64_t run;         /**< of these: have run, also those that failed */
    uint64_t failed;      /**< of those that ran: failed */
    uint64_t discarded;   /**< did not start: cancelled, or what they waited for did not come */
} numa_pool_group_counts;

/**
 * @brief Makes a group.
 *
 * @param[in]  pool   a pool; the group keeps it alive.
 * @param[out] group  the group.
 * @param[out] error  the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool or @p group is NULL
 * - ::NEAR_E_FORKED   the pool was made in the parent of this process
 * - ::NEAR_E_NOMEM    out of memory
 *
 * @owner    The caller's; numa_pool_group_destroy() gives it back.
 * @threads{safe}
 * @blocking Never.
 * @fork     In a child every call on the group is ::NEAR_E_FORKED, and destroying it there is safe.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_group_create(numa_pool *pool, numa_pool_group **group,
                                                            near_error *error);

/**
 * @brief Gives a group back; its tasks still run, unless it was cancelled.
 *
 * @param[in] group  a group that nobody waits for, or NULL.
 *
 * @threads{exclusive}
 * @blocking Never.
 * @fork     Safe in the child.
 * @since 0.1
 */
NEAR_API void numa_pool_group_destroy(numa_pool_group *group);

/**
 * @brief Runs a task of the group on a worker of one node.
 *
 * @param[in] group      a group.
 * @param[in] node       as for numa_pool_submit().
 * @param[in] run        the task.
 * @param[in] user_data  passed to it.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p group or @p run is NULL
 * - ::NEAR_E_BUSY      the group is cancelled and was not waited for since
 * - ::NEAR_E_NO_NODE   @p node is not in the pool
 * - ::NEAR_E_AGAIN     the node's queue is full
 * - ::NEAR_E_SHUTDOWN  shutdown or destroy has begun and the caller is not one of the pool's own tasks
 * - ::NEAR_E_FORKED    the pool was made in the parent of this process
 * - ::NEAR_E_NOMEM     out of memory
 * - ::NEAR_E_SYSTEM    the default pool could not start its threads
 *
 * Whatever the error, nothing was queued.
 *
 * @owner    user_data stays the caller's; it must live until the task has run, or the wait after a cancel has returned.
 * @threads{safe}
 * @blocking Never waits.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_group_submit(numa_pool_group *group, uint32_t node,
                                                            numa_pool_task_fn run, void *user_data);

/**
 * @brief Waits until all tasks of the group have run or were discarded.
 *
 * What a wait reports of failed and discarded tasks is then forgotten: the group can be used again. Of several waits at
 * once, one is told.
 *
 * @param[in]  group       a group.
 * @param[in]  timeout_ns  how long at most; ::NEAR_FOREVER.
 * @param[out] error       the sentence, with how many; the first failure's text for ::NEAR_E_TASK; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p group is NULL
 * - ::NEAR_E_TASK     all have ended and at least one failed
 * - ::NEAR_E_CANCELLED  all have ended, none failed and at least one was discarded: by numa_pool_group_cancel(), or
 *                     because what it waited for will not come
 * - ::NEAR_E_TIMEOUT  tasks are left
 * - ::NEAR_E_BUSY     called by a task of the group itself
 * - ::NEAR_E_FORKED   the pool was made in the parent of this process
 *
 * @threads{safe}
 * @blocking Until they have ended, or the time is over. A worker runs other tasks of its pool meanwhile.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_group_wait(numa_pool_group *group, uint64_t timeout_ns,
                                                          near_error *error);

/**
 * @brief Cancels what has not started: discarded instead of run, and counted.
 *
 * @param[in] group  a group.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p group is NULL
 * - ::NEAR_E_FORKED   the pool was made in the parent of this process
 *
 * @threads{safe}
 * @blocking Never: workers discard the tasks when they come to them; numa_pool_group_wait() waits for that.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_group_cancel(numa_pool_group *group);

/**
 * @brief What has become of the group's tasks, since it was made.
 *
 * @param[in]  group   a group.
 * @param[out] counts  the counts; accepted = run + discarded once a wait has returned.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p group or @p counts is NULL
 * - ::NEAR_E_VERSION  @p counts has a struct_size that this library does not know
 * - ::NEAR_E_FORKED   the pool was made in the parent of this process
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_group_get_counts(numa_pool_group *group, numa_pool_group_counts *counts);

#ifdef __cplusplus
}
#endif

#endif
