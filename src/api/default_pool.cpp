// SPDX-License-Identifier: Apache-2.0
#include "api/default_pool.hpp"

#include "api/process.hpp"
#include "base/environment.hpp"
#include "base/log.hpp"

#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>

namespace nearpool::api {
namespace {

// A default pool, and the one of the process that forked this one. That one is never freed: its handle is the
// library's, and whoever still has it must be told NEAR_E_FORKED.
struct Made {
    numa::Pool *pool;
    const Made *of_parent;
};

struct Holder {
    std::mutex mutex;
    uint32_t most_workers = 0; // told by the program; 0: it has said nothing
    std::atomic<const Made *> newest{nullptr};

    numa::Pool *of_this_process() const {
        const Made *made = newest.load(std::memory_order_acquire);
        return made != nullptr && !made->pool->forked() ? made->pool : nullptr;
    }
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

int32_t policy_of_environment() {
    const std::string text = environment("NEARPOOL_WORKER_POLICY").value_or("local");
    static std::atomic<bool> reported{false};
    if (text != "local" && text != "inherit" && !reported.exchange(true)) {
        log(NEAR_LOG_WARN, "NEARPOOL_WORKER_POLICY=%s is neither local nor inherit; local is used", text.c_str());
    }
    return text == "inherit" ? NUMA_POOL_MEMORY_INHERIT : NUMA_POOL_MEMORY_LOCAL;
}

constexpr uint32_t most_possible = 65535;

// 0: it does not say.
uint32_t workers_of_environment() {
    const std::optional<std::string> text = environment("NEARPOOL_WORKERS");
    if (!text) {
        return 0;
    }
    const bool digits =
        !text->empty() && text->size() < 10 && text->find_first_not_of("0123456789") == std::string::npos;
    const unsigned long workers = digits ? std::strtoul(text->c_str(), nullptr, 10) : 0;
    static std::atomic<bool> reported{false};
    if ((workers == 0 || workers > most_possible) && !reported.exchange(true)) {
        log(NEAR_LOG_WARN, "NEARPOOL_WORKERS=%s is no number from 1 to %u; there is a worker for each core",
            text->c_str(), most_possible);
    }
    return workers <= most_possible ? static_cast<uint32_t>(workers) : 0;
}

Result<Ref<numa::Pool>> make_pool(int32_t memory_policy, uint32_t most_workers) {
    Result<Ref<const Topology>> machine = this_machine();
    if (!machine) {
        return machine.error();
    }
    numa::PoolOptions options;
    options.process_wide = true;
    options.memory_policy = memory_policy;
    options.request.most_workers = most_workers;
    return numa::Pool::create(real_ports(), crew(), machine.take(), options);
}

} // namespace

Result<numa::Pool *> default_pool() {
    Holder &only = holder();
    if (numa::Pool *known = only.of_this_process(); known != nullptr) {
        return known;
    }
    const int32_t memory_policy = policy_of_environment(); // first: the host's callback is called with nothing held
    const uint32_t most_workers = workers_of_environment();
    const std::lock_guard<std::mutex> lock(only.mutex);
    if (numa::Pool *known = only.of_this_process(); known != nullptr) {
        return known;
    }
    auto made = std::make_unique<Made>();
    Result<Ref<numa::Pool>> pool = make_pool(memory_policy, only.most_workers != 0 ? only.most_workers : most_workers);
    if (!pool) {
        return pool.error();
    }
    made->pool = pool.value().detach();
    made->of_parent = only.newest.load(std::memory_order_relaxed);
    only.newest.store(made.get(), std::memory_order_release);
    return made.release()->pool;
}

Done limit_default_pool(uint32_t workers) {
    if (workers > most_possible) {
        return fail(NEAR_E_INVALID, "%u workers are more than the %u that are possible", workers, most_possible);
    }
    Holder &only = holder();
    const std::lock_guard<std::mutex> lock(only.mutex);
    if (only.of_this_process() != nullptr) {
        return fail(NEAR_E_BUSY, "the default pool is made already; limit it before its first use");
    }
    only.most_workers = workers;
    return {};
}

} // namespace nearpool::api
