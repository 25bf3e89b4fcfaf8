// SPDX-License-Identifier: Apache-2.0
#include "memory/room.hpp"

#include "base/text.hpp"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

namespace nearpool {
namespace {

// The sum of some fields of a node's meminfo; nothing where it has none of them.
std::optional<std::size_t> free_bytes(const std::string &meminfo) {
    std::optional<std::size_t> bytes;
    for (const char *key : {" MemFree:", " Active(file):", " Inactive(file):"}) {
        const std::size_t place = meminfo.find(key);
        if (place != std::string::npos) {
            bytes = bytes.value_or(0) + std::strtoull(meminfo.c_str() + place + std::strlen(key), nullptr, 10) * 1024;
        }
    }
    return bytes;
}

} // namespace

std::map<uint32_t, std::size_t> parse_reserves(const std::string &zoneinfo) {
    std::map<uint32_t, std::size_t> reserves;
    std::istringstream lines(zoneinfo);
    uint32_t node = 0;
    for (std::string line; std::getline(lines, line);) {
        uint64_t pages = 0;
        if (std::sscanf(line.c_str(), "Node %" SCNu32 ", zone", &node) != 1 &&
            std::sscanf(line.c_str(), " min %" SCNu64, &pages) == 1) {
            reserves[node] += static_cast<std::size_t>(pages);
        }
    }
    return reserves;
}

std::map<uint32_t, std::size_t> room_of(FilePort &files, const std::vector<uint32_t> &nodes) {
    std::string text;
    std::map<uint32_t, std::size_t> reserves;
    if (files.read("/proc/zoneinfo", &text) == 0) {
        reserves = parse_reserves(text);
    }
    std::map<uint32_t, std::size_t> room;
    for (const uint32_t node : nodes) {
        std::optional<std::size_t> free;
        if (files.read(format("/sys/devices/system/node/node%" PRIu32 "/meminfo", node), &text) == 0) {
            free = free_bytes(text);
        }
        const std::size_t reserved = reserves[node] * base_page_bytes();
        room[node] = !free ? SIZE_MAX : *free > reserved ? *free - reserved : 0;
    }
    return room;
}

} // namespace nearpool
