// SPDX-License-Identifier: Apache-2.0
// Page-locked memory that has to be made. Beside ours, in the same run: cuMemHostAlloc by one thread, and what programs
// do that find it slow: map, touch a byte of each page with one thread, register all at once.
#include "gpu_pinned.hpp"

#include <array>
#include <fstream>
#include <sys/mman.h>
#include <thread>

namespace bench {
namespace {

constexpr std::size_t spare_bytes = 4 * gib;
constexpr std::size_t touch_step = 4096;
constexpr unsigned many_cpus = 8; // with fewer, ours must only not be slower

// The calling thread is on the GPU's node, as who takes care of that would have it.
class NearGpu {
public:
    explicit NearGpu(const Devices &devices) {
        must(near_pin_device(devices.get(), 0, nullptr, &pin_, nullptr), "near_pin_device");
    }
    ~NearGpu() { must(near_pin_release(pin_, nullptr), "near_pin_release"); }
    NearGpu(const NearGpu &) = delete;
    NearGpu &operator=(const NearGpu &) = delete;

private:
    near_pin *pin_ = nullptr;
};

class Touched {
public:
    explicit Touched(std::size_t bytes) : bytes_(bytes) {
        data_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (data_ == MAP_FAILED) {
            return;
        }
        for (std::size_t at = 0; at < bytes; at += touch_step) {
            static_cast<volatile char *>(data_)[at] = 0;
        }
        code_ = driver().mem_host_register(data_, bytes, host_register_portable | host_register_device_map);
    }
    ~Touched() {
        if (*this) {
            driver().mem_host_unregister(data_);
        }
        if (data_ != MAP_FAILED) {
            munmap(data_, bytes_);
        }
    }
    Touched(const Touched &) = delete;
    Touched &operator=(const Touched &) = delete;

    explicit operator bool() const { return code_ == cuda_success; }
    std::string why() const { return "mmap, touch, cuMemHostRegister: CUDA error " + std::to_string(code_); }

private:
    void *data_ = nullptr;
    std::size_t bytes_;
    CUresult code_ = cuda_error_out_of_memory;
};

double fault_in_ns(std::size_t bytes, int32_t pages) {
    near_region_options options = sized<near_region_options>();
    options.pages = pages;
    options.prefault = NEAR_PREFAULT_ON_NODE;
    near_region *region = nullptr;
    const int64_t start = now_ns();
    must(near_region_create(nullptr, bytes, &options, &region, nullptr), "near_region_create");
    near_region_destroy(region);
    return static_cast<double>(now_ns() - start);
}

// The free memory of a virtual machine may be lent to its host, and who touches it first waits long for it: memory is
// touched until that takes no less time than before.
void warm_up(std::size_t bytes, int32_t pages) {
    constexpr int most_rounds = 4;
    constexpr double settled = 0.8;
    double before = fault_in_ns(bytes, pages);
    for (int round = 1; round < most_rounds; round++) {
        const double now = fault_in_ns(bytes, pages);
        if (now > settled * std::exchange(before, now)) {
            break;
        }
    }
}

// How long it takes to make one; 0 when it cannot be made. Giving it back is not part of it.
template <class Memory, class... Arguments> double seconds_for(benchmark::State &state, Arguments &&...arguments) {
    const int64_t start = now_ns();
    const Memory memory(arguments...);
    const int64_t stop = now_ns();
    return usable(memory, state) ? static_cast<double>(stop - start) * 1e-9 : 0;
}

struct Wanted {
    std::size_t bytes;
    int32_t pages;
    uint32_t methods;
};

double seconds_for_ours(benchmark::State &state, const Devices &devices, const Wanted &wanted) {
    const Pool workers(1);
    near_pinned_options options = sized<near_pinned_options>();
    options.pages = wanted.pages;
    options.methods = wanted.methods;
    options.flags = NEAR_PINNED_NO_CACHE;
    options.timeout_ns = NEAR_FOREVER;
    { const Pinned threads_are_there(workers, devices, mib, &options); }
    warm_up(wanted.bytes, wanted.pages);
    const int64_t start = now_ns();
    const Pinned memory(workers, devices, wanted.bytes, &options);
    const int64_t stop = now_ns();
    if (!usable(memory, state)) {
        return 0;
    }
    state.SetLabel(memory.how() + "; ratio to cuMemHostAlloc, peers_ratio to map + touch + register, by one thread");
    return static_cast<double>(stop - start) * 1e-9;
}

double seconds_for_others(benchmark::State &state, const Devices &devices, std::size_t bytes, bool drivers) {
    const NearGpu pinned(devices);
    warm_up(bytes, NEAR_PAGES_BASE);
    return drivers ? seconds_for<DriverMemory>(state, bytes) : seconds_for<Touched>(state, bytes);
}

// The three take turns in being the first.
void measure(benchmark::State &state, const Devices &devices, const Wanted &wanted, std::size_t turn) {
    std::array<double, 3> seconds{};
    for (std::size_t i = 0; i < seconds.size(); i++) {
        const std::size_t who = (i + turn) % seconds.size();
        seconds[who] = who == 0 ? seconds_for_ours(state, devices, wanted)
                                : seconds_for_others(state, devices, wanted.bytes, who == 1);
        if (seconds[who] == 0) {
            return;
        }
    }
    const auto [ours, drivers, peers] = seconds;
    state.SetIterationTime(ours);
    state.counters["gib_per_s"] = static_cast<double>(wanted.bytes) / static_cast<double>(gib) / ours;
    state.counters["ratio"] = drivers / ours;
    state.counters["peers_ratio"] = peers / ours;
    if (wanted.pages == NEAR_PAGES_HUGE && wanted.methods == 0) { // the others are there to compare
        const double goal = std::thread::hardware_concurrency() >= many_cpus ? 2 : 1;
        state.counters["ratio_at_least"] = goal;
        state.counters["peers_ratio_at_least"] = goal;
    }
}

void cold(benchmark::State &state, const Wanted &wanted) {
    static std::size_t turn = 0;
    std::string why;
    if (!fits(wanted.bytes, &why)) {
        state.SkipWithError(why.c_str());
        return;
    }
    const Devices devices;
    const Pushed current(devices, true);
    for (auto _ : state) {
        measure(state, devices, wanted, turn++);
    }
}

// Each takes seconds on a real driver; and a machine without one may be small, and touch its memory slowly.
int repetitions(const Wanted &wanted) {
    return control().available() && wanted.bytes > gib ? 1 : 3;
}

void add(const std::string &name, const Wanted &wanted) {
    benchmark::RegisterBenchmark(name.c_str(), [wanted](benchmark::State &state) { cold(state, wanted); })
        ->UseManualTime()
        ->Iterations(1)
        ->Repetitions(repetitions(wanted))
        ->Unit(benchmark::kMillisecond);
}

} // namespace

bool fits(std::size_t bytes, std::string *why) {
    std::ifstream file("/proc/meminfo");
    std::size_t available = 0;
    for (std::string word; file >> word;) {
        if (word == "MemAvailable:") {
            file >> available;
            available *= kib;
        }
    }
    const bool enough = available >= bytes && available - bytes >= spare_bytes;
    if (!enough) {
        *why = std::to_string(bytes / mib) + " MiB and 4 GiB to spare do not fit into the " +
               std::to_string(available / mib) + " MiB of memory that are available";
    }
    return enough;
}

void register_pinned_benchmarks() {
    for (const std::size_t count : {1, 4, 16}) {
        const std::string size = std::to_string(count) + "GiB";
        add("gpu/pinned/cold/" + size, {count * gib, NEAR_PAGES_HUGE, 0});
    }
    add("gpu/pinned/cold/base_pages/1GiB", {gib, NEAR_PAGES_BASE, 0});
    add("gpu/pinned/cold/driver_on_node/1GiB", {gib, NEAR_PAGES_HUGE, 1U << NEAR_PINNED_DRIVER_NODE});
}

} // namespace bench
