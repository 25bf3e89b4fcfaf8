// SPDX-License-Identifier: Apache-2.0
#include "hooks.hpp"

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <sched.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace fakes::cuda {

namespace {

struct Failure {
    std::string symbol;
    uint64_t left;  // calls until it fails; 0: has failed
    CUresult error; // success: the call does nothing
    bool always;
};

struct Gate {
    bool closed = false;
    uint64_t openings = 0; // one that is closed again at once lets go who waited before
    uint64_t last_reset = 0;
    uint64_t waiting = 0;
};

struct Hooks {
    std::mutex mutex;
    std::vector<Failure> failures;
    std::map<std::string, uint64_t> latency_ns;
    std::map<std::string, Gate> gates;
    std::condition_variable gate_opened;
    std::string log_where;
    std::string log;
    std::FILE *file = nullptr;
    uint64_t sequence = 0;
};

Hooks &hooks() {
    static Hooks &instance = *new Hooks;
    return instance;
}

/// Calls take the long way only while there is a reason. Under the hooks' mutex.
void arm(const Hooks &all) {
    const bool open = std::none_of(all.gates.begin(), all.gates.end(), [](const auto &it) { return it.second.closed; });
    if (open && all.failures.empty() && all.latency_ns.empty() && all.log_where.empty()) {
        obstacles.fetch_and(~static_cast<uint32_t>(obstacle_hooks));
    } else {
        obstacles.fetch_or(obstacle_hooks);
    }
}

void open_log(Hooks &all, const std::string &where) {
    if (all.file != nullptr && all.file != stderr) {
        std::fclose(all.file);
    }
    all.file = nullptr;
    all.log_where = where;
    if (where == "stderr") {
        all.file = stderr;
    } else if (!where.empty() && where != "memory") {
        all.file = std::fopen(where.c_str(), "a");
    }
}

} // namespace

void set_hooks(const Config &config) {
    Hooks &all = hooks();
    const std::lock_guard<std::mutex> lock(all.mutex);
    all.failures.clear();
    for (const FailureConfig &failure : config.fail) {
        const CUresult answer = failure.null ? cuda_success : failure.error;
        all.failures.push_back({failure.symbol, failure.nth, answer, failure.always});
    }
    all.latency_ns = config.latency_ns;
    all.log.clear();
    all.sequence = 0;
    open_log(all, config.log);
    arm(all);
}

void add_failure(const std::string &symbol, uint64_t nth, CUresult error, bool always) {
    Hooks &all = hooks();
    const std::lock_guard<std::mutex> lock(all.mutex);
    for (std::size_t i = all.failures.size(); i-- > 0;) {
        if (all.failures[i].symbol == symbol) {
            all.failures.erase(all.failures.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
    if (nth != 0) {
        all.failures.push_back({symbol, nth, error, always});
    }
    arm(all);
}

std::optional<CUresult> take_failure(const char *symbol) {
    Hooks &all = hooks();
    const std::lock_guard<std::mutex> lock(all.mutex);
    std::optional<CUresult> answer;
    for (Failure &failure : all.failures) {
        if (failure.symbol != "*" && failure.symbol != symbol) {
            continue;
        }
        if (failure.left > 0) {
            failure.left--;
            answer = failure.left == 0 ? failure.error : answer;
        } else if (failure.always) {
            answer = failure.error;
        }
    }
    return answer;
}

void set_gate(const std::string &symbol, bool closed) {
    Hooks &all = hooks();
    const std::lock_guard<std::mutex> lock(all.mutex);
    Gate &gate = all.gates[symbol];
    gate.openings += gate.closed ? 1 : 0; // closed once more, too: for those that wait now
    gate.closed = closed;
    all.gate_opened.notify_all();
    arm(all);
}

uint64_t waiting_at_gate(const std::string &symbol) {
    Hooks &all = hooks();
    const std::lock_guard<std::mutex> lock(all.mutex);
    const auto found = all.gates.find(symbol);
    return found == all.gates.end() ? 0 : found->second.waiting;
}

void open_all_gates() {
    Hooks &all = hooks();
    const std::lock_guard<std::mutex> lock(all.mutex);
    for (auto &[symbol, gate] : all.gates) {
        gate.openings += gate.closed ? 1 : 0;
        gate.closed = false;
        gate.last_reset = gate.openings;
    }
    all.gate_opened.notify_all();
    arm(all);
}

bool wait_at_gate(const char *symbol) {
    Hooks &all = hooks();
    std::unique_lock<std::mutex> lock(all.mutex);
    const auto found = all.gates.find(symbol);
    if (found == all.gates.end() || !found->second.closed) {
        return true;
    }
    Gate &gate = found->second; // gates are never taken out
    const uint64_t opening = gate.openings + 1;
    gate.waiting++;
    all.gate_opened.wait(lock, [&] { return gate.openings >= opening; });
    gate.waiting--;
    return gate.last_reset < opening;
}

void take_time(const char *symbol) {
    uint64_t ns = 0;
    {
        Hooks &all = hooks();
        const std::lock_guard<std::mutex> lock(all.mutex);
        const auto found = all.latency_ns.find(symbol);
        ns = found == all.latency_ns.end() ? 0 : found->second;
    }
    if (ns == 0) {
        return;
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(ns);
    if (ns > 100000) {
        std::this_thread::sleep_for(std::chrono::nanoseconds(ns));
    }
    while (std::chrono::steady_clock::now() < end) {
    }
}

uint64_t next_sequence() {
    Hooks &all = hooks();
    const std::lock_guard<std::mutex> lock(all.mutex);
    return ++all.sequence;
}

void log_call(const Call &call, const ThreadState &self, uint64_t sequence, CUresult result) {
    Hooks &all = hooks();
    const std::lock_guard<std::mutex> lock(all.mutex);
    if (all.log_where.empty()) {
        return;
    }
    char line[400];
    int used = std::snprintf(line, sizeof line, "%" PRIu64 " tid=%ld cpu=%d ctx=%p %s(", sequence, syscall(SYS_gettid),
                             sched_getcpu(), static_cast<const void *>(self.current()), call.text);
    for (unsigned i = 0; i < call.arguments.count; i++) {
        used += std::snprintf(line + used, sizeof line - static_cast<std::size_t>(used), "%s0x%" PRIx64,
                              i == 0 ? "" : ", ", call.arguments.values[i]);
    }
    std::snprintf(line + used, sizeof line - static_cast<std::size_t>(used), ") = %d\n", result);
    if (all.file != nullptr) {
        std::fputs(line, all.file);
        std::fflush(all.file);
    } else {
        all.log += line;
    }
}

std::string log_text() {
    Hooks &all = hooks();
    const std::lock_guard<std::mutex> lock(all.mutex);
    return all.log;
}

void clear_log() {
    Hooks &all = hooks();
    const std::lock_guard<std::mutex> lock(all.mutex);
    all.log.clear();
}

void set_log(const std::string &where) {
    Hooks &all = hooks();
    const std::lock_guard<std::mutex> lock(all.mutex);
    open_log(all, where);
    arm(all);
}

} // namespace fakes::cuda
