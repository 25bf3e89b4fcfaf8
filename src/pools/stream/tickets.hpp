// SPDX-License-Identifier: Apache-2.0
// The numbers of leases: each is given out once in a process, over all pools, so that an old id is never taken for a
// new one.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace nearpool::stream {

// An id is a ticket above the number of the slot that is lent.
constexpr unsigned slot_bits = 16;
constexpr uint64_t slot_mask = (UINT64_C(1) << slot_bits) - 1;
constexpr uint64_t ticket_end = UINT64_C(1) << (64 - slot_bits);

struct TicketBlock {
    uint64_t next = 0;
    uint64_t end = 0;
    bool empty() const { return next == end; }
};

class Tickets {
public:
    explicit Tickets(uint64_t first = 1) : next_(first) {}

    // Some tickets at once, so that threads seldom meet here. Empty: all are used up.
    TicketBlock take() {
        uint64_t next = next_.load(std::memory_order_relaxed);
        uint64_t end = 0;
        do {
            end = std::min(next + block, ticket_end);
        } while (next != end && !next_.compare_exchange_weak(next, end, std::memory_order_relaxed));
        return TicketBlock{next, end};
    }

private:
    static constexpr uint64_t block = 256;
    alignas(128) std::atomic<uint64_t> next_;
};

} // namespace nearpool::stream
