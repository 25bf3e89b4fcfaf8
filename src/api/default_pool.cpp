// SPDX-License-Identifier: Apache-2.0
#include "api/default_pool.hpp"

#include "api/process.hpp"

#include <new>

namespace nearpool::api {
namespace {

struct Holder {
    std::mutex mutex;
    std::atomic<numa::Pool *> pool{nullptr};
};

Holder &holder();

// Another thread of the parent may have held the lock.
void reset_in_child() {
    new (&holder().mutex) std::mutex();
}

Holder &holder() {
    static Holder *const only = [] {
        auto *made = new Holder;
        pthread_atfork(nullptr, nullptr, reset_in_child);
        return made;
    }();
    return *only;
}

Result<numa::Pool *> make_pool() {
    Result<Ref<const Topology>> machine = this_machine();
    if (!machine) {
        return machine.error();
    }
    numa::PoolOptions options;
    options.process_wide = true;
    Result<Ref<numa::Pool>> pool = numa::Pool::create(real_ports(), crew(), machine.take(), options);
    if (!pool) {
        return pool.error();
    }
    return pool.value().detach();
}

} // namespace

Result<numa::Pool *> default_pool() {
    Holder &only = holder();
    numa::Pool *known = only.pool.load(std::memory_order_acquire);
    if (known != nullptr && !known->forked()) {
        return known;
    }
    const std::lock_guard<std::mutex> lock(only.mutex);
    known = only.pool.load(std::memory_order_acquire);
    if (known != nullptr && !known->forked()) {
        return known;
    }
    Result<numa::Pool *> made = make_pool();
    if (made) {
        only.pool.store(made.value(), std::memory_order_release);
        if (known != nullptr) {
            known->destroy(); // the parent's
        }
    }
    return made;
}

} // namespace nearpool::api
