// SPDX-License-Identifier: Apache-2.0
// A struct with two members changed over, a wrong value, and entry points of another width and of an older interface.
namespace nearpool::cuda {
using nvmlReturn_t = int;
using nvmlDevice_t = struct nvmlDevice_st *;
using nvmlAffinityScope_t = unsigned;
struct nvmlMemory_t {
    unsigned long long total;
    unsigned long long used;
    unsigned long long free;
};
constexpr nvmlReturn_t nvml_error_not_supported = 2;
} // namespace nearpool::cuda
