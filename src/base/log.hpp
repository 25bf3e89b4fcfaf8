// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <nearpool/log.h>

namespace nearpool {

const char *log_level_name(int32_t level);

// Whether a message of this level would go anywhere: ask before building an expensive one.
bool log_enabled(int32_t level);

// Sends one line to the callback or to standard error. Never fails nor throws; does nothing from inside the callback.
[[gnu::format(printf, 2, 3)]] void log(int32_t level, const char *format, ...);

Status set_log_callback(near_log_fn callback, void *user_data, int32_t level);

} // namespace nearpool
