// SPDX-License-Identifier: Apache-2.0
// Pins of the calling thread: for good, and for a while (public header affinity.h).
#pragma once

#include "base/error.hpp"
#include "base/status.hpp"
#include "sys/ports.hpp"
#include "topology/topology.hpp"

#include <memory>

namespace nearpool {

// Sets the affinity of the calling thread for good and looks at what became of it: strict when the thread's mask is
// exactly `cpus` and it runs on one of them, otherwise less, with the reason. `cpus` is not empty.
Enforcement pin_current_thread(const Ports &ports, const NumberSet &cpus);

} // namespace nearpool
