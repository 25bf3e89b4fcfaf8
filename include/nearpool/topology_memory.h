/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_TOPOLOGY_MEMORY_H
#define NEARPOOL_TOPOLOGY_MEMORY_H

/**
 * @file
 * @brief Kinds of memory and of cores, what a topology rests on, and where memory goes by default.
 *
 * The kind of a node's memory decides where memory goes that names no node: never to memory of GPUs, to CXL or to
 * non-volatile memory, and to high-bandwidth memory only where there is nothing else; where a process may use none of
 * these, to CXL memory, else to non-volatile memory, else to a GPU's. What is unknown counts as DRAM. A node that is
 * named is taken, whatever its kind, and every node stays an address for tasks.
 */

#include <nearpool/topology.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Kinds of memory: near_node_info::memory_kind. */
enum {
    NEAR_MEMORY_UNKNOWN = 0, /**< nobody says */
    NEAR_MEMORY_DRAM = 1,    /**< what CPUs usually have */
    NEAR_MEMORY_HBM = 2,     /**< high-bandwidth memory beside the CPUs */
    NEAR_MEMORY_NVM = 3,     /**< non-volatile memory used as memory */
    NEAR_MEMORY_CXL = 4,     /**< memory behind a CXL link */
    NEAR_MEMORY_GPU = 5      /**< a GPU's own memory, which the kernel sees as a node */
};

/** Who says what kind of memory a node has: near_node_info::kind_source. */
enum {
    NEAR_KIND_SOURCE_NONE = 0,              /**< nobody */
    NEAR_KIND_SOURCE_CPUS = 1,              /**< the node has CPUs of its own, and nobody says otherwise */
    NEAR_KIND_SOURCE_NVIDIA = 2,            /**< the files of NVIDIA's driver in /proc */
    NEAR_KIND_SOURCE_HWLOC = 3,             /**< hwloc's XML: the subtype of the node, or what it says of DAX or CXL */
    NEAR_KIND_SOURCE_DAX = 4,               /**< the DAX device that the memory came from */
    NEAR_KIND_SOURCE_CXL = 5,               /**< the CXL region that it came from */
    NEAR_KIND_SOURCE_TIER = 6,              /**< the kernel's memory tiers */
    NEAR_KIND_SOURCE_GUESSED_FROM_HMAT = 7, /**< guessed: its bandwidth is far from that of the nodes with CPUs */
    NEAR_KIND_SOURCE_GUESSED_FROM_GPUS =
        8 /**< guessed: there are eight such nodes for each GPU, as on Grace machines */
};

/** Kinds of cores: near_cpu_info::core_kind. */
enum {
    NEAR_CORE_UNKNOWN = 0,     /**< the machine has one kind, or does not say. Capacities that differ by a tenth or less
                                    are one kind */
    NEAR_CORE_PERFORMANCE = 1, /**< of the fast kind */
    NEAR_CORE_EFFICIENT = 2    /**< of a kind that is slower and needs less power */
};

/** What a topology rests on: bits of near_topology_info::basis. */
enum {
    NEAR_BASIS_SYSFS = 1,        /**< files of /sys and /proc */
    NEAR_BASIS_AFFINITY = 2,     /**< the process's affinity, because /sys does not show its CPUs, or contradicts it */
    NEAR_BASIS_MEMS_ALLOWED = 4, /**< Mems_allowed of /proc/self/status, because /sys shows no node */
    NEAR_BASIS_GETCPU = 8,       /**< getcpu(), because /sys shows no node, or a CPU in none */
    NEAR_BASIS_XML = 16,         /**< an hwloc XML file that does not say what it rests on itself, as ours do */
    NEAR_BASIS_SYNTHETIC = 32    /**< a synthetic description */
};

/** What makes a memory the best: near_topology_best_memory(). */
enum {
    NEAR_BEST_BANDWIDTH = 0, /**< the highest read bandwidth */
    NEAR_BEST_LATENCY = 1,   /**< the lowest read latency */
    NEAR_BEST_CAPACITY = 2   /**< the most bytes */
};

/**
 * @brief The nodes whose CPUs reach the memory of a node best, as the machine (HMAT) says.
 *
 * @param[in]  topology  a topology, or NULL.
 * @param[in]  node      a node's number.
 * @param[out] nodes     the numbers in ascending order; NULL with capacity 0 asks only for @p needed.
 * @param[in]  capacity  how many @p nodes can take.
 * @param[out] needed    how many there are; 0: the machine does not say.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p needed is NULL, or @p nodes is NULL with a capacity
 * - ::NEAR_E_TOPOLOGY  @p topology is NULL and this machine could not be read
 * - ::NEAR_E_NO_NODE   there is no node @p node
 * - ::NEAR_E_CAPACITY  the array is too short; @p needed is written
 *
 * @threads{safe}
 * @blocking Only when it discovers this machine.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_topology_initiators(const near_topology *topology, uint32_t node,
                                                              uint32_t *nodes, size_t capacity, size_t *needed);

/**
 * @brief The nodes to which memory goes that names none: what regions, interleaving and splitting take by default.
 *
 * @param[in]  topology  a topology, or NULL.
 * @param[out] nodes     the numbers in ascending order; NULL with capacity 0 asks only for @p needed.
 * @param[in]  capacity  how many @p nodes can take.
 * @param[out] needed    how many there are.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p needed is NULL, or @p nodes is NULL with a capacity
 * - ::NEAR_E_TOPOLOGY  @p topology is NULL and this machine could not be read
 * - ::NEAR_E_CAPACITY  the array is too short; @p needed is written
 *
 * @threads{safe}
 * @blocking Only when it discovers this machine.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_topology_memory_nodes(const near_topology *topology, uint32_t *nodes,
                                                                size_t capacity, size_t *needed);

/**
 * @brief The node whose memory is best from the CPUs of a node.
 *
 * Among the nodes whose memory this process may use, of every kind. By bandwidth and latency: of those for which the
 * machine says how these CPUs reach them; equals go to the nearer, then to the lower number.
 *
 * @param[in]  topology  a topology, or NULL.
 * @param[in]  from      the node of the CPUs.
 * @param[in]  by        NEAR_BEST_*.
 * @param[out] node      its number; ::NEAR_NODE_UNKNOWN when the machine gives no such figures.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p node is NULL, or @p by is none of NEAR_BEST_*
 * - ::NEAR_E_TOPOLOGY  @p topology is NULL and this machine could not be read
 * - ::NEAR_E_NO_NODE   there is no node @p from
 *
 * @threads{safe}
 * @blocking Only when it discovers this machine.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_topology_best_memory(const near_topology *topology, uint32_t from, int32_t by,
                                                               uint32_t *node);

/**
 * @brief The name of a kind of memory.
 *
 * @param[in] kind  NEAR_MEMORY_*.
 * @return "unknown", "dram", "hbm", "nvm", "cxl" or "gpu"; "unknown" for a value that is none.
 *
 * @owner    The library's; never freed.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *near_memory_kind_name(int32_t kind);

/**
 * @brief Who says what kind of memory a node has, in words.
 *
 * @param[in] source  NEAR_KIND_SOURCE_*.
 * @return such as "HMAT, guessed"; "nobody" for ::NEAR_KIND_SOURCE_NONE and for a value that is none.
 *
 * @owner    The library's; never freed.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *near_memory_kind_source_name(int32_t source);

/**
 * @brief The name of a kind of core.
 *
 * @param[in] kind  NEAR_CORE_*.
 * @return "unknown", "performance" or "efficient"; "unknown" for a value that is none.
 *
 * @owner    The library's; never freed.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *near_core_kind_name(int32_t kind);

#ifdef __cplusplus
}
#endif

#endif
