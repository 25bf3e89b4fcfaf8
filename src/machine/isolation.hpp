// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sys/ports.hpp"

namespace nearpool {

// CPUs over which the kernel does not spread threads that may run on several of them: those of isolcpus= at boot, and
// of isolated partitions of cpusets (cgroup-v2, "cpuset.cpus.partition").
NumberSet isolated_cpus(FilePort &files);

} // namespace nearpool
