// SPDX-License-Identifier: Apache-2.0
// The streams of one GPU: lent under ids that are never used twice, and lent again only when their work is done.
#pragma once

#include "base/fork_mark.hpp"
#include "base/ref.hpp"
#include "pools/device/pool.hpp"
#include "pools/stream/byte_total.hpp"
#include "pools/stream/free_slots.hpp"
#include "pools/stream/mark.hpp"
#include "pools/stream/pending.hpp"
#include "pools/stream/slot.hpp"

#include <nearpool/stream_pool.h>

#include <memory>
#include <mutex>
#include <optional>
#include <unordered_set>

namespace nearpool::stream {

// Between two looks at what the driver has no wait for.
constexpr uint64_t longest_pause_ns = 200 * NEAR_US;

struct Options {
    int32_t mode = STREAM_POOL_EXCLUSIVE;
    uint32_t max_streams = 16;
    uint32_t max_leases = 1024; // of a shared pool
    int32_t priority = 0;
    uint64_t budget_bytes = 0;
};

class Pool final : public RefCounted, private device::Consumer {
public:
    static Result<Ref<Pool>> create(FutexPort &futex, Tickets &tickets, Ref<device::Pool> devices, int32_t ordinal,
                                    const Options &options);

    Status acquire(uint64_t *id);
    Status give_back(uint64_t id);
    Status resolve(uint64_t id, cuda::CUstream *stream) const;

    Done adopt(cuda::CUstream stream, uint64_t *id);

    Done query(uint64_t id, bool *done);
    Done synchronize(uint64_t id, uint64_t timeout_ns);
    Done wait_on(uint64_t id, Pool &other, uint64_t other_id);
    Result<Mark> mark(uint64_t id);
    Done can_then(uint64_t id) const;                                // before the task is accepted elsewhere
    Done then(uint64_t id, std::unique_ptr<Submission> &submission); // taken when NEAR_OK is returned

    Status reserve(uint64_t id, uint64_t bytes);
    Status unreserve(uint64_t id, uint64_t bytes);

    bool forked() const { return mark_.forked(); }
    const device::Pool &devices() const { return *devices_; }
    const device::Device &device() const { return device_; }
    stream_pool_info info() const;
    device::Usage usage() const override;
    uint64_t looks() const { return free_.takes(); } // at a slot that is free, to see whether it can be lent

private:
    Pool(FutexPort &futex, Tickets &tickets, Ref<device::Pool> devices, device::Device &device, cuda::CUcontext context,
         const Options &options);
    ~Pool() override;
    void choose_priority(int least, int greatest);
    void await_continuations();
    void destroy_streams() noexcept;
    void destroy_stream(Stream &stream) noexcept;

    Slot *slot_of(uint64_t id) const; // nullptr: no lease has this id
    struct Looks;
    Claim claim_empty();
    Claim claim_done(Looks &looks);
    bool has_ticket(Slot &slot);
    uint32_t count_busy() const;
    uint64_t lend(Claim claim, Stream &stream);
    Status lend_own(Claim claim, uint64_t *id);
    Status try_acquire_own(uint64_t *id, Looks looks);
    Status acquire_own(uint64_t *id);
    Status acquire_shared(uint64_t *id);
    Stream *next_shared();
    Status make_stream(Stream &stream);
    bool keep_in_mind(cuda::CUstream stream); // false: it is already
    void forget(cuda::CUstream stream);

    // A lease's stream, with its context current; NEAR_E_BUSY while it captures.
    Result<cuda::CUstream> usable(uint64_t id) const;
    Result<bool> is_done(uint64_t id) const;
    Done poll(uint64_t id, uint64_t timeout_ns);

    FutexPort &futex_;
    Tickets &tickets_;
    const Ref<device::Pool> devices_;
    device::Device &device_;
    const cuda::Driver &driver_;
    const cuda::CUcontext context_;
    const Options options_;
    const ForkMark mark_;
    int priority_ = 0;

    std::size_t slot_count_;
    std::unique_ptr<Slot[]> slots_;
    mutable FreeSlots free_;
    ByteTotal reserved_;
    std::atomic<uint32_t> made_{0};
    const Ref<Pending> pending_;

    std::unique_ptr<Stream[]> shared_; // of a shared pool: max_streams, made when their turn comes first
    std::atomic<uint64_t> shared_turn_{0};
    std::mutex known_lock_;
    std::unordered_set<cuda::CUstream> known_; // those that were made, and those that are adopted
};

} // namespace nearpool::stream
