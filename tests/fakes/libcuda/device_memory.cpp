// SPDX-License-Identifier: Apache-2.0
#include "capture.hpp"
#include "memory.hpp"
#include "stream.hpp"
#include "vmm.hpp"

#include <cstring>
#include <sys/mman.h>

namespace fakes::cuda {

namespace {

/// Where an address of a copy really is.
struct Place {
    char *bytes = nullptr; // nullptr: nowhere
    bool pageable = false;
    CUdeviceptr address = 0;
};

/// Memory with an address range of its own, as far as the current context's device may use it.
bool find_mapped(CUdeviceptr address, std::size_t bytes, Place *place) {
    const std::lock_guard<std::mutex> lock(virtual_memory().mutex);
    const Mapping *mapping = find_mapping(address);
    if (mapping == nullptr) {
        return false;
    }
    const std::size_t offset = address - mapping->address;
    const bool open = mapping->devices.count(this_thread().current()->device) != 0;
    const bool fits = offset + bytes <= mapping->bytes;
    *place = open && fits ? Place{mapping->allocation->backing + offset, false, address} : Place{};
    return true;
}

/// A range on a device, or of the host: there any address passes for pageable memory.
Place find_place(CUdeviceptr address, std::size_t bytes, bool is_device) {
    if (Place mapped; find_mapped(address, bytes, &mapped)) {
        return mapped;
    }
    const std::lock_guard<std::mutex> lock(memory().mutex);
    if (const DeviceBlock *block = find_device_block(address); block != nullptr) {
        const std::size_t offset = address - block->address;
        return offset + bytes > block->bytes ? Place{} : Place{block->backing + offset, false, address};
    }
    const std::uint64_t offset = driver().config.host_pointer_offset;
    const HostBlock *mapped = find_host(address - offset);
    if (is_device) {
        const bool inside = mapped != nullptr && address - offset + bytes <= mapped->address + mapped->bytes;
        return inside ? Place{reinterpret_cast<char *>(address - offset), false, address} : Place{};
    }
    const bool locked = find_host(address) != nullptr;
    return Place{reinterpret_cast<char *>(address), !locked, address};
}

CUresult copy(const Place &to, const Place &from, std::size_t bytes, CUstream stream, bool wait) {
    Stream *on = nullptr;
    CUresult result = resolve_stream(stream, &on);
    if (result != cuda_success) {
        return result;
    }
    if (to.bytes == nullptr || from.bytes == nullptr) {
        return cuda_error_invalid_value;
    }
    if (is_capturing(*on)) {
        return !wait && record_into_capture(*on) ? cuda_success : invalidate_capture(*on);
    }
    // What is not page-locked is read before the call returns, and written before it returns.
    std::shared_ptr<std::vector<char>> staged;
    char *source = from.bytes;
    if (from.pageable) {
        staged = std::make_shared<std::vector<char>>(from.bytes, from.bytes + bytes);
        source = staged->data();
    }
    char *target = to.bytes;
    result = submit(*on, [target, source, bytes, staged](Stream &, CUresult status) {
        if (status == cuda_success) {
            std::memcpy(target, source, bytes);
        }
    });
    return result == cuda_success && (wait || to.pageable) ? wait_for_stream(*on) : result;
}

Place host_place(const void *start) {
    return find_place(reinterpret_cast<std::uintptr_t>(start), 0, false);
}

} // namespace

DeviceBlock *find_device_block(CUdeviceptr address) {
    auto &blocks = memory().device;
    const auto after = blocks.upper_bound(address);
    if (after == blocks.begin()) {
        return nullptr;
    }
    DeviceBlock &block = std::prev(after)->second;
    return address - block.address < block.bytes ? &block : nullptr;
}

CUresult make_block(std::size_t bytes, bool for_host, DeviceBlock block, CUdeviceptr *start) {
    block.context = this_thread().current();
    block.device = block.context->device;
    block.bytes = (bytes + page_bytes - 1) & ~(page_bytes - 1);
    block.id = driver().next_id.fetch_add(1);
    Device &device = *driver().devices[static_cast<std::size_t>(block.device)];
    if (block.bytes < bytes || device.used.fetch_add(block.bytes) + block.bytes > device.config.memory_bytes) {
        device.used.fetch_sub(block.bytes < bytes ? 0 : block.bytes);
        return cuda_error_out_of_memory;
    }
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *backing = mmap(nullptr, block.bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    // What the host may not touch has addresses that nobody can touch, and its contents elsewhere.
    void *address = for_host ? backing : mmap(nullptr, block.bytes, PROT_NONE, flags, -1, 0);
    if (address == MAP_FAILED || backing == MAP_FAILED) {
        device.used.fetch_sub(block.bytes);
        return cuda_error_out_of_memory;
    }
    block.address = reinterpret_cast<std::uintptr_t>(address);
    block.backing = static_cast<char *>(backing);
    *start = block.address;
    const std::lock_guard<std::mutex> lock(memory().mutex);
    memory().device.emplace(block.address, block);
    return cuda_success;
}

void free_block(const DeviceBlock &block) {
    munmap(block.backing, block.bytes);
    if (reinterpret_cast<std::uintptr_t>(block.backing) != block.address) {
        munmap(reinterpret_cast<void *>(block.address), block.bytes);
    }
    driver().devices[static_cast<std::size_t>(block.device)]->used.fetch_sub(block.bytes);
}

void drop_memory(const Context &context) {
    Memory &all = memory();
    const std::lock_guard<std::mutex> lock(all.mutex);
    for (auto at = all.device.begin(); at != all.device.end();) {
        if (at->second.context == &context) {
            free_block(at->second);
            at = all.device.erase(at);
        } else {
            ++at;
        }
    }
    for (auto at = all.host.begin(); at != all.host.end();) {
        if (at->second.context == &context) {
            at->second.pinned = nullptr;
            if (at->second.allocated) {
                munmap(reinterpret_cast<void *>(at->second.address), at->second.bytes);
            }
            at = all.host.erase(at);
        } else {
            ++at;
        }
    }
}

namespace calls {

CUresult cuMemGetInfo_v2(std::size_t *free, std::size_t *total) {
    if (free == nullptr || total == nullptr) {
        return cuda_error_invalid_value;
    }
    const int ordinal = this_thread().current()->device;
    const Device &device = *driver().devices[static_cast<std::size_t>(ordinal)];
    const uint64_t used = device.used.load();
    *total = device.config.memory_bytes;
    *free = used < *total ? *total - used : 0;
    return cuda_success;
}

CUresult cuMemAlloc_v2(CUdeviceptr *start, std::size_t bytes) {
    return start == nullptr || bytes == 0 ? cuda_error_invalid_value : make_block(bytes, false, {}, start);
}

CUresult cuMemFree_v2(CUdeviceptr start) {
    if (start == 0) {
        return cuda_success;
    }
    // Freeing waits for what may still use the memory.
    wait_for_context(*this_thread().current());
    const std::lock_guard<std::mutex> lock(memory().mutex);
    const auto found = memory().device.find(start);
    if (found == memory().device.end()) {
        return cuda_error_invalid_value;
    }
    free_block(found->second);
    memory().device.erase(found);
    return cuda_success;
}

CUresult cuMemGetAddressRange_v2(CUdeviceptr *base, std::size_t *bytes, CUdeviceptr pointer) {
    const std::lock_guard<std::mutex> lock(memory().mutex);
    const DeviceBlock *block = find_device_block(pointer);
    if (block == nullptr) {
        return CUresult{500};
    }
    if (base != nullptr) {
        *base = block->address;
    }
    if (bytes != nullptr) {
        *bytes = block->bytes;
    }
    return cuda_success;
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, std::size_t bytes) {
    return copy(find_place(to, bytes, true), host_place(from), bytes, nullptr, true);
}

CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, std::size_t bytes) {
    return copy(host_place(to), find_place(from, bytes, true), bytes, nullptr, true);
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, std::size_t bytes, CUstream stream) {
    return copy(find_place(to, bytes, true), host_place(from), bytes, stream, false);
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, std::size_t bytes, CUstream stream) {
    return copy(host_place(to), find_place(from, bytes, true), bytes, stream, false);
}

CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream stream) {
    return copy(find_place(to, bytes, false), find_place(from, bytes, false), bytes, stream, false);
}

} // namespace calls

} // namespace fakes::cuda
