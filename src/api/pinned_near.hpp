// SPDX-License-Identifier: Apache-2.0
// What the functions for page-locked memory have in common.
#pragma once

#include "api/boundary.hpp"
#include "pools/numa/pool.hpp"
#include "pools/pinned/cache.hpp"

#include <nearpool/pinned.h>

namespace nearpool::api {

// A wish of the caller of a pool; a strict pool is strict in this too.
Result<pinned::Wish> wish_for(const numa::Pool &workers, Result<pinned::Wish> wish);

// The cache for both pools, and the device is in the second.
Result<Ref<pinned::Cache>> cache_near(numa_pool *workers, device_pool *devices, int32_t ordinal);

// What every call on memory that was made before a fork answers in the child.
inline Done check_here(const pinned::Block &block) {
    return pinned::cache_of(block).forked() ? fail(NEAR_E_FORKED, "the memory was made in the parent of this process")
                                            : Done();
}

} // namespace nearpool::api
