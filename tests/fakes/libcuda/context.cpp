// SPDX-License-Identifier: Apache-2.0
#include "memory.hpp"
#include "stream.hpp"

namespace fakes::cuda {

namespace {

constexpr unsigned known_flags = 0x1ff;

bool is_device(CUdevice device) {
    return device >= 0 && static_cast<std::size_t>(device) < driver().devices.size();
}

Device &device_of(CUdevice device) {
    return *driver().devices[static_cast<std::size_t>(device)];
}

/// A context, charged to its device. Under Driver::mutex.
CUresult make_context(CUdevice device, unsigned flags, bool primary, unsigned api_version, Context **made) {
    Driver &all = driver();
    Device &on = device_of(device);
    if (on.config.compute_mode == compute_mode_prohibited) {
        return CUresult{46}; // the device is unavailable
    }
    if (on.used.load() + all.config.context_bytes > on.config.memory_bytes) {
        return cuda_error_out_of_memory;
    }
    Context *context = all.contexts.take();
    if (context == nullptr) {
        return cuda_error_out_of_memory;
    }
    on.used.fetch_add(all.config.context_bytes);
    context->error.store(cuda_success);
    context->legacy.store(nullptr);
    context->device = device;
    context->flags = flags;
    context->primary = primary;
    context->api_version = api_version;
    context->id = all.next_id.fetch_add(1);
    context->peers.clear();
    context->alive.store(true, std::memory_order_release);
    *made = context;
    return cuda_success;
}

CUcontext handle_of(Context *context) {
    return reinterpret_cast<CUcontext>(context);
}

/// The context that a handle names: an error tells a destroyed one from what never was one.
CUresult find_context(CUcontext handle, Context **context) {
    *context = driver().contexts.find(handle);
    if (*context != nullptr) {
        return cuda_success;
    }
    return driver().contexts.knows(handle) ? cuda_error_context_is_destroyed : cuda_error_invalid_context;
}

CUresult push(ThreadState &self, Context *context) {
    if (self.depth == stack_capacity) {
        return cuda_error_out_of_memory;
    }
    self.stack[self.depth++] = context;
    return cuda_success;
}

CUresult create(CUcontext *context, unsigned flags, CUdevice device, unsigned api_version) {
    if (context == nullptr || (flags & ~known_flags) != 0) {
        return cuda_error_invalid_value;
    }
    if (!is_device(device)) {
        return cuda_error_invalid_device;
    }
    const std::lock_guard<std::mutex> lock(driver().mutex);
    Context *made = nullptr;
    CUresult result = make_context(device, flags, false, api_version, &made);
    if (result == cuda_success) {
        result = push(this_thread(), made);
        *context = handle_of(made);
    }
    return result;
}

/// Also of one that was reset: that releases nothing, and others may release it afterwards.
CUresult release_primary(Device &device) {
    if (device.primary_references == 0) {
        return cuda_error_invalid_context;
    }
    if (--device.primary_references == 0 && device.primary != nullptr) {
        destroy_context(*device.primary);
        device.primary = nullptr;
    }
    return cuda_success;
}

} // namespace

void destroy_context(Context &context) {
    context.alive.store(false, std::memory_order_release);
    end_streams(context);
    drop_memory(context);
    driver().events.each_alive([&](Event &event) {
        if (event.context == &context) {
            event.alive.store(false, std::memory_order_release);
            driver().events.give_back(&event);
        }
    });
    driver().devices[static_cast<std::size_t>(context.device)]->used.fetch_sub(driver().config.context_bytes);
    driver().contexts.give_back(&context);
}

namespace calls {

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
    if (context == nullptr) {
        return cuda_error_invalid_value;
    }
    if (!is_device(device)) {
        return cuda_error_invalid_device;
    }
    const std::lock_guard<std::mutex> lock(driver().mutex);
    Device &on = device_of(device);
    if (on.primary == nullptr) {
        const CUresult result = make_context(device, on.primary_flags, true, 0, &on.primary);
        if (result != cuda_success) {
            return result;
        }
    }
    on.primary_references++;
    *context = handle_of(on.primary);
    return cuda_success;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    if (!is_device(device)) {
        return cuda_error_invalid_device;
    }
    const std::lock_guard<std::mutex> lock(driver().mutex);
    return release_primary(device_of(device));
}

CUresult cuDevicePrimaryCtxReset_v2(CUdevice device) {
    if (!is_device(device)) {
        return cuda_error_invalid_device;
    }
    const std::lock_guard<std::mutex> lock(driver().mutex);
    Device &on = device_of(device);
    if (on.primary_references != 0 && driver().config.reset_refuses_active) {
        return cuda_error_primary_context_active;
    }
    if (on.primary != nullptr) {
        destroy_context(*on.primary);
        on.primary = nullptr;
    }
    return cuda_success;
}

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned flags) {
    if (!is_device(device)) {
        return cuda_error_invalid_device;
    }
    if ((flags & ~known_flags) != 0) {
        return cuda_error_invalid_value;
    }
    const std::lock_guard<std::mutex> lock(driver().mutex);
    Device &on = device_of(device);
    on.primary_flags = flags;
    if (on.primary != nullptr) {
        on.primary->flags = flags;
    }
    return cuda_success;
}

CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *active) {
    if (!is_device(device)) {
        return cuda_error_invalid_device;
    }
    if (flags == nullptr || active == nullptr) {
        return cuda_error_invalid_value;
    }
    const std::lock_guard<std::mutex> lock(driver().mutex);
    *flags = device_of(device).primary_flags;
    *active = device_of(device).primary != nullptr ? 1 : 0;
    return cuda_success;
}

CUresult cuCtxCreate_v2(CUcontext *context, unsigned flags, CUdevice device) {
    return create(context, flags, device, 3020);
}

CUresult cuCtxCreate_v3(CUcontext *context, void *affinity, int count, unsigned flags, CUdevice device) {
    return affinity != nullptr || count != 0 ? cuda_error_not_supported : create(context, flags, device, 3020);
}

CUresult cuCtxCreate_v4(CUcontext *context, CUctxCreateParams *parameters, unsigned flags, CUdevice device) {
    const bool plain = parameters == nullptr || (parameters->exec_affinity_count == 0 && parameters->cig == nullptr);
    return plain ? create(context, flags, device, 3020) : cuda_error_not_supported;
}

CUresult cuCtxDestroy_v2(CUcontext context) {
    const std::lock_guard<std::mutex> lock(driver().mutex);
    Context *found = nullptr;
    const CUresult result = find_context(context, &found);
    if (result != cuda_success || found->primary) {
        return result != cuda_success ? result : cuda_error_invalid_context;
    }
    destroy_context(*found);
    ThreadState &self = this_thread();
    if (self.current() == found) {
        self.depth--;
    }
    return cuda_success;
}

CUresult cuCtxPushCurrent_v2(CUcontext context) {
    Context *found = nullptr;
    const CUresult result = find_context(context, &found);
    return result != cuda_success ? result : push(this_thread(), found);
}

CUresult cuCtxPopCurrent_v2(CUcontext *context) {
    ThreadState &self = this_thread();
    if (self.depth == 0) {
        return cuda_error_invalid_context;
    }
    Context *top = self.stack[--self.depth];
    if (context != nullptr) {
        *context = handle_of(top);
    }
    return cuda_success;
}

CUresult cuCtxSetCurrent(CUcontext context) {
    ThreadState &self = this_thread();
    if (context == nullptr) {
        self.depth -= self.depth == 0 ? 0 : 1;
        return cuda_success;
    }
    Context *found = nullptr;
    const CUresult result = find_context(context, &found);
    if (result != cuda_success) {
        return result;
    }
    self.depth -= self.depth == 0 ? 0 : 1;
    return push(self, found);
}

CUresult cuCtxGetCurrent(CUcontext *context) {
    if (context == nullptr) {
        return cuda_error_invalid_value;
    }
    *context = handle_of(this_thread().current());
    return cuda_success;
}

CUresult cuCtxGetDevice(CUdevice *device) {
    if (device == nullptr) {
        return cuda_error_invalid_value;
    }
    *device = this_thread().current()->device;
    return cuda_success;
}

CUresult cuCtxGetDevice_v2(CUdevice *device, CUcontext context) {
    if (device == nullptr) {
        return cuda_error_invalid_value;
    }
    Context *found = this_thread().current();
    const CUresult result = context == nullptr ? check_current(this_thread()) : find_context(context, &found);
    if (result == cuda_success) {
        *device = found->device;
    }
    return result;
}

CUresult cuCtxSynchronize() {
    return wait_for_context(*this_thread().current());
}

CUresult cuCtxSynchronize_v2(CUcontext context) {
    Context *found = this_thread().current();
    const CUresult result = context == nullptr ? check_current(this_thread()) : find_context(context, &found);
    return result != cuda_success ? result : wait_for_context(*found);
}

CUresult cuCtxGetFlags(unsigned *flags) {
    if (flags == nullptr) {
        return cuda_error_invalid_value;
    }
    *flags = this_thread().current()->flags;
    return cuda_success;
}

CUresult cuCtxGetApiVersion(CUcontext context, unsigned *version) {
    Context *found = this_thread().current();
    const CUresult result = context == nullptr ? check_current(this_thread()) : find_context(context, &found);
    if (result != cuda_success || version == nullptr) {
        return result != cuda_success ? result : cuda_error_invalid_value;
    }
    *version = found->api_version == 0 ? 3020 : found->api_version;
    return cuda_success;
}

CUresult cuCtxGetId(CUcontext context, unsigned long long *id) {
    Context *found = this_thread().current();
    const CUresult result = context == nullptr ? check_current(this_thread()) : find_context(context, &found);
    if (result != cuda_success || id == nullptr) {
        return result != cuda_success ? result : cuda_error_invalid_value;
    }
    *id = found->id;
    return cuda_success;
}

CUresult cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    const Config &config = driver().config;
    if (least != nullptr) {
        *least = config.priority_least;
    }
    if (greatest != nullptr) {
        *greatest = config.priority_greatest;
    }
    return cuda_success;
}

CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned flags) {
    Context *other = nullptr;
    if (const CUresult result = find_context(peer, &other); result != cuda_success || flags != 0) {
        return result != cuda_success ? result : cuda_error_invalid_value;
    }
    const std::lock_guard<std::mutex> lock(driver().mutex);
    Context &self = *this_thread().current();
    const auto &row = driver().config.peers[static_cast<std::size_t>(self.device)];
    if (self.device == other->device || !row[static_cast<std::size_t>(other->device)].access) {
        return &self == other ? cuda_error_invalid_context : cuda_error_peer_access_unsupported;
    }
    return self.peers.insert(other).second ? cuda_success : cuda_error_peer_access_already_enabled;
}

CUresult cuCtxDisablePeerAccess(CUcontext peer) {
    Context *other = nullptr;
    if (const CUresult result = find_context(peer, &other); result != cuda_success) {
        return result;
    }
    const std::lock_guard<std::mutex> lock(driver().mutex);
    return this_thread().current()->peers.erase(other) != 0 ? cuda_success : CUresult{705};
}

} // namespace calls

} // namespace fakes::cuda
