/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_REGION_H
#define NEARPOOL_REGION_H

/**
 * @file
 * @brief Memory that is where it says it is.
 *
 * A mapping with a placement policy. What was achieved is looked at (move_pages; where that is forbidden, the sums in
 * /proc/self/numa_maps, which prove no interleaving), never taken from the success of a system call. *Near* means: on a
 * listed node for bind and preferred, on the assigned node for interleave and split, within the node's share for
 * weighted interleave, on the creator's node for local. Pages are bound only once all are in and seen to be near, and
 * no longer when they are discarded: faulting in under a binding kills where there is no room. A binding that the
 * system refuses leaves soft mode best effort; strict then needs one node that has all the memory.
 */

#include <nearpool/topology.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A mapping with a placement. */
typedef struct near_region near_region;

/** Where pages go: near_region_options::policy. */
enum {
    NEAR_POLICY_LOCAL = 0,               /**< the node of the thread that creates the region; takes no nodes */
    NEAR_POLICY_BIND = 1,                /**< only the listed nodes; soft: elsewhere when they are full, and counted */
    NEAR_POLICY_PREFERRED = 2,           /**< the one listed node while it has room, then the nearest */
    NEAR_POLICY_PREFERRED_MANY = 3,      /**< the listed nodes while they have room, then the nearest (Linux 5.15) */
    NEAR_POLICY_INTERLEAVE = 4,          /**< page by page round the listed nodes */
    NEAR_POLICY_WEIGHTED_INTERLEAVE = 5, /**< the same by the system's weights (Linux 6.9) */
    NEAR_POLICY_SPLIT = 6                /**< a contiguous part for each listed node in its turn: part i of n from page
                                          page_count * i / n on, rounded down to 2 MiB where parts are as long */
};

/** Size of pages: near_region_options::pages, and the rung reached in near_placement::pages. */
enum {
    NEAR_PAGES_DEFAULT = 0,     /**< as the system is set */
    NEAR_PAGES_BASE = 1,        /**< base pages only */
    NEAR_PAGES_TRANSPARENT = 2, /**< transparent huge pages, else base pages */
    NEAR_PAGES_2M = 3,          /**< 2 MiB pages from the pool, faulted in at once, else as transparent */
    NEAR_PAGES_1G = 4,          /**< 1 GiB pages from the pool, faulted in at once, else as 2 MiB */
    NEAR_PAGES_HUGE = 5         /**< the first of 1 GiB, 2 MiB (rounding adds an eighth at most), transparent, base */
};

/** When pages are faulted in: near_region_options::prefault. */
enum {
    NEAR_PREFAULT_NONE = 0,   /**< when touched (private, after mlockall(): at once); strict: ::NEAR_PREFAULT_ON_NODE */
    NEAR_PREFAULT_HERE = 1,   /**< now, by the calling thread */
    NEAR_PREFAULT_ON_NODE = 2 /**< now, in parallel, by threads of the library on the target nodes */
};

/** What stands behind the pages: near_region_options::backing. */
enum {
    NEAR_BACKING_ANONYMOUS = 0, /**< private memory */
    NEAR_BACKING_SHARED = 1,    /**< a memfd; near_region_descriptor() lets another process map it */
    NEAR_BACKING_FILE = 2       /**< the file at near_region_options::path, shared */
};

/** Bits of near_region_options::flags. */
enum {
    NEAR_REGION_READ_ONLY = 1, /**< a file is opened and mapped for reading only */
    NEAR_REGION_NO_FORK = 2,   /**< a child of fork() does not get the pages (MADV_DONTFORK) */
    NEAR_REGION_NO_DUMP = 4    /**< the pages are not in core dumps of this process (MADV_DONTDUMP) */
};

/** How to make a region. All zero: anonymous, local, the system's page size, not prefaulted, soft. */
typedef struct near_region_options {
    uint32_t struct_size;  /**< sizeof(near_region_options) */
    int32_t policy;        /**< NEAR_POLICY_* */
    const uint32_t *nodes; /**< the policy's; NULL: near_topology_memory_nodes(), but preferred must name one */
    size_t node_count;     /**< how many */
    int32_t pages;         /**< NEAR_PAGES_* */
    int32_t prefault;      /**< NEAR_PREFAULT_* */
    int32_t backing;       /**< NEAR_BACKING_* */
    uint32_t strict;       /**< 1: every page near, of the page size asked for, and seen there, or ::NEAR_E_STRICT */
    uint32_t flags;        /**< NEAR_REGION_* */
    uint32_t sample;       /**< 1: a soft region of many pages may be looked at in samples; the report says so */
    const char *path;      /**< ::NEAR_BACKING_FILE: an existing file that reaches to file_offset + bytes */
    uint64_t file_offset;  /**< ::NEAR_BACKING_FILE: where to start, a multiple of the page size */
} near_region_options;

/** Where the pages of a region are. */
typedef struct near_placement {
    uint32_t struct_size;   /**< in: sizeof(near_placement) */
    int32_t level;          /**< NEAR_LEVEL_* */
    int32_t reason_code;    /**< NEAR_REASON_* */
    int32_t policy;         /**< the policy in force, NEAR_POLICY_* */
    int32_t pages;          /**< the rung reached: ::NEAR_PAGES_BASE, _TRANSPARENT, _2M or _1G */
    int32_t pages_reason;   /**< NEAR_REASON_*: why not the page size asked for */
    size_t page_bytes;      /**< bytes of the unit in which pages are counted */
    size_t page_count;      /**< pages of the region */
    size_t looked_at_pages; /**< pages that were looked at */
    size_t present_pages;   /**< of these: in memory */
    size_t near_pages;      /**< of these: near */
    size_t huge_bytes;      /**< bytes in huge pages, where the kernel says so (smaps); else 0 */
    char reason[232];       /**< a sentence; empty at ::NEAR_LEVEL_STRICT */
} near_placement;

/** Pages on one node. */
typedef struct near_node_pages {
    uint32_t node;     /**< the node's number */
    uint32_t reserved; /**< 0 */
    size_t page_count; /**< pages seen there */
} near_node_pages;

/**
 * @brief Makes a region.
 *
 * Soft: readable and writable memory, whatever could not be placed; its report says so. Strict: every page is near, and
 * was seen there, or nothing is kept.
 *
 * @param[in]  topology  a topology, or NULL. On one of another machine nothing is bound, and the report says so.
 * @param[in]  bytes     its size; rounded up to whole pages for the mapping.
 * @param[in]  options   NULL: all defaults.
 * @param[out] region    the region.
 * @param[out] error     the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p bytes is 0 or overflows when rounded; @p region is NULL; an unknown enumerator or flag;
 *                         ::NEAR_REGION_READ_ONLY without a file; nodes given to local, not exactly one to preferred,
 *                         too many; a path that is missing, needless, or of too short a file; an offset within a page
 * - ::NEAR_E_VERSION      the options have a size or a field that this library does not know
 * - ::NEAR_E_EMPTY_SET    nodes are given and node_count is 0
 * - ::NEAR_E_TOPOLOGY     @p topology is NULL and this machine could not be read
 * - ::NEAR_E_NO_NODE      a listed node does not exist
 * - ::NEAR_E_NOT_ALLOWED  strict, and a listed node is outside the cpuset
 * - ::NEAR_E_UNSUPPORTED  strict, and this kernel does not know the policy
 * - ::NEAR_E_STRICT       strict, and pages could not be placed, or not be seen to be; nothing was kept
 * - ::NEAR_E_NOMEM        no address space or memory, or a limit of the control group leaves less (it is named)
 * - ::NEAR_E_SYSTEM       the file, the memfd or the mapping was refused
 *
 * @owner    The caller's; near_region_destroy() gives it back.
 * @threads{safe}
 * @blocking While pages are faulted in and looked at.
 * @fork     Works in the child unless ::NEAR_REGION_NO_FORK. Pages are copied on write, which kills where the node
 *           (bind, strict split) or the pool of huge pages has no room: take NO_FORK, shared, or preferred base pages.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_region_create(const near_topology *topology, size_t bytes,
                                                        const near_region_options *options, near_region **region,
                                                        near_error *error);

/**
 * @brief Unmaps a region.
 *
 * @param[in] region  a region, or NULL.
 *
 * @threads{exclusive}
 * @blocking While the kernel frees the pages.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API void near_region_destroy(near_region *region);

/**
 * @brief The first byte of a region.
 *
 * @param[in] region  a region.
 * @return aligned to its page size; NULL when @p region is NULL.
 *
 * @owner    The region's.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API void *near_region_data(const near_region *region);

/**
 * @brief The bytes that were asked for.
 *
 * @param[in] region  a region.
 * @return its size; 0 when @p region is NULL.
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API size_t near_region_bytes(const near_region *region);

/**
 * @brief The memfd or file behind a region.
 *
 * @param[in]  region      a region.
 * @param[out] descriptor  the descriptor; close-on-exec.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p region or @p descriptor is NULL
 * - ::NEAR_E_UNSUPPORTED  the region is anonymous
 *
 * @owner    The region's: it is closed with the region; dup() it to keep it.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_region_descriptor(const near_region *region, int32_t *descriptor);

/**
 * @brief Looks where the pages are, now.
 *
 * @param[in]  region     a region.
 * @param[out] placement  the report.
 * @param[out] error      the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p region or @p placement is NULL
 * - ::NEAR_E_VERSION  @p placement has a struct_size that this library does not know
 * - ::NEAR_E_NOMEM    out of memory
 *
 * @threads{per-handle safe}
 * @blocking About 200 ns a page; where huge pages may be, also 2 us for each mapping of the process below it (smaps).
 * @fork     Works in the child; one that does not get the pages (::NEAR_REGION_NO_FORK) sees none.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_region_placement(near_region *region, near_placement *placement,
                                                           near_error *error);

/**
 * @brief Looks how many pages are on each node, now.
 *
 * @param[in]  region    a region.
 * @param[out] nodes     the nodes that hold pages, ascending; NULL with capacity 0 asks only for @p needed.
 * @param[in]  capacity  how many @p nodes can take.
 * @param[out] needed    how many there are.
 * @param[out] error     the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID      @p region or @p needed is NULL, or @p nodes is NULL with a capacity
 * - ::NEAR_E_UNSUPPORTED  there is no permitted way to look
 * - ::NEAR_E_CAPACITY     the array is too short; @p needed is written
 * - ::NEAR_E_NOMEM        out of memory
 *
 * @threads{per-handle safe}
 * @blocking As near_region_placement() of the policies that interleave; else about 200 ns a page.
 * @fork     Works in the child; one that does not get the pages (::NEAR_REGION_NO_FORK) sees none.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_region_nodes(near_region *region, near_node_pages *nodes, size_t capacity,
                                                       size_t *needed, near_error *error);

#ifdef __cplusplus
}
#endif

#endif
