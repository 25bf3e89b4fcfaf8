// SPDX-License-Identifier: Apache-2.0
// What the comparisons with libnuma share. Both have looked at this machine when the program began, or did when first
// asked; nothing here changes what the process may use.
#pragma once

#include "contract/region_support.hpp"

#include <numa.h>

namespace nearpool_numa_test {

using namespace nearpool_region_test;

inline std::vector<uint32_t> numbers(const bitmask *mask) {
    std::vector<uint32_t> result;
    for (unsigned bit = 0; bit < numa_bitmask_nbytes(const_cast<bitmask *>(mask)) * 8; bit++) {
        if (numa_bitmask_isbitset(mask, bit) != 0) {
            result.push_back(bit);
        }
    }
    return result;
}

// The set of a mask that libnuma has made for us, which is freed.
inline std::vector<uint32_t> numbers_of(bitmask *mask) {
    std::vector<uint32_t> result = numbers(mask);
    numa_bitmask_free(mask);
    return result;
}

// NEAR_NODE_UNKNOWN: those of the machine.
inline std::vector<uint32_t> cpus_of(uint32_t node) {
    std::size_t needed = 0;
    EXPECT_EQ(near_topology_cpus(nullptr, node, nullptr, 0, &needed), needed > 0 ? NEAR_E_CAPACITY : NEAR_OK);
    std::vector<uint32_t> cpus(needed);
    EXPECT_EQ(near_topology_cpus(nullptr, node, cpus.data(), cpus.size(), &needed), NEAR_OK);
    return cpus;
}

inline near_cpu_info cpu_info(uint32_t cpu) {
    near_cpu_info info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(near_topology_cpu_info(nullptr, cpu, &info), NEAR_OK);
    return info;
}

inline uint32_t distance(uint32_t from, uint32_t to) {
    near_link link{};
    link.struct_size = sizeof link;
    EXPECT_EQ(near_topology_link(nullptr, from, to, &link), NEAR_OK);
    return link.distance;
}

inline bool has_synthetic_node() {
    near_topology_info info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(near_topology_get_info(nullptr, &info), NEAR_OK);
    return info.synthetic_node != 0;
}

class Libnuma : public testing::Test {
protected:
    void SetUp() override {
        if (numa_available() < 0) {
            GTEST_SKIP() << "[numa] this kernel has no memory policies, and libnuma answers nothing without";
        }
        if (has_synthetic_node()) {
            EXPECT_EQ(numbers(numa_nodes_ptr), std::vector<uint32_t>()) << "libnuma sees nodes where we see none";
            GTEST_SKIP() << "[numa] this machine shows no node: ours stands for all of it, and libnuma has none";
        }
    }
};

} // namespace nearpool_numa_test
