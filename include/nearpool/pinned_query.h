/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_PINNED_QUERY_H
#define NEARPOOL_PINNED_QUERY_H

/**
 * @file
 * @brief What page-locked memory is, where its pages are, and why it was not made in a better way.
 */

#include <nearpool/pinned.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What page-locked memory is: near_pinned_get_info(). */
typedef struct near_pinned_info {
    uint32_t struct_size;    /**< in: sizeof(near_pinned_info) */
    int32_t method;          /**< NEAR_PINNED_PLACED and so on */
    int32_t ordinal;         /**< the GPU it was asked for */
    uint32_t node;           /**< where it should be: the GPU's; ::NEAR_NODE_UNKNOWN */
    uint64_t device_pointer; /**< its address for that GPU, in every context of it */
    size_t bytes;            /**< that were asked for */
    size_t span_bytes;       /**< that were page-locked together, of which it is a part */
    size_t chunk_count;      /**< registrations of that span */
} near_pinned_info;

/**
 * @brief What page-locked memory is.
 *
 * @param[in]  pinned  memory.
 * @param[out] info    the facts.
 * @param[out] error   the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pinned or @p info is NULL
 * - ::NEAR_E_VERSION  @p info has a struct_size that this library does not know
 * - ::NEAR_E_CUDA     where the GPU has addresses of its own: the driver does not say them
 * - ::NEAR_E_FORKED   the memory was made in the parent of this process
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pinned_get_info(const near_pinned *pinned, near_pinned_info *info,
                                                          near_error *error);

/**
 * @brief Looks where the pages are, now.
 *
 * Near means: on the GPU's node. ::NEAR_LEVEL_STRICT: all were seen there, and cannot move, being locked or bound.
 *
 * @param[in]  pinned     memory.
 * @param[out] placement  the report, of the pages that the memory is in. Its policy is always ::NEAR_POLICY_BIND; its
 *                        huge_bytes count pages from the pool only.
 * @param[out] error      the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pinned or @p placement is NULL
 * - ::NEAR_E_VERSION  @p placement has a struct_size that this library does not know
 * - ::NEAR_E_FORKED   the memory was made in the parent of this process
 * - ::NEAR_E_NOMEM    out of memory
 *
 * @threads{safe}
 * @blocking About 200 ns a page.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pinned_placement(const near_pinned *pinned, near_placement *placement,
                                                           near_error *error);

/**
 * @brief Looks how many pages are on each node, now.
 *
 * @param[in]  pinned    memory.
 * @param[out] nodes     the nodes that hold pages, ascending; NULL with capacity 0 asks only for @p needed.
 * @param[in]  capacity  how many @p nodes can take.
 * @param[out] needed    how many there are.
 * @param[out] error     the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p pinned or @p needed is NULL, or @p nodes is NULL with a capacity
 * - ::NEAR_E_UNSUPPORTED  there is no permitted way to look
 * - ::NEAR_E_CAPACITY     the array is too short; @p needed is written
 * - ::NEAR_E_FORKED       the memory was made in the parent of this process
 * - ::NEAR_E_NOMEM        out of memory
 *
 * @threads{safe}
 * @blocking About 200 ns a page.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pinned_nodes(const near_pinned *pinned, near_node_pages *nodes,
                                                       size_t capacity, size_t *needed, near_error *error);

/**
 * @brief Looks where the pages are, now: the report, and the pages on each node that it was made from.
 *
 * What near_pinned_placement() and near_pinned_nodes() see one after the other need not agree: pages of a device whose
 * driver does not lock them are moved by the kernel. Here both are of one look.
 *
 * @param[in]  pinned     memory.
 * @param[out] placement  as near_pinned_placement() reports it.
 * @param[out] nodes      the nodes that hold pages, ascending; NULL with capacity 0: only the report and @p needed.
 * @param[in]  capacity   how many @p nodes can take; as many as the machine has nodes are always enough.
 * @param[out] needed     how many there are.
 * @param[out] error      the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p pinned, @p placement or @p needed is NULL, or @p nodes is NULL with a capacity
 * - ::NEAR_E_VERSION      @p placement has a struct_size that this library does not know
 * - ::NEAR_E_UNSUPPORTED  there is no permitted way to look; near_pinned_placement() reports that
 * - ::NEAR_E_CAPACITY     the array is too short; only @p needed is written
 * - ::NEAR_E_FORKED       the memory was made in the parent of this process
 * - ::NEAR_E_NOMEM        out of memory
 *
 * @threads{safe}
 * @blocking About 200 ns a page.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pinned_look(const near_pinned *pinned, near_placement *placement,
                                                      near_node_pages *nodes, size_t capacity, size_t *needed,
                                                      near_error *error);

/**
 * @brief Why a way to page-locked memory was not taken.
 *
 * @param[in]  pinned       memory.
 * @param[in]  method       a way that comes before the memory's own (near_pinned_info::method).
 * @param[out] reason_code  NEAR_REASON_*; ::NEAR_REASON_NONE: @p method is its own, or comes after it.
 * @param[out] text         a sentence, with its NUL; NULL with capacity 0: none is wanted. Cut where it is too long.
 * @param[in]  capacity     bytes that @p text can take.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p pinned or @p reason_code is NULL, @p text is NULL with a capacity, or @p method is none
 * - ::NEAR_E_FORKED   the memory was made in the parent of this process
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pinned_reason(const near_pinned *pinned, int32_t method, int32_t *reason_code,
                                                        char *text, size_t capacity);

/**
 * @brief The memfd behind ::NEAR_PINNED_SHARED memory.
 *
 * @param[in]  pinned      memory.
 * @param[out] descriptor  the descriptor; close-on-exec. The memory begins at its byte 0.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p pinned or @p descriptor is NULL
 * - ::NEAR_E_UNSUPPORTED  the memory is not shared
 * - ::NEAR_E_FORKED       the memory was made in the parent of this process
 *
 * @owner    The memory's: it is closed with it; dup() it, or send it, to keep it.
 * @threads{safe}
 * @blocking Never.
 * @fork     ::NEAR_E_FORKED.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_pinned_descriptor(const near_pinned *pinned, int32_t *descriptor);

/**
 * @brief The name of a way to page-locked memory.
 *
 * @param[in] method  NEAR_PINNED_PLACED and so on.
 * @return "placed", "driver on node", "touched", "driver", "adopted"; "unknown" for any other value.
 *
 * @owner    The library's; valid for ever.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *near_pinned_method_name(int32_t method);

#ifdef __cplusplus
}
#endif

#endif
