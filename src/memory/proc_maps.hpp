// SPDX-License-Identifier: Apache-2.0
// What the kernel says of the mappings of this process in /proc/self/smaps and /proc/self/numa_maps.
#pragma once

#include "sys/ports.hpp"

#include <map>
#include <optional>
#include <vector>

namespace nearpool {

struct MapFacts {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    std::size_t page_bytes = 0; // of the kernel's pages: those of the pool, else base pages
    std::size_t resident_bytes = 0;
    std::size_t huge_bytes = 0; // in huge pages, transparent or from the pool
};

struct NumaFacts {
    uintptr_t begin = 0;
    std::size_t page_bytes = 0;
    std::map<uint32_t, std::size_t> pages; // by node
};

// The mappings that lie in a range; none where the file cannot be read. Read as far as the range: the kernel walks all
// pages of a mapping to write of it.
std::vector<MapFacts> mapped_ranges(FilePort &files, const void *data, std::size_t bytes);

// Those that begin in a range, with the node of each page; nothing where the file cannot be read.
std::optional<std::vector<NumaFacts>> numa_ranges(FilePort &files, const void *data, std::size_t bytes);

} // namespace nearpool
