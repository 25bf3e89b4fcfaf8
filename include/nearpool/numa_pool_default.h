/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_NUMA_POOL_DEFAULT_H
#define NEARPOOL_NUMA_POOL_DEFAULT_H

/**
 * @file
 * @brief How large the process's own pool is: numa_pool_default().
 *
 * Without a limit it has a worker for each allowed core, at most the CPU quota. Where several processes share a
 * machine, a limit leaves each its part.
 */

#include <nearpool/numa_pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @brief Bounds the workers of the process's own pool, before its first use.
 *
 * It goes before the variable NEARPOOL_WORKERS of the environment, which says the same, and is ignored in setuid
 * programs. Where there are fewer workers than nodes with CPUs, the nearest node that has workers serves the others. No
 * other pool is bounded. A child of fork() has the limit too.
 *
 * @param[in]  workers  how many at most, on all nodes together; 0: no limit by this call.
 * @param[out] error    the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p workers is more than 65 535
 * - ::NEAR_E_BUSY     the pool is made already: by numa_pool_default(), or where a NULL stood for it
 *
 * @threads{safe}
 * @blocking Never for long.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status numa_pool_limit_default(uint32_t workers, near_error *error);

#ifdef __cplusplus
}
#endif

#endif
