/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_NEARPOOL_H
#define NEARPOOL_NEARPOOL_H

/**
 * @file
 * @brief All of nearpool.
 *
 * Lists cross this interface as arrays. As input, a pointer and a count: NULL with 0 is the default, a pointer with 0
 * is ::NEAR_E_EMPTY_SET (but no tasks to submit are ::NEAR_OK), NULL with a count is ::NEAR_E_INVALID. As output, an
 * array, its capacity and `needed`: `needed` is always written on ::NEAR_OK and on ::NEAR_E_CAPACITY, which says that
 * the array was too short and nothing else was written; NULL with capacity 0 asks only for `needed`, and is ::NEAR_OK.
 * Node and CPU numbers are the kernel's and may be sparse.
 *
 * A struct that starts with `struct_size` must have it set to its sizeof, as input and as output; zero is every other
 * field's default.
 */

#include <nearpool/affinity.h>
#include <nearpool/capabilities.h>
#include <nearpool/device_map.h>
#include <nearpool/device_near.h>
#include <nearpool/device_pool.h>
#include <nearpool/device_pool_query.h>
#include <nearpool/level.h>
#include <nearpool/log.h>
#include <nearpool/numa_pool.h>
#include <nearpool/numa_pool_default.h>
#include <nearpool/numa_pool_group.h>
#include <nearpool/numa_pool_run.h>
#include <nearpool/numa_pool_stats.h>
#include <nearpool/pinned.h>
#include <nearpool/pinned_cache.h>
#include <nearpool/pinned_query.h>
#include <nearpool/pinned_request.h>
#include <nearpool/region.h>
#include <nearpool/region_change.h>
#include <nearpool/region_look.h>
#include <nearpool/status.h>
#include <nearpool/stream_pool.h>
#include <nearpool/stream_pool_work.h>
#include <nearpool/task.h>
#include <nearpool/topology.h>
#include <nearpool/topology_memory.h>
#include <nearpool/topology_query.h>
#include <nearpool/version.h>

#endif
