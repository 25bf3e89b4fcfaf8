// SPDX-License-Identifier: Apache-2.0
#include "api/boundary.hpp"
#include "memory/region.hpp"

#include <nearpool/region_change.h>

using namespace nearpool;
using namespace nearpool::api;

namespace {

// Runs `body` on the region behind a handle.
template <class Body>
near_status with_region(const char *operation, near_region *handle, near_error *error, Body &&body) {
    return guarded(operation, error, [&]() -> Done {
        if (Done ok = check_pointer(handle, "region"); !ok) {
            return ok;
        }
        return body(*reinterpret_cast<Region *>(handle));
    });
}

} // namespace

extern "C" near_status near_region_prefault(near_region *region, int32_t prefault, near_error *error) {
    return with_region("near_region_prefault", region, error, [&](Region &it) { return it.prefault(prefault); });
}

extern "C" near_status near_region_rebind(near_region *region, int32_t policy, const uint32_t *nodes, size_t node_count,
                                          uint32_t strict, near_error *error) {
    return with_region("near_region_rebind", region, error, [&](Region &it) {
        Done possible = check_count(node_count, sizeof *nodes, "nodes");
        return possible ? it.rebind(policy, nodes, node_count, strict) : possible;
    });
}

extern "C" near_status near_region_migrate(near_region *region, uint32_t node, size_t *moved_pages, near_error *error) {
    return with_region("near_region_migrate", region, error, [&](Region &it) {
        size_t moved = 0;
        Done done = it.migrate(node, &moved);
        if (moved_pages != nullptr && (done || done.error().status == NEAR_E_BUSY)) {
            *moved_pages = moved;
        }
        return done;
    });
}

extern "C" near_status near_region_lock(near_region *region, uint32_t lock, near_error *error) {
    return with_region("near_region_lock", region, error, [&](Region &it) { return it.lock(lock); });
}

extern "C" near_status near_region_advise(near_region *region, size_t offset, size_t bytes, int32_t advice,
                                          near_error *error) {
    return with_region("near_region_advise", region, error,
                       [&](Region &it) { return it.advise(offset, bytes, advice); });
}

extern "C" const char *near_policy_name(int32_t policy) {
    return policy_name(policy);
}

extern "C" const char *near_pages_name(int32_t pages) {
    return pages_name(pages);
}

extern "C" const char *near_prefault_name(int32_t prefault) {
    return prefault_name(prefault);
}
