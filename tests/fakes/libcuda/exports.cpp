// SPDX-License-Identifier: Apache-2.0
// The exported functions, made from symbols.inc. Compiled once for each variant of the library.
#include "calls.hpp"

#include <cstdio>
#include <cstdlib>

#ifndef FAKE_CUDA_NEWEST
#define FAKE_CUDA_NEWEST 99999
#endif
#define FAKE_CUDA_EXPORT extern "C" __attribute__((visibility("default")))

namespace fakes::cuda {

#define FAKE_CUDA_DEFINE(symbol, parameters, arguments)                                                                \
    FAKE_CUDA_EXPORT CUresult symbol parameters {                                                                      \
        return entered::symbol arguments;                                                                              \
    }
#define FAKE_CUDA(symbol, name, version, need, parameters, arguments) FAKE_CUDA_DEFINE(symbol, parameters, arguments)
#define FAKE_CUDA_STREAM(symbol, twin, name, version, twin_version, need, parameters, arguments)                       \
    FAKE_CUDA_DEFINE(symbol, parameters, arguments)                                                                    \
    FAKE_CUDA_DEFINE(twin, parameters, arguments)
#include "symbols.inc"
#undef FAKE_CUDA
#undef FAKE_CUDA_STREAM

#define FAKE_CUDA_LEGACY(symbol)                                                                                       \
    FAKE_CUDA_EXPORT void symbol() {                                                                                   \
        std::fprintf(stderr, "fake driver: %s is the interface of an old CUDA version; look up its newer name\n",      \
                     #symbol);                                                                                         \
        std::abort();                                                                                                  \
    }
#include "legacy.inc"
#undef FAKE_CUDA_LEGACY

EntryList entries() {
#define FAKE_CUDA_ENTRY(symbol, name, version, is_twin, has_twin)                                                      \
    Entry{#symbol,        #name, version, is_twin, has_twin, reinterpret_cast<void *>(&::fakes::cuda::symbol),         \
          symbol_##symbol},
#define FAKE_CUDA(symbol, name, version, need, parameters, arguments)                                                  \
    FAKE_CUDA_ENTRY(symbol, name, version, false, false)
#define FAKE_CUDA_STREAM(symbol, twin, name, version, twin_version, need, parameters, arguments)                       \
    FAKE_CUDA_ENTRY(symbol, name, version, false, true)                                                                \
    FAKE_CUDA_ENTRY(twin, name, twin_version, true, false)
    static const Entry list[] = {
#include "symbols.inc"
    };
    return {list, list + sizeof list / sizeof *list};
}

int newest_version() {
    return FAKE_CUDA_NEWEST == 99999 ? 0 : FAKE_CUDA_NEWEST;
}

} // namespace fakes::cuda
