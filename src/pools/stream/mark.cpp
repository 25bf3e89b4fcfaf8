// SPDX-License-Identifier: Apache-2.0
#include "pools/stream/mark.hpp"

#include "cuda/current.hpp"

namespace nearpool::stream {

using namespace cuda;

Result<Mark> Mark::make(Ref<device::Pool> devices, const device::Device &device, CUcontext context, CUstream stream) {
    Mark mark(std::move(devices), device, context);
    const Driver &driver = device.driver();
    const Current current(driver, context);
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

Mark::Mark(Mark &&other) noexcept
    : devices_(std::move(other.devices_)), device_(other.device_), context_(other.context_),
      event_(std::exchange(other.event_, nullptr)) {}

Mark &Mark::operator=(Mark &&other) noexcept {
    give_back();
    devices_ = std::move(other.devices_);
    device_ = other.device_;
    context_ = other.context_;
    event_ = std::exchange(other.event_, nullptr);
    return *this;
}

Mark::~Mark() {
    give_back();
}

// The driver keeps a destroyed event as long as a stream needs it.
void Mark::give_back() noexcept {
    if (event_ != nullptr) {
        const Driver &driver = device_->driver();
        give_back_in(driver, context_, [&] { driver.event_destroy(std::exchange(event_, nullptr)); });
    }
}

Mark::State Mark::state() const noexcept {
    const Current current(device_->driver(), context_);
    if (current.code() == cuda_success) {
        return device_->driver().event_query(event_) == cuda_error_not_ready ? State::pending : State::passed;
    }
    const bool gone = current.code() == cuda_error_context_is_destroyed || current.code() == cuda_error_deinitialized;
    return gone ? State::passed : State::refused;
}

} // namespace nearpool::stream
