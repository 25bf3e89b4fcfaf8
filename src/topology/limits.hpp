// SPDX-License-Identifier: Apache-2.0
// What a description of a machine may ask for, whoever wrote it. Real machines are far below; the memory and the time
// that a description can cost are bounded by these.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nearpool {

inline constexpr uint32_t node_number_limit = 1U << 16; // node numbers are below
inline constexpr uint32_t cpu_number_limit = 1U << 20;  // CPU numbers are below
inline constexpr std::size_t most_nodes = 4096;
inline constexpr std::size_t most_cpus = 65536;
inline constexpr std::size_t most_xml_bytes = std::size_t{64} << 20;

} // namespace nearpool
