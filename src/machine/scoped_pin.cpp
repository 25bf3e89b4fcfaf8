// SPDX-License-Identifier: Apache-2.0
#include "machine/scoped_pin.hpp"

#include "base/log.hpp"

#include <mutex>
#include <new>
#include <utility>

namespace nearpool {
namespace {

Error strict_error(const Enforcement &achieved, const NumberSet &cpus, bool restored) {
    const std::string where = cpus.empty() ? "" : " to CPUs " + cpus.text();
    return fail(NEAR_E_STRICT, "the thread could not be pinned%s: %s; it %s", where.c_str(), achieved.text.c_str(),
                restored ? "is as before" : "could not be put back either");
}

std::string outside(const NumberSet &cpus, const Topology &topology) {
    return "CPUs " + cpus.text() + " are not all allowed (cpuset and affinity allow " + topology.allowed_cpus().text() +
           ")";
}

} // namespace

Pin::Pin(const Ports &ports, const Request &request)
    : affinity_(ports.affinity),
      place_(ports.affinity, Ref<PinThread>::share(&PinThread::own()), request.allowed, Place::Kind::for_a_while),
      node_(request.node) {}

Pin::~Pin() {
    restore();
}

Result<std::unique_ptr<Pin>> Pin::to_cpus(const Ports &ports, const Topology &topology, const NumberSet &cpus,
                                          bool strict) {
    for (const uint32_t cpu : cpus) {
        if (topology.cpu(cpu) == nullptr) {
            return fail(NEAR_E_NO_CPU, "CPU %u is not in this topology (CPUs %s)", cpu,
                        topology.cpu_numbers().text().c_str());
        }
    }
    Request request{cpus, cpus.intersect(topology.allowed_cpus()), NEAR_NODE_UNKNOWN, strict, true, false};
    if (strict && topology.this_machine() && request.allowed != cpus) {
        return fail(NEAR_E_NOT_ALLOWED, "%s", outside(cpus, topology).c_str());
    }
    return make(ports, topology, request);
}

Result<std::unique_ptr<Pin>> Pin::to_node(const Ports &ports, const Topology &topology, uint32_t node, bool strict) {
    const Node *home = topology.node(node);
    if (home == nullptr) {
        return topology.no_node(node);
    }
    if (home->cpus.empty()) {
        return fail(NEAR_E_NO_CPU, "node %u has no CPUs; the nearest node that has is %u (near_pin_nearest() takes it)",
                    node, topology.nearest_with_cpus(node));
    }
    if (strict && topology.this_machine() && home->allowed_cpus.empty()) {
        return fail(NEAR_E_NOT_ALLOWED, "none of the CPUs %s of node %u is allowed (cpuset and affinity allow %s)",
                    home->cpus.text().c_str(), node, topology.allowed_cpus().text().c_str());
    }
    return make(ports, topology, {home->cpus, home->allowed_cpus, node, strict, false, false});
}

Result<std::unique_ptr<Pin>> Pin::to_nearest(const Ports &ports, const Topology &topology, uint32_t node, bool strict) {
    if (topology.node(node) == nullptr) {
        return topology.no_node(node);
    }
    const uint32_t serving = topology.nearest_with_allowed_cpus(node);
    const NumberSet cpus = serving == NEAR_NODE_UNKNOWN ? NumberSet() : topology.node(serving)->allowed_cpus;
    return make(ports, topology, {cpus, cpus, serving, strict, false, false});
}

Result<std::unique_ptr<Pin>> Pin::to_unknown(const Ports &ports, const Topology &topology, bool strict) {
    return make(ports, topology, {{}, {}, NEAR_NODE_UNKNOWN, strict, false, true});
}

// While it is made no other thread may look at this one's pins: it would take the new affinity for one that the kernel
// has made, and undo it.
Result<std::unique_ptr<Pin>> Pin::make(const Ports &ports, const Topology &topology, const Request &request) {
    std::unique_ptr<Pin> pin(new Pin(ports, request));
    PinThread &thread = pin->place_.thread();
    const Enforcement &achieved = pin->place_.first().enforcement;
    bool restored = true;
    {
        const std::lock_guard<ForkMutex> lock(thread.mutex());
        pin->apply(topology, request);
        if (request.strict && achieved.level != NEAR_LEVEL_STRICT) {
            restored = pin->restore() == 0;
        } else {
            pin->below_ = thread.top();
            thread.set_top(&pin->place_);
        }
    }
    if (request.strict && achieved.level != NEAR_LEVEL_STRICT) {
        return strict_error(achieved, request.cpus, restored);
    }
    if (achieved.level != NEAR_LEVEL_STRICT) {
        log(NEAR_LOG_WARN, "pin to CPUs %s: %s", request.cpus.text().c_str(), achieved.text.c_str());
    }
    return pin;
}

void Pin::apply(const Topology &topology, const Request &request) {
    const bool readable = affinity_.get(&before_) == 0;
    if (!topology.this_machine()) {
        place_.keep(Enforcement::none(NEAR_REASON_NOT_THIS_MACHINE, "the topology describes another machine"));
    } else if (request.unknown) {
        place_.keep(Enforcement::none(NEAR_REASON_UNKNOWN_NODE, "the node of the device is not known"));
    } else if (request.allowed.empty()) {
        place_.keep(Enforcement::none(NEAR_REASON_NOT_ALLOWED, outside(request.cpus, topology)));
    } else if (!readable) {
        place_.keep(Enforcement::none(NEAR_REASON_FORBIDDEN,
                                      "the affinity of the thread cannot be read, so that it could "
                                      "not be put back"));
    } else {
        changed_ = true; // now, or by a later look that can pin what was refused
        place_.pin(granted(topology, request));
    }
}

// What it is worth where all that is allowed is seen to be set.
Enforcement Pin::granted(const Topology &topology, const Request &request) {
    if (request.node != NEAR_NODE_UNKNOWN && !topology.doubt().empty()) {
        return Enforcement::best_effort(NEAR_REASON_UNKNOWN_NODE, topology.doubt());
    }
    if (request.all_of_them && request.allowed != request.cpus) {
        return Enforcement::best_effort(NEAR_REASON_NOT_ALLOWED, "pinned to CPUs " + request.allowed.text() + " of " +
                                                                     request.cpus.text() +
                                                                     "; the others are not allowed");
    }
    return Enforcement::strict();
}

PinReport Pin::report() {
    Place::Look look = place_.look();
    if (!look.news.empty()) {
        log(NEAR_LOG_WARN, "a thread that was pinned: %s", look.news.c_str());
    }
    return {look.ended ? Place::seen_last(look.seen.enforcement) : std::move(look.seen.enforcement), node_,
            look.seen.cpu_count};
}

// Once; 0 or -errno.
int Pin::restore() {
    return std::exchange(changed_, false) && !is_as_before() ? affinity_.set(before_) : 0;
}

bool Pin::is_as_before() {
    try {
        NumberSet now;
        return affinity_.get(&now) == 0 && now == before_;
    } catch (const std::bad_alloc &) { // not known: what follows needs no memory
        return false;
    }
}

Done Pin::release(Pin *pin) {
    PinThread *const own = PinThread::current();
    if (own == nullptr || &pin->place_.thread() != own) {
        if (pin->place_.thread().alive()) {
            return fail(NEAR_E_WRONG_THREAD, "the pin belongs to another thread, which alone can release it");
        }
        pin->changed_ = false; // the thread is gone, and its affinity with it
        delete pin;
        return {};
    }
    if (own->top() != &pin->place_) {
        return fail(NEAR_E_BUSY, "this thread made a later pin that is not released; release pins in reverse order");
    }
    const std::unique_ptr<Pin> owner(pin);
    const std::lock_guard<ForkMutex> lock(own->mutex()); // as in make(); the thread outlives its pins
    own->set_top(pin->below_);
    if (const int error = pin->restore(); error < 0) {
        return fail_system(-error, "the kernel refused CPUs %s, the affinity from before the pin, which is freed",
                           pin->before_.text().c_str());
    }
    return {};
}

bool Pin::held_by_caller() {
    const PinThread *thread = PinThread::current();
    return thread != nullptr && thread->top() != nullptr;
}

} // namespace nearpool
