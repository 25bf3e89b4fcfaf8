// SPDX-License-Identifier: Apache-2.0
// Which stream an acquire gets: one whose work is done, else a new one, else none.
#include "pools/stream/pool.hpp"

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

Slot *Pool::claim_empty() {
    std::size_t index = first_slot();
    for (std::size_t i = 0; i < slot_count_; i++, index++) {
        Slot &slot = slots_[index < slot_count_ ? index : index - slot_count_];
        if (slot.claim(Slot::empty)) {
            return &slot;
        }
    }
    return nullptr;
}

bool Pool::has_ticket(Slot &slot) {
    if (slot.tickets.empty()) {
        slot.tickets = tickets_.take();
    }
    return !slot.tickets.empty();
}

uint64_t Pool::lend(Slot &slot, Stream &stream) {
    const auto index = static_cast<uint64_t>(&slot - slots_.get());
    const uint64_t id = slot.tickets.next++ << slot_bits | index;
    slot.stream.store(&stream, std::memory_order_relaxed);
    slot.leave(id);
    return id;
}

// A stream that was given back and has done its work; nullptr: none, and `status` says whether asking failed.
Slot *Pool::claim_done(Status *status) {
    std::size_t index = first_slot();
    for (std::size_t i = 0; i < slot_count_; i++, index++) {
        Slot &slot = slots_[index < slot_count_ ? index : index - slot_count_];
        if (!slot.claim(Slot::returned)) {
            continue;
        }
        const CUresult code = driver_.stream_query(slot.own.handle.load(std::memory_order_relaxed));
        if (code == cuda_success) {
            return &slot;
        }
        slot.leave(Slot::returned);
        if (code != cuda_error_not_ready) {
            *status = NEAR_E_CUDA;
        }
    }
    return nullptr;
}

Status Pool::make_stream(Stream &stream) {
    CUstream handle = nullptr;
    const CUresult code = driver_.stream_create(&handle, stream_non_blocking, priority_);
    if (code != cuda_success) {
        log(NEAR_LOG_WARN, "no new stream on device %d: %s", device_.facts().ordinal,
            driver_.error(code, "cuStreamCreateWithPriority").message.c_str());
        return NEAR_E_CUDA;
    }
    stream.handle.store(handle, std::memory_order_release);
    made_.fetch_add(1, std::memory_order_relaxed);
    return NEAR_OK;
}

Status Pool::acquire_own(uint64_t *id) {
    const Current current(driver_, context_);
    if (current.code() != cuda_success) {
        return NEAR_E_CUDA;
    }
    Status status = NEAR_E_CAPACITY;
    Slot *slot = claim_done(&status);
    const uint64_t before = slot != nullptr ? Slot::returned : Slot::empty;
    if (slot == nullptr) {
        slot = claim_empty();
    }
    if (slot == nullptr) {
        return status;
    }
    if (!has_ticket(*slot)) {
        slot->leave(before);
        return NEAR_E_CAPACITY;
    }
    if (before == Slot::empty) {
        if (const Status made = make_stream(slot->own); made != NEAR_OK) {
            slot->leave(Slot::empty);
            return made;
        }
    }
    *id = lend(*slot, slot->own);
    return NEAR_OK;
}

// The next stream round robin, made when its turn comes first; nullptr: it could not be made.
Stream *Pool::next_shared() {
    const std::lock_guard<std::mutex> lock(shared_mutex_);
    if (shared_.size() < options_.max_streams) {
        const Current current(driver_, context_);
        auto stream = std::make_unique<Stream>();
        shared_.reserve(shared_.size() + 1);
        if (current.code() != cuda_success || make_stream(*stream) != NEAR_OK) {
            return nullptr;
        }
        shared_.push_back(std::move(stream));
        return shared_.back().get();
    }
    return shared_[shared_turn_++ % shared_.size()].get();
}

Status Pool::acquire_shared(uint64_t *id) {
    Slot *slot = claim_empty();
    if (slot == nullptr) {
        return NEAR_E_CAPACITY;
    }
    if (!has_ticket(*slot)) {
        slot->leave(Slot::empty);
        return NEAR_E_CAPACITY;
    }
    Stream *stream = next_shared();
    if (stream == nullptr) {
        slot->leave(Slot::empty);
        return NEAR_E_CUDA;
    }
    *id = lend(*slot, *stream);
    return NEAR_OK;
}

Status Pool::acquire(uint64_t *id) {
    return options_.mode == STREAM_POOL_SHARED ? acquire_shared(id) : acquire_own(id);
}

Done Pool::adopt(CUstream stream, uint64_t *id) {
    const auto handle = reinterpret_cast<std::uintptr_t>(stream);
    if (handle == 0 || handle == stream_legacy || handle == stream_per_thread) {
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
    for (std::size_t i = 0; i < slot_count_; i++) {
        if (slots_[i].own.handle.load(std::memory_order_relaxed) == stream) {
            return fail(NEAR_E_INVALID, "the pool has this stream already");
        }
    }
    Slot *slot = claim_empty();
    if (slot == nullptr || !has_ticket(*slot)) {
        if (slot != nullptr) {
            slot->leave(Slot::empty);
        }
        return fail(NEAR_E_CAPACITY, "all %zu places of the pool are taken", slot_count_);
    }
    slot->own.handle.store(stream, std::memory_order_release);
    slot->adopted = true;
    *id = lend(*slot, slot->own);
    return {};
}

} // namespace nearpool::stream
