// SPDX-License-Identifier: Apache-2.0
// Compares our declarations of the CUDA driver's types, constants and entry points with the Toolkit's; compiled, never
// run. tests/abi/cuda/check says on the command line what is compared.
#include <cuda.h>
#include <cudaTypedefs.h>

#include NEARPOOL_DECLARATIONS

#include "table.hpp"

namespace NEARPOOL_NAMESPACE::declared {

#define NEARPOOL_CUDA(member, symbol, name, version, need, parameters) using member = CUresult(*) parameters;
#include NEARPOOL_ENTRY_POINTS
#undef NEARPOOL_CUDA

} // namespace NEARPOOL_NAMESPACE::declared

#define NEARPOOL_SAME_SIGNATURE(member, symbol, theirs)                                                                \
    static_assert(compare::is_compatible<ours::declared::member, theirs>(),                                            \
                  "entry point " symbol ": takes or returns something else in the Toolkit");

#define NEARPOOL_CUDA(member, symbol, name, version, need, parameters)                                                 \
    NEARPOOL_SINCE_##version(NEARPOOL_SAME_SIGNATURE(member, #symbol, PFN_##name##_v##version),                        \
                             NEARPOOL_ABSENT(PFN_##name##_v##version))
#include NEARPOOL_ENTRY_POINTS
