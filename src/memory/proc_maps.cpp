// SPDX-License-Identifier: Apache-2.0
#include "memory/proc_maps.hpp"

#include <algorithm>
#include <cctype>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

namespace nearpool {
namespace {

// The lines of /proc/self/smaps whose kilobytes are huge pages.
bool counts_huge(const std::string &key) {
    static constexpr const char *keys[] = {
        "AnonHugePages:", "ShmemPmdMapped:", "FilePmdMapped:", "Shared_Hugetlb:", "Private_Hugetlb:"};
    return std::any_of(std::begin(keys), std::end(keys), [&](const char *each) { return key == each; });
}

bool pool_line(const std::string &key) {
    return key == "Shared_Hugetlb:" || key == "Private_Hugetlb:"; // not part of Rss
}

void add_line(MapFacts *facts, const std::string &line) {
    std::istringstream words(line);
    std::string key;
    std::size_t kilobytes = 0;
    if (!(words >> key >> kilobytes)) {
        return;
    }
    const std::size_t bytes = kilobytes * 1024;
    if (key == "KernelPageSize:") {
        facts->page_bytes = bytes;
    }
    facts->huge_bytes += counts_huge(key) ? bytes : 0;
    facts->resident_bytes += key == "Rss:" || pool_line(key) ? bytes : 0;
}

NumaFacts numa_line(uintptr_t begin, std::istringstream *words) {
    NumaFacts facts;
    facts.begin = begin;
    for (std::string word; *words >> word;) {
        uint32_t node = 0;
        uint64_t count = 0;
        if (std::sscanf(word.c_str(), "N%" SCNu32 "=%" SCNu64, &node, &count) == 2) {
            facts.pages[node] += static_cast<std::size_t>(count);
        } else if (std::sscanf(word.c_str(), "kernelpagesize_kB=%" SCNu64, &count) == 1) {
            facts.page_bytes = static_cast<std::size_t>(count) * 1024;
        }
    }
    return facts;
}

} // namespace

std::vector<MapFacts> parse_smaps(const std::string &text, uintptr_t begin, uintptr_t end) {
    std::vector<MapFacts> ranges;
    bool inside = false;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        MapFacts facts;
        if (line.empty() || std::isupper(static_cast<unsigned char>(line[0])) != 0) { // a detail of the range above
            if (inside) {
                add_line(&ranges.back(), line);
            }
        } else if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &facts.begin, &facts.end) == 2) {
            if (facts.begin >= end) { // ascending
                break;
            }
            inside = facts.end > begin;
            if (inside) {
                ranges.push_back(facts);
            }
        }
    }
    return ranges;
}

std::vector<NumaFacts> parse_numa_maps(const std::string &text, uintptr_t begin, uintptr_t end) {
    std::vector<NumaFacts> ranges;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string address;
        words >> address;
        const auto start = static_cast<uintptr_t>(std::strtoull(address.c_str(), nullptr, 16));
        if (start >= begin && start < end) {
            ranges.push_back(numa_line(start, &words));
        }
    }
    return ranges;
}

std::vector<MapFacts> mapped_ranges(FilePort &files, const void *data, std::size_t bytes) {
    std::string text;
    if (files.read("/proc/self/smaps", &text) < 0) {
        return {};
    }
    const auto begin = reinterpret_cast<uintptr_t>(data);
    return parse_smaps(text, begin, begin + bytes);
}

std::optional<std::vector<NumaFacts>> numa_ranges(FilePort &files, const void *data, std::size_t bytes) {
    std::string text;
    if (files.read("/proc/self/numa_maps", &text) < 0) {
        return std::nullopt;
    }
    const auto begin = reinterpret_cast<uintptr_t>(data);
    return parse_numa_maps(text, begin, begin + bytes);
}

} // namespace nearpool
