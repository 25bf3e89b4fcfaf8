// SPDX-License-Identifier: Apache-2.0
// What can be asked of a stream's work: whether it is done, to wait for it, to go on after it.
#include "pools/stream/pool.hpp"

#include "base/clock.hpp"
#include "cuda/current.hpp"

#include <algorithm>

namespace nearpool::stream {

using namespace cuda;

Result<bool> Pool::is_done(uint64_t id) const {
    const Result<CUstream> stream = usable(id);
    if (!stream) {
        return stream.error();
    }
    const CUresult code = driver_.stream_query(stream.value());
    if (code != cuda_success && code != cuda_error_not_ready) {
        return driver_.error(code, "cuStreamQuery");
    }
    return code == cuda_success;
}

Done Pool::query(uint64_t id, bool *done) {
    const Current current(driver_, context_);
    if (Done ok = current.entered(); !ok) {
        return ok;
    }
    const Result<bool> answer = is_done(id);
    if (!answer) {
        return answer.error();
    }
    *done = answer.value();
    return {};
}

// The driver has no wait with a time-out: ask, at first at once, then with pauses that grow. Each time it is asked anew
// whether the lease still holds, and whether the stream has begun to capture.
Done Pool::poll(uint64_t id, uint64_t timeout_ns) {
    const uint64_t start = now_ns();
    std::atomic<uint32_t> word{0};
    for (uint64_t pause = 0;; pause = std::min(pause + 5 * NEAR_US, longest_pause_ns)) {
        const Result<bool> done = is_done(id);
        if (!done) {
            return done.error();
        }
        if (done.value()) {
            return {};
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
    if (timeout_ns != NEAR_FOREVER) {
        return poll(id, timeout_ns);
    }
    const Result<CUstream> stream = usable(id);
    if (!stream) {
        return stream.error();
    }
    const CUresult code = driver_.stream_synchronize(stream.value());
    return code == cuda_success ? Done() : driver_.error(code, "cuStreamSynchronize");
}

// What the stream has to do now, for whoever waits for that.
Result<Mark> Pool::mark(uint64_t id) {
    const Current current(driver_, context_);
    if (Done ok = current.entered(); !ok) {
        return ok.error();
    }
    const Result<CUstream> stream = usable(id);
    if (!stream) {
        return stream.error();
    }
    return Mark::make(Mark::Place{devices_, &device_, context_, id}, stream.value());
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
    const Result<Mark> mark = other.mark(other_id);
    if (!mark) {
        return mark.error();
    }
    const CUresult code = driver_.stream_wait_event(stream.value(), mark.value().event(), 0);
    return code == cuda_success ? Done() : driver_.error(code, "cuStreamWaitEvent");
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

Done Pool::then(uint64_t id, std::unique_ptr<Submission> &submission) {
    const Current current(driver_, context_);
    if (Done ok = current.entered(); !ok) {
        return ok;
    }
    const Result<CUstream> stream = usable(id);
    if (!stream) {
        return stream.error();
    }
    return pending_->add(stream.value(), submission);
}

} // namespace nearpool::stream
