/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_TASK_H
#define NEARPOOL_TASK_H

/**
 * @file
 * @brief A task: something to run once, that can fail, or be discarded instead.
 */

#include <nearpool/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @brief Runs a task, once, on a worker thread, with nothing held.
 *
 * It may call any function of nearpool that does not say otherwise. A C++ exception that leaves it counts as a failure,
 * with its what(). It must not end its thread. In a child of fork() that it makes nothing of the pool goes on: when it
 * returns there the thread ends, and the child with it, as by exit(0).
 *
 * @param[in] user_data  as given when the task was submitted.
 * @return ::NEAR_OK, or what near_task_fail() returned; any other value counts as a failure too.
 */
typedef near_status (*numa_pool_task_fn)(void *user_data);

/**
 * @brief Frees what a task carries, called once instead of the task when the task will not run.
 *
 * Called on a worker thread of the pool, with nothing held; it must not wait for tasks.
 *
 * @param[in] user_data  as given when the task was submitted.
 */
typedef void (*numa_pool_discard_fn)(void *user_data);

/** A task. Exactly one of run and discard is called, once. */
typedef struct near_task {
    numa_pool_task_fn run;        /**< what it does; not NULL */
    numa_pool_discard_fn discard; /**< what happens instead when it will not run; may be NULL */
    void *user_data;              /**< passed to either */
} near_task;

/**
 * @brief Fails the task that is running on the calling thread: `return near_task_fail("why")`.
 *
 * @param[in] text  why; copied, and cut at 239 bytes; may be NULL. The first failure of a group is its group's text.
 * @return ::NEAR_E_TASK.
 *
 * @owner    The text stays the caller's.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_task_fail(const char *text);

#ifdef __cplusplus
}
#endif

#endif
