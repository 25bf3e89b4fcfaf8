// SPDX-License-Identifier: Apache-2.0
// The heap inside the cache of page-locked memory: how much of it lies in pieces after a million allocations, what a
// live block costs in bookkeeping, and how long a take and a give last. Sizes are log-uniform from 4 KiB to 64 MiB.
//
// Lifetimes, for N live blocks:
// - even: each step allocates a block, and frees a random one where there are more than N. All blocks are alike.
// - phases: the same, with N blocks and a quarter of that in turns of 20 N steps, as programs load and unload.
// - mixed: of ten blocks nine live N / 2 steps and one lives 5.5 N, exponentially distributed: buffers and weights.
// - drifting: each step allocates one and frees none, one or two, so that between N / 2 and N live.
#include "pools/pinned/heap.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <queue>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

using nearpool::pinned::Block;
using nearpool::pinned::block_unit;
using nearpool::pinned::Heap;
using nearpool::pinned::span_size;

constexpr uint64_t first_seed = 20250607;
constexpr uint64_t steps = 1000000;
constexpr double least_bytes = 4096;
constexpr double most_bytes = 64 << 20;

enum Lifetimes : int64_t {
    even,
    phases,
    mixed,
    drifting,
};
const char *const lifetime_names[] = {"even", "phases", "mixed", "drifting"};

struct Peak {
    double fragmentation_percent = 0; // bytes in spans that are not what somebody asked for, of those that are
    double bookkeeping_bytes = 0;     // per live block
};

// A heap over made-up addresses, and what is live in it.
class Program {
public:
    explicit Program(uint64_t seed) : random_(seed) {}

    std::size_t random_size() {
        return static_cast<std::size_t>(least_bytes * std::pow(most_bytes / least_bytes, unit()));
    }
    std::size_t random_index() { return random_() % live_.size(); }
    Block *allocate(std::size_t bytes);
    void free(Block *block);
    void keep(Block *block) { live_.push_back(block); }
    void free_random();
    void replace(std::size_t index, std::size_t bytes);
    void step(Lifetimes lifetimes, std::size_t count, uint64_t now);
    const Peak &peak() const { return peak_; }
    Heap &heap() { return heap_; }

private:
    using Death = std::pair<uint64_t, Block *>;

    double unit() { return std::uniform_real_distribution<double>(0, 1)(random_); }
    Block *add_span(std::size_t bytes);
    void step_mixed(std::size_t count, uint64_t now);
    void step_drifting(std::size_t count);

    std::mt19937_64 random_;
    Heap heap_;
    uintptr_t next_address_ = uintptr_t{1} << 40;
    std::size_t requested_bytes_ = 0;
    std::vector<Block *> live_;
    std::priority_queue<Death, std::vector<Death>, std::greater<>> deaths_;
    Peak peak_;
};

Block *Program::allocate(std::size_t bytes) {
    requested_bytes_ += bytes;
    Block *block = heap_.take(bytes, block_unit);
    if (block == nullptr) {
        block = add_span(bytes);
    }
    block->use.requested = bytes;
    return block;
}

// Spans only ever come, so each new one is a peak.
Block *Program::add_span(std::size_t bytes) {
    const std::size_t size = span_size(bytes, heap_.span_bytes());
    Block *const block = heap_.add(nullptr, reinterpret_cast<char *>(next_address_), size);
    next_address_ += size + (uintptr_t{2} << 20);
    heap_.shrink(block, bytes);
    const auto requested = static_cast<double>(requested_bytes_);
    peak_.fragmentation_percent = 100 * (static_cast<double>(heap_.span_bytes()) - requested) / requested;
    peak_.bookkeeping_bytes = static_cast<double>(heap_.bookkeeping_bytes()) / static_cast<double>(heap_.live_count());
    return block;
}

void Program::free(Block *block) {
    requested_bytes_ -= block->use.requested;
    heap_.give(block);
}

void Program::free_random() {
    std::swap(live_[random_index()], live_.back());
    free(live_.back());
    live_.pop_back();
}

void Program::replace(std::size_t index, std::size_t bytes) {
    free(live_[index]);
    live_[index] = allocate(bytes);
}

void Program::step_mixed(std::size_t count, uint64_t now) {
    const double mean = static_cast<double>(count) * (unit() < 0.9 ? 0.5 : 5.5);
    const auto life = static_cast<uint64_t>(std::exponential_distribution<double>(1 / mean)(random_));
    deaths_.emplace(now + 1 + life, allocate(random_size()));
    while (!deaths_.empty() && deaths_.top().first <= now) {
        free(deaths_.top().second);
        deaths_.pop();
    }
}

void Program::step_drifting(std::size_t count) {
    keep(allocate(random_size()));
    std::size_t dead = live_.size() < count / 2 ? 0 : random_() % 3;
    dead = std::max(dead, std::size_t{live_.size() > count});
    for (; dead != 0; dead--) {
        free_random();
    }
}

void Program::step(Lifetimes lifetimes, std::size_t count, uint64_t now) {
    if (lifetimes == mixed) {
        step_mixed(count, now);
        return;
    }
    if (lifetimes == drifting) {
        step_drifting(count);
        return;
    }
    const bool low = lifetimes == phases && now / (20 * count) % 2 != 0;
    keep(allocate(random_size()));
    while (live_.size() > (low ? count / 4 : count)) {
        free_random();
    }
}

// Each iteration is another seed.
void pinned_heap_fragmentation(benchmark::State &state) {
    const auto lifetimes = static_cast<Lifetimes>(state.range(0));
    const auto count = static_cast<std::size_t>(state.range(1));
    uint64_t seed = first_seed;
    Peak worst;
    double sum_percent = 0;
    for (auto _ : state) {
        Program program(seed++);
        for (uint64_t now = 0; now < steps; now++) {
            program.step(lifetimes, count, now);
        }
        const Peak &peak = program.peak();
        sum_percent += peak.fragmentation_percent;
        worst.fragmentation_percent = std::max(worst.fragmentation_percent, peak.fragmentation_percent);
        worst.bookkeeping_bytes = std::max(worst.bookkeeping_bytes, peak.bookkeeping_bytes);
    }
    state.counters["fragmentation_percent"] = benchmark::Counter(sum_percent, benchmark::Counter::kAvgIterations);
    state.counters["worst_percent"] = worst.fragmentation_percent;
    state.counters["bookkeeping_bytes_per_block"] = worst.bookkeeping_bytes;
    if (lifetimes == even && count == 4096) { // what the goals are of; fewer blocks leave more in pieces
        state.counters["worst_percent_at_most"] = 15;
        state.counters["bookkeeping_bytes_per_block_at_most"] = 128;
    }
    state.SetLabel(std::string(lifetime_names[lifetimes]) + ", at the peak of what is reserved, of 5 seeds");
}
BENCHMARK(pinned_heap_fragmentation)
    ->ArgNames({"lifetimes", "live"})
    ->ArgsProduct({{even, phases, mixed, drifting}, {128, 1024, 4096}})
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond);

// A heap that has been in use for a while, and what a benchmark asks of it, drawn beforehand.
struct Aged {
    explicit Aged(std::size_t count) : program(first_seed) {
        for (uint64_t now = 0; now < 50 * count; now++) {
            program.step(even, count, now);
        }
        for (std::size_t i = 0; i < asked; i++) {
            sizes.push_back(program.random_size());
            indexes.push_back(program.random_index());
        }
    }
    static constexpr std::size_t asked = 1 << 16;
    Program program;
    std::vector<std::size_t> sizes;
    std::vector<std::size_t> indexes;
};

// One block is taken and given back at once.
void pinned_heap_pair(benchmark::State &state) {
    Aged aged(static_cast<std::size_t>(state.range(0)));
    Heap &heap = aged.program.heap();
    std::size_t i = 0;
    for (auto _ : state) {
        if (Block *block = heap.take(aged.sizes[i++ % Aged::asked], block_unit)) {
            heap.give(block);
        }
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(pinned_heap_pair)->ArgName("live")->Arg(128)->Arg(1024)->Arg(4096);

// A random block of those that are live is given, and another one is taken.
void pinned_heap_replace(benchmark::State &state) {
    Aged aged(static_cast<std::size_t>(state.range(0)));
    std::size_t i = 0;
    for (auto _ : state) {
        const std::size_t at = i++ % Aged::asked;
        aged.program.replace(aged.indexes[at], aged.sizes[at]);
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(pinned_heap_replace)->ArgName("live")->Arg(128)->Arg(1024)->Arg(4096);

} // namespace
