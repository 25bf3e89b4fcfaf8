// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace nearpool::api {

// The bytes that a stream may reserve: NEARPOOL_STREAM_MB, read each time, else 256 MiB. A value that is no positive
// number is reported once in a process and ignored.
uint64_t stream_budget();

} // namespace nearpool::api
