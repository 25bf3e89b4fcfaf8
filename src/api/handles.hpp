// SPDX-License-Identifier: Apache-2.0
// Opaque handles are the objects themselves.
#pragma once

#include "pools/device/pool.hpp"
#include "pools/numa/group.hpp"
#include "pools/numa/pool.hpp"
#include "pools/pinned/request.hpp"
#include "pools/stream/pool.hpp"

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

inline stream::Pool *pool_of(stream_pool *handle) {
    return reinterpret_cast<stream::Pool *>(handle);
}
inline const stream::Pool *pool_of(const stream_pool *handle) {
    return reinterpret_cast<const stream::Pool *>(handle);
}
inline stream_pool *handle_of(stream::Pool *pool) {
    return reinterpret_cast<stream_pool *>(pool);
}

inline pinned::Block *block_of(near_pinned *handle) {
    return reinterpret_cast<pinned::Block *>(handle);
}
inline const pinned::Block *block_of(const near_pinned *handle) {
    return reinterpret_cast<const pinned::Block *>(handle);
}
inline near_pinned *handle_of(pinned::Block *block) {
    return reinterpret_cast<near_pinned *>(block);
}
inline pinned::Request *request_of(near_pinned_request *handle) {
    return reinterpret_cast<pinned::Request *>(handle);
}
inline const pinned::Request *request_of(const near_pinned_request *handle) {
    return reinterpret_cast<const pinned::Request *>(handle);
}
inline near_pinned_request *handle_of(pinned::Request *request) {
    return reinterpret_cast<near_pinned_request *>(request);
}

// What every call on a pool that was made before a fork answers in the child.
template <class Pool> Done check_alive(const Pool &pool) {
    return pool.forked() ? fail(NEAR_E_FORKED, "the pool was made in the parent of this process") : Done();
}

} // namespace nearpool::api
