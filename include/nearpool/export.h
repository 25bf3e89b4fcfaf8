/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_EXPORT_H
#define NEARPOOL_EXPORT_H

/**
 * @file
 * @brief How the functions of nearpool are marked.
 */

/** A function that the library exports. */
#define NEAR_API __attribute__((visibility("default")))

/** A function whose status must be looked at. */
#define NEAR_MUST_CHECK __attribute__((warn_unused_result))

#endif
