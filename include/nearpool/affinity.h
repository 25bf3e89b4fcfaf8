/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_AFFINITY_H
#define NEARPOOL_AFFINITY_H

/**
 * @file
 * @brief Pin the calling thread for a while, and put back what was before.
 *
 * A pin takes only CPUs that the cpuset and the affinity of the process allow. A list of CPUs is asked for as a whole:
 * where a part is not allowed, strict is ::NEAR_E_NOT_ALLOWED, and soft takes the rest at ::NEAR_LEVEL_BEST_EFFORT. A
 * node is asked for as a place: its allowed CPUs are all that can be had there, so pinning to them is
 * ::NEAR_LEVEL_STRICT. Where none is allowed, soft leaves the thread as it is, at ::NEAR_LEVEL_NONE.
 */

#include <nearpool/topology.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A pin of one thread; that thread releases it. */
typedef struct near_pin near_pin;

/** How to pin. */
typedef struct near_pin_options {
    uint32_t struct_size; /**< sizeof(near_pin_options) */
    uint32_t strict;      /**< 1: the thread is seen to be pinned to exactly these CPUs, or ::NEAR_E_STRICT */
} near_pin_options;

/** What a pin achieves. */
typedef struct near_pin_report {
    uint32_t struct_size; /**< in: sizeof(near_pin_report) */
    int32_t level;        /**< NEAR_LEVEL_* */
    int32_t reason_code;  /**< NEAR_REASON_* */
    uint32_t node;        /**< the node whose CPUs were used; ::NEAR_NODE_UNKNOWN for a list of CPUs */
    uint32_t cpu_count;   /**< CPUs on which the thread may run now */
    char reason[236];     /**< a sentence; empty where reason_code is ::NEAR_REASON_NONE */
} near_pin_report;

/**
 * @brief Pins the calling thread to some CPUs.
 *
 * @param[in]  topology   a topology, or NULL. On one of another machine nothing is pinned, and the report says so.
 * @param[in]  cpus       the CPUs.
 * @param[in]  cpu_count  how many.
 * @param[in]  options    NULL: soft.
 * @param[out] pin        the pin.
 * @param[out] error      the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_EMPTY_SET    @p cpu_count is 0
 * - ::NEAR_E_INVALID      @p cpus or @p pin is NULL, no memory holds @p cpu_count of them, or strict is neither 0 nor 1
 * - ::NEAR_E_VERSION      the options have a size or a field that this library does not know
 * - ::NEAR_E_TOPOLOGY     @p topology is NULL and this machine could not be read
 * - ::NEAR_E_NO_CPU       one of the CPUs does not exist
 * - ::NEAR_E_NOT_ALLOWED  strict, and one of the CPUs is outside the cpuset
 * - ::NEAR_E_STRICT       strict, and the pin was refused or is not seen; the thread is as before
 * - ::NEAR_E_NOMEM        out of memory
 *
 * @owner    The caller's, on this thread; near_pin_release() gives it back. A thread that ends loses its pins: each is
 *           then freed by a release from any thread.
 * @threads{safe}
 * @blocking Never; a few system calls.
 * @fork     The child's only thread keeps its affinity and its pins.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pin_cpus(const near_topology *topology, const uint32_t *cpus,
                                                   size_t cpu_count, const near_pin_options *options, near_pin **pin,
                                                   near_error *error);

/**
 * @brief Pins the calling thread to the CPUs of a node.
 *
 * @param[in]  topology  a topology, or NULL. On one of another machine nothing is pinned, and the report says so.
 * @param[in]  node      a node with CPUs.
 * @param[in]  options   NULL: soft.
 * @param[out] pin       the pin.
 * @param[out] error     the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p pin is NULL, or strict is neither 0 nor 1
 * - ::NEAR_E_VERSION      the options have a size or a field that this library does not know
 * - ::NEAR_E_TOPOLOGY     @p topology is NULL and this machine could not be read
 * - ::NEAR_E_NO_NODE      there is no node @p node
 * - ::NEAR_E_NO_CPU       the node has no CPUs; near_pin_nearest() takes the nearest node that has
 * - ::NEAR_E_NOT_ALLOWED  strict, and none of its CPUs is allowed
 * - ::NEAR_E_STRICT       strict, and the pin was refused or is not seen; the thread is as before
 * - ::NEAR_E_NOMEM        out of memory
 *
 * @owner    As for near_pin_cpus().
 * @threads{safe}
 * @blocking Never; a few system calls.
 * @fork     As for near_pin_cpus().
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pin_node(const near_topology *topology, uint32_t node,
                                                   const near_pin_options *options, near_pin **pin, near_error *error);

/**
 * @brief Pins the calling thread to the allowed CPUs nearest to a node: its own, or those of the nearest node with any.
 *
 * @param[in]  topology  a topology, or NULL. On one of another machine nothing is pinned, and the report says so.
 * @param[in]  node      a node.
 * @param[in]  options   NULL: soft.
 * @param[out] pin       the pin; its report names the node that was used.
 * @param[out] error     the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p pin is NULL, or strict is neither 0 nor 1
 * - ::NEAR_E_VERSION   the options have a size or a field that this library does not know
 * - ::NEAR_E_TOPOLOGY  @p topology is NULL and this machine could not be read
 * - ::NEAR_E_NO_NODE   there is no node @p node
 * - ::NEAR_E_STRICT    strict, and the pin was refused or is not seen; the thread is as before
 * - ::NEAR_E_NOMEM     out of memory
 *
 * @owner    As for near_pin_cpus().
 * @threads{safe}
 * @blocking Never; a few system calls.
 * @fork     As for near_pin_cpus().
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pin_nearest(const near_topology *topology, uint32_t node,
                                                      const near_pin_options *options, near_pin **pin,
                                                      near_error *error);

/**
 * @brief What a pin achieves now.
 *
 * The kernel takes an affinity away without a word when a cpuset moves or CPUs go offline, so it is asked. A thread
 * whose CPUs are allowed again is pinned to them again by this, and what changed is logged at ::NEAR_LOG_WARN, once.
 * While a later pin of the thread holds it is what was seen last; so it is for a thread that has ended, or is not in
 * this child of fork(), with the reason ::NEAR_REASON_NOT_STARTED.
 *
 * @param[in]  pin     a pin.
 * @param[out] report  the report.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pin or @p report is NULL
 * - ::NEAR_E_VERSION  @p report has a struct_size that this library does not know
 * - ::NEAR_E_NOMEM    out of memory
 *
 * @threads{safe}
 * @blocking Never; a few system calls.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pin_get_report(const near_pin *pin, near_pin_report *report);

/**
 * @brief Ends a pin: the thread's affinity is again what it was before it.
 *
 * @param[in] pin    the calling thread's latest pin that is not released; NULL does nothing.
 * @param[out] error  the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_WRONG_THREAD  another, living thread made it; nothing was changed
 * - ::NEAR_E_BUSY          this thread made a later pin that is not released; nothing was changed
 * - ::NEAR_E_SYSTEM        the kernel refused the affinity from before (the cpuset has changed); the pin is freed
 *
 * @threads{exclusive}
 * @blocking Never; one system call.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pin_release(near_pin *pin, near_error *error);

/**
 * @brief The CPUs on which the calling thread may run.
 *
 * @param[out] cpus      the numbers, ascending; NULL with capacity 0 asks only for @p needed.
 * @param[in]  capacity  how many @p cpus can take.
 * @param[out] needed    how many there are.
 * @param[out] error     the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p needed is NULL, or @p cpus is NULL with a capacity
 * - ::NEAR_E_CAPACITY  the array is too short; @p needed is written
 * - ::NEAR_E_SYSTEM    the kernel refused
 *
 * @threads{safe}
 * @blocking Never; one system call.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_affinity_get(uint32_t *cpus, size_t capacity, size_t *needed,
                                                       near_error *error);

/**
 * @brief Sets the CPUs on which the calling thread may run, for good.
 *
 * On a worker of a pool too: a look at the pool then says so, and pins it no more. What is set there by other means is
 * taken for the kernel's doing, and undone by a look.
 *
 * @param[in]  cpus       the CPUs.
 * @param[in]  cpu_count  how many.
 * @param[out] error      the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_EMPTY_SET  @p cpu_count is 0
 * - ::NEAR_E_INVALID    @p cpus is NULL, or no memory holds @p cpu_count of them
 * - ::NEAR_E_NO_CPU     one of the CPUs does not exist on this machine
 * - ::NEAR_E_BUSY       the thread holds a pin
 * - ::NEAR_E_SYSTEM     the kernel refused
 *
 * @threads{safe}
 * @blocking Never; one system call.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_affinity_set(const uint32_t *cpus, size_t cpu_count, near_error *error);

#ifdef __cplusplus
}
#endif

#endif
