// SPDX-License-Identifier: Apache-2.0
#include "pools.hpp"

#include "capture.hpp"
#include "memory.hpp"
#include "stream.hpp"
#include "vmm.hpp"

#include <algorithm>
#include <cstring>

namespace fakes::cuda {

namespace {

constexpr int attribute_reuse_first = 1;
constexpr int attribute_reuse_last = 3;
constexpr int attribute_threshold = 4;
constexpr int attribute_reserved = 5;
constexpr int attribute_used = 7;
constexpr int attribute_last = 8;

struct Pool {
    CUmemPoolProps properties{};
    std::set<int> devices; // that may use its memory
    int reuse[3] = {1, 1, 1};
    uint64_t threshold = 0;
    uint64_t high[2] = {0, 0}; // most reserved, most used
    bool is_default = false;
};

struct Pools {
    std::mutex mutex;
    std::map<uint64_t, Pool> all;
};

Pools &pools() {
    static Pools &instance = *new Pools;
    return instance;
}

CUmemoryPool handle_of(uint64_t id) {
    return reinterpret_cast<CUmemoryPool>(id << 8);
}
uint64_t id_of(CUmemoryPool pool) {
    return reinterpret_cast<std::uintptr_t>(pool) >> 8;
}

/// Under Pools::mutex.
Pool *find_pool(CUmemoryPool handle) {
    const auto found = pools().all.find(id_of(handle));
    return found == pools().all.end() || handle != handle_of(found->first) ? nullptr : &found->second;
}

uint64_t used_bytes(uint64_t id) {
    const std::lock_guard<std::mutex> lock(memory().mutex);
    uint64_t sum = 0;
    for (const auto &[address, block] : memory().device) {
        sum += block.pool == id ? block.bytes : 0;
    }
    return sum;
}

CUmemoryPool default_pool(CUmemLocation location) {
    const std::lock_guard<std::mutex> lock(pools().mutex);
    for (const auto &[id, pool] : pools().all) {
        const CUmemLocation &at = pool.properties.location;
        if (pool.is_default && at.type == location.type && at.id == location.id) {
            return handle_of(id);
        }
    }
    const uint64_t id = driver().next_id.fetch_add(1);
    Pool &pool = pools().all[id];
    pool.is_default = true;
    pool.properties.type = allocation_pinned;
    pool.properties.location = location;
    if (location.type == location_device) {
        pool.devices.insert(location.id);
    }
    return handle_of(id);
}

/// Whether the current device may use a pool, and whether the host may.
CUresult check_pool(CUmemoryPool handle, bool *for_host) {
    const std::lock_guard<std::mutex> lock(pools().mutex);
    const Pool *pool = find_pool(handle);
    if (pool == nullptr) {
        return cuda_error_invalid_value;
    }
    *for_host = is_host(pool->properties.location);
    const bool open = pool->devices.count(this_thread().current()->device) != 0;
    return open || *for_host ? cuda_success : cuda_error_invalid_value;
}

void count_use(CUmemoryPool handle) {
    const uint64_t used = used_bytes(id_of(handle));
    const std::lock_guard<std::mutex> lock(pools().mutex);
    if (Pool *pool = find_pool(handle); pool != nullptr) {
        pool->high[0] = std::max(pool->high[0], used);
        pool->high[1] = std::max(pool->high[1], used);
    }
}

CUresult allocate(CUdeviceptr *start, std::size_t bytes, CUmemoryPool pool, CUstream stream) {
    Stream *on = nullptr;
    if (const CUresult result = resolve_stream(stream, &on); result != cuda_success) {
        return result;
    }
    if (start == nullptr || bytes == 0) {
        return cuda_error_invalid_value;
    }
    if (is_capturing(*on)) {
        return invalidate_capture(*on); // memory nodes are not offered
    }
    bool for_host = false;
    if (const CUresult result = check_pool(pool, &for_host); result != cuda_success) {
        return result;
    }
    DeviceBlock block;
    block.pool = id_of(pool);
    const CUresult result = make_block(bytes, for_host, block, start);
    if (result == cuda_success) {
        count_use(pool);
    }
    return result;
}

void free_in_stream(CUdeviceptr start) {
    const std::lock_guard<std::mutex> lock(memory().mutex);
    const auto found = memory().device.find(start);
    if (found != memory().device.end()) {
        free_block(found->second);
        memory().device.erase(found);
    }
}

CUresult check_managed(CUdeviceptr start, std::size_t bytes) {
    const std::lock_guard<std::mutex> lock(memory().mutex);
    const DeviceBlock *block = find_device_block(start);
    const bool inside = block != nullptr && block->managed && start - block->address + bytes <= block->bytes;
    return inside && bytes != 0 ? cuda_success : cuda_error_invalid_value;
}

/// Advice and prefetching may name the node of the calling thread, too.
CUresult check_target(const CUmemLocation &location) {
    constexpr int host_numa_current = 4;
    return location.type == host_numa_current ? cuda_success : check_location(location);
}

} // namespace

void drop_pools() {
    const std::lock_guard<std::mutex> lock(pools().mutex);
    pools().all.clear();
}

std::string held_pools() {
    const std::lock_guard<std::mutex> lock(pools().mutex);
    const auto count =
        std::count_if(pools().all.begin(), pools().all.end(), [](const auto &item) { return !item.second.is_default; });
    return count == 0 ? std::string{} : std::to_string(count) + " memory pools\n";
}

namespace calls {

CUresult cuMemPoolCreate(CUmemoryPool *pool, const CUmemPoolProps *properties) {
    if (pool == nullptr || properties == nullptr || properties->type != allocation_pinned ||
        (properties->handle_types & ~1) != 0) {
        return cuda_error_invalid_value;
    }
    if (const CUresult result = check_location(properties->location); result != cuda_success) {
        return result;
    }
    const uint64_t id = driver().next_id.fetch_add(1);
    const std::lock_guard<std::mutex> lock(pools().mutex);
    Pool &made = pools().all[id];
    made.properties = *properties;
    if (properties->location.type == location_device) {
        made.devices.insert(properties->location.id);
    }
    *pool = handle_of(id);
    return cuda_success;
}

CUresult cuMemPoolDestroy(CUmemoryPool pool) {
    const std::lock_guard<std::mutex> lock(pools().mutex);
    const Pool *found = find_pool(pool);
    if (found == nullptr || found->is_default) {
        return cuda_error_invalid_value;
    }
    pools().all.erase(id_of(pool)); // what was allocated stays until it is freed
    return cuda_success;
}

CUresult cuMemPoolSetAttribute(CUmemoryPool pool, int attribute, void *value) {
    const std::lock_guard<std::mutex> lock(pools().mutex);
    Pool *found = find_pool(pool);
    if (found == nullptr || value == nullptr) {
        return cuda_error_invalid_value;
    }
    if (attribute >= attribute_reuse_first && attribute <= attribute_reuse_last) {
        std::memcpy(&found->reuse[attribute - attribute_reuse_first], value, sizeof(int));
        return cuda_success;
    }
    if (attribute == attribute_threshold) {
        std::memcpy(&found->threshold, value, sizeof found->threshold);
        return cuda_success;
    }
    // High marks can be set to nothing only.
    uint64_t mark = 0;
    std::memcpy(&mark, value, sizeof mark);
    if ((attribute != attribute_reserved + 1 && attribute != attribute_used + 1) || mark != 0) {
        return cuda_error_invalid_value;
    }
    found->high[attribute == attribute_reserved + 1 ? 0 : 1] = 0;
    return cuda_success;
}

CUresult cuMemPoolGetAttribute(CUmemoryPool pool, int attribute, void *value) {
    const uint64_t used = used_bytes(id_of(pool));
    const std::lock_guard<std::mutex> lock(pools().mutex);
    const Pool *found = find_pool(pool);
    if (found == nullptr || value == nullptr || attribute < attribute_reuse_first || attribute > attribute_last) {
        return cuda_error_invalid_value;
    }
    if (attribute <= attribute_reuse_last) {
        std::memcpy(value, &found->reuse[attribute - attribute_reuse_first], sizeof(int));
        return cuda_success;
    }
    const uint64_t values[] = {found->threshold, used, found->high[0], used, found->high[1]};
    std::memcpy(value, &values[attribute - attribute_threshold], sizeof(uint64_t));
    return cuda_success;
}

CUresult cuMemPoolSetAccess(CUmemoryPool pool, const CUmemAccessDesc *accesses, std::size_t count) {
    const std::lock_guard<std::mutex> lock(pools().mutex);
    Pool *found = find_pool(pool);
    if (found == nullptr || accesses == nullptr) {
        return cuda_error_invalid_value;
    }
    for (std::size_t i = 0; i < count; i++) {
        const CUmemLocation &location = accesses[i].location;
        if (location.type != location_device) {
            return cuda_error_invalid_value;
        }
        if (const CUresult result = check_location(location); result != cuda_success) {
            return result;
        }
        if (accesses[i].flags != 0) {
            found->devices.insert(location.id);
        } else {
            found->devices.erase(location.id);
        }
    }
    return cuda_success;
}

CUresult cuMemPoolTrimTo(CUmemoryPool pool, std::size_t) {
    // Nothing is kept that is not in use.
    const std::lock_guard<std::mutex> lock(pools().mutex);
    return find_pool(pool) == nullptr ? cuda_error_invalid_value : cuda_success;
}

CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool, CUdevice device) {
    const CUmemLocation location{location_device, device};
    if (const CUresult result = check_location(location); result != cuda_success || pool == nullptr) {
        return result != cuda_success ? result : cuda_error_invalid_value;
    }
    *pool = default_pool(location);
    return cuda_success;
}

CUresult cuMemGetDefaultMemPool(CUmemoryPool *pool, CUmemLocation *location, int type) {
    if (pool == nullptr || location == nullptr || type != allocation_pinned) {
        return cuda_error_invalid_value;
    }
    if (const CUresult result = check_location(*location); result != cuda_success) {
        return result;
    }
    *pool = default_pool(*location);
    return cuda_success;
}

CUresult cuMemAllocAsync(CUdeviceptr *start, std::size_t bytes, CUstream stream) {
    const CUmemLocation location{location_device, this_thread().current()->device};
    return allocate(start, bytes, default_pool(location), stream);
}

CUresult cuMemAllocFromPoolAsync(CUdeviceptr *start, std::size_t bytes, CUmemoryPool pool, CUstream stream) {
    return allocate(start, bytes, pool, stream);
}

CUresult cuMemFreeAsync(CUdeviceptr start, CUstream stream) {
    Stream *on = nullptr;
    if (const CUresult result = resolve_stream(stream, &on); result != cuda_success) {
        return result;
    }
    if (is_capturing(*on)) {
        return invalidate_capture(*on);
    }
    {
        const std::lock_guard<std::mutex> lock(memory().mutex);
        const DeviceBlock *block = find_device_block(start);
        if (block == nullptr || block->address != start) {
            return cuda_error_invalid_value;
        }
    }
    return submit(*on, [start](Stream &, CUresult) { free_in_stream(start); });
}

CUresult cuMemAllocManaged(CUdeviceptr *start, std::size_t bytes, unsigned flags) {
    constexpr unsigned attach_global = 1, attach_host = 2;
    if (start == nullptr || bytes == 0 || (flags != attach_global && flags != attach_host)) {
        return cuda_error_invalid_value;
    }
    DeviceBlock block;
    block.managed = true;
    return make_block(bytes, true, block, start);
}

CUresult cuMemAdvise_v2(CUdeviceptr start, std::size_t bytes, int advice, CUmemLocation location) {
    constexpr int advice_first = 1, advice_last = 6;
    const bool names_location = advice >= 3; // the first two are of the data alone
    if (advice < advice_first || advice > advice_last || (names_location && check_target(location) != cuda_success)) {
        return cuda_error_invalid_value;
    }
    return check_managed(start, bytes);
}

CUresult cuMemPrefetchAsync_v2(CUdeviceptr start, std::size_t bytes, CUmemLocation location, unsigned flags,
                               CUstream stream) {
    Stream *on = nullptr;
    CUresult result = resolve_stream(stream, &on);
    if (result == cuda_success) {
        result = flags != 0 ? cuda_error_invalid_value : check_target(location);
    }
    if (result == cuda_success) {
        result = check_managed(start, bytes);
    }
    // The pages are where both sides reach them already.
    return result != cuda_success ? result : submit(*on, [](Stream &, CUresult) {});
}

} // namespace calls

} // namespace fakes::cuda
