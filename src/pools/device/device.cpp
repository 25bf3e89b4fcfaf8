// SPDX-License-Identifier: Apache-2.0
#include "pools/device/device.hpp"

#include "base/checked.hpp"
#include "base/log.hpp"
#include "cuda/current.hpp"

#include <algorithm>
#include <utility>

namespace nearpool::device {

using namespace cuda;

namespace {

// A driver may say success and give none.
Result<CUcontext> some(CUcontext context, const char *call) {
    return context != nullptr ? Result<CUcontext>(context)
                              : fail(NEAR_E_CUDA, "%s succeeded and gave no context", call);
}

} // namespace

Device::Device(Loader &loader, const Driver &driver, Facts facts, DeviceNode node, bool own_context)
    : loader_(loader), driver_(driver), facts_(std::move(facts)), node_(std::move(node)), own_context_(own_context) {}

Device::~Device() {
    CUcontext context = context_.load(std::memory_order_relaxed);
    if (context == nullptr || mark_.forked()) {
        return;
    }
    const RelaxedCapture relaxed(driver_);
    const CUresult code = own_context_ ? driver_.ctx_destroy(context) : driver_.primary_ctx_release(facts_.handle);
    if (code != cuda_success && code != cuda_error_deinitialized) {
        log(NEAR_LOG_WARN, "device %d: the driver does not take its context back: %s", facts_.ordinal,
            driver_.name_of(code));
    }
}

Result<CUcontext> Device::context() {
    if (CUcontext known = context_.load(std::memory_order_acquire); known != nullptr) {
        return known;
    }
    const std::lock_guard<std::mutex> lock(context_mutex_);
    if (CUcontext known = context_.load(std::memory_order_relaxed); known != nullptr) {
        return known;
    }
    Result<CUcontext> made = make_context();
    if (made) {
        context_.store(made.value(), std::memory_order_release);
    }
    return made;
}

Result<CUcontext> Device::make_context() {
    const RelaxedCapture relaxed(driver_);
    CUcontext context = nullptr;
    if (!own_context_) {
        const CUresult code = driver_.primary_ctx_retain(&context, facts_.handle);
        return code == cuda_success ? some(context, "cuDevicePrimaryCtxRetain")
                                    : driver_.error(code, "cuDevicePrimaryCtxRetain");
    }
    if (const CUresult code = driver_.ctx_create(&context, 0, facts_.handle); code != cuda_success) {
        return driver_.error(code, "cuCtxCreate");
    }
    if (context == nullptr) {
        return some(context, "cuCtxCreate");
    }
    // Creating has pushed it on the caller's stack.
    if (const CUresult code = pop_pushed(driver_, context); code != cuda_success) {
        driver_.ctx_destroy(context); // which pops it too
        return driver_.error(code, "cuCtxPopCurrent");
    }
    return context;
}

Result<DeviceMemory> Device::memory_of(CUcontext context) {
    const Current current(driver_, context);
    if (Done ok = current.entered(); !ok) {
        return ok.error();
    }
    std::size_t free = 0;
    std::size_t total = 0;
    const CUresult code = driver_.mem_get_info(&free, &total);
    return code == cuda_success ? Result<DeviceMemory>(DeviceMemory{total, free}) : driver_.error(code, "cuMemGetInfo");
}

namespace {

// Keeps a primary context that is there for the length of a question.
class Retained {
public:
    Retained(const Driver &driver, CUdevice device)
        : driver_(driver), device_(device), code_(driver.primary_ctx_retain(&context_, device)) {}
    ~Retained() {
        if (code_ == cuda_success) {
            driver_.primary_ctx_release(device_);
        }
    }
    Retained(const Retained &) = delete;
    Retained &operator=(const Retained &) = delete;
    CUresult code() const { return code_; }
    CUcontext context() const { return context_; }

private:
    const Driver &driver_;
    const CUdevice device_;
    CUcontext context_ = nullptr;
    const CUresult code_;
};

} // namespace

Result<DeviceMemory> Device::memory_of_others(const std::string &nvml_says) {
    unsigned flags = 0;
    int active = 0;
    if (const CUresult code = driver_.primary_ctx_get_state(facts_.handle, &flags, &active); code != cuda_success) {
        return driver_.error(code, "cuDevicePrimaryCtxGetState");
    }
    if (active == 0) {
        return fail(NEAR_E_UNSUPPORTED,
                    "the free memory of device %d is not known: it has no context here, and none is made just to ask; "
                    "NVML: %s",
                    facts_.ordinal, nvml_says.c_str());
    }
    const RelaxedCapture relaxed(driver_);
    const Retained retained(driver_, facts_.handle);
    return retained.code() == cuda_success ? memory_of(retained.context())
                                           : driver_.error(retained.code(), "cuDevicePrimaryCtxRetain");
}

Result<DeviceMemory> Device::memory() {
    if (CUcontext known = context_.load(std::memory_order_acquire); known != nullptr) {
        return memory_of(known);
    }
    std::string why;
    if (const Nvml *nvml = loader_.nvml(&why); nvml != nullptr) {
        Result<DeviceMemory> memory = nvml->memory(facts_);
        if (memory) {
            return memory;
        }
        why = memory.error().message;
    }
    return memory_of_others(why);
}

Result<unsigned> Device::utilization() const {
    std::string why;
    const Nvml *nvml = loader_.nvml(&why);
    return nvml != nullptr ? nvml->utilization(facts_) : fail(NEAR_E_UNSUPPORTED, "%s", why.c_str());
}

void Device::add(const Consumer *consumer) {
    const std::lock_guard<std::mutex> lock(consumers_mutex_);
    consumers_.push_back(consumer);
}

void Device::remove(const Consumer *consumer) {
    const std::lock_guard<std::mutex> lock(consumers_mutex_);
    consumers_.erase(std::remove(consumers_.begin(), consumers_.end(), consumer), consumers_.end());
}

Usage Device::usage() const {
    const std::lock_guard<std::mutex> lock(consumers_mutex_);
    Usage sum;
    for (const Consumer *consumer : consumers_) {
        const Usage one = consumer->usage();
        sum.leased_streams += one.leased_streams;
        sum.reserved_bytes = saturating_add(sum.reserved_bytes, one.reserved_bytes);
    }
    return sum;
}

} // namespace nearpool::device
