/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_REGION_CHANGE_H
#define NEARPOOL_REGION_CHANGE_H

/**
 * @file
 * @brief Changing a region after it was made: prefault, migrate, rebind, lock, advise.
 */

#include <nearpool/region.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Advice for near_region_advise(). */
enum {
    NEAR_ADVICE_NORMAL = 0,     /**< no special treatment */
    NEAR_ADVICE_SEQUENTIAL = 1, /**< will be read in order */
    NEAR_ADVICE_RANDOM = 2,     /**< will be read in no order */
    NEAR_ADVICE_WILL_NEED = 3,  /**< soon */
    NEAR_ADVICE_DISCARD = 4,    /**< contents are no longer wanted: pages are given back, the next read sees zeros */
    NEAR_ADVICE_COLD = 5,       /**< reclaim these first */
    NEAR_ADVICE_HUGE = 6,       /**< transparent huge pages */
    NEAR_ADVICE_NO_HUGE = 7     /**< no transparent huge pages */
};

/**
 * @brief Faults all pages in; contents stay as they are.
 *
 * Pages that are elsewhere are moved. A region is strict here if it was made so, or rebound so since.
 *
 * @param[in]  region    a region.
 * @param[in]  prefault  ::NEAR_PREFAULT_HERE or ::NEAR_PREFAULT_ON_NODE.
 * @param[out] error     the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p region is NULL, or @p prefault is neither
 * - ::NEAR_E_STRICT   strict, and pages are not near or not seen to be; all are in
 * - ::NEAR_E_NOMEM    not enough memory, or below the limit of the control group; pages that are in stay in
 * - ::NEAR_E_SYSTEM   the kernel refused, or a thread could not be started
 * - ::NEAR_E_FORKED   a child of fork() that does not get the pages (::NEAR_REGION_NO_FORK)
 *
 * @threads{per-handle safe}
 * @blocking While pages are faulted in.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_region_prefault(near_region *region, int32_t prefault, near_error *error);

/**
 * @brief Gives a region another policy, for pages to come and for those that are there.
 *
 * Pages are moved first, looked at, and only then bound, so that a node without room never kills the process.
 *
 * @param[in]  region      a region.
 * @param[in]  policy      NEAR_POLICY_*.
 * @param[in]  nodes       as in near_region_options::nodes.
 * @param[in]  node_count  how many.
 * @param[in]  strict      1: all pages are seen near afterwards, or ::NEAR_E_STRICT and the policy is as before.
 * @param[out] error       the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p region is NULL; the policy is unknown or does not take these nodes; @p strict is
 *                         neither 0 nor 1; a count of nodes that no memory holds
 * - ::NEAR_E_EMPTY_SET    nodes are given and @p node_count is 0
 * - ::NEAR_E_NO_NODE      a listed node does not exist
 * - ::NEAR_E_NOT_ALLOWED  strict, and a listed node is outside the cpuset
 * - ::NEAR_E_UNSUPPORTED  strict, and the kernel does not know the policy, or pages of this backing cannot be moved
 * - ::NEAR_E_STRICT       strict, and pages could not be moved; those that moved may stay where they are
 * - ::NEAR_E_NOMEM        out of memory
 * - ::NEAR_E_SYSTEM       strict, and the kernel refused to fault pages in
 * - ::NEAR_E_FORKED       a child of fork() that does not get the pages (::NEAR_REGION_NO_FORK)
 *
 * @threads{per-handle safe}
 * @blocking While pages move.
 * @fork     Works in the child, for the child's pages.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_region_rebind(near_region *region, int32_t policy, const uint32_t *nodes,
                                                        size_t node_count, uint32_t strict, near_error *error);

/**
 * @brief Moves the pages that are there to one node; the policy stays.
 *
 * @param[in]  region       a region.
 * @param[in]  node         where to.
 * @param[out] moved_pages  pages that are on the node now and were not before; may be NULL; written on success and on
 *                          ::NEAR_E_BUSY.
 * @param[out] error        the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p region is NULL
 * - ::NEAR_E_NO_NODE      there is no node @p node
 * - ::NEAR_E_NOT_ALLOWED  the node is outside the cpuset, or has no memory
 * - ::NEAR_E_UNSUPPORTED  moving is forbidden here, or the topology is of another machine
 * - ::NEAR_E_BUSY         some pages could not be moved: no room, or pinned
 * - ::NEAR_E_NOMEM        out of memory; pages may have moved
 * - ::NEAR_E_SYSTEM       the kernel refused to loosen the binding for the move
 * - ::NEAR_E_FORKED       a child of fork() that does not get the pages (::NEAR_REGION_NO_FORK)
 *
 * @threads{per-handle safe}
 * @blocking While pages move.
 * @fork     Works in the child, for the child's pages.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_region_migrate(near_region *region, uint32_t node, size_t *moved_pages,
                                                         near_error *error);

/**
 * @brief Locks a region in memory (mlock), or unlocks it.
 *
 * When locking fails, an earlier lock stays, and without one nothing is locked.
 *
 * @param[in]  region  a region.
 * @param[in]  lock    1 locks, 0 unlocks.
 * @param[out] error   the sentence; may be NULL. It names RLIMIT_MEMLOCK where that is the limit.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p region is NULL, or @p lock is neither
 * - ::NEAR_E_NOT_ALLOWED  RLIMIT_MEMLOCK is too small
 * - ::NEAR_E_NOMEM        not enough memory
 * - ::NEAR_E_SYSTEM       the kernel refused
 * - ::NEAR_E_FORKED       a child of fork() that does not get the pages (::NEAR_REGION_NO_FORK)
 *
 * @threads{per-handle safe}
 * @blocking Faults pages in.
 * @fork     Locks are not inherited.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_region_lock(near_region *region, uint32_t lock, near_error *error);

/**
 * @brief Tells the kernel how a part of a region will be used.
 *
 * @param[in]  region  a region.
 * @param[in]  offset  bytes from its start; a multiple of its page size.
 * @param[in]  bytes   how many; rounded up to whole pages.
 * @param[in]  advice  NEAR_ADVICE_*.
 * @param[out] error   the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p region is NULL; the part is empty, misaligned or outside the region; unknown advice
 * - ::NEAR_E_UNSUPPORTED  this kernel or this backing does not know the advice
 * - ::NEAR_E_NOMEM        out of memory
 * - ::NEAR_E_SYSTEM       the kernel refused; or it refused to loosen the binding of pages to discard
 * - ::NEAR_E_FORKED       a child of fork() that does not get the pages (::NEAR_REGION_NO_FORK)
 *
 * @threads{per-handle safe}
 * @blocking Never for long.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_region_advise(near_region *region, size_t offset, size_t bytes,
                                                        int32_t advice, near_error *error);

/**
 * @brief The name of a policy.
 *
 * @param[in] policy  NEAR_POLICY_*.
 * @return for example "bind"; "unknown" for any other value.
 *
 * @owner    The library's; valid for ever.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *near_policy_name(int32_t policy);

/**
 * @brief The name of a page size.
 *
 * @param[in] pages  NEAR_PAGES_*.
 * @return for example "2 MiB"; "unknown" for any other value.
 *
 * @owner    The library's; valid for ever.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *near_pages_name(int32_t pages);

/**
 * @brief The name of a way to prefault.
 *
 * @param[in] prefault  NEAR_PREFAULT_*.
 * @return for example "on node"; "unknown" for any other value.
 *
 * @owner    The library's; valid for ever.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *near_prefault_name(int32_t prefault);

#ifdef __cplusplus
}
#endif

#endif
