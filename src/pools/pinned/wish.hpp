// SPDX-License-Identifier: Apache-2.0
// What a caller asks for, and how it was come by.
#pragma once

#include "pools/device/device.hpp"

#include <nearpool/pinned.h>

#include <string>
#include <vector>

namespace nearpool::pinned {

constexpr std::size_t least_alignment = 64;

// A GPU as page-locked memory sees it.
struct Gpu {
    device::Device *device = nullptr;
    uint32_t node = NEAR_NODE_UNKNOWN; // where its memory is to be: its own, or, where nobody knows that, the caller's
    bool node_known = false;
    bool one_pointer = false; // the device uses the host's address of registered memory
    bool registers = false;   // memory that is there already can be page-locked
    bool locks = false;       // page-locking does more than faulting in
};

struct Wish {
    std::size_t bytes = 0;
    std::size_t alignment = least_alignment;
    bool strict = false;
    int32_t pages = NEAR_PAGES_HUGE;
    uint32_t methods = 0; // 1 << NEAR_PINNED_* each
    uint32_t flags = 0;   // NEAR_PINNED_FORK and so on
    std::size_t chunk_bytes = 0;
    uint64_t timeout_ns = 0;

    bool asks_for(int32_t method) const { return (methods >> static_cast<uint32_t>(method) & 1U) != 0; }
    bool has(uint32_t flag) const { return (flags & flag) != 0; }
    bool alone() const { return has(NEAR_PINNED_SHARED | NEAR_PINNED_NO_CACHE); } // never from the cache
};

// What numa_pool_alloc_pinned() was given.
Result<Wish> wish_of(std::size_t bytes, const near_pinned_options *options);

// What numa_pool_adopt_pinned() was given.
Result<Wish> adoption_of(const void *data, std::size_t bytes, const near_pinned_options *options);

// 10 s and 1 s for each whole GiB, 300 s at most.
uint64_t usual_timeout_ns(std::size_t bytes);

// Why a way to page-locked memory was not taken.
struct Missed {
    int32_t method = 0;
    int32_t reason = NEAR_REASON_NONE;
    std::string text;
};

const char *method_name(int32_t method);

} // namespace nearpool::pinned
