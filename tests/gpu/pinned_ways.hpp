// SPDX-License-Identifier: Apache-2.0
// What the tests of the ways to page-locked memory share: devices next to a node, what the driver can do, and its log.
#pragma once

#include "gpu/pinned_support.hpp"

#include <cinttypes>
#include <cstdio>
#include <sstream>
#include <unistd.h>

namespace nearpool_gpu {

inline std::size_t page_bytes() {
    return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// Two devices next to node 0, with `fields` each, and `more` for the driver.
inline std::string near_node_0(const std::string &fields = "", const std::string &more = "") {
    const std::string device =
        R"({"pci":"0000:00:1f.0","nvml":{"memory_affinity":0})" + (fields.empty() ? "" : "," + fields) + "}";
    const std::string other =
        R"({"pci":"0000:00:1d.0","nvml":{"memory_affinity":0})" + (fields.empty() ? "" : "," + fields) + "}";
    return "{\"devices\":[" + device + "," + other + "]" + (more.empty() ? "" : "," + more) + "}";
}

inline bool makes_memory_on_nodes() {
    int version = 0;
    EXPECT_EQ(driver()->driver_get_version(&version), cuda_success);
    return driver()->mem_create != nullptr && version >= 12020;
}

// What this process may do here: NEAR_CAPABILITY_*.
inline bool can(int32_t capability) {
    near_capabilities *all = nullptr;
    Error error;
    EXPECT_EQ(near_capabilities_create(nullptr, &all, &error), NEAR_OK) << error.message;
    near_capability one{};
    one.struct_size = sizeof one;
    EXPECT_EQ(near_capabilities_get(all, capability, &one), NEAR_OK);
    near_capabilities_destroy(all);
    return one.available != 0;
}

// A test that binds memory to node 0.
#define NEEDS_BINDING()                                                                                                \
    if (!can(NEAR_CAPABILITY_MEMORY_BINDING)) {                                                                        \
        GTEST_SKIP() << "[mempolicy] memory cannot be bound here";                                                     \
    }                                                                                                                  \
    static_cast<void>(0)

inline near_status alloc_pinned(numa_pool *pool, device_pool *devices, std::size_t bytes,
                                const near_pinned_options &options, Pinned *pinned, near_error *error = nullptr,
                                int32_t ordinal = 0) {
    return numa_pool_alloc_pinned(pool, devices, ordinal, bytes, &options, pinned->out(), error);
}

// A call that took a range: its first byte and, where it was said, how many.
struct RangeCall {
    uintptr_t data = 0;
    std::size_t bytes = 0;
};

// The calls of a symbol that the driver's log has, in their order.
inline std::vector<RangeCall> logged(const std::string &symbol) {
    std::vector<RangeCall> calls;
    std::istringstream log(fake()->log_text());
    for (std::string line; std::getline(log, line);) {
        const std::size_t at = line.find(" " + symbol + "(");
        if (at != std::string::npos) {
            RangeCall call;
            std::sscanf(line.c_str() + at + symbol.size() + 2, "%" SCNxPTR ", %zx", &call.data, &call.bytes);
            calls.push_back(call);
        }
    }
    return calls;
}

} // namespace nearpool_gpu
