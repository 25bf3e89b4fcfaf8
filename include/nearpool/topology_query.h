/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_TOPOLOGY_QUERY_H
#define NEARPOOL_TOPOLOGY_QUERY_H

/**
 * @file
 * @brief Questions to a topology: CPUs, nearness, links, huge pages, the caller's place, PCI devices, printing.
 */

#include <nearpool/topology.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * @brief All nodes, nearest first, seen from one node: itself, then by distance, then by number.
 *
 * Where the machine gives no distance, that of the way back counts. Where it gives none either, nodes that its tree
 * puts together (in one of several packages, or memory beside some of the CPUs) come first, and others last.
 *
 * @param[in]  topology  a topology, or NULL.
 * @param[in]  node      a node's number.
 * @param[out] nodes     the numbers; NULL with capacity 0 asks only for @p needed.
 * @param[in]  capacity  how many @p nodes can take.
 * @param[out] needed    how many there are.
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
NEAR_API NEAR_MUST_CHECK near_status near_topology_nodes_by_distance(const near_topology *topology, uint32_t node,
                                                                     uint32_t *nodes, size_t capacity, size_t *needed);

/**
 * @brief The nearest node that has CPUs: the node itself, if it has.
 *
 * Of a memory-only node: the nearest of its initiators (near_topology_initiators()); where the machine names none or
 * all, of those beside whose CPUs its tree puts the memory; where it says nothing of that, by distance.
 *
 * @param[in]  topology  a topology, or NULL.
 * @param[in]  node      a node's number.
 * @param[out] nearest   the number of the nearest node with CPUs.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p nearest is NULL
 * - ::NEAR_E_TOPOLOGY  @p topology is NULL and this machine could not be read
 * - ::NEAR_E_NO_NODE   there is no node @p node
 *
 * @threads{safe}
 * @blocking Only when it discovers this machine.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_topology_nearest_with_cpus(const near_topology *topology, uint32_t node,
                                                                     uint32_t *nearest);

/**
 * @brief The nearest node that has memory: the node itself, if it has; else one to which memory goes by default.
 *
 * @param[in]  topology  a topology, or NULL.
 * @param[in]  node      a node's number.
 * @param[out] nearest   the number of the nearest node with memory.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p nearest is NULL
 * - ::NEAR_E_TOPOLOGY  @p topology is NULL and this machine could not be read
 * - ::NEAR_E_NO_NODE   there is no node @p node
 *
 * @threads{safe}
 * @blocking Only when it discovers this machine.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_topology_nearest_with_memory(const near_topology *topology, uint32_t node,
                                                                       uint32_t *nearest);

/**
 * @brief The CPUs of a node, or all of them, in ascending order.
 *
 * @param[in]  topology  a topology, or NULL.
 * @param[in]  node      a node's number, or ::NEAR_NODE_UNKNOWN for the CPUs of the whole machine.
 * @param[out] cpus      the numbers; NULL with capacity 0 asks only for @p needed.
 * @param[in]  capacity  how many @p cpus can take.
 * @param[out] needed    how many there are.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p needed is NULL, or @p cpus is NULL with a capacity
 * - ::NEAR_E_TOPOLOGY  @p topology is NULL and this machine could not be read
 * - ::NEAR_E_NO_NODE   there is no node @p node
 * - ::NEAR_E_CAPACITY  the array is too short; @p needed is written
 *
 * @threads{safe}
 * @blocking Only when it discovers this machine.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_topology_cpus(const near_topology *topology, uint32_t node, uint32_t *cpus,
                                                        size_t capacity, size_t *needed);

/**
 * @brief Facts of one CPU.
 *
 * @param[in]  topology  a topology, or NULL.
 * @param[in]  cpu       a CPU's number.
 * @param[out] info      the facts.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p info is NULL
 * - ::NEAR_E_VERSION   @p info has a struct_size that this library does not know
 * - ::NEAR_E_TOPOLOGY  @p topology is NULL and this machine could not be read
 * - ::NEAR_E_NO_CPU    there is no CPU @p cpu
 *
 * @threads{safe}
 * @blocking Only when it discovers this machine.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_topology_cpu_info(const near_topology *topology, uint32_t cpu,
                                                            near_cpu_info *info);

/**
 * @brief The way from the CPUs of one node to the memory of another.
 *
 * @param[in]  topology  a topology, or NULL.
 * @param[in]  from      the node of the CPUs.
 * @param[in]  to        the node of the memory.
 * @param[out] link      distance, bandwidth and latency.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p link is NULL
 * - ::NEAR_E_VERSION   @p link has a struct_size that this library does not know
 * - ::NEAR_E_TOPOLOGY  @p topology is NULL and this machine could not be read
 * - ::NEAR_E_NO_NODE   there is no node @p from or @p to
 *
 * @threads{safe}
 * @blocking Only when it discovers this machine.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_topology_link(const near_topology *topology, uint32_t from, uint32_t to,
                                                        near_link *link);

/**
 * @brief The huge-page pools of a node at discovery, smallest pages first.
 *
 * @param[in]  topology  a topology, or NULL.
 * @param[in]  node      a node's number.
 * @param[out] pools     the pools; NULL with capacity 0 asks only for @p needed.
 * @param[in]  capacity  how many @p pools can take.
 * @param[out] needed    how many there are.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p needed is NULL, or @p pools is NULL with a capacity
 * - ::NEAR_E_TOPOLOGY  @p topology is NULL and this machine could not be read
 * - ::NEAR_E_NO_NODE   there is no node @p node
 * - ::NEAR_E_CAPACITY  the array is too short; @p needed is written
 *
 * @threads{safe}
 * @blocking Only when it discovers this machine.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_topology_huge_pools(const near_topology *topology, uint32_t node,
                                                              near_huge_pool *pools, size_t capacity, size_t *needed);

/**
 * @brief The node of the CPU on which the caller runs now.
 *
 * @param[in]  topology  a topology of this machine, or NULL.
 * @param[out] node      its number; ::NEAR_NODE_UNKNOWN when the topology describes another machine.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p node is NULL
 * - ::NEAR_E_TOPOLOGY  @p topology is NULL and this machine could not be read
 *
 * @threads{safe}
 * @blocking Only when it discovers this machine.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_topology_current_node(const near_topology *topology, uint32_t *node);

/**
 * @brief The node next to a PCI device.
 *
 * The first call reads the machine's I/O devices, which takes several milliseconds.
 *
 * @param[in]  topology  a topology, or NULL.
 * @param[in]  address   "0000:3b:00.0": domain of 4 or 8 hexadecimal digits, or none; case does not matter.
 * @param[out] node      its number; ::NEAR_NODE_UNKNOWN when the machine does not say, or has no such device.
 * @param[out] error     the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p address or @p node is NULL, or @p address is no PCI address
 * - ::NEAR_E_TOPOLOGY  @p topology is NULL and this machine could not be read; or its devices could not
 *
 * @threads{safe}
 * @blocking Reads files, the first time.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_topology_pci_node(const near_topology *topology, const char *address,
                                                            uint32_t *node, near_error *error);

/**
 * @brief Writes a topology as text, JSON or hwloc XML.
 *
 * XML that is read again gives the same JSON, but for this_machine: what hwloc's format has no place for stands in
 * infos whose names begin with "Nearpool".
 *
 * @param[in]  topology  a topology, or NULL.
 * @param[in]  format    NEAR_FORMAT_*.
 * @param[out] buffer    the text, ended by NUL; NULL with capacity 0 asks only for @p needed.
 * @param[in]  capacity  bytes of @p buffer.
 * @param[out] needed    bytes that the text and its NUL take.
 * @param[out] error     the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p format is unknown, @p needed is NULL, or @p buffer is NULL with a capacity
 * - ::NEAR_E_TOPOLOGY  @p topology is NULL and this machine could not be read; or hwloc could not write it; or the XML
 *                      would have more than 64 MiB
 * - ::NEAR_E_CAPACITY  the buffer is too short; @p needed is written
 * - ::NEAR_E_NOMEM     out of memory; for JSON the process may end instead (std::terminate), because the JSON library
 *                      allocates in a destructor
 *
 * @threads{safe}
 * @blocking Only when it discovers this machine.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_topology_format(const near_topology *topology, int32_t format, char *buffer,
                                                          size_t capacity, size_t *needed, near_error *error);

#ifdef __cplusplus
}
#endif

#endif
