/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_DEVICE_NEAR_H
#define NEARPOOL_DEVICE_NEAR_H

/**
 * @file
 * @brief Work near a GPU: send a task there, pin a thread there.
 */

#include <nearpool/affinity.h>
#include <nearpool/device_pool.h>
#include <nearpool/numa_pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @brief Runs a task near a GPU: on the node of the pool that is nearest to the device (device_pool_facts).
 *
 * Where the device's node is unknown, a soft pool runs it near the caller; device_pool_node() tells who wants to know.
 *
 * @param[in] pool       a pool of workers.
 * @param[in] devices    a pool of GPUs on the same topology; NULL: device_pool_default().
 * @param[in] ordinal    a device of it.
 * @param[in] run        as for numa_pool_submit().
 * @param[in] user_data  passed to run.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p pool or @p run is NULL
 * - ::NEAR_E_DEVICE    the device is not in the pool of GPUs
 * - ::NEAR_E_STRICT    the pool is strict, and the device's node is unknown; nothing was queued
 * - ::NEAR_E_TOPOLOGY  the two pools stand on different topologies
 * - and those of numa_pool_submit(), and of device_pool_default() where @p devices is NULL
 *
 * @owner    user_data stays the caller's; it must live until run returns.
 * @threads{safe}
 * @blocking Never, but where @p devices is NULL and the default pool is not made yet.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_submit_near(numa_pool *pool, device_pool *devices, int32_t ordinal,
                                                           numa_pool_task_fn run, void *user_data);

/**
 * @brief Runs tasks near a GPU: all are accepted, or none.
 *
 * @param[in] pool        a pool of workers.
 * @param[in] devices     as for numa_pool_submit_near().
 * @param[in] ordinal     as for numa_pool_submit_near().
 * @param[in] tasks       the tasks; copied.
 * @param[in] task_count  how many.
 * @param[in] group       a group of @p pool, or NULL.
 *
 * @errors
 * - those of numa_pool_submit_tasks() and numa_pool_submit_near()
 *
 * @owner    What the tasks carry is freed by their run or discard.
 * @threads{safe}
 * @blocking As numa_pool_submit_near().
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_submit_tasks_near(numa_pool *pool, device_pool *devices, int32_t ordinal,
                                                                 const near_task *tasks, size_t task_count,
                                                                 numa_pool_group *group);

/**
 * @brief Pins the calling thread to the allowed CPUs nearest to a GPU.
 *
 * Where the device's node is unknown, soft leaves the thread as it is, at ::NEAR_LEVEL_NONE.
 *
 * @param[in]  devices  a pool of GPUs; NULL: device_pool_default().
 * @param[in]  ordinal  a device of it.
 * @param[in]  options  NULL: soft.
 * @param[out] pin      the pin; its report names the node that was used.
 * @param[out] error    the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pin is NULL, or strict is neither 0 nor 1
 * - ::NEAR_E_VERSION  the options have a size or a field that this library does not know
 * - ::NEAR_E_DEVICE   the device is not in the pool of GPUs
 * - ::NEAR_E_STRICT   strict, and the node is unknown, or the pin was refused or is not seen; the thread is as before
 * - ::NEAR_E_FORKED   the pool of GPUs was made in the parent of this process
 * - ::NEAR_E_NOMEM    out of memory
 * - and those of device_pool_default() where @p devices is NULL
 *
 * @owner    As for near_pin_cpus().
 * @threads{safe}
 * @blocking Never, but where @p devices is NULL and the default pool is not made yet.
 * @fork     As for near_pin_cpus(), for a pin that was made before.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pin_device(device_pool *devices, int32_t ordinal,
                                                     const near_pin_options *options, near_pin **pin,
                                                     near_error *error);

#ifdef __cplusplus
}
#endif

#endif
