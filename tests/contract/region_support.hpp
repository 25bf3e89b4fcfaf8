// SPDX-License-Identifier: Apache-2.0
// What the contract tests of regions share. Through the public headers alone.
#pragma once

#include "support/limits.hpp"

#include <nearpool/nearpool.h>

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace nearpool_region_test {

constexpr std::size_t mib = std::size_t{1} << 20U;

struct Error : near_error {
    Error() : near_error{} { struct_size = sizeof(near_error); }
    bool says(const char *text) const { return std::strstr(message, text) != nullptr; }
};

inline std::size_t page_bytes() {
    return static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// Options that keep their list of nodes.
struct Options : near_region_options {
    explicit Options(int32_t its_policy = NEAR_POLICY_LOCAL, std::vector<uint32_t> its_nodes = {})
        : near_region_options{}, list(std::move(its_nodes)) {
        struct_size = sizeof(near_region_options);
        policy = its_policy;
        nodes = list.empty() ? nullptr : list.data();
        node_count = list.size();
        prefault = NEAR_PREFAULT_ON_NODE;
    }
    Options(const Options &) = delete;
    Options &operator=(const Options &) = delete;

    std::vector<uint32_t> list;
};

using Histogram = std::map<uint32_t, std::size_t>; // pages by node

inline Histogram histogram_of(const std::vector<near_node_pages> &nodes, std::size_t count) {
    Histogram result;
    for (std::size_t i = 0; i < count && i < nodes.size(); i++) {
        result[nodes[i].node] = nodes[i].page_count;
    }
    return result;
}

// A region that must be made, or is NULL with an error.
class Region {
public:
    Region(std::size_t bytes, const near_region_options &options, near_status expected = NEAR_OK,
           const near_topology *topology = nullptr) {
        status = near_region_create(topology, bytes, &options, &region_, &error);
        EXPECT_EQ(status, expected) << error.message;
    }
    Region(const Region &) = delete;
    Region &operator=(const Region &) = delete;
    ~Region() { near_region_destroy(region_); }
    operator near_region *() const { return region_; } // NOLINT(google-explicit-constructor)

    unsigned char *data() const { return static_cast<unsigned char *>(near_region_data(region_)); }
    near_placement placement() const {
        near_placement result{};
        result.struct_size = sizeof result;
        EXPECT_EQ(near_region_placement(region_, &result, nullptr), NEAR_OK);
        return result;
    }
    Histogram histogram() const {
        std::vector<near_node_pages> nodes(2048);
        std::size_t needed = 0;
        EXPECT_EQ(near_region_nodes(region_, nodes.data(), nodes.size(), &needed, nullptr), NEAR_OK);
        return histogram_of(nodes, needed);
    }
    // A report and a histogram that are to be compared: the kernel may move pages between two looks.
    std::pair<near_placement, Histogram> look() const {
        near_placement placement{};
        placement.struct_size = sizeof placement;
        std::vector<near_node_pages> nodes(2048);
        std::size_t needed = 0;
        EXPECT_EQ(near_region_look(region_, &placement, nodes.data(), nodes.size(), &needed, nullptr), NEAR_OK);
        return {placement, histogram_of(nodes, needed)};
    }

    near_status status = NEAR_OK;
    Error error;

private:
    near_region *region_ = nullptr;
};

inline std::string text_of(const near_placement &placement) {
    std::ostringstream text;
    text << near_level_name(placement.level) << ", " << near_reason_name(placement.reason_code) << ": "
         << placement.reason << " (" << placement.near_pages << " near, " << placement.present_pages << " present, "
         << placement.looked_at_pages << " looked at, " << placement.page_count << " pages)";
    return text.str();
}

// On a full node the kernel makes room, and a page that it moves just then is in no page table. Looking brings no page
// in, so what is really absent stays so.
inline std::pair<near_placement, Histogram> look_when_all_are_in(const Region &region) {
    std::pair<near_placement, Histogram> seen;
    EXPECT_TRUE(nearpool_test::eventually([&] {
        seen = region.look();
        return seen.first.present_pages == seen.first.page_count;
    })) << text_of(seen.first);
    return seen;
}

inline near_node_info node_info(uint32_t node) {
    near_node_info info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(near_topology_node_info(nullptr, node, &info), NEAR_OK);
    return info;
}

inline std::vector<uint32_t> all_nodes() {
    std::vector<uint32_t> nodes;
    for (std::size_t i = 0; i < near_topology_node_count(nullptr); i++) {
        nodes.push_back(near_topology_node_at(nullptr, i));
    }
    return nodes;
}

// Those whose memory this process may use.
inline std::vector<uint32_t> memory_nodes() {
    std::vector<uint32_t> nodes;
    for (const uint32_t node : all_nodes()) {
        if (node_info(node).memory_bytes != 0 && node_info(node).memory_allowed != 0) {
            nodes.push_back(node);
        }
    }
    return nodes;
}

inline std::size_t free_bytes(uint32_t node) {
    std::ifstream file("/sys/devices/system/node/node" + std::to_string(node) + "/meminfo");
    for (std::string line; std::getline(file, line);) {
        const std::size_t place = line.find("MemFree:");
        if (place != std::string::npos) {
            return std::strtoul(line.c_str() + place + 8, nullptr, 10) * 1024;
        }
    }
    return SIZE_MAX / 2; // a machine that shows no nodes
}

// Those that are not full of other things, as nodes of a small machine may be.
inline std::vector<uint32_t> nodes_with_room() {
    std::vector<uint32_t> nodes;
    for (const uint32_t node : memory_nodes()) {
        if (free_bytes(node) >= 12 * mib) {
            nodes.push_back(node);
        }
    }
    return nodes;
}

// Node of a page that is in, as the kernel says it.
inline int node_of(const volatile void *address) {
    void *page = const_cast<void *>(address);
    int node = -1;
    EXPECT_EQ(syscall(SYS_move_pages, 0, 1UL, &page, nullptr, &node, 0), 0);
    return node;
}

// A page that nobody has touched.
class MappedPage {
public:
    MappedPage() : data_(::mmap(nullptr, page_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
        EXPECT_NE(data_, MAP_FAILED);
    }
    MappedPage(const MappedPage &) = delete;
    MappedPage &operator=(const MappedPage &) = delete;
    ~MappedPage() { ::munmap(data_, page_bytes()); }
    volatile char *data() const { return static_cast<volatile char *>(data_); }

private:
    void *const data_;
};

// Bytes of address space of this process.
inline std::size_t mapped_bytes() {
    std::ifstream file("/proc/self/statm");
    std::size_t pages = 0;
    file >> pages;
    return pages * page_bytes();
}

} // namespace nearpool_region_test
