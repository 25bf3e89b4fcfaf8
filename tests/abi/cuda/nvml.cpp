// SPDX-License-Identifier: Apache-2.0
// Compares our declarations of NVML's types, constants and entry points with nvml.h; compiled, never run.
// tests/abi/cuda/check says on the command line what is compared.
#include <nvml.h>

#include NEARPOOL_DECLARATIONS

#include "table.hpp"

namespace NEARPOOL_NAMESPACE::declared {

#define NEARPOOL_NVML(member, symbol, need, parameters) using member = nvmlReturn_t(*) parameters;
#include NEARPOOL_ENTRY_POINTS
#undef NEARPOOL_NVML

} // namespace NEARPOOL_NAMESPACE::declared

#define NEARPOOL_TEXT_OF(text) #text
#define NEARPOOL_TEXT(name) NEARPOOL_TEXT_OF(name)

// nvml.h turns the name of an older interface into that of the newest: such a name is exported, but as the old one.
#define NEARPOOL_NVML(member, symbol, need, parameters)                                                                \
    static_assert(compare::is_same_text(#symbol, NEARPOOL_TEXT(symbol)),                                               \
                  "symbol " #symbol ": is an older interface, the Toolkit calls " NEARPOOL_TEXT(symbol));              \
    static_assert(compare::is_compatible<ours::declared::member, decltype(&symbol)>(),                                 \
                  "entry point " #symbol ": takes or returns something else in the Toolkit");
#include NEARPOOL_ENTRY_POINTS
