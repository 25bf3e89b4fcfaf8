// SPDX-License-Identifier: Apache-2.0
// For entry points with a wrong width, a parameter too few, an event for a stream, and a const too few.
namespace nearpool::cuda {
using CUresult = int;
using CUcontext = struct CUctx_st *;
using CUstream = struct CUstream_st *;
using CUevent = struct CUevent_st *;
} // namespace nearpool::cuda
