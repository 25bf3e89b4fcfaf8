/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_VERSION_H
#define NEARPOOL_VERSION_H

/**
 * @file
 * @brief The version of the library.
 */

#include <nearpool/export.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Version of these headers: changes when the ABI breaks. */
#define NEAR_VERSION_MAJOR 0
/** Version of these headers: changes when something is added; before 1.0 also when the ABI breaks. */
#define NEAR_VERSION_MINOR 1
/** Version of these headers: changes when something is mended. */
#define NEAR_VERSION_PATCH 0

/**
 * @brief The version of the library that is loaded.
 *
 * @return major * 1 000 000 + minor * 1 000 + patch; compare it with the NEAR_VERSION_* of the headers.
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API uint32_t near_version(void);

#ifdef __cplusplus
}
#endif

#endif
