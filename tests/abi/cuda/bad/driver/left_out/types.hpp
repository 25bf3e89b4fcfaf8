// SPDX-License-Identifier: Apache-2.0
// What no row of the table names, and what the check cannot read.
#define FLAG 1
namespace nearpool::cuda {
using CUresult = int;
using CUdevice = int;
struct CUuuid {
    char bytes[16];
    struct {
        int inner;
    } more;
};
constexpr CUresult cuda_success = 0;
constexpr CUresult cuda_error_no_device{100};
enum Mode { relaxed };
} // namespace nearpool::cuda
