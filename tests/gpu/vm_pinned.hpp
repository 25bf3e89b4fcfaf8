// SPDX-License-Identifier: Apache-2.0
// What the tests of page-locked memory on real nodes share. What the library reports is held against what the kernel
// says to the test itself.
#pragma once

#include "gpu/pinned_support.hpp"
#include "gpu/vm_support.hpp"

#include <cstring>
#include <linux/mempolicy.h>

namespace nearpool_gpu {

// In the machine four-nodes: device 0 is next to node 2, device 1 next to node 3.
constexpr uint32_t vm_gpu_nodes[] = {2, 3};

inline std::string vm_gpus(const std::string &of_device = "", const std::string &of_driver = "") {
    return "{\"devices\":[" + device_at(address_on(2), of_device) + "," + device_at(address_on(3), of_device) + "]" +
           (of_driver.empty() ? "" : "," + of_driver) + "}";
}

inline std::size_t pages_in(const Histogram &histogram) {
    std::size_t count = 0;
    for (const auto &[node, pages] : histogram) {
        count += pages;
    }
    return count;
}

inline std::size_t pages_on(const Histogram &histogram, uint32_t node) {
    const auto found = histogram.find(static_cast<int>(node));
    return found == histogram.end() ? 0 : found->second;
}

inline std::string text_of(const near_placement &placement) {
    return std::string(near_level_name(placement.level)) + ", " + near_reason_name(placement.reason_code) + ": " +
           placement.reason;
}

// The report is what the kernel says: no more is near than is there, and strict is claimed of all or nothing.
inline void expect_true_report(const Pinned &pinned, uint32_t node, const Histogram &seen) {
    const auto [placement, nodes] = pinned.look();
    const std::size_t unit = placement.page_bytes / base_page;
    Histogram reported;
    for (const near_node_pages &on : nodes) {
        reported[static_cast<int>(on.node)] = on.page_count * unit;
    }
    EXPECT_EQ(placement.page_count * unit, pages_in(seen));
    EXPECT_EQ(placement.present_pages * unit, pages_in(seen));
    EXPECT_EQ(placement.near_pages * unit, pages_on(seen, node)) << text_of(placement);
    EXPECT_EQ(placement.level == NEAR_LEVEL_STRICT, pages_on(seen, node) == pages_in(seen)) << text_of(placement);
    EXPECT_EQ(placement.reason[0] == '\0', placement.level == NEAR_LEVEL_STRICT) << text_of(placement);
    EXPECT_EQ(reported, seen);
}

inline void expect_all_near(const Pinned &pinned, uint32_t node) {
    const Histogram seen = pages_of(pinned.data(), pinned.bytes());
    EXPECT_EQ(pages_on(seen, node), pages_in(seen))
        << "of " << pinned.bytes() << " bytes, by way of " << near_pinned_method_name(pinned.info().method);
    EXPECT_EQ(pinned.info().node, node);
    expect_true_report(pinned, node, seen);
}

// Both GPUs by each of the ways, with base pages and with huge ones.
inline void expect_all_near_by_each_way(numa_pool *workers, device_pool *devices) {
    for (const int32_t way : all_ways) {
        for (const int32_t pages : {NEAR_PAGES_BASE, NEAR_PAGES_HUGE}) {
            for (int32_t ordinal = 0; ordinal < 2; ordinal++) {
                near_pinned_options options = pinned_options(only(way));
                options.pages = pages;
                const Pinned pinned(workers, devices, 5 * mib + 5, options, ordinal);
                ASSERT_NE(pinned.data(), nullptr) << near_pinned_method_name(way);
                EXPECT_EQ(pinned.info().method, way);
                expect_all_near(pinned, vm_gpu_nodes[ordinal]);
                std::memset(pinned.data(), 'x', pinned.bytes()); // no page finds another place
                expect_all_near(pinned, vm_gpu_nodes[ordinal]);
            }
        }
    }
}

// A test of its own process has no fixture: this is what FakeGpu does.
class OwnDriver {
public:
    explicit OwnDriver(const std::string &json) {
        EXPECT_EQ(fake()->reset(json.c_str(), 0), nullptr);
        fake()->log("");
        EXPECT_EQ(driver()->init(0), cuda_success);
    }
    ~OwnDriver() { EXPECT_STREQ(fake()->held(), ""); }
    OwnDriver(const OwnDriver &) = delete;
    OwnDriver &operator=(const OwnDriver &) = delete;
};

inline std::size_t free_bytes(uint32_t node) {
    std::ifstream file("/sys/devices/system/node/node" + std::to_string(node) + "/meminfo");
    for (std::string line; std::getline(file, line);) {
        if (const std::size_t place = line.find("MemFree:"); place != std::string::npos) {
            return std::strtoul(line.c_str() + place + 8, nullptr, 10) * kib;
        }
    }
    ADD_FAILURE() << "node " << node << " does not say what is free";
    return 0;
}

} // namespace nearpool_gpu
