/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_DEVICE_MAP_H
#define NEARPOOL_DEVICE_MAP_H

/**
 * @file
 * @brief Next to which node a device is, and who says so.
 */

#include <nearpool/topology.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a device is. */
enum {
    NEAR_DEVICE_GPU = 1,        /**< a display controller of PCI class 0x0300 or 0x0302, or what a GPU's driver names */
    NEAR_DEVICE_NETWORK = 2,    /**< a network interface, "eth0"; IPoIB too */
    NEAR_DEVICE_INFINIBAND = 3, /**< an RDMA device, "mlx5_0"; RoCE too */
    NEAR_DEVICE_NVME = 4,       /**< a namespace of an NVMe drive, "nvme0n1" */
    NEAR_DEVICE_BLOCK = 5       /**< another block device, "sda" */
};

/** Who said next to which node a device is, in the order in which they are asked. */
enum {
    NEAR_NODE_SOURCE_NONE = 0,     /**< nobody: the node is unknown */
    NEAR_NODE_SOURCE_DRIVER = 1,   /**< the device's driver (CU_DEVICE_ATTRIBUTE_HOST_NUMA_ID, CUDA 12.2) */
    NEAR_NODE_SOURCE_SYSFS = 2,    /**< the kernel: numa_node of the PCI device in /sys */
    NEAR_NODE_SOURCE_PCI_ROOT = 3, /**< the locality of the PCI root to which the device is attached */
    NEAR_NODE_SOURCE_NVML = 4,     /**< NVML: the nodes whose memory is near the device are one */
    NEAR_NODE_SOURCE_ONE_NODE = 5  /**< the machine has one node */
};

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
