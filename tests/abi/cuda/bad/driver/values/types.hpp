// SPDX-License-Identifier: Apache-2.0
// Constants with a value that is another one's.
#include <cstdint>
namespace nearpool::cuda {
constexpr int capture_mode_relaxed = 1;
constexpr int attribute_host_numa_id = 131;
constexpr std::uintptr_t stream_legacy = 2;
using CUresult = int;
} // namespace nearpool::cuda
