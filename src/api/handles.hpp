// SPDX-License-Identifier: Apache-2.0
// Opaque handles are the objects themselves.
#pragma once

#include "pools/device/pool.hpp"
#include "pools/numa/group.hpp"
#include "pools/numa/pool.hpp"

namespace nearpool::api {

inline numa::Pool *pool_of(numa_pool *handle) {
    return reinterpret_cast<numa::Pool *>(handle);
}
inline const numa::Pool *pool_of(const numa_pool *handle) {
    return reinterpret_cast<const numa::Pool *>(handle);
}
inline numa_pool *handle_of(numa::Pool *pool) {
    return reinterpret_cast<numa_pool *>(pool);
}
inline numa::Group *group_of(numa_pool_group *handle) {
    return reinterpret_cast<numa::Group *>(handle);
}

inline device::Pool *pool_of(device_pool *handle) {
    return reinterpret_cast<device::Pool *>(handle);
}
inline const device::Pool *pool_of(const device_pool *handle) {
    return reinterpret_cast<const device::Pool *>(handle);
}
inline device_pool *handle_of(device::Pool *pool) {
    return reinterpret_cast<device_pool *>(pool);
}

} // namespace nearpool::api
