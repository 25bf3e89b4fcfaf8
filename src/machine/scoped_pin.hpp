// SPDX-License-Identifier: Apache-2.0
// Pins of the calling thread for a while (public header affinity.h). A thread's pins form a stack: only the latest can
// be released, and only by that thread; a thread that has ended leaves orphans, which anybody may free.
#pragma once

#include "base/error.hpp"
#include "machine/place.hpp"
#include "topology/topology.hpp"

#include <memory>

namespace nearpool {

struct PinReport {
    Enforcement enforcement;
    uint32_t node = NEAR_NODE_UNKNOWN;
    uint32_t cpu_count = 0; // on which the thread may run
};

class Pin {
public:
    ~Pin();
    Pin(const Pin &) = delete;
    Pin &operator=(const Pin &) = delete;

    static Result<std::unique_ptr<Pin>> to_cpus(const Ports &ports, const Topology &topology, const NumberSet &cpus,
                                                bool strict);
    static Result<std::unique_ptr<Pin>> to_node(const Ports &ports, const Topology &topology, uint32_t node,
                                                bool strict);
    static Result<std::unique_ptr<Pin>> to_nearest(const Ports &ports, const Topology &topology, uint32_t node,
                                                   bool strict);
    // Near something whose node is not known: an error in strict mode, a pin that does nothing otherwise.
    static Result<std::unique_ptr<Pin>> to_unknown(const Ports &ports, const Topology &topology, bool strict);

    // What is so of it now; see Place::look().
    PinReport report();

    // Frees the pin, also when the kernel refuses the affinity from before; not at NEAR_E_WRONG_THREAD and NEAR_E_BUSY.
    static Done release(Pin *pin);

    // Whether the calling thread has a pin that is not released.
    static bool held_by_caller();

private:
    struct Request {
        NumberSet cpus;    // asked for
        NumberSet allowed; // of them, those that can be had
        uint32_t node = NEAR_NODE_UNKNOWN;
        bool strict = false;
        bool all_of_them = false; // less than all of the CPUs is less than was asked for
        bool unknown = false;     // nobody knows where
    };
    Pin(const Ports &ports, const Request &request);
    static Result<std::unique_ptr<Pin>> make(const Ports &ports, const Topology &topology, const Request &request);
    static Enforcement granted(const Topology &topology, const Request &request);
    void apply(const Topology &topology, const Request &request);
    int restore();
    bool is_as_before();

    AffinityPort &affinity_;
    Place place_;
    Place *below_ = nullptr; // in the stack of the thread
    NumberSet before_;
    bool changed_ = false; // there is something to put back
    uint32_t node_;
};

} // namespace nearpool
