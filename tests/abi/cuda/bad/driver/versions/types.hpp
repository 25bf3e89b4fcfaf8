// SPDX-License-Identifier: Apache-2.0
// Rows that say of what CUDA 11.8 has, or of what is wrong, that it came later: it would not be compared.
namespace nearpool::cuda {
using CUresult = int;
using CUcontext = struct CUctx_st *;
constexpr int compute_mode_prohibited = 7;
} // namespace nearpool::cuda
