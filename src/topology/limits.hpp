// SPDX-License-Identifier: Apache-2.0
// How large a machine may be that somebody describes to us. Far beyond any that runs Linux, so that what is larger is a
// damaged or hostile file, and the work on one stays bounded.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nearpool {

// Numbers are below these; so none is a constant such as NEAR_NODE_UNKNOWN.
constexpr uint32_t node_number_limit = 1U << 16U;
constexpr uint32_t cpu_number_limit = 1U << 20U;
constexpr std::size_t most_nodes = 4096;
constexpr std::size_t most_cpus = 65536;
constexpr std::size_t most_file_bytes = std::size_t{1} << 20U;   // of one file of /sys or /proc
constexpr std::size_t most_read_bytes = std::size_t{256} << 20U; // of all of them
constexpr std::size_t most_accesses = 65536;                     // ways between nodes of which there are figures
constexpr std::size_t most_xml_bytes = std::size_t{64} << 20U;

// Of one memory, one cache and one page, and how many pages: sums over all nodes fit in 64 bits.
constexpr uint64_t most_memory_bytes = uint64_t{1} << 51U;

} // namespace nearpool
