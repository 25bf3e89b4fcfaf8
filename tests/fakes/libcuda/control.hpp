// SPDX-License-Identifier: Apache-2.0
// The fake driver's control functions (control.h), found in a library that is loaded, or that is loaded here. On a real
// driver there are none: available() is false.
#pragma once

#include "control.h"

#include <cstdint>
#include <cstdlib>
#include <dlfcn.h>
#include <string>

namespace fakes::cuda {

class Control {
public:
    /// path empty: the library that $NEARPOOL_CUDA_LIBRARY names, or libcuda.so.1. Stays loaded for ever.
    explicit Control(const std::string &path = {}) {
        const char *named = std::getenv("NEARPOOL_CUDA_LIBRARY");
        const std::string file = !path.empty() ? path : named != nullptr ? named : "libcuda.so.1";
        library_ = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (library_ == nullptr) {
            reason_ = dlerror();
        }
    }

    bool loaded() const { return library_ != nullptr; }
    const std::string &reason() const { return reason_; }
    bool available() const { return loaded() && dlsym(library_, "fakeCudaReset") != nullptr; }

    /// An entry point of the driver, or nullptr.
    template <typename Function> Function *find(const char *symbol) const {
        return loaded() ? reinterpret_cast<Function *>(dlsym(library_, symbol)) : nullptr;
    }

    /// Empty: all is as before cuInit. Else what is still held.
    std::string reset(const char *config = nullptr, bool forced = false) const {
        return text(find<decltype(fakeCudaReset)>("fakeCudaReset")(config, forced ? 1 : 0));
    }
    std::string config() const { return text(find<decltype(fakeCudaConfig)>("fakeCudaConfig")()); }
    void fail(const char *symbol, uint64_t nth, int error, bool always = false) const {
        find<decltype(fakeCudaFail)>("fakeCudaFail")(symbol, nth, error, always ? 1 : 0);
    }
    void null(const char *symbol, uint64_t nth) const { find<decltype(fakeCudaNull)>("fakeCudaNull")(symbol, nth); }
    void gate(const char *symbol, bool closed) const {
        find<decltype(fakeCudaGate)>("fakeCudaGate")(symbol, closed ? 1 : 0);
    }
    uint64_t gate_waiting(const char *symbol) const {
        return find<decltype(fakeCudaGateWaiting)>("fakeCudaGateWaiting")(symbol);
    }
    uint64_t calls(const char *symbol) const { return find<decltype(fakeCudaCalls)>("fakeCudaCalls")(symbol); }
    uint64_t step_count() const { return find<decltype(fakeCudaStepCount)>("fakeCudaStepCount")(); }
    void log(const char *where) const { find<decltype(fakeCudaLog)>("fakeCudaLog")(where); }
    std::string log_text() const { return text(find<decltype(fakeCudaLogText)>("fakeCudaLogText")()); }
    void clear_log() const { find<decltype(fakeCudaLogClear)>("fakeCudaLogClear")(); }
    int lose(void *context, int error) const { return find<decltype(fakeCudaLose)>("fakeCudaLose")(context, error); }
    void teardown() const { find<decltype(fakeCudaTeardown)>("fakeCudaTeardown")(); }
    int busy(void *stream, uint64_t ns) const { return find<decltype(fakeCudaBusy)>("fakeCudaBusy")(stream, ns); }
    int hold(void *stream) const { return find<decltype(fakeCudaHold)>("fakeCudaHold")(stream); }
    int let_go(void *stream) const { return find<decltype(fakeCudaLetGo)>("fakeCudaLetGo")(stream); }
    std::string held() const { return text(find<decltype(fakeCudaHeld)>("fakeCudaHeld")()); }
    bool pinned() const { return find<decltype(fakeCudaPinned)>("fakeCudaPinned")() == 1; }
    uint64_t device_used(int ordinal) const {
        return find<decltype(fakeCudaDeviceUsed)>("fakeCudaDeviceUsed")(ordinal);
    }
    int threads() const { return find<decltype(fakeCudaThreads)>("fakeCudaThreads")(); }

private:
    static std::string text(const char *found) { return found == nullptr ? std::string{} : std::string(found); }

    void *library_ = nullptr;
    std::string reason_;
};

} // namespace fakes::cuda
