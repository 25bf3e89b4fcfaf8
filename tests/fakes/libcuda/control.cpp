// SPDX-License-Identifier: Apache-2.0
#include "control.h"

#include "capture.hpp"
#include "hooks.hpp"
#include "memory.hpp"
#include "pools.hpp"
#include "stream.hpp"
#include "vmm.hpp"

#include <cstdio>
#include <cstring>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

#define FAKE_CUDA_EXPORT extern "C" __attribute__((visibility("default")))

namespace fakes::cuda {

namespace {

constexpr int exit_leaked = 97;

const char *keep(std::string text) {
    static thread_local std::string kept;
    kept = std::move(text);
    return kept.c_str();
}

Stream *made_stream(void *handle) {
    Stream *stream = nullptr;
    return resolve_stream(static_cast<CUstream>(handle), &stream) == cuda_success ? stream : nullptr;
}

std::string at(const char *what, const void *handle, int device) {
    char line[120];
    std::snprintf(line, sizeof line, "%s %p on device %d\n", what, handle, device);
    return line;
}

std::string held_contexts() {
    std::string text;
    for (std::size_t i = 0; i < driver().devices.size(); i++) {
        const Device &device = *driver().devices[i];
        if (device.primary_references != 0) {
            text += "primary context of device " + std::to_string(i) + ", retained " +
                    std::to_string(device.primary_references) + " times\n";
        }
    }
    driver().contexts.each_alive([&](Context &context) {
        if (!context.primary) {
            text += at("context", &context, context.device);
        }
    });
    return text;
}

/// Of a lost context nothing but itself can be given back.
bool is_lost(const Context &context) {
    return context.error.load() != cuda_success;
}

std::string held_memory() {
    std::string text;
    const std::lock_guard<std::mutex> lock(memory().mutex);
    for (const auto &[address, block] : memory().host) {
        if (!is_lost(*block.context)) {
            const char *what = block.allocated ? "host memory" : "registered memory";
            text += at(what, reinterpret_cast<void *>(block.asked), block.context->device);
        }
    }
    for (const auto &[address, block] : memory().device) {
        if (!is_lost(*block.context)) {
            text += at("device memory", reinterpret_cast<void *>(address), block.device);
        }
    }
    return text;
}

/// Process ends, having given back nothing that is still held.
__attribute__((destructor)) void check_leaks() {
    const uint32_t state = obstacles.load();
    if (!driver().config.leak_check || (state & (obstacle_forked | obstacle_fresh | obstacle_teardown)) != 0) {
        return;
    }
    const std::string held = held_text();
    if (!held.empty()) {
        std::fflush(nullptr);
        std::fprintf(stderr, "fake driver: not given back at exit:\n%s", held.c_str());
        _exit(exit_leaked);
    }
}

} // namespace

std::string held_text() {
    const std::lock_guard<std::mutex> lock(driver().mutex);
    std::string text = held_contexts() + held_memory() + held_virtual_memory() + held_pools();
    driver().streams.each_alive([&](Stream &stream) {
        if (stream.kind == StreamKind::made && !is_lost(stream.home())) {
            text += at("stream", &stream, stream.home().device);
        }
    });
    driver().events.each_alive([&](Event &event) {
        if (!is_lost(event.home())) {
            text += at("event", &event, event.home().device);
        }
    });
    if (graph_count() != 0) {
        text += std::to_string(graph_count()) + " graphs\n";
    }
    return text;
}

void drop_everything() {
    drop_virtual_memory();
    drop_pools();
    {
        const std::lock_guard<std::mutex> lock(driver().mutex);
        driver().contexts.each_alive([](Context &context) { destroy_context(context); });
        for (auto &device : driver().devices) {
            device->primary = nullptr;
            device->primary_references = 0;
        }
    }
    while (driver().thread_count.load() != 0) {
        std::this_thread::yield();
    }
}

namespace {

uint64_t count_calls(const char *symbol) {
    uint64_t sum = 0;
    for (const Entry &entry : entries()) {
        if (std::strcmp(symbol, "*") == 0 || std::strcmp(symbol, entry.symbol) == 0) {
            sum += calls_of(entry.index);
        }
    }
    return sum;
}

} // namespace

FAKE_CUDA_EXPORT const char *fakeCudaReset(const char *config, int forced) {
    if (forced == 0) {
        std::string held = held_text();
        if (!held.empty()) {
            return keep(std::move(held));
        }
    }
    open_all_gates();
    drop_everything();
    start_over(config == nullptr ? driver().config_text : std::string(config));
    return nullptr;
}

FAKE_CUDA_EXPORT const char *fakeCudaConfig() {
    const std::lock_guard<std::mutex> lock(driver().mutex);
    return keep(driver().config_text);
}

FAKE_CUDA_EXPORT void fakeCudaFail(const char *symbol, uint64_t nth, int error, int always) {
    add_failure(symbol, nth, error, always != 0);
}

FAKE_CUDA_EXPORT void fakeCudaNull(const char *symbol, uint64_t nth) {
    add_failure(symbol, nth, cuda_success, false);
}

FAKE_CUDA_EXPORT void fakeCudaGate(const char *symbol, int closed) {
    set_gate(symbol, closed != 0);
}

FAKE_CUDA_EXPORT uint64_t fakeCudaGateWaiting(const char *symbol) {
    return waiting_at_gate(symbol);
}

FAKE_CUDA_EXPORT uint64_t fakeCudaCalls(const char *symbol) {
    return count_calls(symbol);
}

FAKE_CUDA_EXPORT uint64_t fakeCudaStepCount() {
    return count_calls("*");
}

FAKE_CUDA_EXPORT void fakeCudaLog(const char *where) {
    set_log(where);
}

FAKE_CUDA_EXPORT const char *fakeCudaLogText() {
    return keep(log_text());
}

FAKE_CUDA_EXPORT void fakeCudaLogClear() {
    clear_log();
}

FAKE_CUDA_EXPORT int fakeCudaLose(void *context, int error) {
    Context *found = driver().contexts.find(context);
    if (found == nullptr) {
        return cuda_error_invalid_context;
    }
    lose_context(*found, error);
    return cuda_success;
}

FAKE_CUDA_EXPORT void fakeCudaTeardown() {
    obstacles.fetch_or(obstacle_teardown);
}

FAKE_CUDA_EXPORT int fakeCudaBusy(void *stream, uint64_t ns) {
    Stream *found = made_stream(stream);
    if (found == nullptr) {
        return cuda_error_invalid_handle;
    }
    return submit(*found, [ns](Stream &self, CUresult) {
        wait_in_stream(
            self, [] { return false; }, std::chrono::nanoseconds(ns));
    });
}

FAKE_CUDA_EXPORT int fakeCudaHold(void *stream) {
    Stream *found = made_stream(stream);
    if (found == nullptr) {
        return cuda_error_invalid_handle;
    }
    const uint64_t gate = found->holds.fetch_add(1) + 1;
    return submit(*found, [gate](Stream &self, CUresult) {
        wait_in_stream(self, [&self, gate] { return self.let_go.load() >= gate; });
    });
}

FAKE_CUDA_EXPORT int fakeCudaLetGo(void *stream) {
    // Also one that has been destroyed meanwhile, whose work goes on.
    auto *found = static_cast<Stream *>(stream);
    if (!driver().streams.knows(stream)) {
        return cuda_error_invalid_handle;
    }
    found->let_go.store(found->holds.load());
    tell_progress();
    return cuda_success;
}

FAKE_CUDA_EXPORT const char *fakeCudaHeld() {
    return keep(held_text());
}

FAKE_CUDA_EXPORT int fakeCudaPinned() {
    {
        const std::lock_guard<std::mutex> lock(memory().mutex);
        for (const auto &[address, block] : memory().host) {
            if (block.pinned == nullptr) {
                return 0;
            }
        }
    }
    void *trial = mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool worked = trial != MAP_FAILED && Pinned::pin(trial, page_bytes) != nullptr;
    munmap(trial, page_bytes);
    return worked ? 1 : 0;
}

FAKE_CUDA_EXPORT uint64_t fakeCudaDeviceUsed(int ordinal) {
    const std::lock_guard<std::mutex> lock(driver().mutex);
    const auto index = static_cast<std::size_t>(ordinal);
    return index < driver().devices.size() ? driver().devices[index]->used.load() : 0;
}

FAKE_CUDA_EXPORT int fakeCudaThreads() {
    return driver().thread_count.load();
}

} // namespace fakes::cuda
