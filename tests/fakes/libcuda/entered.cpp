// SPDX-License-Identifier: Apache-2.0
// The entry points behind the exported functions, made from symbols.inc: compiled once for all variants of the library.
#include "enter.hpp"

namespace fakes::cuda::entered {

#define FAKE_CUDA_DEFINE(symbol, body, version, is_twin, need, parameters, arguments)                                  \
    CUresult symbol parameters {                                                                                       \
        return enter<needs::need>(                                                                                     \
            symbol_##symbol, version, is_twin, [&] { return calls::body arguments; },                                  \
            [&] {                                                                                                      \
                return Call{symbol_##symbol, #symbol, needs::need, version, pack arguments, output_of arguments};      \
            });                                                                                                        \
    }
#define FAKE_CUDA(symbol, name, version, need, parameters, arguments)                                                  \
    FAKE_CUDA_DEFINE(symbol, symbol, version, false, need, parameters, arguments)
#define FAKE_CUDA_STREAM(symbol, twin, name, version, twin_version, need, parameters, arguments)                       \
    FAKE_CUDA_DEFINE(symbol, symbol, version, false, need, parameters, arguments)                                      \
    FAKE_CUDA_DEFINE(twin, symbol, twin_version, true, need, parameters, arguments)
#define FAKE_CUDA_NEWEST 99999
#include "symbols.inc"
#undef FAKE_CUDA
#undef FAKE_CUDA_STREAM
#undef FAKE_CUDA_DEFINE

} // namespace fakes::cuda::entered
