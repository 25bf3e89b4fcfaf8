// SPDX-License-Identifier: Apache-2.0
#include "state.hpp"

#include "hooks.hpp"

#include <pthread.h>

namespace fakes::cuda {

std::atomic<uint32_t> obstacles{obstacle_fresh};

namespace {

std::atomic<ThreadState *> all_threads{nullptr};
std::atomic<uint64_t> epoch{1};

thread_local ThreadState *own_state = nullptr;

/// Gives a thread's state to a later thread; its default streams are not closed: their contexts do that.
struct ThreadEnd {
    ~ThreadEnd() {
        if (own_state != nullptr) {
            own_state->depth = 0;
            own_state->in_use.store(false, std::memory_order_release);
            own_state = nullptr;
        }
    }
};

ThreadState *unused_state() {
    for (ThreadState *state = all_threads.load(std::memory_order_acquire); state != nullptr; state = state->next) {
        bool expected = false;
        if (!state->in_use.load(std::memory_order_relaxed) &&
            state->in_use.compare_exchange_strong(expected, true, std::memory_order_acq_rel)) {
            return state;
        }
    }
    auto *state = new ThreadState{};
    state->in_use.store(true, std::memory_order_relaxed);
    state->next = all_threads.load(std::memory_order_relaxed);
    while (!all_threads.compare_exchange_weak(state->next, state, std::memory_order_acq_rel)) {
    }
    return state;
}

__attribute__((noinline)) ThreadState &prepare_thread(ThreadState *state) {
    if (state == nullptr) {
        static thread_local ThreadEnd end;
        (void)&end;
        state = unused_state();
        own_state = state;
    }
    state->depth = 0;
    state->capture_mode = capture_mode_global;
    state->in_callback = false;
    state->default_streams.clear();
    state->epoch = epoch.load(std::memory_order_acquire);
    return *state;
}

void mark_forked() {
    obstacles.fetch_or(obstacle_forked);
}

/// The library is ready as soon as it is loaded, so that cuDriverGetVersion answers before cuInit.
__attribute__((constructor)) void load() {
    pthread_atfork(nullptr, nullptr, mark_forked);
    start_over(environment_config());
}

} // namespace

Driver &driver() {
    static Driver &instance = *new Driver;
    return instance;
}

ThreadState &this_thread() {
    ThreadState *state = own_state;
    if (__builtin_expect(state != nullptr, 1) &&
        __builtin_expect(state->epoch == epoch.load(std::memory_order_relaxed), 1)) {
        return *state;
    }
    return prepare_thread(state);
}

uint64_t calls_of(unsigned symbol) {
    uint64_t sum = 0;
    for (ThreadState *state = all_threads.load(std::memory_order_acquire); state != nullptr; state = state->next) {
        sum += state->calls[symbol].load(std::memory_order_relaxed);
    }
    return sum;
}

void forget_threads() {
    epoch.fetch_add(1, std::memory_order_acq_rel);
    for (ThreadState *state = all_threads.load(std::memory_order_acquire); state != nullptr; state = state->next) {
        for (auto &count : state->calls) {
            count.store(0, std::memory_order_relaxed);
        }
    }
}

CUresult check_context(const Context &context) {
    if (!context.alive.load(std::memory_order_acquire)) {
        return cuda_error_context_is_destroyed;
    }
    return context.error.load(std::memory_order_acquire);
}

CUresult check_current(const ThreadState &self) {
    const Context *context = self.current();
    return context == nullptr ? cuda_error_invalid_context : check_context(*context);
}

void start_over(const std::string &config_text) {
    Config config = read_config(config_text);
    Driver &all = driver();
    if (config.version == 0) {
        config.version = newest_version() != 0 ? newest_version() : 12060;
    }
    const std::lock_guard<std::mutex> lock(all.mutex);
    all.config_text = config_text;
    all.devices.clear();
    for (const DeviceConfig &device : config.devices) {
        all.devices.push_back(std::make_unique<Device>());
        all.devices.back()->config = device;
    }
    all.version.store(config.version);
    forget_threads();
    forget_captures();
    uint32_t now = obstacle_fresh;
    now |= config.mode == "stub" ? obstacle_stub : 0U;
    now |= config.mode == "teardown" ? obstacle_teardown : 0U;
    obstacles.store(now, std::memory_order_release);
    set_hooks(config);
    all.config = std::move(config);
}

} // namespace fakes::cuda
