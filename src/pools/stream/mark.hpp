// SPDX-License-Identifier: Apache-2.0
// A point in the work of a stream: what was in it when the mark was made.
#pragma once

#include "base/ref.hpp"
#include "pools/device/pool.hpp"

namespace nearpool::stream {

// An event of the driver's. Keeps the stream's pool of GPUs, and so the context, until it goes.
class Mark {
public:
    struct Place {
        Ref<device::Pool> devices;
        const device::Device *device;
        cuda::CUcontext context;
        uint64_t lease; // unique for ever, but for the default stream of each context
    };
    static Result<Mark> make(Place place, cuda::CUstream stream);
    Mark(Mark &&other) noexcept;
    Mark &operator=(Mark &&other) noexcept;
    ~Mark();

    // refused: the driver does not say.
    enum class State : uint8_t {
        pending,
        passed,
        refused
    };
    // Work whose context is lost comes to no other end, and has passed.
    State state() const noexcept;

    // What is marked later comes after what was marked before.
    bool same_stream(const Mark &other) const {
        return place_.context == other.place_.context && place_.lease == other.place_.lease;
    }

    cuda::CUevent event() const { return event_; }

private:
    explicit Mark(Place place) : place_(std::move(place)) {}
    void give_back() noexcept;

    Place place_;
    cuda::CUevent event_ = nullptr;
};

} // namespace nearpool::stream
