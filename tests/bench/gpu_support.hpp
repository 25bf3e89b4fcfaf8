// SPDX-License-Identifier: Apache-2.0
// What the benchmarks of device_pool and stream_pool share: the driver that the library uses, called without the
// library, and a way to compare several things on a machine that does other work too.
#pragma once

#include "cuda/types.hpp"
#include "fakes/libcuda/control.hpp"
#include "support.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <vector>

namespace bench {

using namespace nearpool::cuda;

struct Driver {
#define NEARPOOL_CUDA(member, symbol, name, version, need, parameters) CUresult(*member) parameters = nullptr;
#include "cuda/entry_points.inc"
#undef NEARPOOL_CUDA
    CUresult (*plain_stream_create)(CUstream *stream, unsigned flags) = nullptr;
};

// Both stay loaded for ever. driver() may be called when find_gpu() has found one.
const Driver &driver();
const fakes::cuda::Control &control();

// False: there is no GPU to measure on, and why.
bool find_gpu(std::string *why);

// Defined beside the benchmarks, which are not there without a GPU.
void register_device_benchmarks();
void register_stream_benchmarks();
void register_thread_benchmarks();
void register_pinned_benchmarks();
void register_pinned_cache_benchmarks();
void register_copy_benchmarks();

inline void must_cuda(CUresult code, const char *what) {
    if (code != cuda_success) {
        std::fprintf(stderr, "%s: CUDA error %d\n", what, code);
        std::exit(1);
    }
}

class Devices {
public:
    Devices() { must(device_pool_create(nullptr, &pool_, nullptr), "device_pool_create"); }
    ~Devices() { device_pool_destroy(pool_); }
    Devices(const Devices &) = delete;
    Devices &operator=(const Devices &) = delete;
    device_pool *get() const { return pool_; }
    CUcontext context(int32_t ordinal) const {
        void *context = nullptr;
        must(device_pool_context(pool_, ordinal, &context, nullptr), "device_pool_context");
        return static_cast<CUcontext>(context);
    }

private:
    device_pool *pool_ = nullptr;
};

class Streams {
public:
    explicit Streams(const Devices &devices, uint32_t max_streams = 0) {
        stream_pool_options options = sized<stream_pool_options>();
        options.max_streams = max_streams;
        must(stream_pool_create(devices.get(), 0, &options, &pool_, nullptr), "stream_pool_create");
    }
    ~Streams() { stream_pool_destroy(pool_); }
    Streams(const Streams &) = delete;
    Streams &operator=(const Streams &) = delete;
    stream_pool *get() const { return pool_; }
    uint64_t acquire() const {
        uint64_t id = 0;
        must(stream_pool_acquire(pool_, &id), "stream_pool_acquire");
        return id;
    }
    void release(uint64_t id) const { must(stream_pool_release(pool_, id), "stream_pool_release"); }
    CUstream at(uint64_t id) const {
        void *stream = nullptr;
        must(stream_pool_resolve(pool_, id, &stream), "stream_pool_resolve");
        return static_cast<CUstream>(stream);
    }
    // Acquire and release: what is measured.
    void lease() const { release(acquire()); }

private:
    stream_pool *pool_ = nullptr;
};

// The context of device 0 is current as long as this lives; with `wanted` false, nothing is.
class Pushed {
public:
    Pushed(const Devices &devices, bool wanted) : pushed_(wanted) {
        if (pushed_) {
            must(device_pool_push(devices.get(), 0, nullptr), "device_pool_push");
        }
    }
    ~Pushed() {
        if (pushed_) {
            must(device_pool_pop(nullptr), "device_pool_pop");
        }
    }
    Pushed(const Pushed &) = delete;
    Pushed &operator=(const Pushed &) = delete;

private:
    bool pushed_;
};

inline int64_t now_ns() {
    return std::chrono::steady_clock::now().time_since_epoch().count();
}

// The value that so great a part of them is less than: 0.5 is the median.
inline double quantile(std::vector<double> values, double part) {
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(static_cast<double>(values.size()) * part);
    std::nth_element(values.begin(), at, values.end());
    return *at;
}

inline double median(const std::vector<double> &values) {
    return quantile(values, 0.5);
}

template <class Body> double per_call_ns(uint32_t calls, Body &body) {
    const int64_t start = now_ns();
    for (uint32_t i = 0; i < calls; i++) {
        body();
    }
    return static_cast<double>(now_ns() - start) / calls;
}

// The time of each body in many short rounds, in which they take turns: so whatever else the machine does meets all of
// them alike, and what it does to a few rounds is not seen in the median.
template <class... Bodies>
std::array<std::vector<double>, sizeof...(Bodies)> rounds_ns(uint32_t rounds, uint32_t calls, Bodies &&...bodies) {
    std::array<std::vector<double>, sizeof...(Bodies)> samples;
    for (uint32_t round = 0; round < rounds; round++) {
        std::size_t body = 0;
        (samples[body++].push_back(per_call_ns(calls, bodies)), ...);
    }
    return samples;
}

template <class... Bodies>
std::array<double, sizeof...(Bodies)> medians_ns(uint32_t rounds, uint32_t calls, Bodies &&...bodies) {
    std::array<double, sizeof...(Bodies)> medians{};
    const auto samples = rounds_ns(rounds, calls, bodies...);
    std::transform(samples.begin(), samples.end(), medians.begin(), median);
    return medians;
}

} // namespace bench
