// SPDX-License-Identifier: Apache-2.0
#include "machine/pin.hpp"

#include "base/text.hpp"

#include <cerrno>
#include <system_error>

namespace nearpool {
namespace {

std::string errno_text(int error) {
    return std::system_category().message(error);
}

int32_t reason_of(int error) {
    switch (error) {
    case EPERM:
    case ENOSYS:
    case EACCES:
        return NEAR_REASON_FORBIDDEN;
    case EINVAL: // none of the CPUs is online and in the cpuset
        return NEAR_REASON_NOT_ALLOWED;
    default:
        return NEAR_REASON_SYSTEM;
    }
}

std::string where_it_may_run(AffinityPort &affinity, pid_t thread) {
    NumberSet seen;
    return affinity.get_of(thread, &seen) == 0 ? "; the thread may run on CPUs " + seen.text() : "";
}

} // namespace

Enforcement pin_thread(AffinityPort &affinity, pid_t thread, const NumberSet &cpus) {
    if (const int error = affinity.set_of(thread, cpus); error < 0) {
        return Enforcement::best_effort(reason_of(-error), "sched_setaffinity() to CPUs " + cpus.text() + " failed: " +
                                                               errno_text(-error) + where_it_may_run(affinity, thread));
    }
    NumberSet seen;
    if (const int error = affinity.get_of(thread, &seen); error < 0) {
        return Enforcement::best_effort(reason_of(-error),
                                        "CPUs " + cpus.text() +
                                            " were set, and reading them back failed: " + errno_text(-error));
    }
    if (seen != cpus) { // cut down by the cpuset, or, in some sandboxes, not set at all
        return Enforcement::best_effort(cpus.contains_all(seen) ? NEAR_REASON_NOT_ALLOWED : NEAR_REASON_ELSEWHERE,
                                        "CPUs " + cpus.text() + " were set, and the thread may run on " + seen.text());
    }
    return Enforcement::strict();
}

Enforcement runs_on(AffinityPort &affinity, const NumberSet &cpus) {
    uint32_t cpu = 0;
    uint32_t node = 0;
    if (const int error = affinity.current(&cpu, &node); error < 0) {
        return Enforcement::best_effort(
            reason_of(-error),
            "CPUs " + cpus.text() + " were set, and asking where the thread runs failed: " + errno_text(-error));
    }
    if (!cpus.contains(cpu)) {
        return Enforcement::best_effort(
            NEAR_REASON_ELSEWHERE, format("CPUs %s were set, and the thread runs on CPU %u", cpus.text().c_str(), cpu));
    }
    return Enforcement::strict();
}

Enforcement pin_current_thread(const Ports &ports, const NumberSet &cpus) {
    Enforcement pinned = pin_thread(ports.affinity, this_thread_id(), cpus);
    return pinned.level == NEAR_LEVEL_STRICT ? runs_on(ports.affinity, cpus) : pinned;
}

} // namespace nearpool
