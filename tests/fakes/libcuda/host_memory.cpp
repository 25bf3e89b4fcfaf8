// SPDX-License-Identifier: Apache-2.0
#include "memory.hpp"

#include <chrono>
#include <sys/mman.h>
#include <thread>

namespace fakes::cuda {

namespace {

constexpr std::size_t largest_pin = std::size_t{512} << 30;
constexpr std::size_t largest_pin_611 = std::size_t{2} << 30;
constexpr unsigned register_flags =
    host_register_portable | host_register_device_map | host_register_io_memory | host_register_read_only;
constexpr unsigned alloc_flags = host_alloc_portable | host_alloc_device_map | host_alloc_write_combined;

bool is_too_large(std::size_t bytes) {
    return bytes >= largest_pin || (driver().config.kernel611 && bytes >= largest_pin_611);
}

/// Page-locking takes its time, and where the configuration says so, one call at a time.
class PinTime {
public:
    explicit PinTime(std::size_t bytes) {
        static std::mutex &one_at_a_time = *new std::mutex;
        const Config &config = driver().config;
        if (config.pin_lock) {
            lock_ = std::unique_lock<std::mutex>(one_at_a_time);
        }
        const double gib = static_cast<double>(bytes) / static_cast<double>(std::size_t{1} << 30);
        const auto ns = static_cast<int64_t>(static_cast<double>(config.pin_ns_per_gib) * gib);
        if (ns > 0) {
            std::this_thread::sleep_for(std::chrono::nanoseconds(ns));
        }
    }

private:
    std::unique_lock<std::mutex> lock_;
};

const DeviceConfig &current_device() {
    return driver().devices[static_cast<std::size_t>(this_thread().current()->device)]->config;
}

bool overlaps(std::uintptr_t address, std::size_t bytes) {
    const auto after = memory().host.lower_bound(address + bytes);
    if (after == memory().host.begin()) {
        return false;
    }
    const HostBlock &before = std::prev(after)->second;
    return before.address + before.bytes > address;
}

HostBlock rounded(void *start, std::size_t bytes, unsigned flags) {
    HostBlock block;
    const auto address = reinterpret_cast<std::uintptr_t>(start);
    block.asked = address;
    block.address = address & ~(page_bytes - 1);
    block.bytes = ((address + bytes + page_bytes - 1) & ~(page_bytes - 1)) - block.address;
    block.flags = flags;
    block.context = this_thread().current();
    return block;
}

/// The block is in the table before its pages are locked, so that a second call for the same range sees it.
bool insert(const HostBlock &block) {
    const std::lock_guard<std::mutex> lock(memory().mutex);
    return !overlaps(block.address, block.bytes) && memory().host.emplace(block.address, block).second;
}

void erase(std::uintptr_t address) {
    const std::lock_guard<std::mutex> lock(memory().mutex);
    memory().host.erase(address);
}

CUresult lock_pages(const HostBlock &block) {
    auto *start = reinterpret_cast<void *>(block.address);
    const bool read_only = (block.flags & host_register_read_only) != 0 && !block.allocated;
    const Populate result = populate(start, block.bytes, read_only);
    if (result != Populate::done) {
        return result == Populate::not_mapped ? cuda_error_invalid_value : cuda_error_out_of_memory;
    }
    const int device = block.context->device;
    if (driver().devices[static_cast<std::size_t>(device)]->config.pageable_by_host_tables && !block.allocated) {
        return cuda_success; // populated, not locked
    }
    auto pinned = Pinned::pin(start, block.bytes);
    const std::lock_guard<std::mutex> lock(memory().mutex);
    if (HostBlock *found = find_host(block.address); found != nullptr) {
        found->pinned = std::move(pinned);
    }
    return cuda_success;
}

CUresult allocate(void **start, std::size_t bytes, unsigned flags) {
    if (start == nullptr || bytes == 0 || (flags & ~alloc_flags) != 0) {
        return cuda_error_invalid_value;
    }
    if (is_too_large(bytes)) {
        return cuda_error_out_of_memory;
    }
    const PinTime time(bytes);
    const std::size_t offset = driver().config.host_alloc_offset;
    const std::size_t length = (offset + bytes + page_bytes - 1) & ~(page_bytes - 1);
    void *mapped = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) {
        return cuda_error_out_of_memory;
    }
    HostBlock block = rounded(mapped, length, flags);
    block.allocated = true;
    block.asked = block.address + offset;
    if (!insert(block) || lock_pages(block) != cuda_success) {
        erase(block.address);
        munmap(mapped, length);
        return cuda_error_out_of_memory;
    }
    *start = static_cast<char *>(mapped) + offset;
    return cuda_success;
}

/// What stands at exactly the address that a caller gives back, taken out of the table.
CUresult take(void *start, bool allocated, HostBlock *block) {
    const auto address = reinterpret_cast<std::uintptr_t>(start);
    const std::lock_guard<std::mutex> lock(memory().mutex);
    const HostBlock *found = find_host(address);
    if (found == nullptr || found->allocated != allocated || found->asked != address) {
        return allocated ? cuda_error_invalid_value : cuda_error_host_memory_not_registered;
    }
    *block = *found;
    memory().host.erase(block->address);
    return cuda_success;
}

} // namespace

Memory &memory() {
    static Memory &instance = *new Memory;
    return instance;
}

HostBlock *find_host(std::uintptr_t address) {
    auto &blocks = memory().host;
    const auto after = blocks.upper_bound(address);
    if (after == blocks.begin()) {
        return nullptr;
    }
    HostBlock &block = std::prev(after)->second;
    return address - block.address < block.bytes ? &block : nullptr;
}

bool is_visible(const HostBlock &block, const Context *context) {
    return block.context == context || block.allocated || (block.flags & host_register_portable) != 0;
}

void unlock_memory(const Context &context) {
    const std::lock_guard<std::mutex> lock(memory().mutex);
    for (auto &[address, block] : memory().host) {
        if (block.context == &context) {
            block.pinned = nullptr;
        }
    }
}

namespace calls {

CUresult cuMemHostAlloc(void **start, std::size_t bytes, unsigned flags) {
    return allocate(start, bytes, flags);
}

CUresult cuMemAllocHost_v2(void **start, std::size_t bytes) {
    return allocate(start, bytes, 0);
}

CUresult cuMemFreeHost(void *start) {
    HostBlock block;
    const CUresult result = take(start, true, &block);
    if (result == cuda_success) {
        block.pinned = nullptr;
        munmap(reinterpret_cast<void *>(block.address), block.bytes);
    }
    return result;
}

CUresult cuMemHostRegister_v2(void *start, std::size_t bytes, unsigned flags) {
    if (start == nullptr || bytes == 0 || (flags & ~register_flags) != 0 ||
        reinterpret_cast<std::uintptr_t>(start) + bytes < bytes) {
        return cuda_error_invalid_value;
    }
    if ((flags & host_register_io_memory) != 0 || !current_device().host_register) {
        return cuda_error_not_supported;
    }
    if (is_too_large(bytes)) {
        return cuda_error_out_of_memory;
    }
    const HostBlock block = rounded(start, bytes, flags);
    if (!insert(block)) {
        return cuda_error_host_memory_already_registered;
    }
    const PinTime time(bytes);
    const CUresult result = lock_pages(block);
    if (result != cuda_success) {
        erase(block.address);
    }
    return result;
}

CUresult cuMemHostUnregister(void *start) {
    HostBlock block;
    return take(start, false, &block);
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *device, void *start, unsigned flags) {
    if (device == nullptr || flags != 0) {
        return cuda_error_invalid_value;
    }
    const auto address = reinterpret_cast<std::uintptr_t>(start);
    const std::lock_guard<std::mutex> lock(memory().mutex);
    const HostBlock *block = find_host(address);
    const bool mapped = block != nullptr && (block->allocated || (block->flags & host_register_device_map) != 0);
    if (!mapped || !is_visible(*block, this_thread().current())) {
        return cuda_error_invalid_value;
    }
    *device = address + driver().config.host_pointer_offset;
    return cuda_success;
}

CUresult cuMemHostGetFlags(unsigned *flags, void *start) {
    const std::lock_guard<std::mutex> lock(memory().mutex);
    const HostBlock *block = find_host(reinterpret_cast<std::uintptr_t>(start));
    if (flags == nullptr || block == nullptr) {
        return cuda_error_invalid_value;
    }
    // With one address space for all, whatever is allocated is mapped and portable.
    *flags = block->flags | (block->allocated ? host_alloc_device_map | host_alloc_portable : 0U);
    return cuda_success;
}

} // namespace calls

} // namespace fakes::cuda
