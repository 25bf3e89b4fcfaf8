/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_STATUS_H
#define NEARPOOL_STATUS_H

/**
 * @file
 * @brief Status codes, and the sentence that comes with one.
 *
 * Every function that can fail returns a ::near_status. Calls that make, place, wait or end something also take a
 * ::near_error of the caller, which receives the whole sentence. These return only the status, and near_status_text()
 * has a general sentence for it:
 * - the hot calls numa_pool_submit(), numa_pool_submit_tasks(), numa_pool_group_submit() and numa_pool_current();
 * - those that only read what is known already: numa_pool_nodes(), near_capabilities_missing(),
 *   near_region_descriptor(), all of the topology that take no ::near_error, and all with `_get_` in their name but
 *   near_affinity_get();
 * - numa_pool_group_cancel() and near_log_set_callback().
 *
 * Two errors are possible where no list of errors names them. ::NEAR_E_VERSION: a ::near_error is given whose
 * struct_size is none that this library knows; then nothing else was looked at, and nothing was done. ::NEAR_E_NOMEM:
 * there is no memory for the answer or for what leads to it; then no output was written.
 */

#include <nearpool/export.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** ::NEAR_OK or a negative NEAR_E_* value. Numbers are never reused. */
typedef int32_t near_status;

/** The values of ::near_status. */
enum {
    NEAR_OK = 0,               /**< done */
    NEAR_E_INVALID = -1,       /**< an argument has a value that this call cannot take */
    NEAR_E_NO_NODE = -2,       /**< there is no such NUMA node */
    NEAR_E_NO_CPU = -3,        /**< there is no such CPU, or the node has none */
    NEAR_E_EMPTY_SET = -4,     /**< a list was given and it is empty */
    NEAR_E_NOT_ALLOWED = -5,   /**< outside what the cpuset allows, or not permitted on this object */
    NEAR_E_UNSUPPORTED = -6,   /**< this kernel, machine or source cannot do it */
    NEAR_E_STRICT = -7,        /**< strict mode: what was asked for could not be achieved; nothing was kept */
    NEAR_E_TOPOLOGY = -8,      /**< objects of different topologies were mixed, or a topology could not be read */
    NEAR_E_TASK = -9,          /**< a task failed */
    NEAR_E_SYSTEM = -10,       /**< a system call failed; near_error::native_code is its errno */
    NEAR_E_NOMEM = -11,        /**< out of memory; from any call that needs some */
    NEAR_E_AGAIN = -12,        /**< a bounded queue is full */
    NEAR_E_TIMEOUT = -13,      /**< the time given was not enough */
    NEAR_E_SHUTDOWN = -14,     /**< the pool takes no more work */
    NEAR_E_BUSY = -15,         /**< the object is in use in a way that forbids this call */
    NEAR_E_CAPACITY = -16,     /**< a hard limit was reached */
    NEAR_E_STALE = -17,        /**< an id that is unknown or was released */
    NEAR_E_NO_DRIVER = -18,    /**< no GPU driver */
    NEAR_E_NO_DEVICE = -19,    /**< no GPU at all */
    NEAR_E_DEVICE = -20,       /**< no such device here */
    NEAR_E_CUDA = -21,         /**< a driver call failed; near_error::native_code is its CUresult */
    NEAR_E_FORKED = -22,       /**< the object was made in the parent of this process */
    NEAR_E_WRONG_THREAD = -23, /**< only the thread that made the object may do this */
    NEAR_E_VERSION = -24,      /**< a struct has a size or a field that this library does not know */
    NEAR_E_INTERNAL = -25,     /**< a defect of nearpool: please report it */
    NEAR_E_CANCELLED = -26     /**< somebody has cancelled it */
};

/** The values of near_error::native_domain. */
enum {
    NEAR_DOMAIN_NONE = 0,  /**< near_error::native_code says nothing */
    NEAR_DOMAIN_ERRNO = 1, /**< near_error::native_code is an errno */
    NEAR_DOMAIN_CUDA = 2   /**< near_error::native_code is a CUresult */
};

/**
 * @brief What went wrong, in a struct of the caller: 512 bytes, no allocation, nothing to free.
 *
 * Set struct_size before the call: every call refuses an unknown one with ::NEAR_E_VERSION, and does not write there.
 * Written only when the call fails.
 */
typedef struct near_error {
    uint32_t struct_size;  /**< in: sizeof(near_error) */
    near_status status;    /**< out: the status that the call returned */
    int32_t native_domain; /**< out: NEAR_DOMAIN_* */
    int32_t native_code;   /**< out: the code of that domain */
    char message[496];     /**< out: operation, object, what was asked, what is there, what to do; ends in NUL */
} near_error;

/**
 * @brief The stable name of a status.
 *
 * @param[in] status  any value.
 * @return for example "NEAR_E_NO_NODE"; "unknown status" for a value that is none.
 *
 * @owner    The library's; valid for ever.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *near_status_name(near_status status);

/**
 * @brief A sentence for a status on its own.
 *
 * @param[in] status  any value.
 * @return for example "there is no such NUMA node"; "unknown status" for a value that is none.
 *
 * @owner    The library's; valid for ever.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *near_status_text(near_status status);

#ifdef __cplusplus
}
#endif

#endif
