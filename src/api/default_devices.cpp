// SPDX-License-Identifier: Apache-2.0
#include "api/default_pool.hpp"
#include "api/handles.hpp"
#include "api/process.hpp"
#include "base/fork_lock.hpp"

#include <atomic>
#include <mutex>

namespace nearpool::api {
namespace {

struct Holder {
    ForkMutex mutex;
    std::atomic<device::Pool *> pool{nullptr};
};

} // namespace

Result<device::Pool *> default_devices() {
    static auto *const only = new Holder;
    if (device::Pool *known = only->pool.load(std::memory_order_acquire); known != nullptr) {
        return known;
    }
    const std::lock_guard<ForkMutex> lock(only->mutex);
    if (device::Pool *known = only->pool.load(std::memory_order_relaxed); known != nullptr) {
        return known;
    }
    Result<Ref<const Topology>> machine = this_machine();
    if (!machine) {
        return machine.error();
    }
    device::Options options;
    options.process_wide = true;
    Result<Ref<device::Pool>> pool = device::Pool::create(gpu_loader(), machine.take(), options);
    if (!pool) {
        return pool.error();
    }
    device::Pool *made = pool.value().detach();
    only->pool.store(made, std::memory_order_release);
    return made;
}

Result<device::Pool *> devices_or_default(device_pool *handle) {
    Result<device::Pool *> pool = handle != nullptr ? Result<device::Pool *>(pool_of(handle)) : default_devices();
    if (pool && pool.value()->forked()) {
        return fail(NEAR_E_FORKED, "the pool of GPUs was made in the parent of this process");
    }
    return pool;
}

Result<numa::Pool *> pool_or_default(numa_pool *handle) {
    return handle != nullptr ? Result<numa::Pool *>(pool_of(handle)) : default_pool();
}

} // namespace nearpool::api
