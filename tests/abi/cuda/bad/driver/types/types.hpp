// SPDX-License-Identifier: Apache-2.0
// A struct of another size, a handle and a number of another width, a callback with a parameter too few.
namespace nearpool::cuda {
using CUresult = long;
using CUstream = struct CUstream_st *;
using CUevent = unsigned;
struct CUuuid {
    char bytes[8];
};
using CUstreamCallback = void (*)(CUstream stream, void *user_data);
} // namespace nearpool::cuda
