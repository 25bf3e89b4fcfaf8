// SPDX-License-Identifier: Apache-2.0
// The kernel's own account of a machine: files of /sys and /proc, of this machine or under another root. hwloc is not
// asked for those: it ends the program or prints where a part of /sys is masked or contradicts another, takes a root
// from the environment alone, and gives a memory-only node the CPUs near it.
#pragma once

#include "topology/facts.hpp"
#include "topology/reader.hpp"

namespace nearpool {

// `live`: this machine, of which the affinity knows more than the files. What is missing is read another way, or is
// empty. NEAR_E_TOPOLOGY: a limit is exceeded; NEAR_E_SYSTEM: nothing names a CPU.
Result<MachineFacts> read_sysfs(const Ports &ports, const std::string &root, bool live);

// Cores, packages, last-level caches and kinds of cores, of facts.cpus.
void read_sysfs_cpus(const Reader &read, MachineFacts &facts);

// The kinds of memory, of facts.nodes whose CPUs are known.
void read_sysfs_memory(const Reader &read, MachineFacts &facts);

} // namespace nearpool
