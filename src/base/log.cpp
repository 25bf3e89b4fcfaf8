// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include "base/environment.hpp"
#include "base/text.hpp"

#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <mutex>
#include <new>
#include <optional>
#include <shared_mutex>

namespace nearpool {
namespace {

constexpr std::array<const char *, 5> names{"none", "error", "warn", "info", "debug"};

struct Sink {
    std::shared_mutex mutex; // shared while a message is delivered, so that a replaced callback is no longer running
    near_log_fn callback = nullptr;
    void *user_data = nullptr;
    std::atomic<int32_t> level{NEAR_LOG_NONE};
};

thread_local bool delivering = false;

std::optional<int32_t> level_of(const std::string &name) {
    for (std::size_t i = 0; i < names.size(); i++) {
        if (name == names[i]) {
            return static_cast<int32_t>(i);
        }
    }
    return std::nullopt;
}

int32_t environment_level() {
    const std::optional<std::string> value = environment("NEARPOOL_LOG");
    if (!value) {
        return NEAR_LOG_NONE;
    }
    const std::optional<int32_t> level = level_of(*value);
    if (!level) {
        std::fprintf(stderr, "nearpool: error: NEARPOOL_LOG=%s is none of none, error, warn, info, debug\n",
                     value->c_str());
    }
    return level.value_or(NEAR_LOG_NONE);
}

Sink &sink();

// Another thread of the parent may have held the lock; in the child there is no other thread.
void unlock_in_child() {
    new (&sink().mutex) std::shared_mutex();
}

// Never destroyed: threads of ours may log while the process exits.
Sink &sink() {
    static Sink *const only = [] {
        auto *made = new Sink;
        made->level = environment_level();
        pthread_atfork(nullptr, nullptr, unlock_in_child);
        return made;
    }();
    return *only;
}

void deliver(Sink &target, int32_t level, const std::string &line) {
    if (target.callback == nullptr) {
        std::fprintf(stderr, "nearpool: %s: %s\n", log_level_name(level), line.c_str());
        return;
    }
    target.callback(level, line.c_str(), target.user_data);
}

// Nothing where there is no memory for the line: a message must not make a call fail that has already done its work.
std::optional<std::string> line_of(const char *format, va_list list) {
    try {
        return format_list(format, list);
    } catch (const std::bad_alloc &) {
        return std::nullopt;
    }
}

} // namespace

const char *log_level_name(int32_t level) {
    return level >= 0 && static_cast<std::size_t>(level) < names.size() ? names[static_cast<std::size_t>(level)]
                                                                        : "unknown";
}

bool log_enabled(int32_t level) {
    try {
        return level <= sink().level.load(std::memory_order_relaxed);
    } catch (const std::bad_alloc &) { // the first message of all, and no memory for what sends it
        return false;
    }
}

void log(int32_t level, const char *format, ...) {
    if (!log_enabled(level) || delivering) {
        return;
    }
    va_list list;
    va_start(list, format);
    const std::optional<std::string> line = line_of(format, list);
    va_end(list);
    if (!line) {
        return;
    }
    Sink &target = sink();
    const std::shared_lock<std::shared_mutex> lock(target.mutex);
    if (!log_enabled(level)) { // the callback has gone since, or another has come, that asked for less
        return;
    }
    delivering = true;
    deliver(target, level, *line);
    delivering = false;
}

Status set_log_callback(near_log_fn callback, void *user_data, int32_t level) {
    if (level < NEAR_LOG_NONE || level > NEAR_LOG_DEBUG) {
        return NEAR_E_INVALID;
    }
    if (delivering) {
        return NEAR_E_BUSY;
    }
    const int32_t wanted = callback != nullptr ? level : environment_level();
    Sink &target = sink();
    const std::unique_lock<std::shared_mutex> lock(target.mutex);
    target.callback = callback;
    target.user_data = user_data;
    target.level = wanted;
    return NEAR_OK;
}

} // namespace nearpool
