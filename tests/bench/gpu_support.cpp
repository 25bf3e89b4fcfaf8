// SPDX-License-Identifier: Apache-2.0
#include "gpu_support.hpp"

namespace bench {
namespace {

Driver found_driver() {
    Driver found;
#define NEARPOOL_CUDA(member, symbol, name, version, need, parameters)                                                 \
    found.member = control().find<CUresult parameters>(#symbol);
#include "cuda/entry_points.inc"
#undef NEARPOOL_CUDA
    found.plain_stream_create = control().find<CUresult(CUstream *, unsigned)>("cuStreamCreate");
    return found;
}

} // namespace

const fakes::cuda::Control &control() {
    static const fakes::cuda::Control only;
    return only;
}

const Driver &driver() {
    static const Driver only = found_driver();
    return only;
}

bool find_gpu(std::string *why) {
    // A fake driver that was not configured gets as many devices as the goal for making a pool speaks of.
    if (control().available() && control().config().empty()) {
        control().reset(R"({"devices": [{}, {}, {}, {}, {}, {}, {}, {}]})");
    }
    near_error error = sized<near_error>();
    device_pool *pool = nullptr;
    if (device_pool_create(nullptr, &pool, &error) != NEAR_OK) {
        *why = error.message;
        return false;
    }
    device_pool_destroy(pool);
    return true;
}

} // namespace bench
