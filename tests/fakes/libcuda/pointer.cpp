// SPDX-License-Identifier: Apache-2.0
// What is known of a pointer.
#include "memory.hpp"
#include "vmm.hpp"

#include <cstring>

namespace fakes::cuda {

namespace {

constexpr CUpointer_attribute attribute_context = 1;
constexpr CUpointer_attribute attribute_memory_type = 2;
constexpr CUpointer_attribute attribute_device_pointer = 3;
constexpr CUpointer_attribute attribute_host_pointer = 4;
constexpr CUpointer_attribute attribute_is_managed = 8;
constexpr CUpointer_attribute attribute_ordinal = 9;
constexpr CUpointer_attribute attribute_range_start = 11;
constexpr CUpointer_attribute attribute_range_bytes = 12;
constexpr CUpointer_attribute attribute_mapped = 13;

template <typename T> CUresult store(void *data, T value) {
    std::memcpy(data, &value, sizeof value);
    return cuda_success;
}

CUresult describe_host(void *data, CUpointer_attribute attribute, const HostBlock &block, std::uintptr_t address) {
    switch (attribute) {
    case attribute_context:
        return store(data, block.context);
    case attribute_memory_type:
        return store(data, memory_type_host);
    case attribute_device_pointer:
        return store(data, CUdeviceptr{address + driver().config.host_pointer_offset});
    case attribute_host_pointer:
        return store(data, address);
    case attribute_is_managed:
        return store(data, 0);
    case attribute_ordinal:
        return store(data, block.context->device);
    case attribute_range_start:
        return store(data, CUdeviceptr{block.address});
    case attribute_range_bytes:
        return store(data, block.bytes);
    case attribute_mapped:
        return store(data, 1);
    default:
        return cuda_error_invalid_value;
    }
}

CUresult describe_device(void *data, CUpointer_attribute attribute, const DeviceBlock &block, CUdeviceptr address) {
    switch (attribute) {
    case attribute_context:
        return store(data, block.context);
    case attribute_memory_type:
        return store(data, memory_type_device);
    case attribute_device_pointer:
        return store(data, address);
    case attribute_is_managed:
        return store(data, block.managed ? 1 : 0);
    case attribute_ordinal:
        return store(data, block.device);
    case attribute_range_start:
        return store(data, block.address);
    case attribute_range_bytes:
        return store(data, block.bytes);
    case attribute_mapped:
        return store(data, 1);
    default:
        return cuda_error_invalid_value;
    }
}

CUresult describe_mapping(void *data, CUpointer_attribute attribute, const Mapping &mapping, CUdeviceptr address) {
    const CUmemLocation &location = mapping.allocation->properties.location;
    switch (attribute) {
    case attribute_context:
        return store(data, static_cast<Context *>(nullptr));
    case attribute_memory_type:
        return store(data, is_host(location) ? memory_type_host : memory_type_device);
    case attribute_device_pointer:
        return store(data, address);
    case attribute_is_managed:
        return store(data, 0);
    case attribute_ordinal:
        return store(data, is_host(location) ? -1 : location.id);
    case attribute_range_start:
        return store(data, mapping.address);
    case attribute_range_bytes:
        return store(data, mapping.bytes);
    case attribute_mapped:
        return store(data, 1);
    default:
        return cuda_error_invalid_value;
    }
}

CUresult describe(void *data, CUpointer_attribute attribute, CUdeviceptr pointer) {
    {
        const std::lock_guard<std::mutex> lock(virtual_memory().mutex);
        if (const Mapping *mapping = find_mapping(pointer); mapping != nullptr) {
            return describe_mapping(data, attribute, *mapping, pointer);
        }
    }
    const std::lock_guard<std::mutex> lock(memory().mutex);
    if (const DeviceBlock *block = find_device_block(pointer); block != nullptr) {
        return describe_device(data, attribute, *block, pointer);
    }
    const uint64_t offset = driver().config.host_pointer_offset;
    for (const std::uintptr_t address : {std::uintptr_t{pointer}, std::uintptr_t{pointer - offset}}) {
        if (const HostBlock *block = find_host(address); block != nullptr) {
            return describe_host(data, attribute, *block, address);
        }
    }
    return cuda_error_invalid_value;
}

} // namespace

namespace calls {

CUresult cuPointerGetAttribute(void *data, CUpointer_attribute attribute, CUdeviceptr pointer) {
    return data == nullptr ? cuda_error_invalid_value : describe(data, attribute, pointer);
}

CUresult cuPointerGetAttributes(unsigned count, CUpointer_attribute *attributes, void **data, CUdeviceptr pointer) {
    if (attributes == nullptr || data == nullptr) {
        return cuda_error_invalid_value;
    }
    for (unsigned i = 0; i < count; i++) {
        // Of a pointer that the driver does not know, this call says so by what it leaves as zero.
        if (describe(data[i], attributes[i], pointer) != cuda_success) {
            std::memset(data[i], 0, sizeof(int));
        }
    }
    return cuda_success;
}

} // namespace calls

} // namespace fakes::cuda
