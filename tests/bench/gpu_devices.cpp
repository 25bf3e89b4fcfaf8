// SPDX-License-Identifier: Apache-2.0
// Making a pool of GPUs, and choosing one.
#include "gpu_support.hpp"

#include <benchmark/benchmark.h>

#include <atomic>

namespace bench {
namespace {

int active_contexts(const Devices &devices) {
    int count = 0;
    for (size_t i = 0; i < device_pool_count(devices.get()); i++) {
        int32_t ordinal = 0;
        unsigned flags = 0;
        int active = 0;
        must(device_pool_at(devices.get(), i, &ordinal), "device_pool_at");
        must_cuda(driver().primary_ctx_get_state(ordinal, &flags, &active), "cuDevicePrimaryCtxGetState");
        count += active;
    }
    return count;
}

// Every device of the machine, by default: nobody's context is touched, which is counted.
void device_pool_create_destroy(benchmark::State &state) {
    int touched = 0;
    for (auto _ : state) {
        const auto [time] = medians_ns(50, 1, [&] {
            const Devices devices;
            benchmark::DoNotOptimize(devices.get());
        });
        state.SetIterationTime(time * 1e-9);
        touched += active_contexts(Devices());
    }
    state.counters["devices"] = static_cast<double>(device_pool_count(Devices().get()));
    state.counters["contexts_touched"] = touched;
}

void device_pool_next_ordinal(benchmark::State &state) {
    const Devices devices;
    int32_t ordinal = 0;
    std::atomic<uint32_t> counter{0};
    for (auto _ : state) {
        const auto [ours, bare] = medians_ns(
            500, 20000,
            [&] {
                must(device_pool_next(devices.get(), &ordinal), "device_pool_next");
                benchmark::DoNotOptimize(ordinal);
            },
            [&] { benchmark::DoNotOptimize(counter.fetch_add(1, std::memory_order_relaxed)); });
        state.SetIterationTime(ours * 1e-9);
        state.counters["own_ns"] = ours - bare;
        state.counters["ratio"] = ours / bare;
    }
    state.SetLabel("ratio to one atomic addition");
}

} // namespace

void register_device_benchmarks() {
    benchmark::RegisterBenchmark("gpu/device_pool_create", device_pool_create_destroy)
        ->UseManualTime()
        ->Iterations(1)
        ->Unit(benchmark::kMicrosecond);
    benchmark::RegisterBenchmark("gpu/device_pool_next", device_pool_next_ordinal)->UseManualTime()->Iterations(1);
}

} // namespace bench
