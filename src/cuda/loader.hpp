// SPDX-License-Identifier: Apache-2.0
// The driver and NVML of a process: opened when first asked for, kept for ever, tried again after a failure.
#pragma once

#include "base/fork_lock.hpp"
#include "base/fork_mark.hpp"
#include "cuda/driver.hpp"
#include "cuda/nvml.hpp"

#include <memory>
#include <optional>
#include <string>

namespace nearpool::cuda {

class Loader {
public:
    explicit Loader(const Ports &ports) : ports_(ports) {}

    // The driver, initialised. NEAR_E_NO_DRIVER with the dynamic linker's words, NEAR_E_NO_DEVICE, NEAR_E_FORKED where
    // the parent of this process has initialised it, NEAR_E_CUDA.
    Result<const Driver *> driver();

    // nullptr where there is none; `why` says why.
    const Nvml *nvml(std::string *why);

private:
    Result<const Driver *> driver_under_lock(bool &opened);
    Done open_driver();
    Done initialize();

    const Ports &ports_;
    ForkMutex mutex_;
    std::string name_; // of the driver's library
    std::unique_ptr<const Driver> driver_;
    std::optional<ForkMark> initialized_;
    std::unique_ptr<const Nvml> nvml_;
    std::optional<ForkMark> nvml_initialized_;
};

} // namespace nearpool::cuda
