// SPDX-License-Identifier: Apache-2.0
// One function for each capability; each leaves the process as it was.
#pragma once

#include "machine/capabilities.hpp"

namespace nearpool::probes {

// Memory: memory_probes.cpp
Capability memory_binding(const Ports &ports, const Topology &topology);
Capability placement_query(const Ports &ports);
Capability migration(const Ports &ports, const Topology &topology);
Capability locking(const Ports &ports);
Capability preferred_many(const Ports &ports, const Topology &topology);
Capability weighted_interleave(const Ports &ports, const Topology &topology);

// Threads, and what the system says of itself: system_probes.cpp
Capability affinity(const Ports &ports, const Topology &topology);
Capability huge_pages(FilePort &files, const Topology &topology, uint64_t page_kib);
Capability transparent_huge(FilePort &files);
Capability balancing_off(FilePort &files);
Capability all_cpus(const Topology &topology);
Capability all_memory(const Topology &topology);
Capability no_quota(FilePort &files);
Capability no_seccomp(FilePort &files);

// Why a system call that answered -error counts as missing.
int32_t reason_of_errno(int error);
std::string errno_text(int error);

// The number after "name:" in a file of /proc or of a node ("Node 0 MemFree: 123 kB").
std::optional<uint64_t> number_in(FilePort &files, const std::string &path, const std::string &name);

} // namespace nearpool::probes
