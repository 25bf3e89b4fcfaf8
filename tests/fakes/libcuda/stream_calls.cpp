// SPDX-License-Identifier: Apache-2.0
#include "capture.hpp"
#include "stream.hpp"

#include <algorithm>

namespace fakes::cuda {

namespace {

CUresult create(CUstream *stream, unsigned flags, int priority) {
    if (stream == nullptr || (flags & ~stream_non_blocking) != 0) {
        return cuda_error_invalid_value;
    }
    const Config &config = driver().config;
    const int clamped = std::clamp(priority, config.priority_greatest, config.priority_least);
    Stream *made = make_stream(*this_thread().current(), flags, clamped, StreamKind::made);
    if (made == nullptr) {
        return cuda_error_out_of_memory;
    }
    *stream = reinterpret_cast<CUstream>(made);
    return cuda_success;
}

bool is_idle(Stream &stream) {
    if (!stream.idle()) {
        return false;
    }
    bool idle = true;
    if (stream.is_legacy()) {
        driver().streams.each_alive([&](Stream &other) {
            const bool counts = other.context.load() == stream.context.load() && other.blocks_with_legacy();
            idle = idle && (!counts || other.idle());
        });
    }
    return idle;
}

/// A stream whose state is asked for, which a captured one does not allow.
CUresult resolve_uncaptured(CUstream handle, Stream **stream) {
    const CUresult result = resolve_stream(handle, stream);
    if (result != cuda_success) {
        return result;
    }
    if ((*stream)->is_legacy() && legacy_is_captured((*stream)->home())) {
        return cuda_error_capture_implicit;
    }
    return is_capturing(**stream) ? invalidate_capture(**stream) : cuda_success;
}

/// While it runs, the thread may call nothing of the driver.
template <typename Body> void run_callback(Body body) {
    ThreadState &self = this_thread();
    self.in_callback = true;
    body();
    self.in_callback = false;
}

} // namespace

namespace calls {

CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
    return create(stream, flags, 0);
}

CUresult cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int priority) {
    return create(stream, flags, priority);
}

CUresult cuStreamDestroy_v2(CUstream stream) {
    Stream *found = driver().streams.find(stream);
    if (found == nullptr || found->kind != StreamKind::made) {
        return cuda_error_invalid_handle;
    }
    if (is_capturing(*found)) {
        return invalidate_capture(*found);
    }
    const CUresult lost = check_context(found->home());
    close_stream(*found);
    return lost;
}

CUresult cuStreamQuery(CUstream stream) {
    Stream *found = nullptr;
    const CUresult result = resolve_uncaptured(stream, &found);
    if (result != cuda_success) {
        return result;
    }
    return is_idle(*found) ? cuda_success : cuda_error_not_ready;
}

CUresult cuStreamSynchronize(CUstream stream) {
    Stream *found = nullptr;
    CUresult result = resolve_uncaptured(stream, &found);
    if (result == cuda_success && found->is_legacy()) {
        result = order_default(*found);
    }
    return result != cuda_success ? result : wait_for_stream(*found);
}

CUresult cuStreamGetPriority(CUstream stream, int *priority) {
    Stream *found = nullptr;
    const CUresult result = resolve_stream(stream, &found);
    if (result != cuda_success || priority == nullptr) {
        return result != cuda_success ? result : cuda_error_invalid_value;
    }
    *priority = found->priority;
    return cuda_success;
}

CUresult cuStreamGetFlags(CUstream stream, unsigned *flags) {
    Stream *found = nullptr;
    const CUresult result = resolve_stream(stream, &found);
    if (result != cuda_success || flags == nullptr) {
        return result != cuda_success ? result : cuda_error_invalid_value;
    }
    *flags = found->flags;
    return cuda_success;
}

CUresult cuStreamGetCtx(CUstream stream, CUcontext *context) {
    Stream *found = nullptr;
    const CUresult result = resolve_stream(stream, &found);
    if (result != cuda_success || context == nullptr) {
        return result != cuda_success ? result : cuda_error_invalid_value;
    }
    *context = reinterpret_cast<CUcontext>(&found->home());
    return cuda_success;
}

CUresult cuStreamGetCtx_v2(CUstream stream, CUcontext *context, CUgreenCtx *green) {
    const CUresult result = cuStreamGetCtx(stream, context);
    if (result == cuda_success && green != nullptr) {
        *green = nullptr;
    }
    return result;
}

CUresult cuStreamGetDevice(CUstream stream, CUdevice *device) {
    Stream *found = nullptr;
    const CUresult result = resolve_stream(stream, &found);
    if (result != cuda_success || device == nullptr) {
        return result != cuda_success ? result : cuda_error_invalid_value;
    }
    *device = found->home().device;
    return cuda_success;
}

CUresult cuStreamGetId(CUstream stream, unsigned long long *id) {
    Stream *found = nullptr;
    CUresult result = resolve_stream(stream, &found);
    if (result == cuda_success && is_capturing(*found)) {
        result = invalidate_capture(*found);
    }
    if (result != cuda_success || id == nullptr) {
        return result != cuda_success ? result : cuda_error_invalid_value;
    }
    *id = found->id;
    return cuda_success;
}

CUresult cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus *status) {
    Stream *found = nullptr;
    const CUresult result = resolve_stream(stream, &found);
    if (result != cuda_success || status == nullptr) {
        return result != cuda_success ? result : cuda_error_invalid_value;
    }
    if (found->is_legacy() && legacy_is_captured(found->home())) {
        return cuda_error_capture_implicit;
    }
    *status = found->capture_status.load(std::memory_order_acquire);
    return cuda_success;
}

CUresult cuLaunchHostFunc(CUstream stream, CUhostFn function, void *user_data) {
    Stream *found = nullptr;
    const CUresult result = resolve_stream(stream, &found);
    if (result != cuda_success || function == nullptr) {
        return result != cuda_success ? result : cuda_error_invalid_value;
    }
    if (is_capturing(*found)) {
        return record_into_capture(*found) ? cuda_success : cuda_error_capture_invalidated;
    }
    return submit(*found, [function, user_data](Stream &, CUresult status) {
        if (status == cuda_success) {
            run_callback([&] { function(user_data); });
        }
    });
}

CUresult cuStreamAddCallback(CUstream stream, CUstreamCallback callback, void *user_data, unsigned flags) {
    Stream *found = nullptr;
    const CUresult result = resolve_uncaptured(stream, &found);
    if (result != cuda_success || callback == nullptr || flags != 0) {
        return result != cuda_success ? result : cuda_error_invalid_value;
    }
    return submit(*found, [callback, user_data, stream](Stream &, CUresult status) {
        run_callback([&] { callback(stream, status, user_data); });
    });
}

} // namespace calls

} // namespace fakes::cuda
