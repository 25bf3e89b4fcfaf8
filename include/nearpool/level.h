/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_LEVEL_H
#define NEARPOOL_LEVEL_H

/**
 * @file
 * @brief How far a placement was enforced, and why not further; units of time; numbers that mean "none".
 */

#include <nearpool/export.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How far something was enforced. */
enum {
    NEAR_LEVEL_NONE = 0,        /**< nothing could be asked for; the reason says why */
    NEAR_LEVEL_BEST_EFFORT = 1, /**< asked for: refused, only partly achieved or not proven; the reason says why */
    NEAR_LEVEL_STRICT = 2       /**< achieved, and verified by looking */
};

/** Why a level is not ::NEAR_LEVEL_STRICT, or a capability is missing. */
enum {
    NEAR_REASON_NONE = 0,             /**< nothing to explain */
    NEAR_REASON_NOT_THIS_MACHINE = 1, /**< the topology describes another machine */
    NEAR_REASON_FORBIDDEN = 2,        /**< a system call was refused (EPERM or ENOSYS: seccomp, a missing capability) */
    NEAR_REASON_KERNEL = 3,           /**< this kernel does not have it */
    NEAR_REASON_NOT_FAULTED = 4,      /**< pages are not faulted in: there is nothing to look at */
    NEAR_REASON_ELSEWHERE = 5,        /**< pages, or the thread, are somewhere else */
    NEAR_REASON_SAMPLED = 6,          /**< only some pages were looked at */
    NEAR_REASON_CANNOT_LOOK = 7,      /**< there is no permitted way to see where pages are */
    NEAR_REASON_FILE = 8,             /**< the page cache of a regular file takes no policy */
    NEAR_REASON_NOT_ALLOWED = 9,      /**< outside what the cpuset or affinity of this process allows */
    NEAR_REASON_NO_CPUS = 10,         /**< the node has no CPUs; the nearest node that has serves it */
    NEAR_REASON_NO_MEMORY = 11,       /**< the node has no memory */
    NEAR_REASON_NO_HUGE_PAGES = 12,   /**< no huge pages of that size are free, or they are switched off */
    NEAR_REASON_QUOTA = 13,           /**< a CPU quota of the control group */
    NEAR_REASON_LIMIT = 14,           /**< a limit of the process (RLIMIT_MEMLOCK) or its control group */
    NEAR_REASON_BALANCING = 15,       /**< automatic NUMA balancing may move pages later */
    NEAR_REASON_ONE_NODE = 16,        /**< the machine has one node: everything is near */
    NEAR_REASON_UNKNOWN_NODE = 17,    /**< the node of the caller or the device is not known */
    NEAR_REASON_NOT_STARTED = 18,     /**< threads have not started, or have ended: the level was seen last */
    NEAR_REASON_SYSTEM = 19,          /**< a system call failed for another reason, named in the sentence */
    NEAR_REASON_DRIVER = 20,          /**< the GPU's driver does not have it, or refused */
    NEAR_REASON_NOT_LOCKED = 21,      /**< this driver faults pages in and does not lock them: they may move */
    NEAR_REASON_NOT_ASKED = 22        /**< the options leave it out */
};

/** A nanosecond count that means: wait as long as it takes. */
#define NEAR_FOREVER UINT64_MAX
/** In a 64-bit option where zero is the default: none. */
#define NEAR_NONE UINT64_MAX
/** Nanoseconds in a microsecond. */
#define NEAR_US UINT64_C(1000)
/** Nanoseconds in a millisecond. */
#define NEAR_MS UINT64_C(1000000)
/** Nanoseconds in a second. */
#define NEAR_SECOND UINT64_C(1000000000)

/** The answer "not known" for a node. Never a node: submitting to it is ::NEAR_E_NO_NODE. */
#define NEAR_NODE_UNKNOWN UINT32_C(0xffffffff)

/**
 * @brief The name of a level.
 *
 * @param[in] level  a NEAR_LEVEL_* value.
 * @return "none", "best effort", "strict"; "unknown" for any other value.
 *
 * @owner    The library's; valid for ever.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *near_level_name(int32_t level);

/**
 * @brief The name of a reason.
 *
 * @param[in] reason  a NEAR_REASON_* value.
 * @return a few words, for example "not faulted in"; "unknown" for any other value.
 *
 * @owner    The library's; valid for ever.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *near_reason_name(int32_t reason);

#ifdef __cplusplus
}
#endif

#endif
