/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_API_H
#define NEARPOOL_API_H

/**
 * @file
 * @brief All functions of nearpool as one table, for programs that load the library with dlopen.
 *
 * @code
 * void *library = dlopen("libnearpool.so", RTLD_NOW | RTLD_LOCAL);
 * const near_api *near = ((near_api_get_fn)dlsym(library, "near_api_get"))(NEAR_ABI_MAJOR, sizeof(near_api));
 * @endcode
 *
 * Written by src/api/generate; do not edit.
 */

#include <nearpool/export.h>
#include <nearpool/one.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What near_api_get() takes as its first argument: the table only grows while this number stays. */
#define NEAR_ABI_MAJOR UINT32_C(0)

/* clang-format off */
/** The functions of the library, under their own names, in an order that never changes. */
typedef struct near_api {
    size_t size; /**< bytes of the library's table; it may be longer than this struct */
    /** @{ */
    /** The function of the same name. */
    int (*near_one)(void);
    int (*near_two)(int);
    /** @} */
} near_api;
/* clang-format on */

/**
 * @brief The table of the library's functions.
 *
 * @param[in] abi_major    ::NEAR_ABI_MAJOR of the headers that the caller was built with.
 * @param[in] needed_size  bytes of the table that the caller will use: sizeof(near_api).
 * @return the table, the same one at each call, also after a dlclose and another dlopen; NULL when the library has
 *         another ABI, or a table shorter than needed_size because it is older than the caller.
 *
 * @owner    The library's; valid for ever, because the library stays loaded.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const near_api *near_api_get(uint32_t abi_major, size_t needed_size);

/** The type of near_api_get(), for the result of dlsym. */
typedef const near_api *(*near_api_get_fn)(uint32_t abi_major, size_t needed_size);

#ifdef __cplusplus
}
#endif

#endif
