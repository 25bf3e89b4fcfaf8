// SPDX-License-Identifier: Apache-2.0
// Page-locked memory that is there: from the cache and back, by one thread and by two, and after a stream.
#include "gpu_pinned.hpp"
#include "gpu_together.hpp"

namespace bench {
namespace {

constexpr uint32_t rounds = 200;
constexpr uint32_t calls = 500;

// Each makes the driver fault in and lock these pages.
uint32_t driver_calls(std::size_t bytes) {
    return static_cast<uint32_t>(std::clamp<std::size_t>(4 * mib / bytes, 1, 20));
}

uint32_t driver_rounds(std::size_t bytes) {
    return bytes < 16 * mib ? 20 : 5;
}

struct Near {
    const Pool &pool;
    const Devices &devices;

    near_pinned *allocate(std::size_t bytes) const {
        near_pinned *pinned = nullptr;
        must(numa_pool_alloc_pinned(pool.get(), devices.get(), 0, bytes, nullptr, &pinned, nullptr),
             "numa_pool_alloc_pinned");
        return pinned;
    }
    void allocate_and_free(std::size_t bytes) const { near_pinned_free(allocate(bytes)); }
    // But for the first, which is warm()'s.
    double misses() const {
        near_pinned_stats stats = sized<near_pinned_stats>();
        must(numa_pool_pinned_stats(pool.get(), devices.get(), NEAR_NODE_UNKNOWN, &stats, nullptr),
             "numa_pool_pinned_stats");
        return static_cast<double>(stats.misses) - 1;
    }
};

// Whether memory can be had; from then on it is in the cache, for so many at once.
bool warm(benchmark::State &state, const Near &near, std::size_t bytes, int count = 1) {
    const Pinned memory(near.pool, near.devices, bytes);
    return usable(memory, state) && (count == 1 || warm(state, near, bytes, count - 1));
}

void cached(benchmark::State &state, std::size_t bytes) {
    const Devices devices;
    const Pool pool(1);
    const Near near{pool, devices};
    const Pushed current(devices, true);
    if (!warm(state, near, bytes)) {
        return;
    }
    for (auto _ : state) {
        auto drivers = [&] {
            must_cuda(DriverMemory(bytes) ? cuda_success : cuda_error_out_of_memory, "cuMemHostAlloc");
        };
        auto ours = [&] { near.allocate_and_free(bytes); };
        std::vector<double> driver_ns;
        for (uint32_t i = 0; i < driver_rounds(bytes); i++) {
            driver_ns.push_back(per_call_ns(driver_calls(bytes), drivers));
        }
        const auto [our_ns] = medians_ns(rounds, calls, ours);
        state.SetIterationTime(our_ns * 1e-9);
        state.counters["ns_at_most"] = 200;
        state.counters["ratio"] = median(driver_ns) / our_ns;
        state.counters["ratio_at_least"] = 20;
    }
    state.counters["misses"] = near.misses();
    state.SetLabel("allocate + free, ratio to cuMemHostAlloc + cuMemFreeHost");
}

void cached_by_two(benchmark::State &state, std::size_t bytes) {
    const Devices devices;
    const Pool pool(1);
    const Near near{pool, devices};
    const auto [my_cpu, partners_cpu] = two_cpus();
    if (my_cpu == partners_cpu) {
        state.SkipWithError("needs two cores");
        return;
    }
    if (!warm(state, near, bytes, 2)) {
        return;
    }
    const On processor(my_cpu);
    Partner partner(devices, partners_cpu);
    for (auto _ : state) {
        const auto pairs = repeated(calls, [&] { near.allocate_and_free(bytes); });
        const Times ours = measure(rounds, partner, pairs, pairs);
        state.SetIterationTime(quantile(ours.together, undisturbed) * 1e-9 / calls);
        state.counters["median_ns"] = median(ours.together) / calls;
        state.counters["ratio"] = ours.scaling(undisturbed);
        state.counters["median_ratio"] = ours.scaling(0.5);
    }
    state.SetLabel("one allocate + free by each, ratio of the work done to one thread's");
}

constexpr std::size_t first_bytes = 2 * mib; // the whole of what is made first, so that it must be taken again

// Memory that a stream uses is freed, and taken again when the stream has passed: in ns. Waiting for the stream is no
// part of it.
double our_round_ns(const Near &near, const Streams &streams, uint64_t id, near_pinned **pinned) {
    auto give = [&] { must(near_pinned_free_after(*pinned, streams.get(), id), "near_pinned_free_after"); };
    auto take = [&] { *pinned = near.allocate(first_bytes); };
    const double giving = per_call_ns(1, give);
    must_cuda(driver().stream_synchronize(streams.at(id)), "cuStreamSynchronize");
    return giving + per_call_ns(1, take);
}

// The driver alone: an event is made and put into the stream, asked for when that has passed, and destroyed.
double driver_round_ns(CUstream stream) {
    CUevent event = nullptr;
    auto record = [&] {
        must_cuda(driver().event_create(&event, event_disable_timing), "cuEventCreate");
        must_cuda(driver().event_record(event, stream), "cuEventRecord");
    };
    auto query = [&] {
        must_cuda(driver().event_query(event), "cuEventQuery");
        must_cuda(driver().event_destroy(event), "cuEventDestroy");
    };
    const double recording = per_call_ns(1, record);
    must_cuda(driver().stream_synchronize(stream), "cuStreamSynchronize");
    return recording + per_call_ns(1, query);
}

void after_stream(benchmark::State &state) {
    const Devices devices;
    const Pool pool(1);
    const Near near{pool, devices};
    const Streams streams(devices);
    const Pushed current(devices, true);
    if (!warm(state, near, first_bytes)) {
        return;
    }
    const uint64_t id = streams.acquire();
    const CUstream stream = streams.at(id);
    near_pinned *pinned = near.allocate(first_bytes);
    for (auto _ : state) {
        std::array<std::vector<double>, 2> samples;
        for (uint32_t i = 0; i < 2000; i++) {
            samples[0].push_back(our_round_ns(near, streams, id, &pinned));
            samples[1].push_back(driver_round_ns(stream));
        }
        const double ours = median(samples[0]);
        const double drivers = median(samples[1]);
        state.SetIterationTime(ours * 1e-9);
        state.counters["driver_ns"] = drivers;
        state.counters["own_ns"] = ours - drivers;
        state.counters["ratio"] = ours / drivers;
    }
    near_pinned_free(pinned);
    streams.release(id);
    state.counters["misses"] = near.misses();
    state.SetLabel("free_after + allocate, ratio to cuEventCreate + Record + Query + Destroy");
}

std::string size_text(std::size_t bytes) {
    return bytes < mib ? std::to_string(bytes / kib) + "KiB" : std::to_string(bytes / mib) + "MiB";
}

} // namespace

void register_pinned_cache_benchmarks() {
    const auto add = [](const std::string &name, auto body) {
        benchmark::RegisterBenchmark(name.c_str(), body)->UseManualTime()->Iterations(1);
    };
    for (const std::size_t bytes : {4 * kib, 64 * kib, mib, 64 * mib}) {
        add("gpu/pinned/cached/" + size_text(bytes), [bytes](benchmark::State &state) { cached(state, bytes); });
    }
    for (const std::size_t bytes : {4 * kib, mib}) {
        add("gpu/pinned/two_threads/" + size_text(bytes),
            [bytes](benchmark::State &state) { cached_by_two(state, bytes); });
    }
    add("gpu/pinned/after_stream", after_stream);
}

} // namespace bench
