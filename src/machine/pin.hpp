// SPDX-License-Identifier: Apache-2.0
// Setting a thread's affinity, and seeing what became of it.
#pragma once

#include "base/status.hpp"
#include "sys/ports.hpp"

namespace nearpool {

// Sets the affinity of a thread of this process that does not end meanwhile (this_thread_id()), and looks at it: strict
// when the mask is exactly `cpus`, which are not none; otherwise less, with the reason.
Enforcement pin_thread(AffinityPort &affinity, pid_t thread, const NumberSet &cpus);

// Strict when the calling thread, which was pinned to them, is seen to run on one of the CPUs.
Enforcement runs_on(AffinityPort &affinity, const NumberSet &cpus);

// Both, of the calling thread.
Enforcement pin_current_thread(const Ports &ports, const NumberSet &cpus);

} // namespace nearpool
