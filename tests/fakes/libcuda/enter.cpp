// SPDX-License-Identifier: Apache-2.0
#include "enter.hpp"

#include "hooks.hpp"

#include <cstring>

namespace fakes::cuda {

namespace {

CUresult check_phase(const ThreadState &self, const Call &call, uint32_t state) {
    if ((call.need & (asks_init | asks_start)) == 0) {
        return cuda_success;
    }
    if (self.in_callback) {
        return cuda_error_not_permitted;
    }
    if ((state & obstacle_stub) != 0) {
        return cuda_error_stub_library;
    }
    if ((state & obstacle_forked) != 0) {
        return cuda_error_not_initialized;
    }
    if ((state & obstacle_teardown) != 0) {
        return cuda_error_deinitialized;
    }
    if ((call.need & asks_start) == 0 && (state & obstacle_fresh) != 0) {
        return cuda_error_not_initialized;
    }
    // A program that found this function by its name in an older driver's library: there it would not have.
    return call.version > driver().version.load() ? cuda_error_call_requires_newer_driver : cuda_success;
}

/// What a driver with a mistake in it does: success, and nothing for it.
CUresult give_nothing(const Output &output) {
    if (output.at != nullptr) {
        std::memset(output.at, 0, output.bytes);
    }
    return cuda_success;
}

CUresult run(const ThreadState &self, const Call &call, const std::function<CUresult()> &body, uint32_t state) {
    CUresult refused = check_phase(self, call, state);
    if (refused == cuda_success) {
        refused = admit(self, call.need);
    }
    return refused != cuda_success ? refused : body();
}

CUresult run_scripted(const ThreadState &self, const Call &call, const std::function<CUresult()> &body) {
    if (const std::optional<CUresult> scripted = take_failure(call.text); scripted.has_value()) {
        return *scripted != cuda_success ? *scripted : give_nothing(call.output);
    }
    take_time(call.text);
    return run(self, call, body, obstacles.load(std::memory_order_acquire));
}

} // namespace

CUresult enter_slowly(ThreadState &self, const Call &call, const std::function<CUresult()> &body) {
    const uint32_t state = obstacles.load(std::memory_order_acquire);
    if ((state & obstacle_hooks) == 0) {
        return run(self, call, body, state);
    }
    // What a reset lets go has no driver any more to do it on.
    const bool is_open = wait_at_gate(call.text);
    const uint64_t sequence = next_sequence();
    CUresult result = cuda_error_deinitialized;
    if (is_open) {
        result = run_scripted(self, call, body);
    }
    log_call(call, self, sequence, result);
    return result;
}

} // namespace fakes::cuda
