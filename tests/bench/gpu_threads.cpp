// SPDX-License-Identifier: Apache-2.0
// Leases by two threads at once.
#include "gpu_streams.hpp"

#include <benchmark/benchmark.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <sched.h>
#include <thread>
#include <utility>

namespace bench {
namespace {

constexpr uint32_t rounds = 400;
constexpr uint32_t calls = 2000;
constexpr double undisturbed = 0.05; // in so great a part of the rounds even a busy machine lets both threads run

// A processor as long as this lives. The scheduler of a busy machine else leaves both threads on one.
class On {
public:
    explicit On(int cpu) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<std::size_t>(cpu), &one);
        sched_getaffinity(0, sizeof before_, &before_);
        sched_setaffinity(0, sizeof one, &one);
    }
    ~On() { sched_setaffinity(0, sizeof before_, &before_); }
    On(const On &) = delete;
    On &operator=(const On &) = delete;

private:
    cpu_set_t before_{};
};

int core_of(int cpu) {
    int core = cpu;
    std::ifstream("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/core_id") >> core;
    return core;
}

// The first processor that this thread may use, and the first one of another core; the same where there is none.
std::array<int, 2> two_cpus() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    sched_getaffinity(0, sizeof allowed, &allowed);
    int first = -1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(static_cast<std::size_t>(cpu), &allowed)) {
            continue;
        }
        if (first >= 0 && core_of(cpu) != core_of(first)) {
            return {first, cpu};
        }
        first = first < 0 ? cpu : first;
    }
    return {first, first};
}

// A second thread that does something when it is told to, with the context of device 0 current.
class Partner {
public:
    Partner(const Devices &devices, int cpu) : thread_([this, &devices, cpu] { run(devices, cpu); }) {}
    ~Partner() {
        turn_.store(stop);
        thread_.join();
    }
    Partner(const Partner &) = delete;
    Partner &operator=(const Partner &) = delete;

    void start(const std::function<void()> &body) {
        body_ = &body;
        turn_.store(work);
    }
    void wait() const {
        while (turn_.load() == work) {
        }
    }

private:
    enum {
        idle,
        work,
        stop
    };

    void run(const Devices &devices, int cpu) {
        const On processor(cpu);
        const Pushed current(devices, true);
        for (int turn = idle; turn != stop; turn = turn_.load()) {
            if (turn == work) {
                (*body_)();
                turn_.store(idle);
            } else {
                std::this_thread::yield(); // the machine may have nothing better than this thread's processor for
                                           // others
            }
        }
    }

    std::atomic<int> turn_{idle};
    const std::function<void()> *body_ = nullptr;
    std::thread thread_;
};

struct Times {
    std::vector<double> together;
    std::vector<double> alone;
    // How much more two threads do in the same time than one.
    double scaling(double part) const { return 2 * quantile(alone, part) / quantile(together, part); }
};

Times measure(Partner &partner, const std::function<void()> &mine, const std::function<void()> &partners) {
    auto [together, alone] = rounds_ns(
        rounds, 1,
        [&] {
            partner.start(partners);
            mine();
            partner.wait();
        },
        mine);
    return Times{std::move(together), std::move(alone)};
}

template <class Body> std::function<void()> repeated(Body body) {
    return [body] {
        for (uint32_t i = 0; i < calls; i++) {
            body();
        }
    };
}

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
        const auto leases = repeated([&] { streams.lease(); });
        const Times ours = measure(partner, leases, leases);
        const Times bare = measure(partner, repeated([&] { bare_lease(cuda, context, mine); }),
                                   repeated([&] { bare_lease(cuda, context, partners); }));
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
