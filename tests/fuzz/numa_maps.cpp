// SPDX-License-Identifier: Apache-2.0
// /proc/self/smaps and numa_maps: whatever they say, what is read of them lies in the range that was asked for.
#include "fuzz/harness.hpp"

#include "fakes/fake_files.hpp"
#include "memory/proc_maps.hpp"

namespace nearpool::fuzz {
namespace {

struct Asked {
    uintptr_t begin;
    std::size_t bytes;
};

void look(FilePort &files, const Asked &asked) {
    const void *data = reinterpret_cast<const void *>(asked.begin); // NOLINT(performance-no-int-to-ptr): never read
    const uintptr_t end = asked.begin + asked.bytes - (planted() ? asked.bytes : 0);
    for (const MapFacts &facts : mapped_ranges(files, data, asked.bytes)) {
        require(facts.begin < end && facts.end > asked.begin, "a mapping touches the range");
    }
    const auto ranges = numa_ranges(files, data, asked.bytes);
    require(ranges.has_value(), "a file that is there is read");
    for (const NumaFacts &facts : *ranges) {
        require(facts.begin >= asked.begin && facts.begin < end, "a mapping begins in the range");
    }
}

} // namespace

void numa_maps(const uint8_t *data, std::size_t size) {
    Bytes input(data, size);
    const std::string text(input.rest());
    fakes::FakeFiles files;
    files.set("/proc/self/smaps", text);
    files.set("/proc/self/numa_maps", text);
    for (const Asked &asked : {Asked{0x7f0000000000, 0x100000000}, Asked{0, SIZE_MAX}, Asked{0x1000, 0x1000}}) {
        look(files, asked);
    }
}

} // namespace nearpool::fuzz
