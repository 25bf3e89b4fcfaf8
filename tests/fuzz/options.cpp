// SPDX-License-Identifier: Apache-2.0
// Structs that callers hand over, with any struct_size and any bytes in them and after them. The first byte chooses the
// call; pointers in structs are made good, and numbers that only cost time or memory are made small.
#include "fuzz/given.hpp"
#include "fuzz/world.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace nearpool::fuzz {
namespace {

constexpr uint32_t some_nodes[] = {0, 1, 7};
constexpr int32_t some_ordinals[] = {1, 0, -1};

const uint32_t *choose_nodes(Bytes &input) {
    return input.flag() ? some_nodes : nullptr;
}

// As many as there are, or more than any memory holds.
std::size_t choose_count(Bytes &input) {
    const uint32_t choice = input.below(8);
    return choice <= std::size(some_nodes) ? choice : choice == 7 ? SIZE_MAX / 2 : 1;
}

void give_count(Given<numa_pool_options> &options, Bytes &input) {
    options.set(offsetof(numa_pool_options, nodes), choose_nodes(input));
    options.set(offsetof(numa_pool_options, node_count), choose_count(input));
}

void topology_create(Bytes &input, World & /*world*/) {
    Given<near_topology_options> options(input);
    std::string text(input.take(input.below(64)));
    text = text.substr(0, text.find('\0'));
    const char *texts[] = {nullptr, "", "numa:1 pu:1", "/nowhere", text.c_str()};
    const int32_t source = options.at<int32_t>(offsetof(near_topology_options, source));
    const bool reads_files = source == NEAR_TOPOLOGY_XML || source == NEAR_TOPOLOGY_SYSFS;
    options.set(offsetof(near_topology_options, text), texts[input.below(reads_files ? 4 : 5)]);
    near_topology *topology = nullptr;
    const near_status status = near_topology_create(options.get(), &topology, nullptr);
    options.check_input(status);
    check_status(status);
    require((topology != nullptr) == (status == NEAR_OK), "a topology is there when the status says so");
    near_topology_release(topology);
}

void pin_node(Bytes &input, World & /*world*/) {
    Given<near_pin_options> options(input);
    near_pin *pin = nullptr;
    const near_status status = near_pin_node(small_topology(), 1, options.get(), &pin, nullptr);
    options.check_input(status);
    check_status(status);
    if (status == NEAR_OK) {
        Given<near_pin_report> report(input);
        report.check_output(near_pin_get_report(pin, report.get()));
        require(near_pin_release(pin, nullptr) == NEAR_OK, "a pin is released");
    }
}

void ignore_thread(uint32_t /*node*/, uint32_t /*worker*/, void * /*user_data*/) {}

void pool_create(Bytes &input, World & /*world*/) {
    Given<numa_pool_options> options(input);
    give_count(options, input);
    options.set(offsetof(numa_pool_options, topology), small_topology());
    const uint32_t workers = options.at<uint32_t>(offsetof(numa_pool_options, workers_per_node));
    options.set(offsetof(numa_pool_options, workers_per_node), workers <= 3 ? workers : workers | 0x10000);
    options.set(offsetof(numa_pool_options, thread_start), input.flag() ? ignore_thread : nullptr);
    options.set(offsetof(numa_pool_options, thread_stop), input.flag() ? ignore_thread : nullptr);
    if (!options.acceptable_size() || options.at<const void *>(offsetof(numa_pool_options, topology)) == nullptr) {
        options.set(offsetof(numa_pool_options, steal_policy), int32_t{-1}); // else it is the whole machine's
    }
    numa_pool *pool = nullptr;
    const near_status status = numa_pool_create(options.get(), &pool, nullptr);
    options.check_input(status);
    check_status(status);
    require((pool != nullptr) == (status == NEAR_OK), "a pool is there when the status says so");
    numa_pool_destroy(pool);
}

void pool_queries(Bytes &input, World &world) {
    Given<numa_pool_info> info(input);
    info.check_output(numa_pool_get_info(world.pool(), info.get()));
    Given<numa_pool_node_info> node(input);
    node.check_output(numa_pool_get_node_info(world.pool(), 1, node.get()));
    Given<numa_pool_counts> counts(input);
    counts.check_output(numa_pool_get_counts(world.pool(), 0, counts.get()));
    numa_pool_group *group = nullptr;
    require(numa_pool_group_create(world.pool(), &group, nullptr) == NEAR_OK, "a group is made");
    Given<numa_pool_group_counts> group_counts(input);
    group_counts.check_output(numa_pool_group_get_counts(group, group_counts.get()));
    numa_pool_group_destroy(group);
}

void topology_queries(Bytes &input, World & /*world*/) {
    Given<near_topology_info> info(input);
    info.check_output(near_topology_get_info(small_topology(), info.get()));
    Given<near_node_info> node(input);
    node.check_output(near_topology_node_info(small_topology(), 1, node.get()));
    Given<near_cpu_info> cpu(input);
    cpu.check_output(near_topology_cpu_info(small_topology(), 3, cpu.get()));
    Given<near_link> link(input);
    link.check_output(near_topology_link(small_topology(), 0, 1, link.get()));
}

void region_create(Bytes &input, World & /*world*/) {
    Given<near_region_options> options(input);
    options.set(offsetof(near_region_options, nodes), choose_nodes(input));
    options.set(offsetof(near_region_options, node_count), choose_count(input));
    const char *paths[] = {nullptr, "", "/nowhere", "/dev/null", "/proc/self/exe"};
    options.set(offsetof(near_region_options, path), paths[input.below(std::size(paths))]);
    options.set(offsetof(near_region_options, flags),
                options.at<uint32_t>(offsetof(near_region_options, flags)) | NEAR_REGION_READ_ONLY);
    near_region *region = nullptr;
    const std::size_t bytes = input.flag() ? 65536 : input.number64();
    const bool small = bytes <= 65536 || bytes > SIZE_MAX / 2;
    const near_status status =
        near_region_create(small_topology(), small ? bytes : 4097, options.get(), &region, nullptr);
    options.check_input(status);
    check_status(status);
    if (status == NEAR_OK) {
        Given<near_placement> placement(input);
        placement.check_output(near_region_placement(region, placement.get(), nullptr));
    }
    near_region_destroy(region);
}

void device_pool_with_options(Bytes &input, World & /*world*/) {
    Given<device_pool_options> options(input);
    options.set(offsetof(device_pool_options, topology), small_topology());
    options.set(offsetof(device_pool_options, ordinals), input.flag() ? some_ordinals : nullptr);
    options.set(offsetof(device_pool_options, ordinal_count), choose_count(input));
    device_pool *pool = nullptr;
    const near_status status = device_pool_create(options.get(), &pool, nullptr);
    options.check_input(status);
    check_status(status);
    device_pool_destroy(pool);
}

void device_queries(Bytes &input, World &world) {
    Given<device_pool_facts> facts(input);
    facts.check_output(device_pool_get_facts(world.devices(), 1, facts.get()));
    Given<device_pool_memory> memory(input);
    memory.check_output(device_pool_get_memory(world.devices(), 0, memory.get(), nullptr));
    std::size_t count = 0;
    Given<device_pool_skipped> skipped(input);
    check_status(device_pool_get_skipped(world.devices(), 0, skipped.get(), &count));
    Given<stream_pool_info> info(input);
    info.check_output(stream_pool_get_info(world.streams(), info.get()));
}

void stream_pool_with_options(Bytes &input, World &world) {
    Given<stream_pool_options> options(input);
    stream_pool *pool = nullptr;
    const near_status status = stream_pool_create(world.devices(), 0, options.get(), &pool, nullptr);
    options.check_input(status);
    check_status(status);
    stream_pool_destroy(pool);
}

void device_map_with_options(Bytes &input, World & /*world*/) {
    Given<near_device_map_options> options(input);
    near_device_map *map = nullptr;
    const near_status status = near_device_map_create(small_topology(), options.get(), &map, nullptr);
    options.check_input(status);
    check_status(status);
    if (near_device_map_count(map) > 0) {
        Given<near_device> device(input);
        device.check_output(near_device_map_get(map, 0, device.get()));
    }
    near_device_map_destroy(map);
}

// Alignments and times that only cost are made small. A reserved field that is set is a field that is not known, but
// not the first that is looked at.
void make_small(Given<near_pinned_options> &options) {
    options.set(offsetof(near_pinned_options, reserved), uint32_t{0});
    const std::size_t alignment = options.at<std::size_t>(offsetof(near_pinned_options, alignment));
    if (alignment > 65536 && alignment <= std::size_t{1} << 30U) {
        options.set(offsetof(near_pinned_options, alignment), alignment % 65536);
    }
    const uint64_t timeout = options.at<uint64_t>(offsetof(near_pinned_options, timeout_ns));
    options.set(offsetof(near_pinned_options, timeout_ns), timeout % 4 == 3 ? NEAR_FOREVER : timeout % 1000000000);
}

void pinned_queries(Bytes &input, World &world, near_pinned *pinned) {
    Given<near_pinned_info> info(input);
    info.check_output(near_pinned_get_info(pinned, info.get(), nullptr));
    Given<near_placement> placement(input);
    placement.check_output(near_pinned_placement(pinned, placement.get(), nullptr));
    Given<near_pinned_stats> stats(input);
    stats.check_output(numa_pool_pinned_stats(world.pool(), world.devices(), 0, stats.get(), nullptr));
}

void pinned_with_options(Bytes &input, World &world) {
    Given<near_pinned_options> options(input);
    make_small(options);
    near_pinned *pinned = nullptr;
    const near_status status =
        numa_pool_alloc_pinned(world.pool(), world.devices(), 0, 10000, options.get(), &pinned, nullptr);
    options.check_input(status);
    check_status(status);
    if (status == NEAR_OK) {
        pinned_queries(input, world, pinned);
    }
    near_pinned_free(pinned);
}

void pinned_request_with_options(Bytes &input, World &world) {
    Given<near_pinned_options> options(input);
    make_small(options);
    near_pinned_request *request = nullptr;
    const near_status status =
        numa_pool_request_pinned(world.pool(), world.devices(), 1, 5000, options.get(), &request, nullptr);
    options.check_input(status);
    check_status(status);
    if (status == NEAR_OK) {
        Given<near_pinned_progress> progress(input);
        progress.check_output(near_pinned_request_progress(request, progress.get()));
        near_pinned *pinned = nullptr;
        check_status(near_pinned_request_wait(request, NEAR_FOREVER, &pinned, nullptr));
        near_pinned_free(pinned);
    }
    near_pinned_request_destroy(request);
}

// An error's struct is written as far as it goes, whatever its size.
void error_struct(Bytes &input, World & /*world*/) {
    Given<near_error> error(input);
    near_pin *pin = nullptr;
    check_status(near_pin_node(small_topology(), 77, nullptr, &pin, error.get()));
    check_status(numa_pool_create(nullptr, nullptr, error.get()));
}

void capabilities(Bytes &input, World & /*world*/) {
    near_capabilities *found = nullptr;
    check_status(near_capabilities_create(small_topology(), &found, nullptr));
    Given<near_capability> capability(input);
    if (found != nullptr) {
        capability.check_output(near_capabilities_get(found, NEAR_CAPABILITY_STRICT, capability.get()));
    }
    near_capabilities_destroy(found);
}

constexpr void (*cases[])(Bytes &, World &) = {
    topology_create,     pin_node,
    pool_create,         pool_queries,
    region_create,       topology_queries,
    device_queries,      device_pool_with_options,
    error_struct,        stream_pool_with_options,
    capabilities,        device_map_with_options,
    pinned_with_options, pinned_request_with_options,
};

} // namespace

void options(const uint8_t *data, std::size_t size) {
    Bytes input(data, size);
    World world;
    while (!input.empty()) {
        cases[input.below(std::size(cases))](input, world);
    }
}

} // namespace nearpool::fuzz
