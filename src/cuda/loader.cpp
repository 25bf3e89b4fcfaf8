// SPDX-License-Identifier: Apache-2.0
#include "cuda/loader.hpp"

#include "base/environment.hpp"
#include "base/log.hpp"

#include <mutex>

namespace nearpool::cuda {
namespace {

// What keeps a driver from working as a whole, and is nobody's mistake in a call.
bool is_no_driver(CUresult code) {
    return code == cuda_error_stub_library || code == cuda_error_system_not_ready ||
           code == cuda_error_system_driver_mismatch;
}

Error forked_error() {
    return fail(NEAR_E_FORKED, "the GPU driver was initialised in the parent of this process, and works only there; "
                               "use GPUs first in the child, or start it with exec");
}

// The library that a variable of the environment names, or the usual one.
std::string chosen_library(const char *variable, const char *usual) {
    const std::optional<std::string> chosen = environment(variable);
    return chosen && !chosen->empty() ? *chosen : usual;
}

} // namespace

Done Loader::open_driver() {
    constexpr const char *usual = "libcuda.so.1";
    name_ = chosen_library("NEARPOOL_CUDA_LIBRARY", usual);
    std::string why;
    void *library = ports_.libraries.open(name_, &why);
    if (library == nullptr) {
        return fail(NEAR_E_NO_DRIVER, "no GPU driver: %s%s", why.c_str(),
                    name_ != usual ? " (chosen by NEARPOOL_CUDA_LIBRARY)" : "");
    }
    Result<Driver> resolved = resolve_driver(ports_.libraries, library, name_);
    if (!resolved) {
        return resolved.error();
    }
    driver_ = std::make_unique<const Driver>(resolved.value());
    return {};
}

// The mark is made before the call, also for a child that another thread forks meanwhile.
Done Loader::initialize() {
    const bool first = !initialized_;
    if (first) {
        initialized_.emplace();
    }
    const CUresult code = driver_->init(0); // does nothing when it is done
    if (code == cuda_success) {
        return {};
    }
    if (first) {
        initialized_.reset();
    }
    if (code == cuda_error_not_initialized) { // somebody else has initialised it in the parent
        return forked_error();
    }
    Error error = driver_->error(code, "cuInit");
    if (code == cuda_error_no_device) {
        error.status = NEAR_E_NO_DEVICE;
    } else if (is_no_driver(code)) {
        error.status = NEAR_E_NO_DRIVER;
        error.message = name_ + ": " + error.message;
    }
    return error;
}

// The host's callback is called with nothing held.
Result<const Driver *> Loader::driver() {
    bool opened = false;
    Result<const Driver *> driver = driver_under_lock(opened);
    if (opened) {
        log(NEAR_LOG_DEBUG, "GPU driver %s for CUDA %d.%d", name_.c_str(), driver_->version / 1000,
            driver_->version % 1000 / 10);
    }
    return driver;
}

Result<const Driver *> Loader::driver_under_lock(bool &opened) {
    const std::lock_guard<ForkMutex> lock(mutex_);
    if (initialized_ && initialized_->forked()) {
        return forked_error();
    }
    if (!driver_) {
        if (Done ok = open_driver(); !ok) {
            return ok.error();
        }
        opened = true;
    }
    if (Done ok = initialize(); !ok) {
        return ok.error();
    }
    return driver_.get();
}

const Nvml *Loader::nvml(std::string *why) {
    const std::lock_guard<ForkMutex> lock(mutex_);
    if (nvml_initialized_ && nvml_initialized_->forked()) {
        *why = "NVML was initialised in the parent of this process";
        return nullptr;
    }
    if (!nvml_) {
        Result<Nvml> opened =
            Nvml::open(ports_.libraries, chosen_library("NEARPOOL_NVML_LIBRARY", "libnvidia-ml.so.1"));
        if (!opened) {
            *why = opened.error().message;
            return nullptr;
        }
        nvml_ = std::make_unique<const Nvml>(opened.value());
        nvml_initialized_.emplace();
    }
    return nvml_.get();
}

} // namespace nearpool::cuda
