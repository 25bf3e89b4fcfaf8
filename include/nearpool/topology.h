/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_TOPOLOGY_H
#define NEARPOOL_TOPOLOGY_H

/**
 * @file
 * @brief The machine as an immutable value: nodes, CPUs, caches, distances.
 *
 * Where a function takes a `const near_topology *`, NULL means the process-wide snapshot of this machine. A node or CPU
 * number is the kernel's and is never an index.
 *
 * This machine and other roots of /sys are read by the library itself, so that no variable with which hwloc can be made
 * to read another machine changes what this machine is; ::near_topology_options does what those do. A part of /sys that
 * is missing, masked or contradicted by what the kernel says elsewhere is read another way: near_topology_info::basis
 * and near_topology_info::doubt say so.
 *
 * A description of a machine may have node numbers below 65 536, CPU numbers below 1 048 576, 4 096 nodes, 65 536 CPUs,
 * 64 MiB of XML, 1 MiB in one file of /sys, 256 MiB in all that are read; a synthetic one 16 384 CPUs, 65 536 objects,
 * and indexes below 65 536. What has more is ::NEAR_E_TOPOLOGY, whose sentence names limit and value.
 */

#include <nearpool/level.h>
#include <nearpool/status.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An immutable description of a machine, shared by reference. */
typedef struct near_topology near_topology;

/** Where a topology is read from: near_topology_options::source. */
enum {
    NEAR_TOPOLOGY_THIS_MACHINE = 0, /**< the process-wide snapshot of this machine */
    NEAR_TOPOLOGY_XML = 1,          /**< an XML file of hwloc 1 or 2; text is its path */
    NEAR_TOPOLOGY_SYNTHETIC = 2,    /**< an hwloc synthetic description, such as "pack:2 numa:2 core:4 pu:2" (at most
                                         16384 CPUs) */
    NEAR_TOPOLOGY_SYSFS = 3         /**< another root of /sys and /proc; text is the folder */
};

/** How to make a topology. */
typedef struct near_topology_options {
    uint32_t struct_size; /**< sizeof(near_topology_options) */
    int32_t source;       /**< NEAR_TOPOLOGY_* */
    const char *text;     /**< what the source needs; NULL for this machine */
} near_topology_options;

/** What a topology holds, in numbers. */
typedef struct near_topology_info {
    uint32_t struct_size;    /**< in: sizeof(near_topology_info) */
    uint32_t this_machine;   /**< 1 when it describes the machine that runs this program */
    uint32_t synthetic_node; /**< 1 when the machine shows no NUMA node and one stands for all of it */
    uint32_t node_count;     /**< NUMA nodes */
    uint32_t cpu_count;      /**< CPUs (hardware threads) that are online */
    uint32_t allowed_cpus;   /**< CPUs that cpuset and affinity allowed at discovery */
    uint32_t core_count;     /**< cores */
    uint32_t package_count;  /**< packages (sockets) */
    uint32_t cache_count;    /**< groups of CPUs that share a last-level cache */
    uint32_t page_bytes;     /**< bytes of a base page of that machine */
    uint64_t memory_bytes;   /**< memory of all nodes */
    uint32_t basis;          /**< what it rests on: NEAR_BASIS_* (topology_memory.h) */
    uint32_t reserved;       /**< 0 */
    char basis_text[96];     /**< the same in words */
    char doubt[192];         /**< of this machine, or of the one that wrote the XML: what the kernel says of nodes and
                                  /sys does not show; then no level is strict. Empty: there is no such doubt */
} near_topology_info;

/** One NUMA node. */
typedef struct near_node_info {
    uint32_t struct_size;             /**< in: sizeof(near_node_info) */
    uint32_t node;                    /**< its number */
    uint32_t package;                 /**< index of its package, ::NEAR_NODE_UNKNOWN if it belongs to none */
    uint32_t cpu_count;               /**< its CPUs; 0 for a memory-only node */
    uint32_t allowed_cpus;            /**< those that this process may use */
    uint32_t memory_allowed;          /**< 1 when it has memory and the cpuset allows it */
    uint64_t memory_bytes;            /**< its memory; 0 for a node without, and on all where none says its own */
    int32_t memory_kind;              /**< NEAR_MEMORY_* (topology_memory.h) */
    int32_t kind_source;              /**< who says so: NEAR_KIND_SOURCE_* */
    uint32_t memory_by_default;       /**< 1 when memory that names no node goes here */
    uint32_t nearest_with_cpus;       /**< the node that serves it: itself, if it has CPUs */
    uint64_t memory_side_cache_bytes; /**< a cache in front of its memory; 0: none is known */
} near_node_info;

/** One CPU (hardware thread). */
typedef struct near_cpu_info {
    uint32_t struct_size; /**< in: sizeof(near_cpu_info) */
    uint32_t cpu;         /**< its number */
    uint32_t node;        /**< its node, ::NEAR_NODE_UNKNOWN if it has none */
    uint32_t core;        /**< index of its core in the machine */
    uint32_t package;     /**< index of its package, ::NEAR_NODE_UNKNOWN where the machine names none */
    uint32_t cache;       /**< index of its last-level-cache group */
    uint32_t smt;         /**< position among the threads of its core, from 0 */
    uint32_t allowed;     /**< 1 when this process may use it */
    int32_t core_kind;    /**< NEAR_CORE_* (topology_memory.h) */
    uint32_t reserved;    /**< 0 */
} near_cpu_info;

/** The way from the CPUs of one node to the memory of another. */
typedef struct near_link {
    uint32_t struct_size;               /**< in: sizeof(near_link) */
    uint32_t distance;                  /**< the firmware's relative distance (SLIT): 10 is local; 0 is not known */
    uint64_t bandwidth_mib_per_s;       /**< read bandwidth from HMAT, MiB per second; 0 is not known */
    uint64_t latency_ns;                /**< read latency from HMAT; 0 is not known */
    uint64_t write_bandwidth_mib_per_s; /**< write bandwidth from HMAT, MiB per second; 0 is not known */
    uint64_t write_latency_ns;          /**< write latency from HMAT; 0 is not known */
} near_link;

/** The pool of one size of huge pages on one node, as it was at discovery. */
typedef struct near_huge_pool {
    uint64_t page_bytes; /**< bytes of a page */
    uint64_t page_count; /**< pages set aside on the node */
} near_huge_pool;

/** How near_topology_format() writes a topology. */
enum {
    NEAR_FORMAT_TEXT = 0, /**< a summary for people */
    NEAR_FORMAT_JSON = 1, /**< everything, for programs */
    NEAR_FORMAT_XML = 2   /**< hwloc's XML, which ::NEAR_TOPOLOGY_XML reads */
};

/**
 * @brief Makes a topology, or takes a reference to this machine's.
 *
 * I/O devices are not discovered here (that takes several times as long) but when first asked for.
 *
 * @param[in]  options   where to read it from; NULL: this machine, discovered once in the life of the process.
 * @param[out] topology  the topology.
 * @param[out] error     the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p topology is NULL; the source is unknown; text is NULL, empty, or given for this machine
 * - ::NEAR_E_VERSION   the options have a size or a field that this library does not know
 * - ::NEAR_E_TOPOLOGY  the text or files describe no machine, or one beyond the limits; the sentence has the reason
 * - ::NEAR_E_SYSTEM    the file or folder cannot be read
 * - ::NEAR_E_NOMEM     out of memory
 *
 * @owner    The caller's; near_topology_release() gives it back.
 * @threads{safe}
 * @blocking Reads files; a few milliseconds for this machine the first time.
 * @fork     A topology stays usable in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_topology_create(const near_topology_options *options,
                                                          near_topology **topology, near_error *error);

/**
 * @brief Takes one more reference.
 *
 * @param[in] topology  a topology; NULL: this machine's, and then NULL is returned.
 * @return @p topology, to be released once more.
 *
 * @owner    The caller's.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const near_topology *near_topology_retain(const near_topology *topology);

/**
 * @brief Gives a reference back; the last one frees the topology.
 *
 * @param[in] topology  a topology, or NULL.
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API void near_topology_release(const near_topology *topology);

/**
 * @brief The topology in numbers.
 *
 * @param[in]  topology  a topology, or NULL.
 * @param[out] info      the numbers.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p info is NULL
 * - ::NEAR_E_VERSION   @p info has a struct_size that this library does not know
 * - ::NEAR_E_TOPOLOGY  @p topology is NULL and this machine could not be read
 *
 * @threads{safe}
 * @blocking Only when it discovers this machine.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_topology_get_info(const near_topology *topology, near_topology_info *info);

/**
 * @brief How many NUMA nodes there are.
 *
 * @param[in] topology  a topology, or NULL.
 * @return at least 1; 0 only when @p topology is NULL and this machine could not be read.
 *
 * @threads{safe}
 * @blocking Only when it discovers this machine.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API size_t near_topology_node_count(const near_topology *topology);

/**
 * @brief The number of the n-th node, in ascending order.
 *
 * @param[in] topology  a topology, or NULL.
 * @param[in] index     from 0.
 * @return the node's number; ::NEAR_NODE_UNKNOWN when @p index is too large.
 *
 * @threads{safe}
 * @blocking Only when it discovers this machine.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API uint32_t near_topology_node_at(const near_topology *topology, size_t index);

/**
 * @brief Facts of one node.
 *
 * @param[in]  topology  a topology, or NULL.
 * @param[in]  node      a node's number.
 * @param[out] info      the facts.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p info is NULL
 * - ::NEAR_E_VERSION   @p info has a struct_size that this library does not know
 * - ::NEAR_E_TOPOLOGY  @p topology is NULL and this machine could not be read
 * - ::NEAR_E_NO_NODE   there is no node @p node
 *
 * @threads{safe}
 * @blocking Only when it discovers this machine.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_topology_node_info(const near_topology *topology, uint32_t node,
                                                             near_node_info *info);

#ifdef __cplusplus
}
#endif

#endif
