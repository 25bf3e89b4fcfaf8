// SPDX-License-Identifier: Apache-2.0
#include "memory/proc_maps.hpp"

#include "fakes/fake_files.hpp"
#include "memory/room.hpp"
#include "sys/constants.hpp"

#include <gtest/gtest.h>

#include <cstring>

using namespace nearpool;

namespace {

constexpr const char *smaps = "7f0000000000-7f0000400000 rw-p 00000000 00:00 0 \n"
                              "Size:               4096 kB\n"
                              "KernelPageSize:        4 kB\n"
                              "Rss:                3072 kB\n"
                              "AnonHugePages:      2048 kB\n"
                              "VmFlags: rd wr mr mw me ac\n"
                              "7f0000400000-7f0000401000 ---p 00000000 00:00 0 \n"
                              "Rss:                   4 kB\n"
                              "7f0000600000-7f0000800000 rw-s 00000000 00:0f 77 /anon_hugepage (deleted)\n"
                              "KernelPageSize:     2048 kB\n"
                              "Rss:                   0 kB\n"
                              "Private_Hugetlb:    2048 kB\n"
                              "Shared_Hugetlb:        0 kB\n";

const void *at(uintptr_t address) {
    return reinterpret_cast<const void *>(address);
}

std::vector<MapFacts> smaps_of(uintptr_t begin, std::size_t bytes) {
    fakes::FakeFiles files;
    files.set("/proc/self/smaps", smaps);
    return mapped_ranges(files, at(begin), bytes);
}

TEST(ProcMaps, SmapsGivesPagesOfARangeAndOfNoOther) {
    const std::vector<MapFacts> ranges = smaps_of(0x7f0000000000, 0x400000);
    ASSERT_EQ(ranges.size(), 1U);
    EXPECT_EQ(ranges[0].page_bytes, 4096U);
    EXPECT_EQ(ranges[0].resident_bytes, 3072U * 1024);
    EXPECT_EQ(ranges[0].huge_bytes, 2048U * 1024);
}

TEST(ProcMaps, SmapsCountsPagesOfThePool) {
    const std::vector<MapFacts> ranges = smaps_of(0x7f0000600000, 1);
    ASSERT_EQ(ranges.size(), 1U);
    EXPECT_EQ(ranges[0].page_bytes, 2U << 20U);
    EXPECT_EQ(ranges[0].huge_bytes, 2048U * 1024);
    EXPECT_EQ(ranges[0].resident_bytes, 2048U * 1024);
}

TEST(ProcMaps, NumaMapsGivesPagesByNode) {
    fakes::FakeFiles files;
    files.set("/proc/self/numa_maps",
              "7f0000000000 bind:1,63 anon=12 dirty=12 active=0 N1=7 N63=5 kernelpagesize_kB=4\n"
              "7f0000200000 prefer:69 huge anon=2 dirty=2 N69=2 kernelpagesize_kB=2048\n"
              "7f0000800000 default file=/usr/lib/N9=4.so mapped=3 N0=3 kernelpagesize_kB=4\n");
    const auto found = numa_ranges(files, at(0x7f0000000000), 0x400000);
    ASSERT_TRUE(found);
    const std::vector<NumaFacts> &ranges = *found;
    ASSERT_EQ(ranges.size(), 2U);
    EXPECT_EQ(ranges[0].pages, (std::map<uint32_t, std::size_t>{{1, 7}, {63, 5}}));
    EXPECT_EQ(ranges[0].page_bytes, 4096U);
    EXPECT_EQ(ranges[1].pages, (std::map<uint32_t, std::size_t>{{69, 2}}));
    EXPECT_EQ(ranges[1].page_bytes, 2U << 20U);
}

// The kernel walks the pages of every mapping that it writes of: 170 ms in a process with 100000 of them.
TEST(ProcMaps, NothingIsReadBehindTheRange) {
    struct Endless final : fakes::FakeFiles {
        int read_parts(const std::string &path, const Take &take) override {
            const bool sums = path == "/proc/self/numa_maps";
            for (parts = 0; parts < 1000; parts++) {
                char line[100];
                const std::size_t begin = 0x1000 * parts;
                const int count =
                    sums ? std::snprintf(line, sizeof line, "%zx default N0=1\n", begin)
                         : std::snprintf(line, sizeof line, "%zx-%zx rw-p 0\nRss: 4 kB\n", begin, begin + 0x1000);
                if (!take(line, static_cast<std::size_t>(count))) {
                    break;
                }
            }
            return 0;
        }
        std::size_t parts = 0;
    } files;
    const std::vector<MapFacts> facts = mapped_ranges(files, at(0x3000), 0x2000);
    ASSERT_EQ(facts.size(), 2U);
    EXPECT_EQ(facts[1].resident_bytes, 4096U);
    EXPECT_EQ(files.parts, 5U);
    EXPECT_EQ(numa_ranges(files, at(0x3000), 0x2000)->size(), 2U);
    EXPECT_EQ(files.parts, 5U);
}

TEST(Room, IsWhatIsFreeAndInFileCachesLessTheReserve) {
    const std::string zoneinfo =
        "Node 0, zone      DMA\n  per-node stats\n      nr_inactive_anon 3\n  pages free     3840\n"
        "        boost    0\n        min      10\n        low      20\n"
        "Node 0, zone   Normal\n        min      30\n        low      99\n"
        "Node 64, zone   Normal\n        min      7\n";
    EXPECT_EQ(parse_reserves(zoneinfo), (std::map<uint32_t, std::size_t>{{0, 40}, {64, 7}}));
    fakes::FakeFiles files;
    files.hide("/sys/devices/system/node");
    files.set("/proc/zoneinfo", zoneinfo);
    files.set("/sys/devices/system/node/node0/meminfo", "Node 0 MemTotal: 9000 kB\nNode 0 MemFree:   1000 kB\n"
                                                        "Node 0 Active:   777 kB\nNode 0 Active(file):  100 kB\n"
                                                        "Node 0 Inactive(file):  20 kB\n");
    files.set("/sys/devices/system/node/node64/meminfo", "Node 64 MemFree:  1 kB\n");
    const std::map<uint32_t, std::size_t> room = room_of(files, {0, 64, 65});
    EXPECT_EQ(room.at(0), 1120U * 1024 - 40 * base_page_bytes());
    EXPECT_EQ(room.at(64), 0U);
    EXPECT_EQ(room.at(65), SIZE_MAX); // not known
}

TEST(ProcMaps, TheRealFilesAreUnderstood) {
    const Ports &ports = real_ports();
    void *address = nullptr;
    const std::size_t bytes = 16 * base_page_bytes();
    ASSERT_EQ(ports.memory.map(bytes + 2 * base_page_bytes(), sys::protect_none, sys::map_private | sys::map_anonymous,
                               -1, 0, &address),
              0);
    char *data = static_cast<char *>(address) + base_page_bytes(); // between guards
    ASSERT_EQ(ports.memory.protect(data, bytes, sys::protect_read_write), 0);
    std::memset(data, 1, 8 * base_page_bytes());
    const std::vector<MapFacts> facts = mapped_ranges(ports.files, data, bytes);
    ASSERT_EQ(facts.size(), 1U);
    EXPECT_EQ(facts[0].page_bytes, base_page_bytes());
    EXPECT_GE(facts[0].resident_bytes, 8 * base_page_bytes());
    const std::optional<std::vector<NumaFacts>> nodes = numa_ranges(ports.files, data, bytes);
    if (nodes) { // a kernel without NUMA has no such file
        ASSERT_EQ(nodes->size(), 1U);
        EXPECT_EQ((*nodes)[0].page_bytes, base_page_bytes());
        EXPECT_FALSE((*nodes)[0].pages.empty());
    }
    EXPECT_EQ(ports.memory.unmap(address, bytes + 2 * base_page_bytes()), 0);
}

} // namespace
