// SPDX-License-Identifier: Apache-2.0
// Reading recorded machines that are larger than any, beside hwloc's own reading of the same folder.
#include "support.hpp"

#include "fakes/machines/sysfs_tree.hpp"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <hwloc.h>
#include <map>

namespace {

using nearpool::fakes::SysfsNodeFacts;
using nearpool::fakes::SysfsTree;
using nearpool::fakes::TemporaryFolder;

// The kernel's bitmap format, which hwloc reads, of CPUs in a row.
std::string bitmap(uint32_t first, uint32_t count) {
    std::string text;
    char group[16];
    for (uint32_t word = (first + count - 1) / 32 + 1; word-- > 0;) {
        uint32_t bits = 0;
        for (uint32_t bit = 0; bit < 32; bit++) {
            const uint32_t cpu = word * 32 + bit;
            bits |= cpu >= first && cpu < first + count ? 1U << bit : 0U;
        }
        std::snprintf(group, sizeof group, "%s%08x", text.empty() ? "" : ",", bits);
        text += group;
    }
    return text + "\n";
}

void write_machine(const std::string &root, uint32_t nodes, uint32_t cpus_of_a_node) {
    std::vector<SysfsNodeFacts> facts(nodes);
    for (uint32_t node = 0; node < nodes; node++) {
        facts[node].number = node;
        facts[node].distances.assign(nodes, 20);
        facts[node].distances[node] = 10;
        for (uint32_t i = 0; i < cpus_of_a_node; i++) {
            facts[node].cpus.push_back(node * cpus_of_a_node + i);
        }
    }
    SysfsTree tree(facts);
    for (uint32_t node = 0; node < nodes; node++) {
        const std::string all = bitmap(node * cpus_of_a_node, cpus_of_a_node);
        tree.set("/sys/devices/system/node/node" + std::to_string(node) + "/cpumap", all);
        for (const uint32_t cpu : facts[node].cpus) {
            const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
            tree.set(folder + "core_cpus", bitmap(cpu, 1));
            tree.set(folder + "package_cpus", all);
        }
    }
    tree.write(root);
}

const std::string &folder_of(const benchmark::State &state) {
    static std::map<std::pair<int64_t, int64_t>, TemporaryFolder> made;
    const auto [place, is_new] = made.try_emplace({state.range(0), state.range(1)});
    if (is_new) {
        write_machine(place->second.path(), static_cast<uint32_t>(state.range(0)),
                      static_cast<uint32_t>(state.range(1)));
    }
    return place->second.path();
}

void read_recorded(benchmark::State &state) {
    near_topology_options options = bench::sized<near_topology_options>();
    options.source = NEAR_TOPOLOGY_SYSFS;
    options.text = folder_of(state).c_str();
    for (auto _ : state) {
        near_topology *topology = nullptr;
        bench::must(near_topology_create(&options, &topology, nullptr), "near_topology_create");
        state.counters["nodes_found"] = static_cast<double>(near_topology_node_count(topology));
        near_topology_release(topology);
    }
}

void read_recorded_hwloc(benchmark::State &state) {
    setenv("HWLOC_FSROOT", folder_of(state).c_str(), 1);
    for (auto _ : state) {
        hwloc_topology_t topology = nullptr;
        if (hwloc_topology_init(&topology) != 0 || hwloc_topology_load(topology) != 0) {
            state.SkipWithError("hwloc cannot read it");
            break;
        }
        state.counters["nodes_found"] = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);
        hwloc_topology_destroy(topology);
    }
    unsetenv("HWLOC_FSROOT");
}

// Many nodes with few CPUs each, and one with many: that hwloc is not asked for, its time grows with the square.
BENCHMARK(read_recorded)
    ->ArgNames({"nodes", "cpus"})
    ->Args({64, 8})
    ->Args({1024, 8})
    ->Args({1, 16384})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(read_recorded_hwloc)
    ->ArgNames({"nodes", "cpus"})
    ->Args({64, 8})
    ->Args({1024, 8})
    ->Unit(benchmark::kMillisecond);

} // namespace
