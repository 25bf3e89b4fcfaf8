// SPDX-License-Identifier: Apache-2.0
// The entry points: `calls` is what each does once its need is met, `entered` asks for that first (entered.cpp), and
// the exported functions of a variant (exports.cpp) call that.
#pragma once

#include "abi.hpp"

namespace fakes::cuda {

#pragma push_macro("FAKE_CUDA_NEWEST")
#pragma push_macro("FAKE_CUDA_MISSING_REQUIRED")
#pragma push_macro("FAKE_CUDA_MISSING_OPTIONAL")
#undef FAKE_CUDA_NEWEST
#undef FAKE_CUDA_MISSING_REQUIRED
#undef FAKE_CUDA_MISSING_OPTIONAL
#define FAKE_CUDA_NEWEST 99999

namespace calls {
#define FAKE_CUDA(symbol, name, version, need, parameters, arguments) CUresult symbol parameters;
#define FAKE_CUDA_STREAM(symbol, twin, name, version, twin_version, need, parameters, arguments)                       \
    CUresult symbol parameters;
#include "symbols.inc"
#undef FAKE_CUDA
#undef FAKE_CUDA_STREAM
} // namespace calls

namespace entered {
#define FAKE_CUDA(symbol, name, version, need, parameters, arguments) CUresult symbol parameters;
#define FAKE_CUDA_STREAM(symbol, twin, name, version, twin_version, need, parameters, arguments)                       \
    CUresult symbol parameters;                                                                                        \
    CUresult twin parameters;
#include "symbols.inc"
#undef FAKE_CUDA
#undef FAKE_CUDA_STREAM
} // namespace entered

/// All entry points, also those that a variant of the library leaves out.
enum Symbol : unsigned {
#define FAKE_CUDA(symbol, name, version, need, parameters, arguments) symbol_##symbol,
#define FAKE_CUDA_STREAM(symbol, twin, name, version, twin_version, need, parameters, arguments)                       \
    symbol_##symbol, symbol_##twin,
#include "symbols.inc"
#undef FAKE_CUDA
#undef FAKE_CUDA_STREAM
    symbol_count
};

#undef FAKE_CUDA_NEWEST
#pragma pop_macro("FAKE_CUDA_NEWEST")
#pragma pop_macro("FAKE_CUDA_MISSING_REQUIRED")
#pragma pop_macro("FAKE_CUDA_MISSING_OPTIONAL")

/// One exported function of this variant.
struct Entry {
    const char *symbol;
    const char *name;
    int version;
    bool is_twin;  // its default stream is the thread's own
    bool has_twin; // an entry with the same name and version is one
    void *function;
    Symbol index;
};

/// The entry points that this variant exports.
struct EntryList {
    const Entry *begin_;
    const Entry *end_;
    const Entry *begin() const { return begin_; }
    const Entry *end() const { return end_; }
};
EntryList entries();

/// The CUDA version that this variant is of; 0: any.
int newest_version();

} // namespace fakes::cuda
