// SPDX-License-Identifier: Apache-2.0
// Page-locked memory near the GPUs of one pool, for the callers of one numa_pool: made when it must be, kept when it is
// given back. It keeps the pool of GPUs, and so the contexts, until it is closed and its last block is back.
#pragma once

#include "base/fork_mark.hpp"
#include "pools/pinned/service.hpp"
#include "pools/pinned/ways.hpp"
#include "pools/stream/pool.hpp"

namespace nearpool::pinned {

class Cache final : public RefCounted {
public:
    // `limit_bytes`: that may be page-locked on each node; 0: half of its memory, but for who asks for more in strict
    // mode.
    static Result<Ref<Cache>> create(const Ports &ports, Crew &crew, Ref<device::Pool> devices, uint64_t limit_bytes);

    // On the calling thread when there is idle memory that fits; else it waits for the service.
    Result<Block *> allocate(int32_t ordinal, const Wish &wish);
    Result<Ref<Request>> request(int32_t ordinal, const Wish &wish);
    // Page-locks what is the caller's, on the calling thread.
    Result<Block *> adopt(int32_t ordinal, char *data, const Wish &wish);

    Done use(Block *block, stream::Pool &streams, uint64_t id);
    void give(Block *block) noexcept;

    // NEAR_NODE_UNKNOWN: of all nodes.
    std::size_t trim(uint32_t node, std::size_t keep_bytes) noexcept;
    near_pinned_stats stats(uint32_t node) noexcept;

    // Requests end with NEAR_E_SHUTDOWN; what is idle goes, and the rest as it comes back.
    void close() noexcept;

    Result<Gpu> gpu_of(int32_t ordinal) const;
    bool forked() const { return mark_.forked(); }
    Site site() const { return Site{ports_, devices_->topology(), crew_}; }

private:
    Cache(const Ports &ports, Crew &crew, Ref<device::Pool> devices);
    ~Cache() override = default;

    Stock *stock_of(uint32_t node) const;
    Ref<Request> new_request(const Gpu &gpu, const Wish &wish);
    Result<Ref<Request>> ask_for(const Gpu &gpu, const Wish &wish);
    Result<Block *> make(Request &request);
    Result<Maker> maker(const Gpu &gpu);
    Result<std::unique_ptr<Memory>> make_memory_for(const Request &request, const Order &order, Steps &steps);
    Block *lend(Block *block);

    const Ports &ports_;
    Crew &crew_;
    const Ref<device::Pool> devices_;
    const ForkMark mark_;
    std::vector<Gpu> gpus_;
    std::vector<std::unique_ptr<Stock>> stocks_; // a node each, ascending
    std::atomic<bool> closed_{false};
    Service service_;
};

// The address that the device has for page-locked memory.
Result<uint64_t> device_pointer(const Gpu &gpu, const Memory &memory, char *data);

// The cache that a block is of.
Cache &cache_of(const Block &block);

} // namespace nearpool::pinned
