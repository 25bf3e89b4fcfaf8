// SPDX-License-Identifier: Apache-2.0
#include "api/process.hpp"

#include <pthread.h>

#include <atomic>
#include <mutex>
#include <new>

namespace nearpool::api {

// The lock guards the discovery only: a child of fork() that was made during it would find it taken, so the child gets
// a new one (see reset_in_child).
namespace {

struct Machine {
    std::mutex mutex;
    std::atomic<const Topology *> topology{nullptr};
};

Machine &machine();

void reset_in_child() {
    new (&machine().mutex) std::mutex();
}

Machine &machine() {
    static Machine *const only = [] {
        auto *made = new Machine;
        pthread_atfork(nullptr, nullptr, reset_in_child);
        return made;
    }();
    return *only;
}

} // namespace

Result<Ref<const Topology>> this_machine() {
    Machine &only = machine();
    if (const Topology *known = only.topology.load(std::memory_order_acquire); known != nullptr) {
        return Ref<const Topology>::share(known);
    }
    const std::lock_guard<std::mutex> lock(only.mutex);
    if (const Topology *known = only.topology.load(std::memory_order_acquire); known != nullptr) {
        return Ref<const Topology>::share(known);
    }
    Result<Ref<const Topology>> found = Topology::discover(real_ports());
    if (found) {
        only.topology.store(Ref<const Topology>(found.value()).detach(), std::memory_order_release);
    }
    return found;
}

Result<Ref<const Topology>> topology_of(const near_topology *handle) {
    if (handle == nullptr) {
        return this_machine();
    }
    return Ref<const Topology>::share(reinterpret_cast<const Topology *>(handle));
}

const near_topology *handle_of(const Topology *topology) {
    return reinterpret_cast<const near_topology *>(topology);
}

Crew &crew() {
    static auto *const only = new Crew(real_ports());
    return *only;
}

cuda::Loader &gpu_loader() {
    static auto *const only = new cuda::Loader(real_ports());
    return *only;
}

} // namespace nearpool::api
