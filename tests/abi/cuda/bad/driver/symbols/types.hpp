// SPDX-License-Identifier: Apache-2.0
// For symbols that are an older or newer interface than the list says; the last two are of the right type all the same.
#include <cstddef>
namespace nearpool::cuda {
using CUresult = int;
using CUdevice = int;
using CUstream = struct CUstream_st *;
struct CUuuid {
    char bytes[16];
};
} // namespace nearpool::cuda
