// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pools/device/pool.hpp"
#include "pools/numa/pool.hpp"

namespace nearpool::api {

// Where a pool works for a device: on its node nearest to the device's. Where nobody knows that, on the caller's, or,
// in a strict pool, nowhere: NEAR_E_STRICT. NEAR_E_TOPOLOGY when the two pools stand on different topologies.
Result<uint32_t> node_near(const numa::Pool &workers, const device::Pool &devices, const device::Device &device);

} // namespace nearpool::api
