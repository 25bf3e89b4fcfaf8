// SPDX-License-Identifier: Apache-2.0
#include "capture.hpp"
#include "stream.hpp"

namespace fakes::cuda {

namespace {

constexpr unsigned known_flags = 7; // blocking synchronisation, no timing, between processes

Event *find_event(CUevent event) {
    return driver().events.find(event);
}

/// The event, if its state may be asked for.
CUresult find_askable(CUevent handle, Event **event) {
    *event = find_event(handle);
    if (*event == nullptr) {
        return cuda_error_invalid_handle;
    }
    if (const CUresult lost = check_context((*event)->home()); lost != cuda_success) {
        return lost;
    }
    return (*event)->captured.load(std::memory_order_acquire) ? cuda_error_captured_event : cuda_success;
}

} // namespace

namespace calls {

CUresult cuEventCreate(CUevent *event, unsigned flags) {
    constexpr unsigned between_processes = 4;
    const bool timed = (flags & event_disable_timing) == 0;
    if (event == nullptr || (flags & ~known_flags) != 0 || ((flags & between_processes) != 0 && timed)) {
        return cuda_error_invalid_value;
    }
    Event *made = driver().events.take();
    if (made == nullptr) {
        return cuda_error_out_of_memory;
    }
    made->context.store(this_thread().current());
    made->flags = flags;
    made->mark.store(0);
    made->captured.store(false);
    made->alive.store(true, std::memory_order_release);
    *event = reinterpret_cast<CUevent>(made);
    return cuda_success;
}

CUresult cuEventRecord(CUevent event, CUstream stream) {
    Event *found = find_event(event);
    Stream *on = nullptr;
    if (found == nullptr) {
        return cuda_error_invalid_handle;
    }
    CUresult result = resolve_stream(stream, &on);
    if (result != cuda_success) {
        return result;
    }
    if (found->context.load() != on->context.load()) {
        return cuda_error_invalid_handle;
    }
    if (is_capturing(*on)) {
        return capture_event_record(*on, *found) ? cuda_success : cuda_error_capture_invalidated;
    }
    if (on->is_legacy()) {
        result = legacy_is_captured(on->home()) ? cuda_error_capture_implicit : order_default(*on);
    }
    if (result == cuda_success) {
        found->mark.store(mark_of(*on), std::memory_order_release);
        found->captured.store(false, std::memory_order_release);
    }
    return result;
}

CUresult cuEventQuery(CUevent event) {
    Event *found = nullptr;
    const CUresult result = find_askable(event, &found);
    if (result != cuda_success) {
        return result;
    }
    return is_reached(found->mark.load(std::memory_order_acquire)) ? cuda_success : cuda_error_not_ready;
}

CUresult cuEventSynchronize(CUevent event) {
    Event *found = nullptr;
    const CUresult result = find_askable(event, &found);
    if (result != cuda_success) {
        return result;
    }
    return wait_for_mark(found->mark.load(std::memory_order_acquire));
}

CUresult cuEventDestroy_v2(CUevent event) {
    Event *found = find_event(event);
    if (found == nullptr) {
        return cuda_error_invalid_handle;
    }
    const CUresult lost = check_context(found->home());
    found->alive.store(false, std::memory_order_release);
    driver().events.give_back(found);
    return lost;
}

CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags) {
    Stream *waiter = nullptr;
    Event *found = find_event(event);
    if (found == nullptr || flags > 1) {
        return found == nullptr ? cuda_error_invalid_handle : cuda_error_invalid_value;
    }
    CUresult result = resolve_stream(stream, &waiter);
    if (result == cuda_success) {
        result = check_context(found->home());
    }
    bool handled = false;
    if (result == cuda_success) {
        result = capture_wait(*waiter, *found, &handled);
    }
    const uint64_t mark = found->mark.load(std::memory_order_acquire);
    if (result != cuda_success || handled || is_reached(mark)) {
        return result;
    }
    return submit(*waiter,
                  [mark](Stream &self, CUresult) { wait_in_stream(self, [mark] { return is_reached(mark); }); });
}

} // namespace calls

} // namespace fakes::cuda
