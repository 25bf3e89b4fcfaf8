// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pools/device/pool.hpp"
#include "pools/numa/pool.hpp"

namespace nearpool::api {

// The process's own pool; a child of fork() gets a fresh one. A failed creation is tried again by the next call.
Result<numa::Pool *> default_pool();

// How many workers it may have in all, where it is not made yet; 0: as many as there are cores. NEAR_E_BUSY: it is.
Done limit_default_pool(uint32_t workers);

// The process's own GPUs. A child of fork() gets the parent's, which answers NEAR_E_FORKED: the driver works only
// there.
Result<device::Pool *> default_devices();

// What a `device_pool *` or a `numa_pool *` of a parameter stands for, where NULL is the process's own.
Result<device::Pool *> devices_or_default(device_pool *handle);
Result<numa::Pool *> pool_or_default(numa_pool *handle);

} // namespace nearpool::api
