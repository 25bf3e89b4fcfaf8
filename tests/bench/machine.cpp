// SPDX-License-Identifier: Apache-2.0
// Discovery and pins.
#include "support.hpp"

#include <benchmark/benchmark.h>

#include <sched.h>

namespace {

// Another root than this machine's snapshot, so that it is read each time.
void discover(benchmark::State &state) {
    near_topology_options options = bench::sized<near_topology_options>();
    options.source = NEAR_TOPOLOGY_SYSFS;
    options.text = "/";
    for (auto _ : state) {
        near_topology *topology = nullptr;
        bench::must(near_topology_create(&options, &topology, nullptr), "near_topology_create");
        near_topology_release(topology);
    }
}
BENCHMARK(discover)->Unit(benchmark::kMicrosecond);

void pin_and_release(benchmark::State &state) {
    const uint32_t node = near_topology_node_at(nullptr, 0);
    for (auto _ : state) {
        near_pin *pin = nullptr;
        bench::must(near_pin_node(nullptr, node, nullptr, &pin, nullptr), "near_pin_node");
        bench::must(near_pin_release(pin, nullptr), "near_pin_release");
    }
}
BENCHMARK(pin_and_release);

// What it costs to look at the pins of so many workers.
void look_at_pool(benchmark::State &state) {
    numa_pool_options options = bench::sized<numa_pool_options>();
    options.workers_per_node = static_cast<uint32_t>(state.range(0));
    numa_pool *pool = nullptr;
    bench::must(numa_pool_create(&options, &pool, nullptr), "numa_pool_create");
    numa_pool_info info = bench::sized<numa_pool_info>();
    for (auto _ : state) {
        bench::must(numa_pool_get_info(pool, &info), "numa_pool_get_info");
    }
    numa_pool_destroy(pool);
}
BENCHMARK(look_at_pool)->Arg(8)->Arg(512)->Unit(benchmark::kMicrosecond);

// The floor: the three system calls that a pin cannot do without.
void pin_floor(benchmark::State &state) {
    cpu_set_t before;
    for (auto _ : state) {
        sched_getaffinity(0, sizeof before, &before);
        sched_setaffinity(0, sizeof before, &before);
        sched_setaffinity(0, sizeof before, &before);
    }
}
BENCHMARK(pin_floor);

} // namespace
