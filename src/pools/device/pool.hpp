// SPDX-License-Identifier: Apache-2.0
// The GPUs of a process, or some of them, in an order.
#pragma once

#include "base/fork_mark.hpp"
#include "base/ref.hpp"
#include "pools/device/device.hpp"
#include "pools/device/rotation.hpp"

#include <nearpool/device_pool_query.h>

#include <memory>
#include <string>
#include <vector>

namespace nearpool::device {

struct Options {
    std::vector<int32_t> ordinals; // empty: all
    bool strict = false;
    bool own_contexts = false;
    bool process_wide = false; // its handle is the library's
};

struct Skipped {
    int32_t ordinal = 0;
    Error why;
};

class Pool final : public RefCounted {
public:
    static Result<Ref<Pool>> create(cuda::Loader &loader, Ref<const Topology> topology, const Options &options);

    bool forked() const { return mark_.forked(); }
    bool process_wide() const { return process_wide_; }
    const Topology &topology() const { return *topology_; }
    const std::vector<std::unique_ptr<Device>> &devices() const { return devices_; }
    const std::vector<Skipped> &skipped() const { return skipped_; }

    Device *find(int32_t ordinal) const; // nullptr: not in the pool
    Error no_device(int32_t ordinal) const;

    int32_t next() { return ordinals_[rotation_->next()]; }
    Result<int32_t> best(int32_t criterion, uint32_t node);
    Result<std::vector<uint32_t>> peers() const; // row by row
    std::string text() const;

private:
    friend class Builder;
    Result<int32_t> nearest(uint32_t node) const;
    Pool(Ref<const Topology> topology, bool process_wide)
        : topology_(std::move(topology)), process_wide_(process_wide) {}
    ~Pool() override = default;

    const Ref<const Topology> topology_;
    const bool process_wide_;
    const ForkMark mark_;
    std::vector<std::unique_ptr<Device>> devices_;
    std::vector<Skipped> skipped_;
    std::vector<int32_t> ordinals_; // of devices_, so that next() need not look into them
    std::unique_ptr<Rotation> rotation_;
};

// Makes a device's context current above the caller's, and undoes that: the latest push of the calling thread.
Done push_current(Device &device);
Done pop_current();

} // namespace nearpool::device
