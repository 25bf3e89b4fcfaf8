// SPDX-License-Identifier: Apache-2.0
// One request for page-locked memory that must be made first. Whoever asked may leave at any time: what arrives later
// goes back.
#pragma once

#include "base/ref.hpp"
#include "pools/numa/promise.hpp"
#include "pools/pinned/steps.hpp"
#include "pools/pinned/stock.hpp"

#include <nearpool/pinned_request.h>

#include <functional>
#include <list>
#include <mutex>

namespace nearpool::pinned {

class Request final : public RefCounted {
public:
    // `cache`: whose stock it is.
    Request(Ref<const RefCounted> cache, FutexPort &futex, Stock &from, const Gpu &near, const Wish &asked)
        : stock(from), gpu(near), wish(asked), steps(deadline_after(asked.timeout_ns)), cache_(std::move(cache)),
          futex_(futex) {}

    Stock &stock;
    const Gpu gpu;
    const Wish wish;
    Steps steps;

    // Of the thread that makes the memory. False: it was abandoned meanwhile; a block went back.
    bool settle(Result<Block *> result);
    void started() noexcept { working_.store(true, std::memory_order_relaxed); }
    // Why the memory is not wanted any more.
    Error unwanted() const noexcept;

    // Of those who wait. The first who succeeds has the block; then it is NEAR_E_STALE. NEAR_E_TIMEOUT after
    // `timeout_ns`, when it may be asked again, and, for good, after the request's own time.
    Result<Block *> wait(uint64_t timeout_ns);
    // Ends it, unless it has ended. What is made all the same is given back.
    bool cancel() noexcept;
    bool expire() noexcept;    // if its time is over
    bool shut_down() noexcept; // the pool goes
    bool ended() const noexcept { return ended_.load(std::memory_order_acquire) != 0; }
    // Gives a block back that nobody took.
    void leave() noexcept;
    // The promise is kept when the request has ended, whatever came of it.
    void then(std::list<Ref<numa::Promise>> one) noexcept;
    near_pinned_progress progress() const;

private:
    ~Request() override;
    bool abandon(Error why) noexcept;
    void end_locked() noexcept;
    Result<Block *> outcome();

    const Ref<const RefCounted> cache_;
    FutexPort &futex_;
    mutable std::mutex mutex_;
    std::atomic<uint32_t> ended_{0};
    std::atomic<bool> working_{false};
    bool abandoned_ = false;
    Block *block_ = nullptr;
    bool taken_ = false;
    Error error_{NEAR_OK, NEAR_DOMAIN_NONE, 0, {}};
    std::list<Ref<numa::Promise>> promises_;
};

} // namespace nearpool::pinned
