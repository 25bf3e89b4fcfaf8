// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sys/ports.hpp"

#include <cstdint>
#include <optional>

namespace nearpool {

// The CPUs that the control groups of this process leave it, in thousandths: the least of its own group and of every
// group above that can be seen, version 1 or 2. Nothing: no quota. At least 1.
std::optional<uint64_t> cpu_quota_millis(FilePort &files);

} // namespace nearpool
