// SPDX-License-Identifier: Apache-2.0
// Which device is best. Ties go to the first in the pool's order.
#include "pools/device/pool.hpp"

#include <algorithm>
#include <tuple>

namespace nearpool::device {
namespace {

// The first device with the greatest score; `score` gives a Result of something that can be compared.
template <class Score> Result<int32_t> greatest(const std::vector<std::unique_ptr<Device>> &devices, Score &&score) {
    const Device *best = devices[0].get();
    auto best_score = score(*devices[0]);
    if (!best_score) {
        return best_score.error();
    }
    for (std::size_t i = 1; i < devices.size(); i++) {
        auto one = score(*devices[i]);
        if (!one) {
            return one.error();
        }
        if (best_score.value() < one.value()) {
            best = devices[i].get();
            best_score = one;
        }
    }
    return best->facts().ordinal;
}

// Counts and bytes as what can be subtracted and negated.
int64_t bounded(uint64_t value) {
    return static_cast<int64_t>(std::min<uint64_t>(value, INT64_MAX));
}

Result<int64_t> unreserved(Device &device) {
    const Result<cuda::DeviceMemory> memory = device.memory();
    if (!memory) {
        return memory.error();
    }
    return bounded(memory.value().free_bytes) - bounded(device.usage().reserved_bytes);
}

using Idleness = std::tuple<int64_t, int64_t, int64_t>;

// Utilisation counts only where NVML says it of every device: none of them is less busy for not being known.
Result<int32_t> least_busy(const std::vector<std::unique_ptr<Device>> &devices) {
    bool all_known = true;
    std::vector<int64_t> utilizations;
    for (const std::unique_ptr<Device> &device : devices) {
        const Result<unsigned> known = device->utilization();
        all_known = all_known && known;
        utilizations.push_back(known ? known.value() : 0);
    }
    std::size_t index = 0;
    return greatest(devices, [&](const Device &device) {
        const Usage usage = device.usage();
        const int64_t utilization = all_known ? utilizations[index] : 0;
        index++; // in the order of the devices
        return Result<Idleness>(Idleness(-bounded(usage.leased_streams), -bounded(usage.reserved_bytes), -utilization));
    });
}

Result<int64_t> nearness(const Topology &topology, const Device &device, uint32_t node) {
    const uint32_t home = device.node().attached;
    return home == NEAR_NODE_UNKNOWN ? INT64_MIN : -static_cast<int64_t>(topology.distance(node, home));
}

} // namespace

Result<int32_t> Pool::best(int32_t criterion, uint32_t node) {
    switch (criterion) {
    case DEVICE_POOL_BEST_TOTAL_MEMORY:
        return greatest(devices_, [](Device &device) { return Result<uint64_t>(device.facts().total_bytes); });
    case DEVICE_POOL_BEST_FREE_MEMORY:
        return greatest(devices_, unreserved);
    case DEVICE_POOL_BEST_LEAST_BUSY:
        return least_busy(devices_);
    default:
        return nearest(node);
    }
}

Result<int32_t> Pool::nearest(uint32_t node) const {
    if (topology_->node(node) == nullptr) {
        return topology_->no_node(node);
    }
    bool known = false;
    for (const std::unique_ptr<Device> &device : devices_) {
        known = known || device->node().attached != NEAR_NODE_UNKNOWN;
    }
    if (!known) {
        return fail(NEAR_E_UNSUPPORTED, "the node of no device in this pool is known");
    }
    return greatest(devices_, [&](Device &device) { return nearness(*topology_, device, node); });
}

} // namespace nearpool::device
