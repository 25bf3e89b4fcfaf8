// SPDX-License-Identifier: Apache-2.0
#include "pools/stream/mark.hpp"

#include "cuda/current.hpp"

namespace nearpool::stream {

using namespace cuda;

Result<Mark> Mark::make(Place place, CUstream stream) {
    Mark mark(std::move(place));
    const Driver &driver = mark.place_.device->driver();
    const Current current(driver, mark.place_.context);
    if (Done ok = current.entered(); !ok) {
        return ok.error();
    }
    CUevent event = nullptr;
    if (const CUresult code = driver.event_create(&event, event_disable_timing); code != cuda_success) {
        return driver.error(code, "cuEventCreate");
    }
    if (event == nullptr) {
        return fail(NEAR_E_CUDA, "cuEventCreate succeeded and gave no event");
    }
    mark.event_ = event;
    if (const CUresult code = driver.event_record(event, stream); code != cuda_success) {
        return driver.error(code, "cuEventRecord");
    }
    return mark;
}

Mark::Mark(Mark &&other) noexcept : place_(std::move(other.place_)), event_(std::exchange(other.event_, nullptr)) {}

Mark &Mark::operator=(Mark &&other) noexcept {
    std::swap(place_, other.place_);
    std::swap(event_, other.event_);
    return *this;
}

Mark::~Mark() {
    give_back();
}

// The driver keeps a destroyed event as long as a stream needs it.
void Mark::give_back() noexcept {
    if (event_ != nullptr) {
        const Driver &driver = place_.device->driver();
        give_back_in(driver, place_.context, [&] { driver.event_destroy(std::exchange(event_, nullptr)); });
    }
}

Mark::State Mark::state() const noexcept {
    const Driver &driver = place_.device->driver();
    const Current current(driver, place_.context);
    const CUresult code = current.code() == cuda_success ? driver.event_query(event_) : current.code();
    if (code == cuda_error_not_ready) {
        return State::pending;
    }
    return code == cuda_success || is_lost(code) ? State::passed : State::refused;
}

} // namespace nearpool::stream
