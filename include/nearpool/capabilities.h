/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_CAPABILITIES_H
#define NEARPOOL_CAPABILITIES_H

/**
 * @file
 * @brief What this system can and cannot enforce, probed and not guessed.
 *
 * Strict mode needs three things: ::NEAR_CAPABILITY_MEMORY_BINDING, ::NEAR_CAPABILITY_PLACEMENT_QUERY and
 * ::NEAR_CAPABILITY_AFFINITY, on a topology of this machine. None of them takes a privilege. The others say what more
 * is possible. Automatic NUMA balancing (::NEAR_CAPABILITY_BALANCING_OFF) does not prevent strict mode: the kernel
 * leaves pages under MPOL_BIND where they are, and moves only those without a policy. On a machine with one node there
 * is nowhere to move pages to: ::NEAR_CAPABILITY_MIGRATION is not available there, with ::NEAR_REASON_ONE_NODE.
 */

#include <nearpool/topology.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What was found when the system was probed: an immutable snapshot. */
typedef struct near_capabilities near_capabilities;

/** What can be asked for: the parameter of near_capabilities_get(). */
enum {
    NEAR_CAPABILITY_STRICT = 0,               /**< all that strict mode needs; the sentence lists what is missing */
    NEAR_CAPABILITY_MULTIPLE_NODES = 1,       /**< more than one NUMA node; value: how many */
    NEAR_CAPABILITY_MEMORY_BINDING = 2,       /**< mbind() with MPOL_BIND */
    NEAR_CAPABILITY_PLACEMENT_QUERY = 3,      /**< move_pages() says where pages are */
    NEAR_CAPABILITY_AFFINITY = 4,             /**< threads can be pinned, and the pin is seen */
    NEAR_CAPABILITY_MIGRATION = 5,            /**< pages can be moved between nodes */
    NEAR_CAPABILITY_LOCKING = 6,              /**< memory can be locked; value: bytes allowed (RLIMIT_MEMLOCK) */
    NEAR_CAPABILITY_HUGE_PAGES_2M = 7,        /**< 2 MiB pages are free now; value: how many */
    NEAR_CAPABILITY_HUGE_PAGES_1G = 8,        /**< 1 GiB pages are free now; value: how many */
    NEAR_CAPABILITY_TRANSPARENT_HUGE = 9,     /**< transparent huge pages; the sentence has `enabled` and `defrag` */
    NEAR_CAPABILITY_PREFERRED_MANY = 10,      /**< MPOL_PREFERRED_MANY (Linux 5.15) */
    NEAR_CAPABILITY_WEIGHTED_INTERLEAVE = 11, /**< MPOL_WEIGHTED_INTERLEAVE (Linux 6.9) */
    NEAR_CAPABILITY_BALANCING_OFF = 12,       /**< automatic NUMA balancing is off */
    NEAR_CAPABILITY_ALL_CPUS = 13,            /**< cpuset and affinity allow every CPU; value: CPUs allowed */
    NEAR_CAPABILITY_ALL_MEMORY = 14,          /**< the cpuset allows every node's memory; value: nodes allowed */
    NEAR_CAPABILITY_NO_QUOTA = 15,            /**< no CPU quota; value: CPUs of the quota, in thousandths */
    NEAR_CAPABILITY_NO_SECCOMP = 16,          /**< no seccomp filter is installed in this process */
    NEAR_CAPABILITY_COUNT = 17                /**< how many there are in this version */
};

/** One answer. */
typedef struct near_capability {
    uint32_t struct_size; /**< in: sizeof(near_capability) */
    uint32_t available;   /**< 1 yes, 0 no */
    int32_t reason_code;  /**< NEAR_REASON_*: why not */
    uint32_t reserved;    /**< 0 */
    uint64_t value;       /**< a number that belongs to it, or 0 */
    char text[232];       /**< a sentence, also when the answer is yes; ends in NUL */
} near_capability;

/**
 * @brief Probes the system.
 *
 * @param[in]  topology      a topology, or NULL; on one of another machine, nothing can be enforced.
 * @param[out] capabilities  the snapshot.
 * @param[out] error         the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p capabilities is NULL
 * - ::NEAR_E_TOPOLOGY  @p topology is NULL and this machine could not be read
 * - ::NEAR_E_NOMEM     out of memory
 *
 * @owner    The caller's; near_capabilities_destroy() frees it.
 * @threads{safe}
 * @blocking Makes about a hundred system calls; pins a thread of its own for a moment, never the caller.
 * @fork     A snapshot stays usable in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_capabilities_create(const near_topology *topology,
                                                              near_capabilities **capabilities, near_error *error);

/**
 * @brief Frees a snapshot.
 *
 * @param[in] capabilities  a snapshot, or NULL.
 *
 * @threads{exclusive}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API void near_capabilities_destroy(near_capabilities *capabilities);

/**
 * @brief One answer.
 *
 * @param[in]  capabilities  a snapshot.
 * @param[in]  which         NEAR_CAPABILITY_*.
 * @param[out] capability    the answer.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p capabilities or @p capability is NULL, or @p which is unknown
 * - ::NEAR_E_VERSION  @p capability has a struct_size that this library does not know
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_capabilities_get(const near_capabilities *capabilities, int32_t which,
                                                           near_capability *capability);

/**
 * @brief What is missing for strict mode.
 *
 * @param[in]  capabilities  a snapshot.
 * @param[out] missing       NEAR_CAPABILITY_* values; NULL with capacity 0 asks only for @p needed.
 * @param[in]  capacity      how many @p missing can take.
 * @param[out] needed        how many there are; 0 when strict mode is available.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p capabilities or @p needed is NULL, or @p missing is NULL with a capacity
 * - ::NEAR_E_CAPACITY  the array is too short; @p needed is written
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_capabilities_missing(const near_capabilities *capabilities, int32_t *missing,
                                                               size_t capacity, size_t *needed);

/**
 * @brief The name of a capability.
 *
 * @param[in] which  NEAR_CAPABILITY_*.
 * @return a few words, for example "memory binding"; "unknown" for any other value.
 *
 * @owner    The library's; valid for ever.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *near_capability_name(int32_t which);

#ifdef __cplusplus
}
#endif

#endif
