/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NEARPOOL_LOG_H
#define NEARPOOL_LOG_H

/**
 * @file
 * @brief Where the library's messages go.
 *
 * Without a callback, messages go to standard error when the environment variable NEARPOOL_LOG names a level: `error`,
 * `warn`, `info`, `debug` or `none` (the default). The variable is ignored in setuid programs.
 */

#include <nearpool/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How important a message is. */
enum {
    NEAR_LOG_NONE = 0,  /**< as a threshold: no message at all */
    NEAR_LOG_ERROR = 1, /**< something was lost or is broken */
    NEAR_LOG_WARN = 2,  /**< something is not as asked: a pin that failed, pages elsewhere */
    NEAR_LOG_INFO = 3,  /**< the life of pools and topologies */
    NEAR_LOG_DEBUG = 4  /**< each placement: bytes, node, page size */
};

/**
 * @brief Receives one message.
 *
 * Called on the thread on which the message arose, with nothing held; it must not call nearpool, throw, nor return in a
 * child of fork() that it makes.
 *
 * @param[in] level      a NEAR_LOG_* value.
 * @param[in] message    one line without a line end; valid during the call.
 * @param[in] user_data  as given to near_log_set_callback().
 */
typedef void (*near_log_fn)(int32_t level, const char *message, void *user_data);

/**
 * @brief Sends the library's messages to a function.
 *
 * When the call returns, the function set before is no longer running on any thread and will not be called again.
 *
 * @param[in] callback   the function; NULL goes back to standard error and NEARPOOL_LOG.
 * @param[in] user_data  passed to it.
 * @param[in] level      the least important level that it receives, a NEAR_LOG_* value.
 *
 * @errors
 * - ::NEAR_E_INVALID  @p level is none of NEAR_LOG_*
 * - ::NEAR_E_BUSY     called from inside the callback
 *
 * @owner    user_data stays the caller's.
 * @threads{safe}
 * @blocking Waits for a message that is being delivered.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API NEAR_MUST_CHECK near_status near_log_set_callback(near_log_fn callback, void *user_data, int32_t level);

/**
 * @brief The name of a level of importance.
 *
 * @param[in] level  a NEAR_LOG_* value.
 * @return "none", "error", "warn", "info", "debug"; "unknown" for any other value.
 *
 * @owner    The library's; valid for ever.
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API const char *near_log_level_name(int32_t level);

#ifdef __cplusplus
}
#endif

#endif
