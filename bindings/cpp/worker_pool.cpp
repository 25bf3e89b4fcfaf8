// SPDX-License-Identifier: Apache-2.0
// The worker-pool example in C++17: handles in unique_ptr, tasks that are lambdas, statuses that become exceptions.
#include <nearpool/nearpool.h>

#include <atomic>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <functional>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr std::size_t task_count = 100;
constexpr std::size_t buffer_words = std::size_t{1} << 17;

template <auto destroy> struct Destroy {
    template <typename T> void operator()(T *handle) const { destroy(handle); }
};
using Pool = std::unique_ptr<numa_pool, Destroy<numa_pool_destroy>>;
using Region = std::unique_ptr<near_region, Destroy<near_region_destroy>>;
using Capabilities = std::unique_ptr<near_capabilities, Destroy<near_capabilities_destroy>>;

template <typename T> T sized() {
    T value{};
    value.struct_size = sizeof value;
    return value;
}

void check(near_status status) {
    if (status != NEAR_OK)
        throw std::runtime_error(near_status_text(status));
}

/// Calls make(arguments..., &handle, &error) and owns the handle.
template <typename Owner, typename Make, typename... Arguments> Owner made(Make make, Arguments... arguments) {
    typename Owner::pointer handle = nullptr;
    auto error = sized<near_error>();
    if (make(arguments..., &handle, &error) != NEAR_OK)
        throw std::runtime_error(error.message);
    return Owner(handle);
}

/// What the program has on one node.
struct Home {
    numa_pool_node_info info = sized<numa_pool_node_info>();
    near_placement placement = sized<near_placement>();
    Region buffer;
    std::atomic<std::uint64_t> ran{0};
    std::atomic<std::uint64_t> ran_local{0};

    std::uint64_t *words() const { return static_cast<std::uint64_t *>(near_region_data(buffer.get())); }
};

using Task = std::function<void()>;

near_status run_task(void *task) {
    (*static_cast<Task *>(task))(); // an exception that leaves it fails the task, with its what()
    return NEAR_OK;
}

void add_up(Home &home) {
    const std::uint64_t sum = std::accumulate(home.words(), home.words() + buffer_words, std::uint64_t{0});
    if (sum != buffer_words * (buffer_words + 1) / 2)
        throw std::runtime_error("the buffer does not add up");
    std::uint32_t node = NEAR_NODE_UNKNOWN;
    check(numa_pool_current(nullptr, &node, nullptr));
    home.ran++;
    home.ran_local += node == home.info.serving_node;
}

void print_strict_mode() {
    const auto capabilities = made<Capabilities>(near_capabilities_create, nullptr);
    auto strict = sized<near_capability>();
    check(near_capabilities_get(capabilities.get(), NEAR_CAPABILITY_STRICT, &strict));
    std::printf("nodes %zu, strict mode %s: %s\n", near_topology_node_count(nullptr), strict.available ? "yes" : "no",
                strict.text);
}

std::vector<std::uint32_t> nodes_of(numa_pool *pool) {
    std::size_t needed = 0;
    check(numa_pool_nodes(pool, nullptr, 0, &needed));
    std::vector<std::uint32_t> nodes(needed);
    check(numa_pool_nodes(pool, nodes.data(), nodes.size(), &needed));
    return nodes;
}

void settle(numa_pool *pool, std::uint32_t node, Home &home) {
    check(numa_pool_get_node_info(pool, node, &home.info));
    home.buffer = made<Region>(numa_pool_alloc, pool, node, buffer_words * sizeof(std::uint64_t), nullptr);
    std::iota(home.words(), home.words() + buffer_words, std::uint64_t{1});
    check(near_region_placement(home.buffer.get(), &home.placement, nullptr));
    std::printf("node %" PRIu32 ": %" PRIu32 " workers, %zu of %zu pages near, %s%s%s\n", node, home.info.worker_count,
                home.placement.near_pages, home.placement.page_count, near_level_name(home.placement.level),
                home.placement.reason[0] ? ": " : "", home.placement.reason);
}

double seconds_to_run(numa_pool *pool, std::vector<Home> &homes, std::vector<Task> &tasks) {
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < task_count; i++) {
        Home &home = homes[i % homes.size()];
        tasks.emplace_back([&home] { add_up(home); });
        check(numa_pool_submit(pool, home.info.node, run_task, &tasks.back()));
    }
    check(numa_pool_wait_idle(pool, NEAR_FOREVER, nullptr));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

bool report(numa_pool *pool, const std::vector<Home> &homes, double seconds) {
    auto info = sized<numa_pool_info>();
    auto counts = sized<numa_pool_counts>();
    check(numa_pool_get_info(pool, &info));
    check(numa_pool_get_counts(pool, NEAR_NODE_UNKNOWN, &counts));
    std::uint64_t ran = 0;
    std::uint64_t local = 0;
    for (const Home &home : homes) {
        ran += home.ran;
        local += home.ran_local;
    }
    std::printf("%" PRIu32 " workers, steal %s; %" PRIu64 " tasks completed in %.3f ms, %.0f per second; local share "
                "%.1f %%\n",
                info.worker_count, numa_pool_steal_policy_name(info.steal_policy), ran, seconds * 1e3,
                static_cast<double>(ran) / seconds,
                ran == 0 ? 0.0 : 100.0 * static_cast<double>(counts.run_local) / static_cast<double>(ran));
    return ran == task_count && counts.run_local + counts.run_remote == ran && counts.run_local == local &&
           counts.failed == 0;
}

bool run() {
    print_strict_mode();
    // Declared before the pool, so that they outlive the tasks that use them, whatever is thrown.
    std::vector<Home> homes;
    std::vector<Task> tasks;
    tasks.reserve(task_count);

    auto options = sized<numa_pool_options>();
    options.workers_per_node = 2;
    const auto pool = made<Pool>(numa_pool_create, &options);
    const auto nodes = nodes_of(pool.get());
    homes = std::vector<Home>(nodes.size());
    for (std::size_t i = 0; i < nodes.size(); i++)
        settle(pool.get(), nodes[i], homes[i]);

    const double seconds = seconds_to_run(pool.get(), homes, tasks);
    std::uint64_t left = 0;
    check(numa_pool_shutdown(pool.get(), 10 * NEAR_SECOND, &left, nullptr));
    return report(pool.get(), homes, seconds);
}

} // namespace

int main() {
    try {
        if (run())
            return 0;
        std::fprintf(stderr, "not all %zu tasks ran\n", task_count);
    } catch (const std::exception &problem) {
        std::fprintf(stderr, "%s\n", problem.what());
    }
    return 1;
}
