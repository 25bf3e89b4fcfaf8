// SPDX-License-Identifier: Apache-2.0
// Regions: allocate and fault in, by page size and prefault; looking at pages.
#include "support.hpp"

#include <benchmark/benchmark.h>

#include <string>

namespace {

constexpr size_t region_bytes = size_t{256} << 20;

near_region_options options_for(int64_t pages, int64_t prefault, const uint32_t *node) {
    near_region_options options = bench::sized<near_region_options>();
    options.policy = NEAR_POLICY_PREFERRED;
    options.nodes = node;
    options.node_count = 1;
    options.pages = static_cast<int32_t>(pages);
    options.prefault = static_cast<int32_t>(prefault);
    return options;
}

void allocate(benchmark::State &state) {
    const uint32_t node = near_topology_node_at(nullptr, 0);
    const near_region_options options = options_for(state.range(0), state.range(1), &node);
    near_placement placement = bench::sized<near_placement>();
    for (auto _ : state) {
        near_region *region = nullptr;
        bench::must(near_region_create(nullptr, region_bytes, &options, &region, nullptr), "near_region_create");
        state.PauseTiming();
        bench::must(near_region_placement(region, &placement, nullptr), "near_region_placement");
        near_region_destroy(region);
        state.ResumeTiming();
    }
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(region_bytes));
    state.SetLabel(std::string(near_pages_name(placement.pages)) + " reached, prefault " +
                   near_prefault_name(static_cast<int32_t>(state.range(1))));
}
BENCHMARK(allocate)
    ->ArgNames({"pages", "prefault"})
    ->ArgsProduct({{NEAR_PAGES_BASE, NEAR_PAGES_TRANSPARENT, NEAR_PAGES_2M},
                   {NEAR_PREFAULT_HERE, NEAR_PREFAULT_ON_NODE}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void look(benchmark::State &state) {
    const uint32_t node = near_topology_node_at(nullptr, 0);
    const near_region_options options = options_for(NEAR_PAGES_BASE, NEAR_PREFAULT_ON_NODE, &node);
    near_region *region = nullptr;
    bench::must(near_region_create(nullptr, region_bytes, &options, &region, nullptr), "near_region_create");
    near_placement placement = bench::sized<near_placement>();
    for (auto _ : state) {
        bench::must(near_region_placement(region, &placement, nullptr), "near_region_placement");
    }
    near_region_destroy(region);
    state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(placement.looked_at_pages));
    state.SetLabel("items are pages");
}
BENCHMARK(look)->UseRealTime()->Unit(benchmark::kMillisecond);

} // namespace
