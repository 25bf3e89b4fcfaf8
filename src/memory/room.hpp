// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sys/ports.hpp"

#include <map>
#include <vector>

namespace nearpool {

// Bytes of each node that pages can be moved into, pushing out file caches at most and leaving the kernel its reserve.
// SIZE_MAX where the system does not say: then the kernel will.
std::map<uint32_t, std::size_t> room_of(FilePort &files, const std::vector<uint32_t> &nodes);

// The reserves ("min") of each node's zones in /proc/zoneinfo, in pages.
std::map<uint32_t, std::size_t> parse_reserves(const std::string &zoneinfo);

} // namespace nearpool
