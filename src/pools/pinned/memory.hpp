// SPDX-License-Identifier: Apache-2.0
// A stretch of page-locked memory, and what is known of it since it was made.
#pragma once

#include "base/status.hpp"
#include "memory/range.hpp"
#include "pools/pinned/wish.hpp"

#include <memory>

namespace nearpool::pinned {

class Lot;

// Gives the memory back when it goes, on any thread, in the device's context, which must still be there.
class Memory {
public:
    virtual ~Memory() = default;
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;

    const Range &range() const { return range_; }
    int32_t method() const { return method_; }
    uint32_t node() const { return gpu_.node; }
    const Gpu &gpu() const { return gpu_; } // for which it was made
    const std::vector<Missed> &missed() const { return missed_; }
    const Census &census() const { return census_; } // when it was page-locked
    int32_t pages() const { return pages_; }
    int32_t pages_reason() const { return pages_reason_; }

    Lot *lot = nullptr;          // where its blocks are, once it has some
    Memory *next_gone = nullptr; // when it goes

    virtual std::size_t chunk_count() const { return 1; }
    virtual Result<int32_t> descriptor() const;
    virtual bool only_its_device() const { return false; } // other devices cannot use it

    // Where the pages of [data, data + bytes) are now, and what there is to report of that.
    Census look(const Site &site, const char *data, std::size_t bytes) const;
    near_placement describe(const Topology &topology, const Census &census, const char *data, std::size_t bytes) const;

    // Looks at it and keeps what is seen. Where it was looked at before it was locked, samples will do.
    void settle(const Site &site);
    void settle(const Site &site, const Census &before);
    void keep(std::vector<Missed> missed) { missed_ = std::move(missed); }
    // How far the device's node is enforced for what was seen.
    Enforcement verdict(const Topology &topology, const Census &census) const;
    bool proven() const { return proven_; } // strict, when it was page-locked

protected:
    Memory(const Gpu &gpu, int32_t method) : gpu_(gpu), method_(method) {}

    Range range_;
    int32_t pages_ = NEAR_PAGES_BASE;
    int32_t pages_reason_ = NEAR_REASON_NONE;
    Enforcement limit_;  // why its node cannot have it
    bool bound_ = false; // to its node

private:
    std::size_t pages_in(const char *data, std::size_t bytes) const;

    const Gpu gpu_;
    const int32_t method_;
    Census census_;
    bool proven_ = false;
    std::vector<Missed> missed_;
};

} // namespace nearpool::pinned
