// SPDX-License-Identifier: Apache-2.0
#include "pools/stream/pool.hpp"

#include "base/clock.hpp"
#include "base/log.hpp"
#include "cuda/current.hpp"

#include <algorithm>

namespace nearpool::stream {

using namespace cuda;

Result<Ref<Pool>> Pool::create(FutexPort &futex, Tickets &tickets, Ref<device::Pool> devices, int32_t ordinal,
                               const Options &options) {
    device::Device *device = devices->find(ordinal);
    if (device == nullptr) {
        return devices->no_device(ordinal);
    }
    const Result<CUcontext> context = device->context();
    if (!context) {
        return context.error();
    }
    const Current current(device->driver(), context.value());
    if (Done ok = current.entered(); !ok) {
        return ok.error();
    }
    int least = 0;
    int greatest = 0;
    const CUresult code = device->driver().ctx_get_stream_priority_range(&least, &greatest);
    if (code != cuda_success) {
        return device->driver().error(code, "cuCtxGetStreamPriorityRange");
    }
    Ref<Pool> pool = Ref<Pool>::adopt(new Pool(futex, tickets, std::move(devices), *device, context.value(), options));
    pool->choose_priority(least, greatest);
    device->add(pool.get());
    return pool;
}

Pool::Pool(FutexPort &futex, Tickets &tickets, Ref<device::Pool> devices, device::Device &device, CUcontext context,
           const Options &options)
    : futex_(futex), tickets_(tickets), devices_(std::move(devices)), device_(device), driver_(device.driver()),
      context_(context), options_(options),
      slot_count_(options.mode == STREAM_POOL_SHARED ? options.max_leases : options.max_streams),
      slots_(std::make_unique<Slot[]>(slot_count_)), free_(slots_.get(), slot_count_),
      pending_(Ref<Pending>::adopt(new Pending(driver_, context_))),
      shared_(options.mode == STREAM_POOL_SHARED ? std::make_unique<Stream[]>(options.max_streams) : nullptr) {}

Pool::~Pool() {
    if (forked()) { // locks may be taken for ever, and the driver does not work
        return;
    }
    device_.remove(this);
    await_continuations();
    give_back_in(driver_, context_, [this] { destroy_streams(); });
}

void Pool::destroy_streams() noexcept {
    for (std::size_t i = 0; i < slot_count_; i++) {
        if (!slots_[i].adopted) {
            destroy_stream(slots_[i].own);
        }
    }
    for (uint32_t i = 0; shared_ && i < options_.max_streams; i++) {
        destroy_stream(shared_[i]);
    }
}

// Numbers run from the least, 0, down to the greatest.
void Pool::choose_priority(int least, int greatest) {
    priority_ = std::max(greatest, std::min(least, options_.priority));
}

// The context may go next, and with it what the driver would call back for. It calls back also when the context is
// lost; what it no longer does when it has gone itself, or somebody has destroyed the context, is discarded. What it
// forgets is looked at.
void Pool::await_continuations() {
    constexpr int most_refusals = 50; // one after the other
    constexpr uint64_t look_pause_ns = 200 * NEAR_MS;
    std::atomic<uint32_t> word{0};
    int refusals = 0;
    uint64_t next_look = deadline_after(look_pause_ns);
    for (uint64_t pause = 0; !pending_->empty(); pause = std::min(pause + 5 * NEAR_US, longest_pause_ns)) {
        const CUresult code = Current(driver_, context_).code();
        refusals = code == cuda_success ? 0 : refusals + 1;
        if (code == cuda_error_deinitialized || code == cuda_error_context_is_destroyed || refusals == most_refusals) {
            pending_->abandon();
        } else if (now_ns() >= next_look) {
            pending_->look_at_all();
            next_look = deadline_after(look_pause_ns);
        }
        futex_.wait(&word, 0, now_ns() + pause);
    }
}

void Pool::destroy_stream(Stream &stream) noexcept {
    CUstream handle = stream.handle.load(std::memory_order_acquire);
    const CUresult code = handle != nullptr ? driver_.stream_destroy(handle) : cuda_success;
    if (code != cuda_success && code != cuda_error_deinitialized && code != cuda_error_context_is_destroyed) {
        log(NEAR_LOG_WARN, "device %d: the driver does not take a stream back: %s", device_.facts().ordinal,
            driver_.name_of(code));
    }
}

Slot *Pool::slot_of(uint64_t id) const {
    const std::size_t index = id & slot_mask;
    return index < slot_count_ && Slot::is_lent(id) && slots_[index].lent_as(id) ? &slots_[index] : nullptr;
}

Status Pool::resolve(uint64_t id, CUstream *stream) const {
    if (id == STREAM_POOL_DEFAULT) {
        *stream = nullptr;
        return NEAR_OK;
    }
    const Slot *slot = slot_of(id);
    if (slot == nullptr) {
        return NEAR_E_STALE;
    }
    CUstream handle = slot->lent_stream().handle.load(std::memory_order_acquire);
    if (!slot->lent_as(id)) { // released meanwhile: the handle may be another lease's
        return NEAR_E_STALE;
    }
    *stream = handle;
    return NEAR_OK;
}

Result<CUstream> Pool::usable(uint64_t id) const {
    CUstream stream = nullptr;
    if (resolve(id, &stream) != NEAR_OK) {
        return fail(NEAR_E_STALE, "no stream of this pool is lent under id %llu", static_cast<unsigned long long>(id));
    }
    CUstreamCaptureStatus capturing = capture_status_none;
    if (const CUresult code = driver_.stream_is_capturing(stream, &capturing); code != cuda_success) {
        return driver_.error(code, "cuStreamIsCapturing");
    }
    if (capturing != capture_status_none) {
        return fail(NEAR_E_BUSY, "the stream captures a graph; end the capture first");
    }
    return stream;
}

Status Pool::give_back(uint64_t id) {
    if (id == STREAM_POOL_DEFAULT) {
        return NEAR_E_INVALID;
    }
    Slot *slot = slot_of(id);
    if (slot == nullptr) {
        return NEAR_E_STALE;
    }
    if (options_.mode == STREAM_POOL_APPEND_ONLY) {
        return NEAR_E_UNSUPPORTED;
    }
    if (options_.mode == STREAM_POOL_EXCLUSIVE) { // a shared stream is not given back: whoever captures in it holds it
        const Current current(driver_, context_);
        if (const Result<CUstream> stream = usable(id); !stream && stream.error().status != NEAR_E_CUDA) {
            return stream.error().status; // a lost context is no reason to keep the lease
        }
    }
    if (!slot->end_lease(id)) {
        return NEAR_E_STALE;
    }
    {
        const std::lock_guard<std::mutex> lock(slot->reserving);
        if (const uint64_t bytes = slot->reserved_bytes.load(std::memory_order_relaxed); bytes > 0) {
            slot->reserved_bytes.store(0, std::memory_order_relaxed);
            slot->lent_stream().reserved_bytes.fetch_sub(bytes, std::memory_order_relaxed);
            reserved_.subtract(bytes);
        }
    }
    if (slot->adopted) {
        slot->adopted = false;
        forget(slot->own.handle.exchange(nullptr, std::memory_order_release));
    }
    free_.give_back(*slot);
    return NEAR_OK;
}

// The sum is the stream's, and streams of a shared pool have several leases; the lock is the lease's.
Status Pool::reserve(uint64_t id, uint64_t bytes) {
    Slot *slot = slot_of(id);
    if (slot == nullptr) {
        return id == STREAM_POOL_DEFAULT ? NEAR_E_INVALID : NEAR_E_STALE;
    }
    const std::lock_guard<std::mutex> lock(slot->reserving);
    if (!slot->lent_as(id)) {
        return NEAR_E_STALE;
    }
    std::atomic<uint64_t> &sum = slot->lent_stream().reserved_bytes;
    uint64_t known = sum.load(std::memory_order_relaxed);
    do {
        if (known > options_.budget_bytes || bytes > options_.budget_bytes - known) {
            return NEAR_E_CAPACITY;
        }
    } while (!sum.compare_exchange_weak(known, known + bytes, std::memory_order_relaxed));
    slot->reserved_bytes.fetch_add(bytes, std::memory_order_relaxed);
    reserved_.add(bytes);
    return NEAR_OK;
}

Status Pool::unreserve(uint64_t id, uint64_t bytes) {
    Slot *slot = slot_of(id);
    if (slot == nullptr) {
        return id == STREAM_POOL_DEFAULT ? NEAR_E_INVALID : NEAR_E_STALE;
    }
    const std::lock_guard<std::mutex> lock(slot->reserving);
    if (!slot->lent_as(id)) {
        return NEAR_E_STALE;
    }
    if (bytes > slot->reserved_bytes.load(std::memory_order_relaxed)) {
        return NEAR_E_INVALID;
    }
    slot->reserved_bytes.fetch_sub(bytes, std::memory_order_relaxed);
    slot->lent_stream().reserved_bytes.fetch_sub(bytes, std::memory_order_relaxed);
    reserved_.subtract(bytes);
    return NEAR_OK;
}

device::Usage Pool::usage() const {
    device::Usage usage;
    usage.leased_streams = free_.lent_count();
    usage.reserved_bytes = reserved_.value();
    return usage;
}

// Streams that were given back and whose work is not known to be done. Each is taken out while the driver is asked, so
// that nobody captures in it meanwhile.
uint32_t Pool::count_busy() const {
    uint32_t busy = 0;
    for (std::size_t shard = 0; shard < free_.shard_count(); shard++) {
        for (std::size_t left = free_.count(FreeSlots::returned, shard); left > 0; left--) {
            Claim claim = free_.take(FreeSlots::returned, shard);
            if (!claim) {
                break;
            }
            if (driver_.stream_query(claim->own.handle.load(std::memory_order_relaxed)) != cuda_success) {
                claim.found_busy();
                busy++;
            }
        }
    }
    return busy;
}

stream_pool_info Pool::info() const {
    stream_pool_info info{};
    info.mode = options_.mode;
    info.ordinal = device_.facts().ordinal;
    info.max_streams = options_.max_streams;
    info.max_leases = static_cast<uint32_t>(slot_count_);
    info.made = made_.load(std::memory_order_relaxed);
    info.lent = static_cast<uint32_t>(free_.lent_count());
    info.asked_priority = options_.priority;
    info.priority = priority_;
    info.priority_clamped = priority_ != options_.priority ? 1 : 0;
    info.budget_bytes = options_.budget_bytes;
    const Current current(driver_, context_);
    info.busy = count_busy();
    return info;
}

} // namespace nearpool::stream
