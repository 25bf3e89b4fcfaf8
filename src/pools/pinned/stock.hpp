// SPDX-License-Identifier: Apache-2.0
// The page-locked memory of one node: blocks in use, blocks that a stream still uses, and what is idle.
#pragma once

#include "pools/pinned/heap.hpp"
#include "pools/pinned/memory.hpp"
#include "pools/stream/mark.hpp"

#include <nearpool/pinned_cache.h>

#include <memory>
#include <mutex>
#include <vector>

namespace nearpool::pinned {

// Marks of the streams that use a block.
class Marks {
public:
    void add(stream::Mark mark) { marks_.push_back(std::move(mark)); }
    // Asks for all that have not passed; drops those that have.
    stream::Mark::State state() noexcept;

    Block *next = nullptr; // that waits

private:
    std::vector<stream::Mark> marks_;
};

// Memory that is alike. What has been asked for by itself is never another's, and never idle.
class Lot {
public:
    struct Kind {
        int32_t method = 0;
        int32_t pages = 0;    // asked for
        int32_t ordinal = -1; // -1: all devices can use it
        bool node_known = false;
        bool forks = false;
        bool strict = false; // all its pages are known to be on the node
        bool kept = true;
        bool operator==(const Kind &other) const;
    };

    Lot(class Stock &owner, const Kind &kind) : stock(owner), kind_(kind) {}
    const Kind &kind() const { return kind_; }
    bool serves(const Wish &wish, const Gpu &gpu) const;

    Stock &stock;
    Heap heap;

private:
    const Kind kind_;
};

// What to make for a wish.
struct Order {
    std::size_t bytes = 0;
    std::size_t least_bytes = 0; // if so much is not to be had
    bool kept = true;            // it may become idle
};

class Stock {
public:
    Stock(class Cache &owner, uint32_t node, uint64_t limit_bytes)
        : cache_(owner), node_(node), limit_bytes_(limit_bytes) {}
    ~Stock();
    Stock(const Stock &) = delete;
    Stock &operator=(const Stock &) = delete;

    Cache &cache() const { return cache_; }
    uint32_t node() const { return node_; }

    // A block of what is idle; nullptr: none fits. Asks for streams only when it must.
    Block *take(const Wish &wish, const Gpu &gpu) noexcept;

    // Makes room for the wish by giving idle memory back. NEAR_E_STRICT where the limit leaves none. Ended by forget(),
    // before add().
    Result<Order> order(const Wish &wish);
    void forget(const Order &order) noexcept;
    // Throws std::bad_alloc.
    Block *add(std::unique_ptr<Memory> memory, const Order &order, const Wish &wish, const Gpu &gpu, uint64_t took_ns);
    Block *add_adopted(std::unique_ptr<Memory> memory, const Gpu &gpu, uint64_t took_ns);

    // At once, or when the marked streams have come so far.
    void give(Block *block) noexcept;
    void use(Block *block, stream::Mark mark);

    // Gives idle memory back until no more than so much is left. How much went.
    std::size_t trim(std::size_t keep_bytes) noexcept;
    // Takes no more, waits for the streams, and gives back what is idle, then and from then on.
    void close(FutexPort &futex) noexcept;

    void count_miss() noexcept;
    near_pinned_stats stats() noexcept;

private:
    using Gone = std::vector<std::unique_ptr<Memory>>;

    Block *find(const Wish &wish, const Gpu &gpu) noexcept;
    bool collect(stream::Mark::State *worst) noexcept;
    std::unique_ptr<Memory> retire(Block *block) noexcept;
    std::unique_ptr<Memory> take_idle() noexcept;
    Lot &lot(const Lot::Kind &kind);
    std::size_t held_bytes() const noexcept;
    std::size_t idle_bytes() const noexcept;
    Block *lend(Block *block, std::size_t bytes, int32_t ordinal) noexcept;

    Cache &cache_;
    const uint32_t node_;
    const uint64_t limit_bytes_;
    std::mutex mutex_; // guards all that follows; never held while the driver is called
    std::vector<std::unique_ptr<Lot>> lots_;
    Block *waiting_ = nullptr;
    std::size_t waiting_count_ = 0;
    std::size_t waiting_bytes_ = 0;
    std::size_t ordered_bytes_ = 0;
    std::size_t live_bytes_ = 0; // as asked for
    std::size_t peak_bytes_ = 0;
    uint64_t live_count_ = 0;
    uint64_t hits_ = 0;
    uint64_t misses_ = 0;
    uint64_t pinning_ns_ = 0;
    bool closed_ = false;
};

// Sums, of several nodes.
void add(const near_pinned_stats &more, near_pinned_stats *sum);

} // namespace nearpool::pinned
