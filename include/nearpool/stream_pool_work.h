/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_STREAM_POOL_WORK_H
#define NEARPOOL_STREAM_POOL_WORK_H

/**
 * @file
 * @brief The work of a pool's streams: is it done, wait for it, go on after it; and what a stream may reserve.
 *
 * Where an id is asked for, ::STREAM_POOL_DEFAULT is the default stream of the pool's context, except for reserving.
 */

#include <nearpool/numa_pool.h>
#include <nearpool/stream_pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @brief Whether a stream has done all work that is in it.
 *
 * @param[in]  pool   a pool.
 * @param[in]  id     a lease of it.
 * @param[out] done   1: yes; 0: not yet.
 * @param[out] error  the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool or @p done is NULL
 * - ::NEAR_E_STALE    the id is unknown, another pool's, or was released
 * - ::NEAR_E_BUSY     the stream captures a graph
 * - ::NEAR_E_CUDA     the work has failed, or the context is lost
 * - ::NEAR_E_FORKED   the pool was made in the parent of this process
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status stream_pool_query(stream_pool *pool, uint64_t id, uint32_t *done,
                                                       near_error *error);

/**
 * @brief Waits until a stream has done its work.
 *
 * @param[in]  pool        a pool.
 * @param[in]  id          a lease of it.
 * @param[in]  timeout_ns  how long at most; ::NEAR_FOREVER.
 * @param[out] error       the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool is NULL
 * - ::NEAR_E_STALE    the id is unknown, another pool's, or was released
 * - ::NEAR_E_BUSY     the stream captures a graph
 * - ::NEAR_E_TIMEOUT  the time was not enough; the work goes on
 * - ::NEAR_E_CUDA     the work has failed, or the context is lost
 * - ::NEAR_E_FORKED   the pool was made in the parent of this process
 *
 * @threads{safe}
 * @blocking Until the work is done or the time is over. The driver has no wait with a time-out: with one, it is asked
 *           every 200 us at the most.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status stream_pool_synchronize(stream_pool *pool, uint64_t id, uint64_t timeout_ns,
                                                             near_error *error);

/**
 * @brief Lets later work of one stream wait for the work that is in another one now. The caller does not wait.
 *
 * @param[in]  pool      a pool.
 * @param[in]  id        a lease of it: the stream that waits.
 * @param[in]  other     the pool of the stream that is waited for; it may be the same, or on another device.
 * @param[in]  other_id  a lease of @p other.
 * @param[out] error     the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool or @p other is NULL
 * - ::NEAR_E_STALE    an id is unknown, another pool's, or was released
 * - ::NEAR_E_BUSY     one of the streams captures a graph
 * - ::NEAR_E_CUDA     a driver call failed
 * - ::NEAR_E_FORKED   a pool was made in the parent of this process
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status stream_pool_wait_on(stream_pool *pool, uint64_t id, stream_pool *other,
                                                         uint64_t other_id, near_error *error);

/**
 * @brief Continues on the CPU: runs a task near the GPU when the work that is in a stream now is done.
 *
 * The task is accepted by @p workers at once: it is counted, numa_pool_wait_idle() waits for it, and its place in a
 * bounded queue is kept. It runs once, on the node of @p workers that is nearest to the device, or, where the device's
 * node is unknown, on the one nearest to the caller of this function (a strict pool refuses then). When the work fails
 * or the context is lost it is discarded instead, and counted so; stream_pool_then_task() says what to free then.
 *
 * It counts as a task that runs: a shutdown of @p workers and its destruction wait for it, and numa_pool_shutdown()
 * counts it in what is left. Meanwhile, and while @p pool is destroyed, the driver is asked too: where it says that the
 * stream is done, and has not called back a second later, the task is run then. What only a later call would complete
 * (an event that is recorded after the shutdown) never ends: shut down with a time-out of 0, cancel the group of the
 * task, and shut down again.
 *
 * @param[in]  pool       a pool.
 * @param[in]  id         a lease of it; it may be released at once.
 * @param[in]  workers    who runs it; NULL: numa_pool_default().
 * @param[in]  run        called once as run(user_data) on a worker, never on a thread of the driver.
 * @param[in]  user_data  passed to run.
 * @param[out] error      the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p pool or @p run is NULL
 * - ::NEAR_E_STALE        the id is unknown, another pool's, or was released
 * - ::NEAR_E_BUSY         the stream captures a graph
 * - ::NEAR_E_STRICT       @p workers is strict, and the node of the device is unknown
 * - ::NEAR_E_TOPOLOGY     @p workers and the pool of GPUs stand on different topologies
 * - ::NEAR_E_AGAIN        the queue of @p workers is full
 * - ::NEAR_E_SHUTDOWN     @p workers takes no more tasks
 * - ::NEAR_E_UNSUPPORTED  this driver cannot call back
 * - ::NEAR_E_CUDA         the driver refuses
 * - ::NEAR_E_FORKED       a pool was made in the parent of this process
 * - ::NEAR_E_NOMEM        out of memory
 * - and those of numa_pool_default(), and of starting its threads (::NEAR_E_SYSTEM), where @p workers is NULL
 *
 * @owner    user_data stays the caller's; it must live until run returns. The task may destroy @p pool, also before
 *           this call has returned, which then ends the pool.
 * @threads{safe}
 * @blocking Never; where it ends the pool, as stream_pool_destroy().
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status stream_pool_then(stream_pool *pool, uint64_t id, numa_pool *workers,
                                                      numa_pool_task_fn run, void *user_data, near_error *error);

/**
 * @brief As stream_pool_then(), for a task that carries something to free, or belongs to a group.
 *
 * @param[in]  pool     a pool.
 * @param[in]  id       a lease of it.
 * @param[in]  workers  who runs it; NULL: numa_pool_default().
 * @param[in]  task     exactly one of its run and discard is called, once; when this function fails, neither.
 * @param[in]  group    a group of @p workers, or NULL.
 * @param[out] error    the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p task is NULL or has no run, or @p group is of another pool
 * - ::NEAR_E_BUSY     @p group is cancelled
 * - and those of stream_pool_then()
 *
 * @owner    The task is copied; what user_data points to is freed by run or discard. Either may destroy @p pool, also
 *           before this call has returned, which then ends the pool.
 * @threads{safe}
 * @blocking Never; where it ends the pool, as stream_pool_destroy().
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status stream_pool_then_task(stream_pool *pool, uint64_t id, numa_pool *workers,
                                                           const near_task *task, numa_pool_group *group,
                                                           near_error *error);

/**
 * @brief Reserves bytes against the budget of a lease's stream: a count, which allocates nothing.
 *
 * device_pool_best() takes it into account. What a lease has reserved ends with its release.
 *
 * @param[in] pool   a pool.
 * @param[in] id     a lease of it.
 * @param[in] bytes  how many.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p pool is NULL, or @p id is ::STREAM_POOL_DEFAULT
 * - ::NEAR_E_STALE     the id is unknown, another pool's, or was released
 * - ::NEAR_E_CAPACITY  the stream's budget is not enough; nothing is reserved
 * - ::NEAR_E_FORKED    the pool was made in the parent of this process
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status stream_pool_reserve(stream_pool *pool, uint64_t id, uint64_t bytes);

/**
 * @brief Gives reserved bytes back.
 *
 * @param[in] pool   a pool.
 * @param[in] id     a lease of it.
 * @param[in] bytes  how many.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pool is NULL, @p id is ::STREAM_POOL_DEFAULT, or the lease has not reserved so many
 * - ::NEAR_E_STALE    the id is unknown, another pool's, or was released
 * - ::NEAR_E_FORKED   the pool was made in the parent of this process
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status stream_pool_unreserve(stream_pool *pool, uint64_t id, uint64_t bytes);

/**
 * @brief The bytes that so many streams may reserve: arms * streams * a stream's budget. Needs no GPU.
 *
 * @param[in] arms     how many branches of a program.
 * @param[in] streams  streams of each.
 * @return bytes, by NEARPOOL_STREAM_MB or 256 MiB a stream; UINT64_MAX where it would be more.
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API uint64_t stream_pool_planned_budget(uint64_t arms, uint64_t streams);

#ifdef __cplusplus
}
#endif

#endif
