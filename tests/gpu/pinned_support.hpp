// SPDX-License-Identifier: Apache-2.0
// What the tests of page-locked memory share.
#pragma once

#include "gpu/support.hpp"

#include <cstdint>
#include <string>
#include <utility>

namespace nearpool_gpu {

constexpr std::size_t kib = std::size_t{1} << 10U;
constexpr std::size_t mib = std::size_t{1} << 20U;
constexpr int32_t all_ways[] = {NEAR_PINNED_PLACED, NEAR_PINNED_DRIVER_NODE, NEAR_PINNED_TOUCHED, NEAR_PINNED_DRIVER};
constexpr std::size_t gib = std::size_t{1} << 30U;

inline near_pinned_options pinned_options(uint32_t methods = 0, uint32_t flags = 0) {
    near_pinned_options options{};
    options.struct_size = sizeof options;
    options.methods = methods;
    options.flags = flags;
    return options;
}

inline uint32_t only(int32_t method) {
    return 1U << static_cast<unsigned>(method);
}

// Memory that gives itself back.
class Pinned {
public:
    Pinned() = default;
    Pinned(numa_pool *pool, device_pool *devices, std::size_t bytes, int32_t ordinal = 0)
        : Pinned(pool, devices, bytes, pinned_options(), ordinal) {}
    Pinned(numa_pool *pool, device_pool *devices, std::size_t bytes, const near_pinned_options &options,
           int32_t ordinal = 0) {
        Error error;
        EXPECT_EQ(numa_pool_alloc_pinned(pool, devices, ordinal, bytes, &options, &pinned_, &error), NEAR_OK)
            << error.message;
    }
    explicit Pinned(near_pinned *pinned) : pinned_(pinned) {}
    Pinned(Pinned &&other) noexcept : pinned_(std::exchange(other.pinned_, nullptr)) {}
    Pinned &operator=(Pinned &&other) noexcept {
        std::swap(pinned_, other.pinned_);
        return *this;
    }
    Pinned(const Pinned &) = delete;
    Pinned &operator=(const Pinned &) = delete;
    ~Pinned() { free(); }

    operator near_pinned *() const { return pinned_; } // NOLINT(google-explicit-constructor)
    near_pinned **out() { return &pinned_; }
    near_pinned *detach() { return std::exchange(pinned_, nullptr); }
    void free() { near_pinned_free(std::exchange(pinned_, nullptr)); }

    char *data() const { return static_cast<char *>(near_pinned_data(pinned_)); }
    std::size_t bytes() const { return near_pinned_bytes(pinned_); }
    near_pinned_info info() const {
        near_pinned_info info{};
        info.struct_size = sizeof info;
        Error error;
        EXPECT_EQ(near_pinned_get_info(pinned_, &info, &error), NEAR_OK) << error.message;
        return info;
    }
    near_placement placement() const {
        near_placement placement{};
        placement.struct_size = sizeof placement;
        Error error;
        EXPECT_EQ(near_pinned_placement(pinned_, &placement, &error), NEAR_OK) << error.message;
        return placement;
    }
    // A report and the pages on each node that are to be compared.
    std::pair<near_placement, std::vector<near_node_pages>> look() const {
        near_placement placement{};
        placement.struct_size = sizeof placement;
        std::vector<near_node_pages> nodes(2048);
        std::size_t needed = 0;
        Error error;
        EXPECT_EQ(near_pinned_look(pinned_, &placement, nodes.data(), nodes.size(), &needed, &error), NEAR_OK)
            << error.message;
        nodes.resize(std::min(needed, nodes.size()));
        return {placement, std::move(nodes)};
    }
    int32_t reason(int32_t method, std::string *text = nullptr) const {
        char sentence[512] = "";
        int32_t reason = -1;
        EXPECT_EQ(near_pinned_reason(pinned_, method, &reason, sentence, sizeof sentence), NEAR_OK);
        if (text != nullptr) {
            *text = sentence;
        }
        return reason;
    }
    void fill(char value) const {
        for (std::size_t i = 0; i < bytes(); i++) {
            data()[i] = value;
        }
    }

private:
    near_pinned *pinned_ = nullptr;
};

class Request {
public:
    Request(numa_pool *pool, device_pool *devices, std::size_t bytes,
            const near_pinned_options &options = pinned_options(), int32_t ordinal = 0) {
        Error error;
        EXPECT_EQ(numa_pool_request_pinned(pool, devices, ordinal, bytes, &options, &request_, &error), NEAR_OK)
            << error.message;
    }
    Request(const Request &) = delete;
    Request &operator=(const Request &) = delete;
    ~Request() { destroy(); }
    operator near_pinned_request *() const { return request_; } // NOLINT(google-explicit-constructor)
    void destroy() { near_pinned_request_destroy(std::exchange(request_, nullptr)); }
    near_pinned_request *detach() { return std::exchange(request_, nullptr); }

    near_status wait(Pinned *pinned, uint64_t timeout_ns = nearpool_test::long_enough_ns,
                     near_error *error = nullptr) const {
        return near_pinned_request_wait(request_, timeout_ns, pinned->out(), error);
    }
    near_pinned_progress progress() const {
        near_pinned_progress progress{};
        progress.struct_size = sizeof progress;
        EXPECT_EQ(near_pinned_request_progress(request_, &progress), NEAR_OK);
        return progress;
    }

private:
    near_pinned_request *request_ = nullptr;
};

inline near_pinned_stats pinned_stats(numa_pool *pool, device_pool *devices, uint32_t node = NEAR_NODE_UNKNOWN) {
    near_pinned_stats stats{};
    stats.struct_size = sizeof stats;
    Error error;
    EXPECT_EQ(numa_pool_pinned_stats(pool, devices, node, &stats, &error), NEAR_OK) << error.message;
    return stats;
}

inline std::size_t trim_pinned(numa_pool *pool, device_pool *devices, std::size_t keep = 0) {
    std::size_t freed = 0;
    Error error;
    EXPECT_EQ(numa_pool_trim_pinned(pool, devices, NEAR_NODE_UNKNOWN, keep, &freed, &error), NEAR_OK) << error.message;
    return freed;
}

} // namespace nearpool_gpu
