// SPDX-License-Identifier: Apache-2.0
#include "api/default_pool.hpp"
#include "api/handles.hpp"
#include "api/pin_options.hpp"
#include "api/process.hpp"

#include <nearpool/device_near.h>

using namespace nearpool;
using namespace nearpool::api;

extern "C" {

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
