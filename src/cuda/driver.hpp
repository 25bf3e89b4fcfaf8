// SPDX-License-Identifier: Apache-2.0
// The driver's entry points, resolved, and its words for its errors.
#pragma once

#include "base/error.hpp"
#include "cuda/types.hpp"
#include "sys/ports.hpp"

#include <string>

namespace nearpool::cuda {

struct Driver {
// NOLINTBEGIN(bugprone-macro-parentheses): these are types and names
#define NEARPOOL_CUDA(member, symbol, name, version, need, parameters) CUresult(*member) parameters = nullptr;
// NOLINTEND(bugprone-macro-parentheses)
#include "cuda/entry_points.inc"
#undef NEARPOOL_CUDA
    int version = 0; // of the driver: 12060 is CUDA 12.6

    // "CUDA_ERROR_INVALID_HANDLE"; takes no memory.
    const char *name_of(CUresult code) const noexcept;

    // NEAR_E_CUDA: "cuStreamDestroy: CUDA_ERROR_INVALID_HANDLE (400): invalid resource handle".
    Error error(CUresult code, const char *call) const;
};

// What a context answers to every call from the moment on that it is lost: nothing runs on it any more. Any other error
// says nothing of the work.
bool is_lost(CUresult code) noexcept;

// Resolves all of them in an open library. NEAR_E_NO_DRIVER names the first one that is needed and missing.
Result<Driver> resolve_driver(LibraryPort &libraries, void *library, const std::string &name);

} // namespace nearpool::cuda
