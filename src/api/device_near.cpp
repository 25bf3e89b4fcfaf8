// SPDX-License-Identifier: Apache-2.0
#include "api/default_pool.hpp"
#include "api/handles.hpp"
#include "api/node_near.hpp"
#include "api/pin_options.hpp"
#include "api/process.hpp"

#include <nearpool/device_near.h>
#include <nearpool/numa_pool_run.h>

using namespace nearpool;
using namespace nearpool::api;

Result<uint32_t> nearpool::api::node_near(const numa::Pool &workers, const device::Pool &devices,
                                          const device::Device &device) {
    if (&workers.topology() != &devices.topology()) {
        return fail(NEAR_E_TOPOLOGY, "the workers and the GPUs are pools on different topologies");
    }
    const uint32_t home = device.node().attached;
    if (home != NEAR_NODE_UNKNOWN) {
        return workers.nearest_node(home);
    }
    if (workers.options().request.strict) {
        return fail(NEAR_E_STRICT, "the node of device %d is not known", device.facts().ordinal);
    }
    return NUMA_POOL_NODE_LOCAL;
}

namespace {

// Calls submit(node) with where to work for a device.
template <class Submit>
near_status submit_near(numa_pool *pool, device_pool *devices, int32_t ordinal, Submit &&submit) {
    return guarded([&]() -> Done {
        const Result<device::Pool *> gpus = devices_or_default(devices);
        if (!gpus) {
            return gpus.error();
        }
        const device::Device *device = gpus.value()->find(ordinal);
        if (device == nullptr) {
            return as_done(NEAR_E_DEVICE);
        }
        const Result<uint32_t> node = node_near(*pool_of(pool), *gpus.value(), *device);
        return node ? as_done(submit(node.value())) : Done(node.error());
    });
}

} // namespace

extern "C" {

near_status numa_pool_submit_near(numa_pool *pool, device_pool *devices, int32_t ordinal, numa_pool_task_fn run,
                                  void *user_data) {
    if (pool == nullptr || run == nullptr) {
        return NEAR_E_INVALID;
    }
    return submit_near(pool, devices, ordinal,
                       [&](uint32_t node) { return numa_pool_submit(pool, node, run, user_data); });
}

near_status numa_pool_submit_tasks_near(numa_pool *pool, device_pool *devices, int32_t ordinal, const near_task *tasks,
                                        size_t task_count, numa_pool_group *group) {
    if (pool == nullptr || (tasks == nullptr && task_count != 0)) {
        return NEAR_E_INVALID;
    }
    return submit_near(pool, devices, ordinal,
                       [&](uint32_t node) { return numa_pool_submit_tasks(pool, node, tasks, task_count, group); });
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
