// SPDX-License-Identifier: Apache-2.0
// Scopes in which the driver may be called.
#pragma once

#include "cuda/driver.hpp"

namespace nearpool::cuda {

// Until its end, calls of this thread do not disturb a graph that another thread captures. A driver that refuses to put
// the caller's mode back is asked once more.
class RelaxedCapture {
public:
    explicit RelaxedCapture(const Driver &driver)
        : driver_(driver), code_(driver.thread_exchange_capture_mode(&mode_)) {}
    ~RelaxedCapture() {
        CUstreamCaptureMode mode = mode_;
        if (code_ == cuda_success && driver_.thread_exchange_capture_mode(&mode) != cuda_success) {
            driver_.thread_exchange_capture_mode(&mode_);
        }
    }
    CUresult code() const { return code_; }
    RelaxedCapture(const RelaxedCapture &) = delete;
    RelaxedCapture &operator=(const RelaxedCapture &) = delete;

private:
    const Driver &driver_;
    CUstreamCaptureMode mode_ = capture_mode_relaxed; // ours, then the caller's
    const CUresult code_;
};

// Takes a context off the calling thread's stack, on which we have put it. A driver that refuses is asked once more, if
// the context is still there: the caller must find his own again.
inline CUresult pop_pushed(const Driver &driver, CUcontext context) {
    CUcontext top = nullptr;
    const CUresult code = driver.ctx_pop_current(&top);
    if (code == cuda_success || driver.ctx_get_current(&top) != cuda_success || top != context) {
        return code;
    }
    return driver.ctx_pop_current(&top);
}

// Until its end, a context is current and capture is relaxed; then the caller's context is current again, as before.
class Current {
public:
    Current(const Driver &driver, CUcontext context) : driver_(driver), relaxed_(driver), context_(context) {
        if (relaxed_.code() != cuda_success) {
            call_ = "cuThreadExchangeStreamCaptureMode";
            code_ = relaxed_.code();
            return;
        }
        CUcontext before = nullptr;
        if (driver_.ctx_get_current(&before) == cuda_success && before == context) {
            return;
        }
        code_ = driver_.ctx_push_current(context);
        pushed_ = code_ == cuda_success;
    }
    ~Current() {
        if (pushed_) {
            pop_pushed(driver_, context_);
        }
    }
    Current(const Current &) = delete;
    Current &operator=(const Current &) = delete;

    // To be asked before the first call.
    Done entered() const { return code_ == cuda_success ? Done() : Done(driver_.error(code_, call_)); }
    CUresult code() const { return code_; }

private:
    const Driver &driver_;
    RelaxedCapture relaxed_;
    CUcontext context_;
    CUresult code_ = cuda_success;
    const char *call_ = "cuCtxPushCurrent";
    bool pushed_ = false;
};

// Gives something of a context's back. A driver that does not let us in is asked once more: what is not given back now
// never is.
template <class Work> void give_back_in(const Driver &driver, CUcontext context, Work &&work) {
    {
        const Current current(driver, context);
        if (current.code() == cuda_success) {
            work();
            return;
        }
    }
    const Current current(driver, context);
    work();
}

} // namespace nearpool::cuda
