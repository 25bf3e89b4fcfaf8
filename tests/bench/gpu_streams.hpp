// SPDX-License-Identifier: Apache-2.0
// The calls of the driver that a lease of a warm stream makes, without the pool: what is left of a lease's time is
// ours.
#pragma once

#include "gpu_support.hpp"

namespace bench {

// As cuda::Current does it around the library's calls (src/cuda/current.hpp).
template <class Call> void in_context(const Driver &driver, CUcontext context, Call &&call) {
    CUstreamCaptureMode mode = capture_mode_relaxed;
    must_cuda(driver.thread_exchange_capture_mode(&mode), "cuThreadExchangeStreamCaptureMode");
    CUcontext before = nullptr;
    must_cuda(driver.ctx_get_current(&before), "cuCtxGetCurrent");
    if (before != context) {
        must_cuda(driver.ctx_push_current(context), "cuCtxPushCurrent");
    }
    call();
    if (before != context) {
        must_cuda(driver.ctx_pop_current(&before), "cuCtxPopCurrent");
    }
    must_cuda(driver.thread_exchange_capture_mode(&mode), "cuThreadExchangeStreamCaptureMode");
}

inline void bare_lease(const Driver &driver, CUcontext context, CUstream stream) {
    in_context(driver, context, [&] { must_cuda(driver.stream_query(stream), "cuStreamQuery"); });
    in_context(driver, context, [&] {
        CUstreamCaptureStatus status = capture_status_none;
        must_cuda(driver.stream_is_capturing(stream, &status), "cuStreamIsCapturing");
    });
}

// A stream that the pool has made for the calling thread and got back.
inline CUstream warm_stream(const Streams &streams) {
    const uint64_t id = streams.acquire();
    const CUstream stream = streams.at(id);
    streams.release(id);
    return stream;
}

} // namespace bench
