// SPDX-License-Identifier: Apache-2.0
// Submitting, spawning, starting, sleeping and looping.
#include "support.hpp"

#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <sys/resource.h>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

near_status nothing(void *) {
    return NEAR_OK;
}

// One producer; the time is from the first submit until all have run.
void external_submit(benchmark::State &state) {
    const bench::Pool pool(static_cast<uint32_t>(state.range(0)));
    constexpr int64_t tasks = 100000;
    for (auto _ : state) {
        for (int64_t i = 0; i < tasks; i++) {
            bench::must(numa_pool_submit(pool.get(), pool.node(), nothing, nullptr), "numa_pool_submit");
        }
        pool.wait();
    }
    state.SetItemsProcessed(state.iterations() * tasks);
}
BENCHMARK(external_submit)->ArgName("workers")->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);

struct Tree {
    numa_pool *pool;
    uint32_t node;
};
thread_local Tree tree_of_thread;

near_status grow(void *depth) {
    const auto left = reinterpret_cast<uintptr_t>(depth);
    if (tree_of_thread.pool == nullptr) {
        uint32_t worker = 0;
        bench::must(numa_pool_current(&tree_of_thread.pool, &tree_of_thread.node, &worker), "numa_pool_current");
    }
    for (int child = 0; left > 0 && child < 2; child++) {
        bench::must(
            numa_pool_submit(tree_of_thread.pool, tree_of_thread.node, grow, reinterpret_cast<void *>(left - 1)),
            "numa_pool_submit");
    }
    return NEAR_OK;
}

// A binary tree of tasks, each of which submits two more.
void spawn_tree(benchmark::State &state) {
    const bench::Pool pool(2);
    constexpr uintptr_t depth = 16;
    for (auto _ : state) {
        bench::must(numa_pool_submit(pool.get(), pool.node(), grow, reinterpret_cast<void *>(depth)), "submit");
        pool.wait();
    }
    state.SetItemsProcessed(state.iterations() * ((int64_t{2} << depth) - 1));
}
BENCHMARK(spawn_tree)->UseRealTime()->Unit(benchmark::kMillisecond);

near_status note_start(void *when) {
    static_cast<std::atomic<int64_t> *>(when)->store(Clock::now().time_since_epoch().count());
    return NEAR_OK;
}

// From the submit to the first instruction of the task, when the workers have slept for the given time.
void submit_to_start(benchmark::State &state) {
    const bench::Pool pool(2);
    for (auto _ : state) {
        std::this_thread::sleep_for(std::chrono::microseconds(state.range(0)));
        std::atomic<int64_t> started{0};
        const int64_t submitted = Clock::now().time_since_epoch().count();
        bench::must(numa_pool_submit(pool.get(), pool.node(), note_start, &started), "numa_pool_submit");
        while (started.load() == 0) {
        }
        state.SetIterationTime(static_cast<double>(started.load() - submitted) * 1e-9);
        pool.wait();
    }
}
BENCHMARK(submit_to_start)
    ->ArgName("idle_us")
    ->Arg(0)
    ->Arg(200)
    ->Arg(3000)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond)
    ->Iterations(500);

// What four sleeping workers cost in a second: wake-ups and processor time. Both should be zero.
void idle_cost(benchmark::State &state) {
    const bench::Pool pool(4);
    bench::must(numa_pool_submit(pool.get(), pool.node(), nothing, nullptr), "numa_pool_submit");
    pool.wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    uint64_t switches = 0;
    uint64_t busy_us = 0;
    for (auto _ : state) {
        rusage before{};
        rusage after{};
        getrusage(RUSAGE_SELF, &before);
        std::this_thread::sleep_for(std::chrono::seconds(1));
        getrusage(RUSAGE_SELF, &after);
        switches += static_cast<uint64_t>(after.ru_nvcsw - before.ru_nvcsw) - 1; // the sleep above is one
        busy_us += static_cast<uint64_t>((after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
                                         (after.ru_utime.tv_usec - before.ru_utime.tv_usec));
    }
    const auto seconds = static_cast<double>(state.iterations());
    state.counters["wakeups_per_s"] = static_cast<double>(switches) / seconds;
    state.counters["user_us_per_s"] = static_cast<double>(busy_us) / seconds;
}
BENCHMARK(idle_cost)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);

void mix(std::vector<double> &values, size_t begin, size_t end) {
    for (size_t i = begin; i < end; i++) {
        values[i] = values[i] * 0.5 + 1.0 / (values[i] + 1.0);
    }
}

near_status mix_part(size_t begin, size_t end, uint32_t, void *values) {
    mix(*static_cast<std::vector<double> *>(values), begin, end);
    return NEAR_OK;
}

void loop_serial(benchmark::State &state) {
    std::vector<double> values(10000000, 1.0);
    for (auto _ : state) {
        mix(values, 0, values.size());
        benchmark::ClobberMemory();
    }
}
BENCHMARK(loop_serial)->UseRealTime()->Unit(benchmark::kMillisecond);

void loop_parallel(benchmark::State &state) {
    const bench::Pool pool(2);
    std::vector<double> values(10000000, 1.0);
    for (auto _ : state) {
        bench::must(numa_pool_parallel_for(pool.get(), 0, values.size(), 0, mix_part, &values, nullptr), "loop");
    }
}
BENCHMARK(loop_parallel)->UseRealTime()->Unit(benchmark::kMillisecond);

void create_and_destroy(benchmark::State &state) {
    for (auto _ : state) {
        const bench::Pool pool(2);
        for (int i = 0; i < 100; i++) {
            bench::must(numa_pool_submit(pool.get(), pool.node(), nothing, nullptr), "numa_pool_submit");
        }
    }
}
BENCHMARK(create_and_destroy)->UseRealTime()->Unit(benchmark::kMicrosecond);

} // namespace
