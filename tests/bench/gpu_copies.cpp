// SPDX-License-Identifier: Apache-2.0
// How fast a real GPU reads and writes our page-locked memory, beside the driver's own. The fake driver's copies are
// the processor's: there is nothing to measure.
#include "gpu_pinned.hpp"

namespace bench {
namespace {

constexpr std::size_t copy_bytes = gib;
constexpr uint32_t rounds = 12;

class DeviceMemory {
public:
    explicit DeviceMemory(std::size_t bytes) {
        auto *allocate = control().find<CUresult(CUdeviceptr *, std::size_t)>("cuMemAlloc_v2");
        code_ = allocate(&data_, bytes);
    }
    ~DeviceMemory() {
        if (*this) {
            control().find<CUresult(CUdeviceptr)>("cuMemFree_v2")(data_);
        }
    }
    DeviceMemory(const DeviceMemory &) = delete;
    DeviceMemory &operator=(const DeviceMemory &) = delete;

    explicit operator bool() const { return code_ == cuda_success; }
    std::string why() const { return "cuMemAlloc: CUDA error " + std::to_string(code_); }
    CUdeviceptr data() const { return data_; }

private:
    CUdeviceptr data_ = 0;
    CUresult code_;
};

struct Copy {
    bool to_device;
    CUdeviceptr device;
    CUstream stream;

    void operator()(void *host) const {
        static auto *const in =
            control().find<CUresult(CUdeviceptr, const void *, std::size_t, CUstream)>("cuMemcpyHtoDAsync_v2");
        static auto *const out =
            control().find<CUresult(void *, CUdeviceptr, std::size_t, CUstream)>("cuMemcpyDtoHAsync_v2");
        must_cuda(to_device ? in(device, host, copy_bytes, stream) : out(host, device, copy_bytes, stream), "cuMemcpy");
        must_cuda(driver().stream_synchronize(stream), "cuStreamSynchronize");
    }
};

void measure(benchmark::State &state, const Copy &copy, const Pinned &ours, const DriverMemory &drivers) {
    for (auto _ : state) {
        copy(ours.data()); // first uses are slower
        copy(drivers.data());
        const auto [our_ns, driver_ns] = medians_ns(
            rounds, 1, [&] { copy(ours.data()); }, [&] { copy(drivers.data()); });
        state.SetIterationTime(our_ns * 1e-9);
        state.counters["gib_per_s"] = 1e9 / our_ns;
        state.counters["driver_gib_per_s"] = 1e9 / driver_ns;
        state.counters["ratio"] = driver_ns / our_ns;
        state.counters["ratio_at_least"] = 0.98;
    }
    state.SetLabel(ours.how() + ", 1 GiB; ratio of the bandwidth to that of cuMemHostAlloc memory");
}

void bandwidth(benchmark::State &state, bool to_device) {
    std::string why;
    if (!fits(2 * copy_bytes, &why)) {
        state.SkipWithError(why.c_str());
        return;
    }
    const Devices devices;
    const Pool pool(1);
    const Streams streams(devices);
    const Pushed current(devices, true);
    const DeviceMemory device(copy_bytes);
    const Pinned ours(pool, devices, copy_bytes);
    const DriverMemory drivers(copy_bytes);
    if (!usable(device, state) || !usable(ours, state) || !usable(drivers, state)) {
        return;
    }
    const uint64_t id = streams.acquire();
    measure(state, Copy{to_device, device.data(), streams.at(id)}, ours, drivers);
    streams.release(id);
}

} // namespace

void register_copy_benchmarks() {
    if (control().available()) {
        return;
    }
    const auto add = [](const char *name, bool to_device) {
        benchmark::RegisterBenchmark(name, [to_device](benchmark::State &state) { bandwidth(state, to_device); })
            ->UseManualTime()
            ->Iterations(1)
            ->Unit(benchmark::kMillisecond);
    };
    add("gpu/pinned/copy/to_device", true);
    add("gpu/pinned/copy/to_host", false);
}

} // namespace bench
