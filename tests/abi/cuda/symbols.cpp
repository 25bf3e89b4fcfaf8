// SPDX-License-Identifier: Apache-2.0
// Compares the symbols that we ask the driver's library for with the interfaces that we say they are; compiled, never
// run. tests/abi/cuda/check says on the command line what is compared, and reads the texts below.

// NOLINTNEXTLINE: with it, cuda.h declares each exported function under its own name, as the driver's library has it.
// Without it, cuMemGetInfo is another name for cuMemGetInfo_v2, and the function called cuMemGetInfo cannot be seen.
#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>
#include <cudaTypedefs.h>

#include "since.hpp"
#include <type_traits>

#define NEARPOOL_SAME_FUNCTION(symbol, theirs)                                                                         \
    static_assert(std::is_same_v<decltype(&symbol), theirs>, "symbol " #symbol ": is not the Toolkit's " #theirs);

#define NEARPOOL_CUDA(member, symbol, name, version, need, parameters)                                                 \
    NEARPOOL_SINCE_##version(NEARPOOL_SAME_FUNCTION(symbol, PFN_##name##_v##version), NEARPOOL_ABSENT(symbol))
#include NEARPOOL_ENTRY_POINTS
