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

// Calls take(line) until it answers false. 0 or -errno.
template <class Take> int read_lines(FilePort &files, const char *path, Take take) {
    std::string rest;
    return files.read_parts(path, [&](const char *part, std::size_t count) {
        rest.append(part, count);
        std::size_t begin = 0;
        for (std::size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
            if (!take(rest.substr(begin, end - begin))) {
                return false;
            }
            begin = end + 1;
        }
        rest.erase(0, begin);
        return true;
    });
}

} // namespace

std::vector<MapFacts> mapped_ranges(FilePort &files, const void *data, std::size_t bytes) {
    const auto begin = reinterpret_cast<uintptr_t>(data);
    std::vector<MapFacts> ranges;
    bool inside = false;
    const int error = read_lines(files, "/proc/self/smaps", [&](const std::string &line) {
        MapFacts facts;
        if (line.empty() || std::isupper(static_cast<unsigned char>(line[0])) != 0) { // a detail of the range above
            if (inside) {
                add_line(&ranges.back(), line);
            }
        } else if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &facts.begin, &facts.end) == 2) {
            inside = facts.end > begin && facts.begin < begin + bytes;
            if (inside) {
                ranges.push_back(facts);
            }
            return facts.begin < begin + bytes; // ascending
        }
        return true;
    });
    return error < 0 ? std::vector<MapFacts>() : ranges;
}

std::optional<std::vector<NumaFacts>> numa_ranges(FilePort &files, const void *data, std::size_t bytes) {
    const auto begin = reinterpret_cast<uintptr_t>(data);
    std::vector<NumaFacts> ranges;
    const int error = read_lines(files, "/proc/self/numa_maps", [&](const std::string &line) {
        std::istringstream words(line);
        std::string address;
        words >> address;
        const auto start = static_cast<uintptr_t>(std::strtoull(address.c_str(), nullptr, 16));
        if (start >= begin && start < begin + bytes) {
            ranges.push_back(numa_line(start, &words));
        }
        return start < begin + bytes;
    });
    return error < 0 ? std::nullopt : std::optional(ranges);
}

} // namespace nearpool
