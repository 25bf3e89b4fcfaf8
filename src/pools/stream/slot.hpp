// SPDX-License-Identifier: Apache-2.0
// A place in the table of leases. Its word is the id of the lease while it is lent. Whoever ends the lease, and then
// whoever takes it from among the free ones (free_slots.hpp), has it for himself. No lock is held over a call of the
// driver.
#pragma once

#include "cuda/types.hpp"
#include "pools/stream/tickets.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

namespace nearpool::stream {

struct Stream {
    std::atomic<cuda::CUstream> handle{nullptr};
    std::atomic<uint64_t> reserved_bytes{0};
};

struct alignas(128) Slot {
    static constexpr uint64_t not_lent = 0; // below the first id: tickets start at 1

    // True for one of those who try: the slot is his.
    bool end_lease(uint64_t id) {
        return word.compare_exchange_strong(id, not_lent, std::memory_order_acquire, std::memory_order_relaxed);
    }
    void lend_as(uint64_t id) { word.store(id, std::memory_order_release); }
    Stream &lent_stream() const { return *stream.load(std::memory_order_acquire); } // after lent_as()
    bool lent_as(uint64_t id) const { return word.load(std::memory_order_acquire) == id; }
    static bool is_lent(uint64_t word) { return word > slot_mask; }

    std::atomic<uint64_t> word{not_lent};
    std::atomic<Stream *> stream{nullptr};   // what is lent: own, or a shared one
    std::mutex reserving;                    // of this lease: its release ends what it has reserved
    std::atomic<uint64_t> reserved_bytes{0}; // by this lease
    Stream own;                              // made here once and kept, or adopted for one lease
    TicketBlock tickets;                     // the owner's
    Slot *next_free = nullptr;               // FreeSlots'
    uint32_t shard = 0;                      // FreeSlots'
    bool adopted = false;                    // the owner's: own is somebody else's stream
};

} // namespace nearpool::stream
