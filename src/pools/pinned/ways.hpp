// SPDX-License-Identifier: Apache-2.0
// The ways to page-locked memory near a GPU: each makes it, or says why that does not work here.
#pragma once

#include "memory/crew.hpp"
#include "pools/pinned/memory.hpp"
#include "pools/pinned/steps.hpp"

namespace nearpool::pinned {

// With what memory is made, and for which device.
struct Maker {
    const Ports &ports;
    Crew &crew;
    Ref<const Topology> topology;
    Gpu gpu;
    cuda::CUcontext context;
    // Gives idle page-locked memory of a node back, or of all (NEAR_NODE_UNKNOWN). False: there was none.
    std::function<bool(uint32_t node)> make_room;

    Site site() const { return Site{ports, *topology, crew}; }
    const cuda::Driver &driver() const { return gpu.device->driver(); }

    // Runs work() on a thread of the node, with the device's context current.
    Done on_node(const std::function<Done()> &work) const;
};

// Whether the driver refuses for want of memory, or of what may be locked.
inline bool is_exhausted(const Error &error) {
    return error.status == NEAR_E_CUDA &&
           (error.code == cuda::cuda_error_out_of_memory || error.code == cuda::cuda_error_operating_system);
}

struct Attempt {
    std::unique_ptr<Memory> memory;    // or:
    int32_t reason = NEAR_REASON_NONE; // this way does not work here; or:
    Error error;                       // what went wrong, or why the way does not work

    static Attempt made(std::unique_ptr<Memory> memory) { return {std::move(memory), NEAR_REASON_NONE, {}}; }
    static Attempt missed(int32_t reason, std::string text) {
        return {nullptr, reason, Error{NEAR_E_UNSUPPORTED, NEAR_DOMAIN_NONE, 0, std::move(text)}};
    }
    // Whatever the driver answers, another way may do, but where the device is lost.
    static Attempt refused(Error error) {
        const bool next = error.status == NEAR_E_CUDA && !cuda::is_lost(error.code);
        return {nullptr, next ? int32_t{NEAR_REASON_DRIVER} : int32_t{NEAR_REASON_NONE}, std::move(error)};
    }
    static Attempt failed(Error error) { return {nullptr, NEAR_REASON_NONE, std::move(error)}; }
};

// Maps, faults in on the node, looks, and registers. Bound to the node, or (NEAR_PINNED_TOUCHED) only by which threads
// fault in.
Attempt make_registered(const Maker &maker, const Wish &wish, int32_t method, Steps &steps);

// The driver's own allocation on a node of the host: cuMemCreate() with HOST_NUMA, since CUDA 12.2.
Attempt make_driver_node(const Maker &maker, const Wish &wish, Steps &steps);

// cuMemHostAlloc(): it faults the pages in itself, on the thread that calls.
Attempt make_driver(const Maker &maker, const Wish &wish, Steps &steps);

// Page-locks memory of the caller's.
Result<std::unique_ptr<Memory>> adopt(const Maker &maker, char *data, const Wish &wish, Steps &steps);

// Where pointers differ between host and device, they differ by another amount in each registration.
Done check_chunks(const Gpu &gpu, const char *data, std::size_t bytes, std::size_t chunk_bytes);

} // namespace nearpool::pinned
