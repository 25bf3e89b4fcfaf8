// SPDX-License-Identifier: Apache-2.0
// Which stream an acquire gets: one whose work is done, else a new one, else none.
#include "pools/stream/pool.hpp"

#include "base/clock.hpp"
#include "base/log.hpp"
#include "cuda/current.hpp"

#include <algorithm>

namespace nearpool::stream {

using namespace cuda;

namespace {

bool is_default(CUstream stream) {
    const auto handle = reinterpret_cast<std::uintptr_t>(stream);
    return stream == nullptr || handle == stream_legacy || handle == stream_per_thread;
}

} // namespace

// How many streams that were given back an acquire asks the driver about, in the caller's own shard and in each other;
// and what the driver said when none of them was done.
struct Pool::Looks {
    static constexpr std::size_t every = SIZE_MAX;
    std::size_t at_home;
    std::size_t elsewhere;
    bool left_some = false;
    Status status = NEAR_E_CAPACITY;
};

Claim Pool::claim_empty() {
    std::size_t shard = free_.home();
    for (std::size_t i = 0; i < free_.shard_count(); i++, shard = free_.after(shard)) {
        if (free_.count(FreeSlots::empty, shard) > 0) {
            if (Claim claim = free_.take(FreeSlots::empty, shard)) {
                return claim;
            }
        }
    }
    return {};
}

// A stream that was given back and has done its work. One that has not is asked about again after all others that wait.
Claim Pool::claim_done(Looks &looks) {
    std::size_t shard = free_.home();
    for (std::size_t i = 0; i < free_.shard_count(); i++, shard = free_.after(shard)) {
        const std::size_t waiting = free_.count(FreeSlots::returned, shard);
        const std::size_t most = std::min(waiting, i == 0 ? looks.at_home : looks.elsewhere);
        looks.left_some |= most < waiting;
        for (std::size_t look = 0; look < most; look++) {
            Claim claim = free_.take(FreeSlots::returned, shard);
            if (!claim) {
                break;
            }
            const CUresult code = driver_.stream_query(claim->own.handle.load(std::memory_order_relaxed));
            if (code == cuda_success) {
                return claim;
            }
            claim.found_busy();
            looks.status = code != cuda_error_not_ready ? NEAR_E_CUDA : looks.status;
        }
    }
    return {};
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
    free_.lent(slot);
    slot.lend_as(id);
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
    bool is_new = false;
    try {
        is_new = !is_default(handle) && keep_in_mind(handle);
    } catch (...) { // no memory for that
        driver_.stream_destroy(handle);
        throw;
    }
    if (!is_new) { // it is somebody's: not destroyed
        log(NEAR_LOG_WARN, "device %d: the driver made a stream and gave %s", device_.facts().ordinal,
            is_default(handle) ? "the default stream" : "one that the pool has already");
        return NEAR_E_CUDA;
    }
    stream.handle.store(handle, std::memory_order_release);
    made_.fetch_add(1, std::memory_order_relaxed);
    return NEAR_OK;
}

Status Pool::lend_own(Claim claim, uint64_t *id) {
    if (!has_ticket(*claim)) {
        claim.found_busy();
        return NEAR_E_CAPACITY;
    }
    Stream &stream = claim->own;
    *id = lend(std::move(claim), stream);
    return NEAR_OK;
}

// NEAR_E_CAPACITY also where there are more streams than were to be looked at: then somebody has to.
Status Pool::try_acquire_own(uint64_t *id, Looks looks) {
    if (Claim done = claim_done(looks)) {
        return lend_own(std::move(done), id);
    }
    Claim empty = claim_empty();
    if (!empty) {
        return looks.left_some ? NEAR_E_CAPACITY : looks.status;
    }
    const Status made = has_ticket(*empty) ? make_stream(empty->own) : NEAR_OK;
    if (made == NEAR_OK) {
        return lend_own(std::move(empty), id);
    }
    Looks all{Looks::every, Looks::every};
    if (Claim done = looks.left_some ? claim_done(all) : Claim()) {
        return lend_own(std::move(done), id);
    }
    return made;
}

// Where there is room for one more stream, a few are asked about, of those that have waited longest: as many as take
// the driver about the time of making one. So the streams that are at work do not make an acquire slow.
//
// Otherwise all are, and looking takes time: a stream that is given back behind the look is not seen. That there is
// none is said only when nothing has become free during the look. A thread that looks too holds a stream for one call
// of the driver; when it lost its CPU meanwhile, it gets the time to go on. After so many looks it is true enough.
Status Pool::acquire_own(uint64_t *id) {
    constexpr Looks few{16, 2}; // so a pool of up to 32 is looked at wholly
    constexpr Looks all{Looks::every, Looks::every};
    constexpr int most_looks = 1000;
    constexpr int looks_at_once = 16;
    std::atomic<uint32_t> word{0};
    const Current current(driver_, context_);
    if (current.code() != cuda_success) {
        return NEAR_E_CUDA;
    }
    Status status = try_acquire_own(id, few);
    for (int i = 1; i < most_looks && status == NEAR_E_CAPACITY; i++) {
        const std::optional<uint64_t> before = free_.arrivals();
        status = try_acquire_own(id, before || i + 1 == most_looks ? all : few);
        if (before && before == free_.arrivals()) {
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
        forget(fresh.handle.load(std::memory_order_relaxed)); // first: the driver may use the handle again
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
    if (is_default(stream)) {
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
    if (!keep_in_mind(stream)) {
        return fail(NEAR_E_INVALID, "the pool has this stream already");
    }
    Claim claim = claim_empty();
    if (!claim || !has_ticket(*claim)) {
        forget(stream);
        return fail(NEAR_E_CAPACITY, "all %zu places of the pool are taken", slot_count_);
    }
    Stream &own = claim->own;
    own.handle.store(stream, std::memory_order_release);
    claim->adopted = true;
    *id = lend(std::move(claim), own);
    return {};
}

bool Pool::keep_in_mind(CUstream stream) {
    const std::lock_guard<std::mutex> lock(known_lock_);
    return known_.insert(stream).second;
}

void Pool::forget(CUstream stream) {
    const std::lock_guard<std::mutex> lock(known_lock_);
    known_.erase(stream);
}

} // namespace nearpool::stream
