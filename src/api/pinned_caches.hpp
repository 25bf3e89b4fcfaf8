// SPDX-License-Identifier: Apache-2.0
// The caches of page-locked memory of this process, one for each pair of pools that memory was asked for with.
#pragma once

#include "pools/numa/pool.hpp"
#include "pools/pinned/cache.hpp"

namespace nearpool::api {

// Made when first asked for. NEAR_E_SHUTDOWN when one of the pools is coming to its end.
Result<Ref<pinned::Cache>> cache_for(const numa::Pool &workers, device::Pool &devices);

// None, where nobody asked for memory yet.
Ref<pinned::Cache> known_cache(const numa::Pool &workers, const device::Pool &devices);

// While a pool is being destroyed: its caches are closed at the beginning, and at the end its address may be another's.
class EndOfCaches {
public:
    explicit EndOfCaches(numa::Pool *pool);
    explicit EndOfCaches(device::Pool *pool);
    ~EndOfCaches();
    EndOfCaches(const EndOfCaches &) = delete;
    EndOfCaches &operator=(const EndOfCaches &) = delete;

private:
    const Ref<RefCounted> pool_; // its address is its own until the end
    const bool forked_;
};

} // namespace nearpool::api
