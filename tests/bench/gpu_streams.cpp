// SPDX-License-Identifier: Apache-2.0
// Leases of warm streams by one thread, beside what they cost the driver alone, and continuing on the CPU.
#include "gpu_streams.hpp"

#include <benchmark/benchmark.h>

#include <atomic>
#include <thread>

namespace bench {
namespace {

constexpr uint32_t rounds = 1000;
constexpr uint32_t calls = 200; // an event's record takes a place in a queue of the driver, which has 1024 or so

// One record and one query of an event: what a program pays that asks whether its work is done.
class EventProbe {
public:
    explicit EventProbe(const Devices &devices) : current_(devices, true) {
        must_cuda(driver().plain_stream_create(&stream_, stream_non_blocking), "cuStreamCreate");
        must_cuda(driver().event_create(&event_, event_disable_timing), "cuEventCreate");
    }
    ~EventProbe() {
        driver().event_destroy(event_);
        driver().stream_destroy(stream_);
    }
    EventProbe(const EventProbe &) = delete;
    EventProbe &operator=(const EventProbe &) = delete;

    double median_ns() const {
        const auto drain = [this] { must_cuda(driver().stream_synchronize(stream_), "cuStreamSynchronize"); };
        std::vector<double> samples;
        for (uint32_t i = 0; i < rounds; i++) {
            drain();
            auto body = [this] {
                must_cuda(driver().event_record(event_, stream_), "cuEventRecord");
                benchmark::DoNotOptimize(driver().event_query(event_));
            };
            samples.push_back(per_call_ns(calls, body));
        }
        drain();
        return median(samples);
    }

private:
    Pushed current_;
    CUstream stream_ = nullptr;
    CUevent event_ = nullptr;
};

void lease(benchmark::State &state, bool is_current) {
    const Driver &cuda = driver();
    const Devices devices;
    const Streams streams(devices);
    const CUcontext context = devices.context(0);
    const CUstream stream = warm_stream(streams);
    for (auto _ : state) {
        const double event = EventProbe(devices).median_ns();
        const Pushed current(devices, is_current);
        const auto [ours, bare] = medians_ns(
            rounds, calls, [&] { streams.lease(); }, [&] { bare_lease(cuda, context, stream); });
        state.SetIterationTime(ours * 1e-9);
        state.counters["own_ns"] = ours - bare;
        state.counters["driver_ns"] = bare;
        state.counters["ratio"] = ours / event;
    }
    state.SetLabel("ratio to cuEventRecord + cuEventQuery");
}

// What the pool replaces: a stream for each use.
void create_destroy(benchmark::State &state) {
    const Devices devices;
    const Streams streams(devices);
    const Pushed current(devices, true);
    for (auto _ : state) {
        const auto [made, leased] = medians_ns(
            200, 20,
            [&] {
                CUstream stream = nullptr;
                must_cuda(driver().plain_stream_create(&stream, stream_non_blocking), "cuStreamCreate");
                must_cuda(driver().stream_destroy(stream), "cuStreamDestroy");
            },
            [&] { streams.lease(); });
        state.SetIterationTime(made * 1e-9);
        state.counters["ratio"] = made / leased;
    }
    state.SetLabel("cuStreamCreate + cuStreamDestroy, ratio to a lease");
}

// The driver alone: so many streams made, one after the other; the time is that of one.
double fill_bare_ns(uint32_t streams) {
    std::vector<CUstream> made(streams);
    auto stream = made.begin();
    auto make = [&] { must_cuda(driver().plain_stream_create(&*stream++, stream_non_blocking), "cuStreamCreate"); };
    const double time = per_call_ns(streams, make);
    for (CUstream each : made) {
        must_cuda(driver().stream_destroy(each), "cuStreamDestroy");
    }
    return time;
}

// What it takes to say that all streams are lent, beside the same of a pool of one stream.
void full(benchmark::State &state, uint32_t streams) {
    const Devices devices;
    const Streams one(devices, 1);
    const Streams many(devices, streams);
    const Pushed current(devices, true);
    one.acquire();
    for (uint32_t i = 0; i < streams; i++) {
        many.acquire();
    }
    for (auto _ : state) {
        const auto refused = [](const Streams &pool) {
            uint64_t id = 0;
            if (stream_pool_acquire(pool.get(), &id) != NEAR_E_CAPACITY) {
                std::exit(1);
            }
        };
        const auto [ours, least] = medians_ns(
            50, 20, [&] { refused(many); }, [&] { refused(one); });
        state.SetIterationTime(ours * 1e-9);
        state.counters["ratio"] = ours / least;
    }
    state.SetLabel("NEAR_E_CAPACITY, ratio to a pool of one stream");
}

// All streams of a pool, made and lent one after the other; the time is that of one.
void fill(benchmark::State &state, uint32_t streams) {
    const Devices devices;
    const Pushed current(devices, true);
    for (auto _ : state) {
        const double bare = fill_bare_ns(streams);
        const Streams pool(devices, streams);
        auto acquire = [&] { pool.acquire(); };
        const double ours = per_call_ns(streams, acquire);
        state.SetIterationTime(ours * 1e-9);
        state.counters["driver_ns"] = bare;
        state.counters["ratio"] = ours / bare;
    }
    state.SetLabel("ratio to cuStreamCreate alone");
}

void resolve(benchmark::State &state) {
    const Devices devices;
    const Streams streams(devices);
    const uint64_t id = streams.acquire();
    for (auto _ : state) {
        const auto [time] = medians_ns(500, 20000, [&] { benchmark::DoNotOptimize(streams.at(id)); });
        state.SetIterationTime(time * 1e-9);
    }
    streams.release(id);
}

near_status note_start(void *when) {
    static_cast<std::atomic<int64_t> *>(when)->store(now_ns());
    return NEAR_OK;
}

void note_callback(CUstream, CUresult, void *when) {
    note_start(when);
}

// From the call to the first instruction of what it asks for, in ns.
template <class Call> double until_start(Call &&call) {
    std::atomic<int64_t> started{0};
    const int64_t asked = now_ns();
    call(&started);
    while (started.load() == 0) {
        std::this_thread::yield();
    }
    return static_cast<double>(started.load() - asked);
}

// A stream that is done calls back at once; the rest of the way is the CPU's. Beside it, its two parts alone.
void then(benchmark::State &state) {
    const Devices devices;
    const Streams streams(devices);
    const Pool workers(1);
    const Pushed current(devices, true);
    const uint64_t id = streams.acquire();
    const CUstream stream = streams.at(id);
    for (auto _ : state) {
        std::array<std::vector<double>, 3> samples;
        for (uint32_t i = 0; i < 500; i++) {
            samples[0].push_back(until_start([&](void *when) {
                must(stream_pool_then(streams.get(), id, workers.get(), note_start, when, nullptr), "stream_pool_then");
            }));
            workers.wait();
            must_cuda(driver().stream_synchronize(stream), "cuStreamSynchronize");
            samples[1].push_back(until_start([&](void *when) {
                must_cuda(driver().stream_add_callback(stream, note_callback, when, 0), "cuStreamAddCallback");
            }));
            must_cuda(driver().stream_synchronize(stream), "cuStreamSynchronize");
            samples[2].push_back(until_start([&](void *when) {
                must(numa_pool_submit(workers.get(), workers.node(), note_start, when), "numa_pool_submit");
            }));
            workers.wait();
        }
        const double ours = median(samples[0]);
        state.SetIterationTime(ours * 1e-9);
        state.counters["callback_us"] = median(samples[1]) * 1e-3;
        state.counters["submit_us"] = median(samples[2]) * 1e-3;
        state.counters["ratio"] = ours / median(samples[1]);
    }
    streams.release(id);
    state.SetLabel("ratio to cuStreamAddCallback alone");
}

} // namespace

void register_stream_benchmarks() {
    const auto add = [](const char *name, auto body) {
        return benchmark::RegisterBenchmark(name, body)->UseManualTime()->Iterations(1);
    };
    add("gpu/lease/current", [](benchmark::State &state) { lease(state, true); });
    add("gpu/lease/not_current", [](benchmark::State &state) { lease(state, false); });
    add("gpu/stream_per_use", create_destroy);
    add("gpu/resolve", resolve);
    if (control().available()) { // so many streams are no GPU's
        for (const uint32_t streams : {1000U, 32000U}) {
            add("gpu/lease/full", [=](benchmark::State &state) { full(state, streams); })->Arg(streams);
        }
        add("gpu/lease/fill", [](benchmark::State &state) { fill(state, 65536); })->Arg(65536);
    }
    if (driver().stream_add_callback != nullptr) {
        add("gpu/then", then)->Unit(benchmark::kMicrosecond);
    }
}

} // namespace bench
