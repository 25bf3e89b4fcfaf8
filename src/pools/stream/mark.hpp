// SPDX-License-Identifier: Apache-2.0
// A point in the work of a stream: what was in it when the mark was made.
#pragma once

#include "base/ref.hpp"
#include "pools/device/pool.hpp"

namespace nearpool::stream {

// An event of the driver's. Keeps the stream's pool of GPUs, and so the context, until it goes.
class Mark {
public:
    static Result<Mark> make(Ref<device::Pool> devices, const device::Device &device, cuda::CUcontext context,
                             cuda::CUstream stream);
    Mark(Mark &&other) noexcept;
    Mark &operator=(Mark &&other) noexcept;
    ~Mark();

    // Asks the driver. Work that failed, or whose context is lost, comes to no other end, and has passed.
    enum class State {
        pending,
        passed,
        refused
    }; // refused: the context cannot be made current now
    State state() const noexcept;

    cuda::CUevent event() const { return event_; }

private:
    Mark(Ref<device::Pool> devices, const device::Device &device, cuda::CUcontext context)
        : devices_(std::move(devices)), device_(&device), context_(context) {}
    void give_back() noexcept;

    Ref<device::Pool> devices_;
    const device::Device *device_;
    cuda::CUcontext context_;
    cuda::CUevent event_ = nullptr;
};

} // namespace nearpool::stream
