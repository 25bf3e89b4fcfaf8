// SPDX-License-Identifier: Apache-2.0
// Which stream an acquire gets: one whose work is done, else a new one, else none.
#include "pools/stream/pool.hpp"

#include "base/clock.hpp"
#include "base/log.hpp"
#include "cuda/current.hpp"

namespace nearpool::stream {

using namespace cuda;

namespace {

std::atomic<uint32_t> thread_count{0};
thread_local const uint32_t thread_number = thread_count.fetch_add(1, std::memory_order_relaxed);

} // namespace

// Threads begin to look far from each other, and each where it found something before: so they seldom meet. The
// multiplier is 2^32 divided by the golden ratio (D. Knuth, The Art of Computer Programming, volume 3, section 6.4).
std::size_t Pool::first_slot() const {
    const uint32_t spread = thread_number * UINT32_C(2654435769);
    return static_cast<std::size_t>(uint64_t{spread} * slot_count_ >> 32);
}

Claim Pool::claim_empty() {
    std::size_t index = first_slot();
    for (std::size_t i = 0; i < slot_count_; i++, index++) {
        Slot &slot = slots_[index < slot_count_ ? index : index - slot_count_];
        if (slot.claim(Slot::empty)) {
            return {&slot, Slot::empty};
        }
    }
    return {nullptr, Slot::empty};
}

// A stream that was given back and has done its work. Where there is none, `status` says whether asking failed.
Claim Pool::claim_done(Status *status) {
    std::size_t index = first_slot();
    for (std::size_t i = 0; i < slot_count_; i++, index++) {
        Slot &slot = slots_[index < slot_count_ ? index : index - slot_count_];
        if (!slot.claim(Slot::returned)) {
            continue;
        }
        Claim claim(&slot, Slot::returned);
        const CUresult code = driver_.stream_query(slot.own.handle.load(std::memory_order_relaxed));
        if (code == cuda_success) {
            return claim;
        }
        if (code != cuda_error_not_ready) {
            *status = NEAR_E_CUDA;
        }
    }
    return {nullptr, Slot::returned};
}

bool Pool::has_ticket(Slot &slot) {
    if (slot.tickets.empty()) {
        slot.tickets = tickets_.take();
    }
    return !slot.tickets.empty();
}

uint64_t Pool::lend(Claim claim, Stream &stream) {
    Slot &slot = *claim.keep();
    const auto index = static_cast<uint64_t>(&slot - slots_.get());
    const uint64_t id = slot.tickets.next++ << slot_bits | index;
    slot.stream.store(&stream, std::memory_order_release);
    slot.changed();
    slot.leave(id);
    return id;
}

Status Pool::make_stream(Stream &stream) {
    CUstream handle = nullptr;
    const CUresult code = driver_.stream_create(&handle, stream_non_blocking, priority_);
    if (code != cuda_success) {
        log(NEAR_LOG_WARN, "device %d: the driver makes no more streams: %s", device_.facts().ordinal,
            driver_.name_of(code));
        return NEAR_E_CUDA;
    }
    stream.handle.store(handle, std::memory_order_release);
    made_.fetch_add(1, std::memory_order_relaxed);
    return NEAR_OK;
}

Status Pool::try_acquire_own(uint64_t *id) {
    Status status = NEAR_E_CAPACITY;
    Claim done = claim_done(&status);
    Claim claim = done ? std::move(done) : claim_empty();
    if (!claim) {
        return status;
    }
    if (!has_ticket(*claim)) {
        return NEAR_E_CAPACITY;
    }
    if (claim.was_empty()) {
        if (const Status made = make_stream(claim->own); made != NEAR_OK) {
            return made;
        }
    }
    Stream &stream = claim->own;
    *id = lend(std::move(claim), stream);
    return NEAR_OK;
}

// Of all slots at once, if none of them is about to change; equal ones say that nothing has moved between them.
std::optional<uint64_t> Pool::fingerprint() const {
    uint64_t sum = 0;
    for (std::size_t i = 0; i < slot_count_; i++) {
        const uint64_t changes = slots_[i].changes.load(std::memory_order_acquire);
        const uint64_t word = slots_[i].word.load(std::memory_order_acquire);
        if (word == Slot::claimed || slots_[i].changes.load(std::memory_order_relaxed) != changes) {
            return std::nullopt;
        }
        sum = sum * UINT64_C(0x9e3779b97f4a7c15) + word;
        sum = sum * UINT64_C(0x9e3779b97f4a7c15) + changes;
    }
    return sum;
}

// Looking takes time, and a stream that is given back behind the look is not seen. That there is none is said only when
// nothing has changed during the look. A thread that looks too holds a stream for one call of the driver; when it lost
// its CPU meanwhile, it gets the time to go on. After so many looks it is true enough.
Status Pool::acquire_own(uint64_t *id) {
    constexpr int looks = 1000;
    constexpr int looks_at_once = 16;
    std::atomic<uint32_t> word{0};
    const Current current(driver_, context_);
    if (current.code() != cuda_success) {
        return NEAR_E_CUDA;
    }
    Status status = try_acquire_own(id);
    for (int i = 1; i < looks && status == NEAR_E_CAPACITY; i++) {
        const std::optional<uint64_t> before = fingerprint();
        status = try_acquire_own(id);
        if (before && before == fingerprint()) {
            break;
        }
        if (i > looks_at_once) {
            futex_.wait(&word, 0, now_ns() + 20 * NEAR_US);
        }
    }
    return status;
}

// The next stream round robin, made when its turn comes first; nullptr: it could not be made. Two threads whose turn is
// the same stream may both make it: one of them gives his back.
Stream *Pool::next_shared() {
    Stream &stream = shared_[shared_turn_.fetch_add(1, std::memory_order_relaxed) % options_.max_streams];
    if (stream.handle.load(std::memory_order_acquire) != nullptr) {
        return &stream;
    }
    const Current current(driver_, context_);
    Stream fresh;
    if (current.code() != cuda_success || make_stream(fresh) != NEAR_OK) {
        return nullptr;
    }
    CUstream none = nullptr;
    if (!stream.handle.compare_exchange_strong(none, fresh.handle, std::memory_order_acq_rel)) {
        destroy_stream(fresh);
        made_.fetch_sub(1, std::memory_order_relaxed);
    }
    return &stream;
}

Status Pool::acquire_shared(uint64_t *id) {
    Claim claim = claim_empty();
    if (!claim || !has_ticket(*claim)) {
        return NEAR_E_CAPACITY;
    }
    Stream *stream = next_shared();
    if (stream == nullptr) {
        return NEAR_E_CUDA;
    }
    *id = lend(std::move(claim), *stream);
    return NEAR_OK;
}

Status Pool::acquire(uint64_t *id) {
    return options_.mode == STREAM_POOL_SHARED ? acquire_shared(id) : acquire_own(id);
}

Done Pool::adopt(CUstream stream, uint64_t *id) {
    const auto handle = reinterpret_cast<std::uintptr_t>(stream);
    if (handle == stream_legacy || handle == stream_per_thread) {
        return fail(NEAR_E_INVALID, "a default stream cannot be adopted; STREAM_POOL_DEFAULT is its id");
    }
    const Current current(driver_, context_);
    if (Done ok = current.entered(); !ok) {
        return ok;
    }
    CUcontext context = nullptr;
    if (const CUresult code = driver_.stream_get_ctx(stream, &context); code != cuda_success) {
        return driver_.error(code, "cuStreamGetCtx");
    }
    if (context != context_) {
        return fail(NEAR_E_DEVICE, "the stream is of another context than the pool, which is on device %d",
                    device_.facts().ordinal);
    }
    const std::lock_guard<std::mutex> lock(adopting_);
    if (has(stream)) {
        return fail(NEAR_E_INVALID, "the pool has this stream already");
    }
    Claim claim = claim_empty();
    if (!claim || !has_ticket(*claim)) {
        return fail(NEAR_E_CAPACITY, "all %zu places of the pool are taken", slot_count_);
    }
    Stream &own = claim->own;
    own.handle.store(stream, std::memory_order_release);
    claim->adopted = true;
    *id = lend(std::move(claim), own);
    return {};
}

bool Pool::has(CUstream stream) const {
    for (std::size_t i = 0; i < slot_count_; i++) {
        if (slots_[i].own.handle.load(std::memory_order_acquire) == stream) {
            return true;
        }
    }
    for (uint32_t i = 0; shared_ && i < options_.max_streams; i++) {
        if (shared_[i].handle.load(std::memory_order_acquire) == stream) {
            return true;
        }
    }
    return false;
}

} // namespace nearpool::stream
