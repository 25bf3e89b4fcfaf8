// SPDX-License-Identifier: Apache-2.0
// What can be asked of a stream's work: whether it is done, to wait for it, to go on after it.
#include "pools/stream/pool.hpp"

#include "base/clock.hpp"
#include "cuda/current.hpp"

#include <algorithm>

namespace nearpool::stream {

using namespace cuda;

Done Pool::query(uint64_t id, bool *done) {
    const Current current(driver_, context_);
    if (Done ok = current.entered(); !ok) {
        return ok;
    }
    const Result<CUstream> stream = usable(id);
    if (!stream) {
        return stream.error();
    }
    const CUresult code = driver_.stream_query(stream.value());
    if (code != cuda_success && code != cuda_error_not_ready) {
        return driver_.error(code, "cuStreamQuery");
    }
    *done = code == cuda_success;
    return {};
}

// The driver has no wait with a time-out: ask, at first at once, then with pauses that grow.
Done Pool::poll(CUstream stream, uint64_t timeout_ns) {
    constexpr uint64_t longest_pause_ns = 200 * NEAR_US;
    const uint64_t start = now_ns();
    std::atomic<uint32_t> word{0};
    for (uint64_t pause = 0;; pause = std::min(pause + 5 * NEAR_US, longest_pause_ns)) {
        const CUresult code = driver_.stream_query(stream);
        if (code == cuda_success) {
            return {};
        }
        if (code != cuda_error_not_ready) {
            return driver_.error(code, "cuStreamQuery");
        }
        const uint64_t now = now_ns();
        if (now - start >= timeout_ns) {
            return fail(NEAR_E_TIMEOUT, "the stream has work that %llu ns were not enough for",
                        static_cast<unsigned long long>(timeout_ns));
        }
        if (pause > 0) {
            futex_.wait(&word, 0, now + std::min(pause, timeout_ns - (now - start)));
        }
    }
}

Done Pool::synchronize(uint64_t id, uint64_t timeout_ns) {
    const Current current(driver_, context_);
    if (Done ok = current.entered(); !ok) {
        return ok;
    }
    const Result<CUstream> stream = usable(id);
    if (!stream) {
        return stream.error();
    }
    if (timeout_ns != NEAR_FOREVER) {
        return poll(stream.value(), timeout_ns);
    }
    const CUresult code = driver_.stream_synchronize(stream.value());
    return code == cuda_success ? Done() : driver_.error(code, "cuStreamSynchronize");
}

Done Pool::wait_on(uint64_t id, Pool &other, uint64_t other_id) {
    const Current current(driver_, context_);
    if (Done ok = current.entered(); !ok) {
        return ok;
    }
    const Result<CUstream> stream = usable(id);
    if (!stream) {
        return stream.error();
    }
    const Current there(other.driver_, other.context_);
    if (Done ok = there.entered(); !ok) {
        return ok;
    }
    const Result<CUstream> awaited = other.usable(other_id);
    if (!awaited) {
        return awaited.error();
    }
    CUevent event = nullptr;
    if (const CUresult code = driver_.event_create(&event, event_disable_timing); code != cuda_success) {
        return driver_.error(code, "cuEventCreate");
    }
    Done done;
    if (const CUresult code = driver_.event_record(event, awaited.value()); code != cuda_success) {
        done = driver_.error(code, "cuEventRecord");
    } else {
        const Current here(driver_, context_);
        const CUresult waits =
            here.code() == cuda_success ? driver_.stream_wait_event(stream.value(), event, 0) : here.code();
        done = waits == cuda_success ? Done() : driver_.error(waits, "cuStreamWaitEvent");
    }
    const CUresult code = driver_.event_destroy(event); // the driver keeps it as long as a stream needs it
    return !done || code == cuda_success ? done : driver_.error(code, "cuEventDestroy");
}

Done Pool::can_then(uint64_t id) const {
    if (driver_.stream_add_callback == nullptr) {
        return fail(NEAR_E_UNSUPPORTED, "this driver has no cuStreamAddCallback");
    }
    const Current current(driver_, context_);
    if (Done ok = current.entered(); !ok) {
        return ok;
    }
    const Result<CUstream> stream = usable(id);
    return stream ? Done() : Done(stream.error());
}

Done Pool::then(uint64_t id, std::unique_ptr<Submission> submission) {
    const Current current(driver_, context_);
    if (Done ok = current.entered(); !ok) {
        return ok;
    }
    const Result<CUstream> stream = usable(id);
    if (!stream) {
        return stream.error();
    }
    return pending_->add(driver_, stream.value(), std::move(submission));
}

} // namespace nearpool::stream
