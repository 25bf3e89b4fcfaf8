// SPDX-License-Identifier: Apache-2.0
#include "vmm.hpp"

#include <algorithm>
#include <cstdio>
#include <fcntl.h>
#include <sys/mman.h>

namespace fakes::cuda {

namespace {

constexpr int handle_type_file = 1;
constexpr int protection_none = 0;
constexpr int protection_read = 1;

bool is_whole(std::size_t bytes) {
    return bytes != 0 && bytes % granularity == 0;
}

CUresult check_properties(const CUmemAllocationProp *properties) {
    if (properties == nullptr || properties->type != allocation_pinned) {
        return cuda_error_invalid_value;
    }
    const int handles = properties->requested_handle_types;
    if ((handles != 0 && handles != handle_type_file) || (handles != 0 && properties->location.type == location_host)) {
        return cuda_error_invalid_value;
    }
    return check_location(properties->location);
}

/// Addresses as they were reserved: nobody can touch them.
bool close_range(CUdeviceptr address, std::size_t bytes) {
    return mmap(reinterpret_cast<void *>(address), bytes, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED;
}

/// A reservation whose address has the alignment; 0: there is no room.
CUdeviceptr reserve(std::size_t bytes, std::size_t alignment, CUdeviceptr wish) {
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *hint = wish % alignment == 0 ? reinterpret_cast<void *>(wish) : nullptr;
    void *mapped = mmap(hint, bytes + alignment, PROT_NONE, flags, -1, 0);
    if (mapped == MAP_FAILED) {
        return 0;
    }
    const CUdeviceptr start = reinterpret_cast<std::uintptr_t>(mapped);
    const CUdeviceptr aligned = (start + alignment - 1) / alignment * alignment;
    if (aligned != start) {
        munmap(mapped, aligned - start);
    }
    munmap(reinterpret_cast<void *>(aligned + bytes), start + alignment - aligned);
    return aligned;
}

bool is_reserved(CUdeviceptr address, std::size_t bytes) {
    const auto &all = virtual_memory().reservations;
    const auto after = all.upper_bound(address);
    if (after == all.begin()) {
        return false;
    }
    const auto &[start, length] = *std::prev(after);
    return address - start < length && address - start + bytes <= length;
}

bool has_mapping(CUdeviceptr address, std::size_t bytes) {
    const auto &all = virtual_memory().mappings;
    return std::any_of(all.begin(), all.end(), [&](const auto &item) {
        return item.second.address < address + bytes && address < item.second.address + item.second.bytes;
    });
}

/// The mappings that fill a range without a gap; empty: none do.
std::vector<Mapping *> mappings_of(CUdeviceptr address, std::size_t bytes) {
    std::vector<Mapping *> found;
    CUdeviceptr at = address;
    while (at < address + bytes) {
        const auto next = virtual_memory().mappings.find(at);
        if (next == virtual_memory().mappings.end()) {
            return {};
        }
        found.push_back(&next->second);
        at += next->second.bytes;
    }
    return at == address + bytes ? found : std::vector<Mapping *>{};
}

CUresult check_access(const CUmemAccessDesc &access, const std::vector<Mapping *> &mappings) {
    const int flags = access.flags;
    if (flags != protection_none && flags != protection_read && flags != access_read_write) {
        return cuda_error_invalid_value;
    }
    if (const CUresult result = check_location(access.location); result != cuda_success) {
        return result;
    }
    const bool all_host = std::all_of(mappings.begin(), mappings.end(), [](const Mapping *mapping) {
        return is_host(mapping->allocation->properties.location);
    });
    return is_host(access.location) && !all_host ? cuda_error_invalid_value : cuda_success;
}

void set_access(Mapping &mapping, const CUmemAccessDesc &access) {
    if (!is_host(access.location)) {
        if (access.flags == protection_none) {
            mapping.devices.erase(access.location.id);
        } else {
            mapping.devices.insert(access.location.id);
        }
        return;
    }
    const int protection = access.flags == protection_none   ? PROT_NONE
                           : access.flags == protection_read ? PROT_READ
                                                             : PROT_READ | PROT_WRITE;
    mprotect(reinterpret_cast<void *>(mapping.address), mapping.bytes, protection);
}

CUmemGenericAllocationHandle add_handle(std::shared_ptr<Allocation> allocation) {
    const CUmemGenericAllocationHandle handle = driver().next_id.fetch_add(1) << 8;
    const std::lock_guard<std::mutex> lock(virtual_memory().mutex);
    virtual_memory().handles.emplace(handle, std::move(allocation));
    return handle;
}

std::shared_ptr<Allocation> find_handle(CUmemGenericAllocationHandle handle) {
    const std::lock_guard<std::mutex> lock(virtual_memory().mutex);
    const auto found = virtual_memory().handles.find(handle);
    return found == virtual_memory().handles.end() ? nullptr : found->second;
}

} // namespace

VirtualMemory &virtual_memory() {
    static VirtualMemory &instance = *new VirtualMemory;
    return instance;
}

Mapping *find_mapping(CUdeviceptr address) {
    auto &all = virtual_memory().mappings;
    const auto after = all.upper_bound(address);
    if (after == all.begin()) {
        return nullptr;
    }
    Mapping &mapping = std::prev(after)->second;
    return address - mapping.address < mapping.bytes ? &mapping : nullptr;
}

void drop_virtual_memory() {
    VirtualMemory &all = virtual_memory();
    const std::lock_guard<std::mutex> lock(all.mutex);
    all.mappings.clear();
    all.handles.clear();
    for (const auto &[address, bytes] : all.reservations) {
        munmap(reinterpret_cast<void *>(address), bytes);
    }
    all.reservations.clear();
}

std::string held_virtual_memory() {
    VirtualMemory &all = virtual_memory();
    const std::lock_guard<std::mutex> lock(all.mutex);
    std::string text;
    const std::pair<const char *, std::size_t> kinds[] = {{"allocation handles", all.handles.size()},
                                                          {"address reservations", all.reservations.size()},
                                                          {"mappings", all.mappings.size()}};
    for (const auto &[what, count] : kinds) {
        text += count == 0 ? std::string{} : std::to_string(count) + " " + what + "\n";
    }
    return text;
}

namespace calls {

CUresult cuMemGetAllocationGranularity(std::size_t *bytes, const CUmemAllocationProp *properties, int option) {
    const CUresult result = check_properties(properties);
    if (result != cuda_success || bytes == nullptr || option < 0 || option > 1) {
        return result != cuda_success ? result : cuda_error_invalid_value;
    }
    *bytes = granularity;
    return cuda_success;
}

CUresult cuMemCreate(CUmemGenericAllocationHandle *handle, std::size_t bytes, const CUmemAllocationProp *properties,
                     unsigned long long flags) {
    CUresult result = check_properties(properties);
    if (result != cuda_success || handle == nullptr || !is_whole(bytes) || flags != 0) {
        return result != cuda_success ? result : cuda_error_invalid_value;
    }
    std::shared_ptr<Allocation> made;
    result = make_allocation(bytes, *properties, &made);
    if (result == cuda_success) {
        *handle = add_handle(std::move(made));
    }
    return result;
}

CUresult cuMemRelease(CUmemGenericAllocationHandle handle) {
    std::shared_ptr<Allocation> freed_outside_the_lock;
    const std::lock_guard<std::mutex> lock(virtual_memory().mutex);
    const auto found = virtual_memory().handles.find(handle);
    if (found == virtual_memory().handles.end()) {
        return cuda_error_invalid_value;
    }
    freed_outside_the_lock = std::move(found->second);
    virtual_memory().handles.erase(found);
    return cuda_success;
}

CUresult cuMemAddressReserve(CUdeviceptr *address, std::size_t bytes, std::size_t alignment, CUdeviceptr wish,
                             unsigned long long flags) {
    if (address == nullptr || !is_whole(bytes) || (alignment & (alignment - 1)) != 0 || flags != 0) {
        return cuda_error_invalid_value;
    }
    const std::lock_guard<std::mutex> lock(virtual_memory().mutex);
    *address = reserve(bytes, std::max(alignment, granularity), wish);
    if (*address == 0) {
        return cuda_error_out_of_memory;
    }
    virtual_memory().reservations.emplace(*address, bytes);
    return cuda_success;
}

CUresult cuMemAddressFree(CUdeviceptr address, std::size_t bytes) {
    const std::lock_guard<std::mutex> lock(virtual_memory().mutex);
    const auto found = virtual_memory().reservations.find(address);
    if (found == virtual_memory().reservations.end() || found->second != bytes || has_mapping(address, bytes)) {
        return cuda_error_invalid_value;
    }
    munmap(reinterpret_cast<void *>(address), bytes);
    virtual_memory().reservations.erase(found);
    return cuda_success;
}

CUresult cuMemMap(CUdeviceptr address, std::size_t bytes, std::size_t offset, CUmemGenericAllocationHandle handle,
                  unsigned long long flags) {
    const std::shared_ptr<Allocation> allocation = find_handle(handle);
    if (allocation == nullptr || offset != 0 || flags != 0 || bytes != allocation->bytes ||
        address % granularity != 0) {
        return cuda_error_invalid_value;
    }
    const std::lock_guard<std::mutex> lock(virtual_memory().mutex);
    if (!is_reserved(address, bytes) || has_mapping(address, bytes)) {
        return cuda_error_invalid_value;
    }
    if (is_host(allocation->properties.location) && mmap(reinterpret_cast<void *>(address), bytes, PROT_NONE,
                                                         MAP_SHARED | MAP_FIXED, allocation->file, 0) == MAP_FAILED) {
        return cuda_error_out_of_memory;
    }
    virtual_memory().mappings[address] = {address, bytes, allocation, {}};
    return cuda_success;
}

CUresult cuMemUnmap(CUdeviceptr address, std::size_t bytes) {
    const std::lock_guard<std::mutex> lock(virtual_memory().mutex);
    const std::vector<Mapping *> found = mappings_of(address, bytes);
    if (found.empty()) {
        return cuda_error_invalid_value;
    }
    close_range(address, bytes);
    for (const Mapping *mapping : found) {
        virtual_memory().mappings.erase(mapping->address);
    }
    return cuda_success;
}

CUresult cuMemSetAccess(CUdeviceptr address, std::size_t bytes, const CUmemAccessDesc *accesses, std::size_t count) {
    const std::lock_guard<std::mutex> lock(virtual_memory().mutex);
    const std::vector<Mapping *> found = mappings_of(address, bytes);
    if (found.empty() || accesses == nullptr || count == 0) {
        return cuda_error_invalid_value;
    }
    for (std::size_t i = 0; i < count; i++) {
        if (const CUresult result = check_access(accesses[i], found); result != cuda_success) {
            return result;
        }
    }
    for (std::size_t i = 0; i < count; i++) {
        for (Mapping *mapping : found) {
            set_access(*mapping, accesses[i]);
        }
    }
    return cuda_success;
}

CUresult cuMemRetainAllocationHandle(CUmemGenericAllocationHandle *handle, void *address) {
    std::shared_ptr<Allocation> allocation;
    {
        const std::lock_guard<std::mutex> lock(virtual_memory().mutex);
        const Mapping *found = find_mapping(reinterpret_cast<std::uintptr_t>(address));
        allocation = found == nullptr ? nullptr : found->allocation;
    }
    if (handle == nullptr || allocation == nullptr) {
        return cuda_error_invalid_value;
    }
    *handle = add_handle(std::move(allocation));
    return cuda_success;
}

CUresult cuMemGetAllocationPropertiesFromHandle(CUmemAllocationProp *properties, CUmemGenericAllocationHandle handle) {
    const std::shared_ptr<Allocation> allocation = find_handle(handle);
    if (properties == nullptr || allocation == nullptr) {
        return cuda_error_invalid_value;
    }
    *properties = allocation->properties;
    return cuda_success;
}

CUresult cuMemExportToShareableHandle(void *shared, CUmemGenericAllocationHandle handle, int type,
                                      unsigned long long flags) {
    const std::shared_ptr<Allocation> allocation = find_handle(handle);
    if (shared == nullptr || allocation == nullptr || type != handle_type_file || flags != 0 ||
        allocation->properties.requested_handle_types != handle_type_file) {
        return cuda_error_invalid_value;
    }
    const int file = fcntl(allocation->file, F_DUPFD_CLOEXEC, 0);
    if (file < 0) {
        return cuda_error_operating_system;
    }
    *static_cast<int *>(shared) = file;
    return cuda_success;
}

CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle *handle, void *shared, int type) {
    if (handle == nullptr || type != handle_type_file) {
        return cuda_error_invalid_value;
    }
    std::shared_ptr<Allocation> adopted;
    const auto file = static_cast<int>(reinterpret_cast<std::intptr_t>(shared));
    const CUresult result = adopt_allocation(file, &adopted);
    if (result == cuda_success) {
        *handle = add_handle(std::move(adopted));
    }
    return result;
}

} // namespace calls

} // namespace fakes::cuda
