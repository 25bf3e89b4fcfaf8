// SPDX-License-Identifier: Apache-2.0
// The page-locked memory of one node: blocks in use, blocks that a stream still uses, and what is idle.
#pragma once

#include "pools/pinned/gone.hpp"
#include "pools/pinned/lot.hpp"
#include "pools/pinned/marks.hpp"

#include <nearpool/pinned_cache.h>

#include <memory>
#include <mutex>
#include <vector>

namespace nearpool::pinned {

// What to make for a wish.
struct Order {
    std::size_t bytes = 0;
    std::size_t least_bytes = 0; // if so much is not to be had
    bool kept = true;            // it may become idle
};

class Stock {
public:
    // What may be page-locked. Beyond it nothing becomes idle, and where the limit is firm, nothing strict is made.
    struct Limit {
        uint64_t bytes = 0;
        bool firm = false;
    };

    Stock(class Cache &owner, uint32_t node, Limit limit) : cache_(owner), node_(node), limit_(limit) {}
    Stock(const Stock &) = delete;
    Stock &operator=(const Stock &) = delete;

    Cache &cache() const { return cache_; }
    uint32_t node() const { return node_; }

    // A block of what is idle; nullptr: none fits. Asks for streams only when it must, and unlocks nothing.
    Block *take(const Wish &wish, const Gpu &gpu) noexcept;

    // Makes room for the wish by giving idle memory back. NEAR_E_STRICT where the limit leaves none. Until add() or
    // forget() it counts as held.
    Result<Order> order(const Wish &wish);
    void forget(const Order &order, uint64_t took_ns) noexcept;
    // nullptr: the memory does not hold what was wished for. Throws std::bad_alloc.
    Block *add(std::unique_ptr<Memory> memory, const Order &order, const Wish &wish, uint64_t took_ns);
    // nullptr: it is closed.
    Block *add_adopted(std::unique_ptr<Memory> memory, const Wish &wish, uint64_t took_ns);

    // At once, or when the marked streams have come so far.
    void give(Block *block) noexcept;
    void use(Block *block, stream::Mark mark);

    // Gives idle memory back until no more than so much is left. How much went.
    std::size_t trim(std::size_t keep_bytes) noexcept;
    // Takes no more, waits for the streams, and gives back what is idle, then and from then on.
    void close(FutexPort &futex) noexcept;

    near_pinned_stats stats() noexcept;

private:
    // Whether what no longer waits may be unlocked, which takes time; else it stays until somebody does.
    enum class Collect : uint8_t {
        quickly,
        wholly
    };

    Block *find(const Wish &wish, const Gpu &gpu) noexcept;
    bool collect(Collect how, stream::Mark::State *worst = nullptr, std::size_t *gone_bytes = nullptr) noexcept;
    Block *passed_blocks(Collect how, stream::Mark::State *worst) noexcept;
    void retire(Block *block, Collect how, Gone *gone) noexcept;
    bool give_idle_back(Gone *gone) noexcept;
    Lot &lot(const Lot::Kind &kind);
    std::size_t held_bytes() const noexcept;
    std::size_t idle_bytes() const noexcept;
    Block *lend(Block *block, const Wish &wish, const Gpu &gpu) noexcept;
    void warn_of_waiting() noexcept;

    Cache &cache_;
    const uint32_t node_;
    const Limit limit_;
    std::mutex asking_; // of who asks the driver for streams: the others wait for his answer. Taken before mutex_
    std::mutex mutex_;  // guards all that follows; never held while the driver is called
    std::vector<std::unique_ptr<Lot>> lots_; // those that are proven first
    Block *waiting_ = nullptr;
    std::size_t waiting_count_ = 0;
    std::size_t waiting_bytes_ = 0; // as asked for
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
