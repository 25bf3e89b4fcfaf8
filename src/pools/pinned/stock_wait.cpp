// SPDX-License-Identifier: Apache-2.0
// Blocks that streams still use, and what is done about them; and the figures.
#include "pools/pinned/stock.hpp"

#include "base/checked.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "pools/stream/pool.hpp"

#include <algorithm>
#include <utility>

namespace nearpool::pinned {

using State = stream::Mark::State;

// Takes those whose streams have passed out of the list, and returns them.
Block *Stock::passed_blocks(Collect how, State *worst) noexcept {
    Block *list = nullptr;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        list = std::exchange(waiting_, nullptr);
    }
    Block *passed = nullptr;
    while (list != nullptr) {
        Block *block = list;
        Marks &marks = *block->use.marks;
        list = marks.next;
        const bool later = how == Collect::quickly && !block->memory->lot->kind().kept;
        const State state = later ? State::pending : marks.state();
        if (state == State::passed) {
            marks.next = std::exchange(passed, block);
            continue;
        }
        *worst = state;
        const std::lock_guard<std::mutex> lock(mutex_);
        marks.next = std::exchange(waiting_, block);
    }
    return passed;
}

// True: something came back.
bool Stock::collect(Collect how, State *worst, std::size_t *gone_bytes) noexcept {
    Gone gone;
    State ignored = State::passed;
    const std::lock_guard<std::mutex> one_asks(asking_);
    Block *passed = passed_blocks(how, worst != nullptr ? worst : &ignored);
    const bool any = passed != nullptr;
    while (passed != nullptr) {
        Block *block = passed;
        const std::unique_ptr<Marks> marks(block->use.marks);
        passed = marks->next;
        const std::lock_guard<std::mutex> lock(mutex_);
        waiting_count_--;
        waiting_bytes_ -= block->use.requested;
        block->use.marks = nullptr;
        retire(block, how, &gone);
    }
    if (gone_bytes != nullptr) {
        *gone_bytes = gone.bytes();
    }
    return any;
}

std::size_t Stock::trim(std::size_t keep_bytes) noexcept {
    std::size_t collected = 0;
    collect(Collect::wholly, nullptr, &collected);
    Gone gone;
    const std::lock_guard<std::mutex> lock(mutex_);
    while (idle_bytes() > keep_bytes && give_idle_back(&gone)) {
    }
    return collected + gone.bytes();
}

void Stock::close(FutexPort &futex) noexcept {
    constexpr int most_refusals = 50; // one after the other
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        closed_ = true;
    }
    std::atomic<uint32_t> word{0};
    int refusals = 0;
    for (uint64_t pause = 0;; pause = std::min(pause + 5 * NEAR_US, stream::longest_pause_ns)) {
        State worst = State::passed;
        collect(Collect::wholly, &worst);
        refusals = worst == State::refused ? refusals + 1 : 0;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (waiting_count_ == 0 || refusals == most_refusals) {
                break;
            }
        }
        futex.wait(&word, 0, now_ns() + pause);
    }
    warn_of_waiting();
    trim(0);
}

// Work that may still be under way must find its memory.
void Stock::warn_of_waiting() noexcept {
    std::size_t count = 0;
    std::size_t bytes = 0;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        count = waiting_count_;
        bytes = waiting_bytes_;
    }
    if (count != 0) {
        log(NEAR_LOG_WARN,
            "node %u: the driver does not say whether streams still use %zu blocks, %zu page-locked bytes: they stay",
            node_, count, bytes);
    }
}

near_pinned_stats Stock::stats() noexcept {
    collect(Collect::quickly);
    const std::lock_guard<std::mutex> lock(mutex_);
    near_pinned_stats stats{};
    stats.hits = hits_;
    stats.misses = misses_;
    stats.live_count = live_count_;
    stats.live_bytes = live_bytes_;
    stats.waiting_bytes = waiting_bytes_;
    stats.peak_live_bytes = peak_bytes_;
    stats.idle_bytes = idle_bytes();
    stats.limit_bytes = limit_.bytes;
    stats.pinning_ns = pinning_ns_;
    for (const auto &lot : lots_) {
        stats.held_bytes += lot->heap.span_bytes();
        stats.bookkeeping_bytes += lot->heap.bookkeeping_bytes();
    }
    return stats;
}

void add(const near_pinned_stats &more, near_pinned_stats *sum) {
    sum->hits += more.hits;
    sum->misses += more.misses;
    sum->live_count += more.live_count;
    sum->live_bytes += more.live_bytes;
    sum->waiting_bytes += more.waiting_bytes;
    sum->idle_bytes += more.idle_bytes;
    sum->held_bytes += more.held_bytes;
    sum->peak_live_bytes = saturating_add(sum->peak_live_bytes, more.peak_live_bytes);
    sum->limit_bytes = saturating_add(sum->limit_bytes, more.limit_bytes);
    sum->pinning_ns += more.pinning_ns;
    sum->bookkeeping_bytes += more.bookkeeping_bytes;
}

} // namespace nearpool::pinned
