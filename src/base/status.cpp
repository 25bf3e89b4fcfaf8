// SPDX-License-Identifier: Apache-2.0
#include "base/status.hpp"

#include <array>

namespace nearpool {
namespace {

struct Entry {
    const char *name;
    const char *text;
};

// In the order of the numbers: index n is status -n.
constexpr std::array<Entry, 27> statuses{{
    {"NEAR_OK", "done"},
    {"NEAR_E_INVALID", "an argument has a value that this call cannot take"},
    {"NEAR_E_NO_NODE", "there is no such NUMA node"},
    {"NEAR_E_NO_CPU", "there is no such CPU, or the node has none"},
    {"NEAR_E_EMPTY_SET", "a list was given and it is empty"},
    {"NEAR_E_NOT_ALLOWED", "outside what the cpuset allows, or not permitted on this object"},
    {"NEAR_E_UNSUPPORTED", "this kernel, machine or source cannot do it"},
    {"NEAR_E_STRICT", "strict mode: what was asked for could not be achieved, and nothing was kept"},
    {"NEAR_E_TOPOLOGY", "objects of different topologies were mixed, or a topology could not be read"},
    {"NEAR_E_TASK", "a task failed"},
    {"NEAR_E_SYSTEM", "a system call failed"},
    {"NEAR_E_NOMEM", "out of memory"},
    {"NEAR_E_AGAIN", "a bounded queue is full: try again when tasks have run"},
    {"NEAR_E_TIMEOUT", "the time given was not enough"},
    {"NEAR_E_SHUTDOWN", "the pool takes no more work: it is shutting down"},
    {"NEAR_E_BUSY", "the object is in use in a way that forbids this call"},
    {"NEAR_E_CAPACITY", "a hard limit was reached"},
    {"NEAR_E_STALE", "the id is unknown or was released"},
    {"NEAR_E_NO_DRIVER", "there is no GPU driver"},
    {"NEAR_E_NO_DEVICE", "there is no GPU"},
    {"NEAR_E_DEVICE", "there is no such device here"},
    {"NEAR_E_CUDA", "a call of the GPU driver failed"},
    {"NEAR_E_FORKED", "the object was made in the parent of this process: make one here"},
    {"NEAR_E_WRONG_THREAD", "only the thread that made the object may do this"},
    {"NEAR_E_VERSION", "a struct has a size or a field that this library does not know"},
    {"NEAR_E_INTERNAL", "a defect of nearpool: please report it"},
    {"NEAR_E_CANCELLED", "somebody has cancelled it"},
}};
static_assert(statuses.size() == static_cast<std::size_t>(-NEAR_E_CANCELLED) + 1);

constexpr std::array<const char *, 3> levels{"none", "best effort", "strict"};

constexpr std::array<const char *, NEAR_REASON_NOT_ASKED + 1> reasons{
    "none",          "not this machine", "forbidden",      "kernel",         "not faulted in", "elsewhere",
    "sampled",       "cannot look",      "regular file",   "not allowed",    "no CPUs",        "no memory",
    "no huge pages", "CPU quota",        "resource limit", "NUMA balancing", "one node",       "unknown node",
    "not started",   "system call",      "driver",         "not locked",     "not asked",
};

template <class Table> const char *at(const Table &table, int32_t index) {
    return index >= 0 && static_cast<std::size_t>(index) < table.size() ? table[static_cast<std::size_t>(index)]
                                                                        : "unknown";
}

const Entry *find(near_status status) {
    const auto index = -static_cast<int64_t>(status);
    return index >= 0 && index < static_cast<int64_t>(statuses.size()) ? &statuses[static_cast<std::size_t>(index)]
                                                                       : nullptr;
}

} // namespace

bool is_status(near_status status) {
    return find(status) != nullptr;
}

const char *status_name(near_status status) {
    const Entry *entry = find(status);
    return entry != nullptr ? entry->name : "unknown status";
}

const char *status_text(near_status status) {
    const Entry *entry = find(status);
    return entry != nullptr ? entry->text : "unknown status";
}

const char *level_name(int32_t level) {
    return at(levels, level);
}

const char *reason_name(int32_t reason) {
    return at(reasons, reason);
}

} // namespace nearpool
