/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_DEVICE_MAP_H
#define NEARPOOL_DEVICE_MAP_H

/**
 * @file
 * @brief Next to which node a device is, and who says so: GPUs, network interfaces, InfiniBand, block devices.
 *
 * A map is an immutable snapshot. Devices that are software alone (lo, bond0, loop0) are next to nothing and not in it.
 * A node that nobody knows is ::NEAR_NODE_UNKNOWN, which is an answer and never node 0.
 */

#include <nearpool/topology.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a device is. */
enum {
    NEAR_DEVICE_GPU = 1,        /**< what a GPU's driver names; a 3D controller (PCI class 0x0302); a display controller
                                     (0x0300, 0x0380) of NVIDIA, AMD or Intel, but none that draws a server's console; an
                                     accelerator (0x1200) of NVIDIA or AMD, or one with an accelerator's driver */
    NEAR_DEVICE_NETWORK = 2,    /**< a network interface, "eth0"; IPoIB too */
    NEAR_DEVICE_INFINIBAND = 3, /**< an RDMA device, "mlx5_0"; RoCE too, but not the "scif0" of a Xeon Phi card */
    NEAR_DEVICE_NVME = 4,       /**< a namespace of an NVMe drive, "nvme0n1" */
    NEAR_DEVICE_BLOCK = 5       /**< another block device, "sda"; not memory, "dax0.0", on CXL or elsewhere */
};

/** Who said next to which node a device is, in the order in which they are asked. */
enum {
    NEAR_NODE_SOURCE_NONE = 0,     /**< nobody: the node is unknown */
    NEAR_NODE_SOURCE_DRIVER = 1,   /**< the device's driver (CU_DEVICE_ATTRIBUTE_HOST_NUMA_ID, CUDA 12.2) */
    NEAR_NODE_SOURCE_SYSFS = 2,    /**< the kernel: numa_node of the device in /sys, or else its local_cpulist */
    NEAR_NODE_SOURCE_PCI_ROOT = 3, /**< the locality of a bridge, a bus or the PCI root to which it is attached */
    NEAR_NODE_SOURCE_NVML = 4,     /**< NVML: of the nodes whose memory is near the device, one is the host's */
    NEAR_NODE_SOURCE_ONE_NODE = 5  /**< only one node of the machine has CPUs */
};

/** The devices of a machine: an immutable snapshot. */
typedef struct near_device_map near_device_map;

/** How a map is made. Zero is every field's default. */
typedef struct near_device_map_options {
    uint32_t struct_size; /**< in: sizeof(near_device_map_options) */
    uint32_t use_driver; /**< 1: ask the GPU driver for UUIDs, ordinals, models and nodes. That initialises CUDA in this
                              process, takes some 100 ms, and leaves the children of a later fork() without CUDA. 0:
                              GPUs are known by their PCI address alone */
} near_device_map_options;

/** A device. Texts end in NUL; an empty one is not known. */
typedef struct near_device {
    uint32_t struct_size;   /**< in: sizeof(near_device) */
    int32_t kind;           /**< NEAR_DEVICE_* */
    uint32_t node;          /**< the node to work on for it, which has CPUs; ::NEAR_NODE_UNKNOWN */
    uint32_t attached_node; /**< what the source says; another one than node when that has no CPUs */
    int32_t node_source;    /**< NEAR_NODE_SOURCE_* */
    int32_t ordinal;        /**< of a GPU in this process, where the driver was asked; -1 */
    char name[64];          /**< the kernel's, "eth0", "card1"; the PCI address of a GPU to which it gave none */
    char pci_address[32];   /**< "0000:3b:00.0", lower case; empty: on no PCI bus, or reached over several */
    char uuid_text[48];     /**< "GPU-..." or "MIG-...", of a GPU, where the driver or the XML says it */
    char model[128];        /**< the driver's name of a GPU, where it was asked */
    uint32_t memory_node; /**< of a GPU, the node of its own memory, where that is a node of the machine: as its driver
                               says it, or without one /proc/driver/nvidia or the XML; ::NEAR_NODE_UNKNOWN */
} near_device;

/**
 * @brief Makes a map of the devices that are there now.
 *
 * Of another machine, it has what the root of /sys shows, or what the XML was recorded with (lstopo does that); a
 * synthetic topology has no devices. Without a driver, or with one that fails, the map is made all the same;
 * near_device_map_format() says why GPUs have no UUID.
 *
 * @param[in]  topology  a topology, or NULL; it is not needed afterwards.
 * @param[in]  options   NULL: all defaults.
 * @param[out] map       the snapshot.
 * @param[out] error     the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID   use_driver is neither 0 nor 1, or @p map is NULL
 * - ::NEAR_E_VERSION   the options have a size or a field that this library does not know
 * - ::NEAR_E_TOPOLOGY  @p topology is NULL and this machine could not be read; or the devices of its XML could not
 * - ::NEAR_E_NOMEM     out of memory
 *
 * @owner    The caller's; near_device_map_destroy() frees it.
 * @threads{safe}
 * @blocking Reads some files for each device; use_driver waits for the driver.
 * @fork     A map stays usable in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_device_map_create(const near_topology *topology,
                                                            const near_device_map_options *options,
                                                            near_device_map **map, near_error *error);

/**
 * @brief Frees a map.
 *
 * @param[in] map  a map, or NULL.
 *
 * @threads{exclusive}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API void near_device_map_destroy(near_device_map *map);

/**
 * @brief How many devices a map has.
 *
 * @param[in] map  a map.
 * @return how many; 0 when @p map is NULL.
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API size_t near_device_map_count(const near_device_map *map);

/**
 * @brief The device at a place of the map: for going through all of them, by kind, then by name.
 *
 * An instance of a partitioned GPU that this process sees has an entry of its own.
 *
 * @param[in]  map     a map.
 * @param[in]  index   the place, from 0.
 * @param[out] device  the device.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p map or @p device is NULL, or @p index is not less than near_device_map_count()
 * - ::NEAR_E_VERSION  @p device has a struct_size that this library does not know
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_device_map_get(const near_device_map *map, size_t index, near_device *device);

/**
 * @brief The nodes that a device is next to, all equally near, in ascending order.
 *
 * Most often one, near_device::attached_node. Several where what says it names several, as a package with two kinds of
 * memory: also those without CPUs. When more than one of them has CPUs, near_device::node is unknown, and this is what
 * is known. None: nobody says.
 *
 * @param[in]  map       a map.
 * @param[in]  index     the device's place, from 0.
 * @param[out] nodes     the numbers; NULL with capacity 0 asks only for @p needed.
 * @param[in]  capacity  how many @p nodes can take.
 * @param[out] needed    how many there are.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p map or @p needed is NULL, @p nodes is NULL with a capacity, or @p index is not less than
 *                      near_device_map_count()
 * - ::NEAR_E_CAPACITY  the array is too short; @p needed is written
 * - ::NEAR_E_NOMEM     out of memory
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_device_map_near_nodes(const near_device_map *map, size_t index,
                                                                uint32_t *nodes, size_t capacity, size_t *needed);

/**
 * @brief Finds a device by its name, its UUID, or its PCI address.
 *
 * @param[in]  map     a map.
 * @param[in]  name    "eth0", "nvme0n1", "mlx5_0"; "GPU-..." in full; or "0000:3b:00.0", "3b:00.0", "00000000:3B:00.0".
 *                     Of several devices at one address, the first of the map.
 * @param[out] device  the device.
 * @param[out] error   the sentence, which names what there is; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p map, @p name or @p device is NULL, or @p name is empty
 * - ::NEAR_E_VERSION  @p device has a struct_size that this library does not know
 * - ::NEAR_E_DEVICE   the map has no such device
 * - ::NEAR_E_NOMEM    out of memory
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_device_map_find(const near_device_map *map, const char *name,
                                                          near_device *device, near_error *error);

/**
 * @brief Writes a map as text or JSON.
 *
 * @param[in]  map       a map.
 * @param[in]  format    ::NEAR_FORMAT_TEXT or ::NEAR_FORMAT_JSON.
 * @param[out] buffer    the text, ended by NUL; NULL with capacity 0 asks only for @p needed.
 * @param[in]  capacity  bytes of @p buffer.
 * @param[out] needed    bytes that the text and its NUL take.
 * @param[out] error     the sentence; may be NULL.
 *
 * @errors
 * - ::NEAR_E_INVALID   @p map is NULL, @p format is another, @p needed is NULL, or @p buffer is NULL with a capacity
 * - ::NEAR_E_CAPACITY  the buffer is too short; @p needed is written
 * - ::NEAR_E_NOMEM     out of memory; for JSON as near_topology_format()
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_device_map_format(const near_device_map *map, int32_t format, char *buffer,
                                                            size_t capacity, size_t *needed, near_error *error);

/**
 * @brief The name of a kind.
 *
 * @param[in] kind  NEAR_DEVICE_*.
 * @return a word, for example "NVMe"; "unknown" for any other value.
 *
 * @owner    The library's; valid for ever.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *near_device_kind_name(int32_t kind);

/**
 * @brief The name of a source.
 *
 * @param[in] source  a NEAR_NODE_SOURCE_* value.
 * @return a few words, for example "sysfs"; "unknown" for ::NEAR_NODE_SOURCE_NONE and any other value.
 *
 * @owner    The library's; valid for ever.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *near_node_source_name(int32_t source);

#ifdef __cplusplus
}
#endif

#endif
