// SPDX-License-Identifier: Apache-2.0
// Scopes in which the driver may be called.
#pragma once

#include "cuda/driver.hpp"

namespace nearpool::cuda {

// Until its end, calls of this thread do not disturb a graph that another thread captures.
class RelaxedCapture {
public:
    explicit RelaxedCapture(const Driver &driver) : driver_(driver) {
        if (driver_.thread_exchange_capture_mode(&mode_) != cuda_success) {
            changed_ = false;
        }
    }
    ~RelaxedCapture() {
        if (changed_) {
            driver_.thread_exchange_capture_mode(&mode_);
        }
    }
    RelaxedCapture(const RelaxedCapture &) = delete;
    RelaxedCapture &operator=(const RelaxedCapture &) = delete;

private:
    const Driver &driver_;
    CUstreamCaptureMode mode_ = capture_mode_relaxed; // ours, then the caller's
    bool changed_ = true;
};

// Until its end, a context is current and capture is relaxed; then the caller's context is current again, as before.
class Current {
public:
    Current(const Driver &driver, CUcontext context) : driver_(driver), relaxed_(driver) {
        CUcontext before = nullptr;
        if (driver_.ctx_get_current(&before) == cuda_success && before == context) {
            return;
        }
        code_ = driver_.ctx_push_current(context);
        pushed_ = code_ == cuda_success;
    }
    ~Current() {
        if (pushed_) {
            CUcontext popped = nullptr;
            driver_.ctx_pop_current(&popped);
        }
    }
    Current(const Current &) = delete;
    Current &operator=(const Current &) = delete;

    // To be asked before the first call.
    Done entered() const { return code_ == cuda_success ? Done() : Done(driver_.error(code_, "cuCtxPushCurrent")); }
    CUresult code() const { return code_; }

private:
    const Driver &driver_;
    RelaxedCapture relaxed_;
    CUresult code_ = cuda_success;
    bool pushed_ = false;
};

} // namespace nearpool::cuda
