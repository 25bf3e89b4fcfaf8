// SPDX-License-Identifier: Apache-2.0
// What the benchmarks of page-locked memory share.
#pragma once

#include "gpu_support.hpp"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <utility>

namespace bench {

constexpr std::size_t kib = std::size_t{1} << 10U;
constexpr std::size_t mib = std::size_t{1} << 20U;
constexpr std::size_t gib = std::size_t{1} << 30U;

// Memory that gives itself back. None: why() says it.
class Pinned {
public:
    Pinned(const Pool &pool, const Devices &devices, std::size_t bytes, const near_pinned_options *options = nullptr) {
        near_error error = sized<near_error>();
        if (numa_pool_alloc_pinned(pool.get(), devices.get(), 0, bytes, options, &pinned_, &error) != NEAR_OK) {
            why_ = error.message;
        }
    }
    Pinned(const Pinned &) = delete;
    Pinned &operator=(const Pinned &) = delete;
    ~Pinned() { near_pinned_free(pinned_); }

    explicit operator bool() const { return pinned_ != nullptr; }
    const std::string &why() const { return why_; }
    near_pinned *detach() { return std::exchange(pinned_, nullptr); }
    void *data() const { return near_pinned_data(pinned_); }
    // "placed, transparent pages"
    std::string how() const {
        near_pinned_info info = sized<near_pinned_info>();
        near_placement placement = sized<near_placement>();
        must(near_pinned_get_info(pinned_, &info, nullptr), "near_pinned_get_info");
        must(near_pinned_placement(pinned_, &placement, nullptr), "near_pinned_placement");
        return std::string(near_pinned_method_name(info.method)) + ", " + near_pages_name(placement.pages) + " pages";
    }

private:
    near_pinned *pinned_ = nullptr;
    std::string why_;
};

// Memory of the driver's own; the context of device 0 is current.
class DriverMemory {
public:
    explicit DriverMemory(std::size_t bytes)
        : code_(driver().mem_host_alloc(&data_, bytes, host_alloc_portable | host_alloc_device_map)) {}
    ~DriverMemory() {
        if (*this) {
            driver().mem_free_host(data_);
        }
    }
    DriverMemory(const DriverMemory &) = delete;
    DriverMemory &operator=(const DriverMemory &) = delete;

    explicit operator bool() const { return code_ == cuda_success; }
    std::string why() const { return "cuMemHostAlloc: CUDA error " + std::to_string(code_); }
    void *data() const { return data_; }

private:
    void *data_ = nullptr;
    CUresult code_;
};

// Whether the machine can spare so much memory; else why not. Tests and other programs need some too.
bool fits(std::size_t bytes, std::string *why);

// What is told of a benchmark that could not be done: the word of who refused.
template <class Memory> bool usable(const Memory &memory, benchmark::State &state) {
    if (!memory) {
        state.SkipWithError(memory.why().c_str());
    }
    return static_cast<bool>(memory);
}

} // namespace bench
