// SPDX-License-Identifier: Apache-2.0
// Leases by two threads at once.
#include "gpu_streams.hpp"
#include "gpu_together.hpp"

#include <benchmark/benchmark.h>

namespace bench {
namespace {

constexpr uint32_t rounds = 400;
constexpr uint32_t calls = 2000;

void lease_by_two(benchmark::State &state) {
    const Driver &cuda = driver();
    const Devices devices;
    const Streams streams(devices);
    const CUcontext context = devices.context(0);
    const Pushed current(devices, true);
    const auto [my_cpu, partners_cpu] = two_cpus();
    if (my_cpu == partners_cpu) {
        state.SkipWithError("needs two cores");
        return;
    }
    const On processor(my_cpu);
    Partner partner(devices, partners_cpu);
    const uint64_t held = streams.acquire(); // so that the partner gets another stream
    const CUstream mine = streams.at(held);
    CUstream partners = nullptr;
    const std::function<void()> warm = [&] { partners = warm_stream(streams); };
    partner.start(warm);
    partner.wait();
    streams.release(held);
    for (auto _ : state) {
        const auto leases = repeated(calls, [&] { streams.lease(); });
        const Times ours = measure(rounds, partner, leases, leases);
        const Times bare = measure(rounds, partner, repeated(calls, [&] { bare_lease(cuda, context, mine); }),
                                   repeated(calls, [&] { bare_lease(cuda, context, partners); }));
        state.SetIterationTime(quantile(ours.together, undisturbed) * 1e-9 / calls);
        state.counters["ratio"] = ours.scaling(undisturbed);
        state.counters["median_ratio"] = ours.scaling(0.5);
        state.counters["driver_ratio"] = bare.scaling(undisturbed);
    }
    state.SetLabel("one lease by each, ratio of the work done to one thread's");
}

} // namespace

void register_thread_benchmarks() {
    benchmark::RegisterBenchmark("gpu/lease/two_threads", lease_by_two)->UseManualTime()->Iterations(1);
}

} // namespace bench
