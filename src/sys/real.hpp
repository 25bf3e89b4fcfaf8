// SPDX-License-Identifier: Apache-2.0
// The running kernel's ports, one file each. Made at first use and never destroyed: our threads may outlive main().
#pragma once

#include "sys/ports.hpp"

namespace nearpool {

MemoryPort &real_memory();
PolicyPort &real_policy();
AffinityPort &real_affinity();
FutexPort &real_futex();
FilePort &real_files();
ThreadPort &real_threads();
LibraryPort &real_libraries();

} // namespace nearpool
