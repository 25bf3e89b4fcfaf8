// SPDX-License-Identifier: Apache-2.0
// One GPU of a pool: what is known of it, its context, and what is taken of it here.
#pragma once

#include "base/error.hpp"
#include "cuda/facts.hpp"
#include "cuda/loader.hpp"
#include "machine/device_node.hpp"

#include <atomic>
#include <mutex>
#include <vector>

namespace nearpool::device {

struct Usage {
    uint64_t leased_streams = 0;
    uint64_t reserved_bytes = 0;
};

// Who takes of a device, and says how much when asked: counting at each lease would cost every lease.
class Consumer {
public:
    virtual ~Consumer() = default;
    virtual Usage usage() const = 0;
};

class Device {
public:
    Device(cuda::Loader &loader, const cuda::Driver &driver, cuda::Facts facts, DeviceNode node, bool own_context);
    ~Device();
    Device(const Device &) = delete;
    Device &operator=(const Device &) = delete;

    const cuda::Facts &facts() const { return facts_; }
    const DeviceNode &node() const { return node_; }
    const cuda::Driver &driver() const { return driver_; }

    // Retained, or made, when first asked for.
    Result<cuda::CUcontext> context();

    // Without making a context: from the one that is there, from NVML, or from one that others have made.
    Result<cuda::DeviceMemory> memory();
    Result<unsigned> utilization() const; // percent, from NVML

    void add(const Consumer *consumer);
    void remove(const Consumer *consumer);
    Usage usage() const;

private:
    Result<cuda::CUcontext> make_context();
    Result<cuda::DeviceMemory> memory_of(cuda::CUcontext context);
    Result<cuda::DeviceMemory> memory_of_others(const std::string &nvml_says);

    cuda::Loader &loader_;
    const cuda::Driver &driver_;
    const cuda::Facts facts_;
    const DeviceNode node_;
    const bool own_context_;
    const ForkMark mark_;
    std::atomic<cuda::CUcontext> context_{nullptr};
    std::mutex context_mutex_;
    mutable std::mutex consumers_mutex_;
    std::vector<const Consumer *> consumers_;
};

} // namespace nearpool::device
