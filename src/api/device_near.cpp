// SPDX-License-Identifier: Apache-2.0
#include "api/default_pool.hpp"
#include "api/handles.hpp"
#include "api/pin_options.hpp"
#include "api/process.hpp"

#include <nearpool/device_near.h>

using namespace nearpool;
using namespace nearpool::api;

extern "C" {

near_status numa_pool_submit_near(numa_pool *pool, device_pool *devices, int32_t ordinal, numa_pool_task_fn run,
                                  void *user_data) {
    if (pool == nullptr || run == nullptr) {
        return NEAR_E_INVALID;
    }
    return guarded([&]() -> Done {
        const Result<device::Pool *> gpus = devices_or_default(devices);
        if (!gpus) {
            return gpus.error();
        }
        const device::Device *device = gpus.value()->find(ordinal);
        if (device == nullptr) {
            return as_done(NEAR_E_DEVICE);
        }
        if (&pool_of(pool)->topology() != &gpus.value()->topology()) {
            return as_done(NEAR_E_TOPOLOGY);
        }
        const uint32_t home = device->node().attached; // unknown: no pool has that node
        const uint32_t node = home == NEAR_NODE_UNKNOWN ? home : pool_of(pool)->nearest_node(home);
        const numa::Item item{run, nullptr, user_data, nullptr};
        return as_done(pool_of(pool)->submit(node, &item, 1, nullptr));
    });
}

near_status near_pin_device(device_pool *devices, int32_t ordinal, const near_pin_options *options, near_pin **pin,
                            near_error *error) {
    return guarded("near_pin_device", error, [&]() -> Done {
        return pin_with(options, pin, [&](bool strict) -> Result<std::unique_ptr<Pin>> {
            const Result<device::Pool *> gpus = devices_or_default(devices);
            if (!gpus) {
                return gpus.error();
            }
            const device::Device *device = gpus.value()->find(ordinal);
            if (device == nullptr) {
                return gpus.value()->no_device(ordinal);
            }
            const Topology &topology = gpus.value()->topology();
            return device->node().attached == NEAR_NODE_UNKNOWN
                       ? Pin::to_unknown(real_ports(), topology, strict)
                       : Pin::to_nearest(real_ports(), topology, device->node().attached, strict);
        });
    });
}
}
