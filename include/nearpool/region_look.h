/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_REGION_LOOK_H
#define NEARPOOL_REGION_LOOK_H

/**
 * @file
 * @brief Where the pages of a region are, in all and node by node, from one look.
 */

#include <nearpool/region.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @brief Looks where the pages are, now: the report, and the pages on each node that it was made from.
 *
 * The kernel moves pages when it wants to, most of all on a node that is full, so what near_region_placement() and
 * near_region_nodes() see one after the other need not agree. Here the pages on all nodes are
 * near_placement::present_pages, and those where they should be are near_placement::near_pages. Every page is looked
 * at, also where near_region_options::sample is set.
 *
 * @param[in]  region     a region.
 * @param[out] placement  the report.
 * @param[out] nodes      the nodes that hold pages, ascending; NULL with capacity 0: only the report and @p needed.
 * @param[in]  capacity   how many @p nodes can take; as many as the machine has nodes are always enough.
 * @param[out] needed     how many there are.
 * @param[out] error      the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p region, @p placement or @p needed is NULL, or @p nodes is NULL with a capacity
 * - ::NEAR_E_VERSION      @p placement has a struct_size that this library does not know
 * - ::NEAR_E_UNSUPPORTED  there is no permitted way to look; near_region_placement() reports that
 * - ::NEAR_E_CAPACITY     the array is too short; only @p needed is written
 * - ::NEAR_E_NOMEM        out of memory
 *
 * @threads{per-handle safe}
 * @blocking As near_region_placement().
 * @fork     Works in the child; one that does not get the pages (::NEAR_REGION_NO_FORK) sees none.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_region_look(near_region *region, near_placement *placement,
                                                      near_node_pages *nodes, size_t capacity, size_t *needed,
                                                      near_error *error);

#ifdef __cplusplus
}
#endif

#endif
