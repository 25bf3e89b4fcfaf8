// SPDX-License-Identifier: Apache-2.0
#include "fuzz/play.hpp"

#include <cstring>
#include <iterator>

namespace nearpool::fuzz {
namespace {

constexpr std::size_t most_regions = 3;
constexpr std::size_t most_pinned = 4;
constexpr std::size_t most_requests = 2;
constexpr uint32_t both_nodes[] = {0, 1};

std::size_t choose_bytes(Bytes &input) {
    return input.byte() * std::size_t{257}; // up to 16 pages, and none
}

template <class Object> Object *choose(const std::vector<Object *> &objects, Bytes &input) {
    return objects.empty() ? nullptr : objects[input.byte() % objects.size()];
}

template <class Object> Object *take(std::vector<Object *> &objects, Bytes &input) {
    if (objects.empty()) {
        return nullptr;
    }
    const auto place = objects.begin() + static_cast<std::ptrdiff_t>(input.byte() % objects.size());
    Object *taken = *place;
    objects.erase(place);
    return taken;
}

near_pinned_options choose_options(Bytes &input) {
    near_pinned_options options{};
    options.struct_size = sizeof options;
    options.pages = input.flag() ? NEAR_PAGES_BASE : NEAR_PAGES_DEFAULT;
    options.flags = input.below(8);
    options.methods = input.below(16) << 1;
    options.alignment = input.flag() ? 4096 : 0;
    options.chunk_bytes = input.below(3) * std::size_t{4096};
    return options;
}

} // namespace

void Play::make_region(Bytes &input) {
    if (regions_.size() == most_regions) {
        return;
    }
    near_region_options options{};
    options.struct_size = sizeof options;
    options.policy = static_cast<int32_t>(input.below(8));
    options.nodes = input.flag() ? both_nodes : nullptr;
    options.node_count = options.nodes != nullptr ? 1 + input.below(2) : 0;
    options.pages = static_cast<int32_t>(input.below(3));
    options.prefault = static_cast<int32_t>(input.below(3));
    options.backing = static_cast<int32_t>(input.below(2));
    options.flags = input.below(4);
    const std::size_t bytes = choose_bytes(input);
    near_region *region = nullptr;
    const near_status status = near_region_create(small_topology(), bytes, &options, &region, nullptr);
    check_status(status);
    require((region != nullptr) == (status == NEAR_OK), "a region is there when the status says so");
    if (region != nullptr) {
        std::memset(near_region_data(region), 1, bytes);
        regions_.push_back(region);
    }
}

void Play::change_region(Bytes &input) {
    near_region *region = choose(regions_, input);
    if (region == nullptr) {
        return;
    }
    std::size_t moved = 0;
    near_placement placement{};
    placement.struct_size = sizeof placement;
    switch (input.below(6)) {
    case 0:
        check_status(near_region_prefault(region, static_cast<int32_t>(input.below(4)), nullptr));
        break;
    case 1:
        check_status(near_region_rebind(region, static_cast<int32_t>(input.below(8)), both_nodes, 2, 0, nullptr));
        break;
    case 2:
        check_status(near_region_migrate(region, input.below(3), &moved, nullptr));
        break;
    case 3:
        check_status(near_region_lock(region, input.below(3), nullptr));
        break;
    case 4:
        check_status(near_region_advise(region, choose_bytes(input), choose_bytes(input),
                                        static_cast<int32_t>(input.below(9)), nullptr));
        break;
    default:
        check_status(near_region_placement(region, &placement, nullptr));
        require(placement.near_pages <= placement.present_pages && placement.present_pages <= placement.looked_at_pages,
                "what is near is present, and what is present was looked at");
    }
}

void Play::drop_region(Bytes &input) {
    near_region_destroy(take(regions_, input));
}

void Play::make_pinned(Bytes &input) {
    if (pinned_.size() == most_pinned) {
        return;
    }
    const near_pinned_options options = choose_options(input);
    const std::size_t bytes = choose_bytes(input);
    near_pinned *pinned = nullptr;
    const near_status status = numa_pool_alloc_pinned(
        world_.pool(), world_.devices(), static_cast<int32_t>(input.below(3)), bytes, &options, &pinned, nullptr);
    check_status(status);
    require((pinned != nullptr) == (status == NEAR_OK), "memory is there when the status says so");
    if (pinned != nullptr) {
        require(near_pinned_bytes(pinned) == bytes, "it is as long as was asked for");
        std::memset(near_pinned_data(pinned), 1, bytes);
        pinned_.push_back(pinned);
    }
}

void Play::request_pinned(Bytes &input) {
    if (requests_.size() == most_requests) {
        return;
    }
    const near_pinned_options options = choose_options(input);
    near_pinned_request *request = nullptr;
    const near_status status =
        numa_pool_request_pinned(world_.pool(), world_.devices(), static_cast<int32_t>(input.below(2)),
                                 choose_bytes(input), &options, &request, nullptr);
    check_status(status);
    if (request != nullptr) {
        requests_.push_back(request);
    }
}

void Play::end_request(Bytes &input) {
    near_pinned_request *request = take(requests_, input);
    if (request == nullptr) {
        return;
    }
    if (input.flag()) {
        Task &task = tasks_.make(loose_, false);
        const near_task then = Tasks::as_task(task);
        const near_status status =
            near_pinned_request_then(request, world_.pool(), input.below(3), &then, nullptr, nullptr);
        check_status(status);
        Tasks::accept(task, status);
    }
    if (input.flag()) {
        check_status(near_pinned_request_cancel(request));
    }
    if (input.flag()) {
        near_pinned *pinned = nullptr;
        check_status(near_pinned_request_wait(request, NEAR_FOREVER, &pinned, nullptr));
        near_pinned_free(pinned);
    }
    near_pinned_request_destroy(request);
}

void Play::use_pinned(Bytes &input) {
    if (near_pinned *pinned = choose(pinned_, input); pinned != nullptr) {
        check_status(near_pinned_used_on(pinned, world_.streams(), choose_lease(input)));
    }
}

void Play::drop_pinned(Bytes &input) {
    near_pinned *pinned = take(pinned_, input);
    if (pinned == nullptr || input.flag()) {
        near_pinned_free(pinned);
        return;
    }
    const near_status status = near_pinned_free_after(pinned, world_.streams(), choose_lease(input));
    check_status(status);
    if (status != NEAR_OK) {
        near_pinned_free(pinned);
    }
}

void Play::trim_pinned(Bytes &input) {
    std::size_t freed = 0;
    check_status(
        numa_pool_trim_pinned(world_.pool(), world_.devices(), input.below(3), choose_bytes(input), &freed, nullptr));
    near_pinned_stats stats{};
    stats.struct_size = sizeof stats;
    check_status(numa_pool_pinned_stats(world_.pool(), world_.devices(), input.below(3), &stats, nullptr));
    require(stats.idle_bytes <= stats.held_bytes, "what is idle is held");
}

} // namespace nearpool::fuzz
