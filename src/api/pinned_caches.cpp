// SPDX-License-Identifier: Apache-2.0
#include "api/pinned_caches.hpp"

#include "api/process.hpp"
#include "base/fork_lock.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

namespace nearpool::api {
namespace {

struct Entry {
    const RefCounted *workers;
    const RefCounted *devices;
    Ref<pinned::Cache> cache;
    bool closing = false;

    bool of(const RefCounted *pool) const { return workers == pool || devices == pool; }
};

struct Caches {
    ForkMutex mutex; // guards what follows
    std::vector<Entry> entries;

    Ref<pinned::Cache> find(const RefCounted *workers, const RefCounted *devices) const {
        for (const Entry &entry : entries) {
            if (entry.workers == workers && entry.devices == devices) {
                return entry.cache;
            }
        }
        return {};
    }
};

// Whether there ever was a cache: programs without page-locked memory need no list of them.
std::atomic<bool> any{false};

Caches &caches() {
    static auto *const only = new Caches;
    return *only;
}

} // namespace

Result<Ref<pinned::Cache>> cache_for(const numa::Pool &workers, device::Pool &devices) {
    Caches &all = caches();
    const std::lock_guard<ForkMutex> lock(all.mutex);
    if (workers.ending()) {
        return fail(NEAR_E_SHUTDOWN, "the pool is being shut down");
    }
    if (Ref<pinned::Cache> known = all.find(&workers, &devices); known) {
        return known;
    }
    all.entries.reserve(all.entries.size() + 1);
    Result<Ref<pinned::Cache>> cache = pinned::Cache::create(real_ports(), crew(), Ref<device::Pool>::share(&devices),
                                                             workers.options().pinned_limit_bytes);
    if (cache) {
        all.entries.push_back(Entry{&workers, &devices, cache.value(), false});
        any.store(true, std::memory_order_release);
    }
    return cache;
}

Ref<pinned::Cache> known_cache(const numa::Pool &workers, const device::Pool &devices) {
    if (!any.load(std::memory_order_acquire)) {
        return {};
    }
    const std::lock_guard<ForkMutex> lock(caches().mutex);
    return caches().find(&workers, &devices);
}

namespace {

// The next cache of the pool that nobody has begun to close.
Ref<pinned::Cache> next_to_close(const RefCounted *pool) {
    const std::lock_guard<ForkMutex> lock(caches().mutex);
    for (Entry &entry : caches().entries) {
        if (entry.of(pool) && !std::exchange(entry.closing, true)) {
            return entry.cache;
        }
    }
    return {};
}

void *close_main(void *detached) {
    const Ref<pinned::Cache> cache = Ref<pinned::Cache>::adopt(static_cast<pinned::Cache *>(detached));
    cache->close();
    return nullptr;
}

// Closing waits for streams, and what they wait for may be a task of the pool that is being destroyed from one of its
// own tasks: then another thread waits.
void close_elsewhere(const Ref<pinned::Cache> &cache) {
    ThreadPort &threads = real_ports().threads;
    pthread_t thread{};
    pinned::Cache *of_thread = Ref<pinned::Cache>(cache).detach();
    if (threads.start(&thread, close_main, of_thread) == 0) {
        threads.detach(thread);
    } else {
        close_main(of_thread);
    }
}

void close_all(const RefCounted *pool, bool elsewhere) {
    while (const Ref<pinned::Cache> cache = next_to_close(pool)) {
        if (elsewhere) {
            close_elsewhere(cache);
        } else {
            cache->close();
        }
    }
}

// Takes an entry of the pool out; none: there is none any more.
Ref<pinned::Cache> forget_next(const RefCounted *pool) {
    const std::lock_guard<ForkMutex> lock(caches().mutex);
    std::vector<Entry> &entries = caches().entries;
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry &entry) { return entry.of(pool); });
    if (found == entries.end()) {
        return {};
    }
    std::swap(*found, entries.back());
    Ref<pinned::Cache> cache = std::move(entries.back().cache);
    entries.pop_back();
    return cache;
}

} // namespace

EndOfCaches::EndOfCaches(numa::Pool *pool) : pool_(Ref<RefCounted>::share(pool)), forked_(pool->forked()) {
    if (!forked_) {
        pool->begin_end();
    }
    if (!forked_ && any.load(std::memory_order_acquire)) {
        close_all(pool, pool->inside());
    }
}

EndOfCaches::EndOfCaches(device::Pool *pool) : pool_(Ref<RefCounted>::share(pool)), forked_(pool->forked()) {
    if (!forked_ && any.load(std::memory_order_acquire)) {
        close_all(pool, false);
    }
}

// In a child the caches stay as they are: their locks may be taken for ever, and their threads are not here.
EndOfCaches::~EndOfCaches() {
    if (!any.load(std::memory_order_acquire)) {
        return;
    }
    if (!forked_) {
        close_all(pool_.get(), false); // what somebody has asked for meanwhile
    }
    while (Ref<pinned::Cache> cache = forget_next(pool_.get())) {
        if (forked_) {
            static_cast<void>(cache.detach());
        }
    }
}

} // namespace nearpool::api
