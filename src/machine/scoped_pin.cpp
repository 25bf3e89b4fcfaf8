// SPDX-License-Identifier: Apache-2.0
#include "machine/scoped_pin.hpp"

#include "base/fork_mark.hpp"
#include "base/log.hpp"
#include "base/ref.hpp"

#include <atomic>
#include <pthread.h>
#include <utility>

namespace nearpool {

class PinThread final : public RefCounted {
public:
    static PinThread *current(); // the calling thread's; nullptr when it has none
    static PinThread &own();     // the calling thread's, made when it has none

    // False for a thread that has ended, or that this child of fork() does not have.
    bool alive() const { return alive_.load(std::memory_order_acquire) && !mark_.forked(); }
    void end() { alive_.store(false, std::memory_order_release); }
    void survive_fork() { mark_ = ForkMark(); }

    Pin *top = nullptr; // used by the thread itself only

private:
    std::atomic<bool> alive_{true};
    ForkMark mark_;
};

namespace {

// A plain pointer beside the object that clears it: a pin may be released by the destructor of another thread_local
// object, after ours are gone.
thread_local PinThread *this_thread = nullptr;

struct Closer {
    bool used = false;
    ~Closer() {
        if (this_thread != nullptr) {
            this_thread->end();
            this_thread->release();
            this_thread = nullptr;
        }
    }
};
thread_local Closer closer;

void keep_mark() { // in the child: the thread that forked is the one that is left
    if (this_thread != nullptr) {
        this_thread->survive_fork();
    }
}

} // namespace

PinThread *PinThread::current() {
    return this_thread;
}

PinThread &PinThread::own() {
    if (this_thread == nullptr) {
        this_thread = new PinThread;
        // After the first mark: handlers run in the order of registration, and ours reads what the mark's counts.
        static const int registered = pthread_atfork(nullptr, nullptr, keep_mark);
        static_cast<void>(registered);
        closer.used = true; // touched, so that it is destroyed with the thread
    }
    return *this_thread;
}

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

Pin::Pin(const Ports &ports) : affinity_(ports.affinity), thread_(&PinThread::own()) {
    thread_->retain();
}

Pin::~Pin() {
    restore();
    thread_->release();
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

Result<std::unique_ptr<Pin>> Pin::make(const Ports &ports, const Topology &topology, const Request &request) {
    std::unique_ptr<Pin> pin(new Pin(ports));
    const bool readable = pin->affinity_.get(&pin->before_) == 0;
    Enforcement achieved;
    if (!topology.this_machine()) {
        achieved = Enforcement::none(NEAR_REASON_NOT_THIS_MACHINE, "the topology describes another machine");
    } else if (request.unknown) {
        achieved = Enforcement::none(NEAR_REASON_UNKNOWN_NODE, "the node of the device is not known");
    } else if (request.allowed.empty()) {
        achieved = Enforcement::none(NEAR_REASON_NOT_ALLOWED, outside(request.cpus, topology));
    } else if (!readable) {
        achieved =
            Enforcement::none(NEAR_REASON_FORBIDDEN, "the affinity of the thread cannot be read, so that it could "
                                                     "not be put back");
    } else {
        achieved = pin->apply(ports, request);
    }
    if (achieved.level == NEAR_LEVEL_STRICT && request.node != NEAR_NODE_UNKNOWN && !topology.doubt().empty()) {
        achieved = Enforcement::best_effort(NEAR_REASON_UNKNOWN_NODE, topology.doubt());
    }
    if (request.strict && achieved.level != NEAR_LEVEL_STRICT) {
        return strict_error(achieved, request.cpus, pin->restore() == 0);
    }
    if (achieved.level != NEAR_LEVEL_STRICT) {
        log(NEAR_LOG_WARN, "pin to CPUs %s: %s", request.cpus.text().c_str(), achieved.text.c_str());
    }
    NumberSet now;
    pin->report_.cpu_count = static_cast<uint32_t>(pin->affinity_.get(&now) == 0 ? now.size() : 0);
    pin->report_.node = request.node;
    pin->report_.enforcement = std::move(achieved);
    pin->below_ = pin->thread_->top;
    pin->thread_->top = pin.get();
    return pin;
}

Enforcement Pin::apply(const Ports &ports, const Request &request) {
    changed_ = true;
    Enforcement achieved = pin_current_thread(ports, request.allowed);
    NumberSet now;
    changed_ = affinity_.get(&now) != 0 || now != before_;
    if (achieved.level == NEAR_LEVEL_STRICT && request.all_of_them && request.allowed != request.cpus) {
        return Enforcement::best_effort(NEAR_REASON_NOT_ALLOWED, "pinned to CPUs " + request.allowed.text() + " of " +
                                                                     request.cpus.text() +
                                                                     "; the others are not allowed");
    }
    return achieved;
}

// Once; 0 or -errno.
int Pin::restore() {
    return std::exchange(changed_, false) ? affinity_.set(before_) : 0;
}

Done Pin::release(Pin *pin) {
    PinThread *const own = PinThread::current();
    if (own == nullptr || pin->thread_ != own) {
        if (pin->thread_->alive()) {
            return fail(NEAR_E_WRONG_THREAD, "the pin belongs to another thread, which alone can release it");
        }
        pin->changed_ = false; // the thread is gone, and its affinity with it
        delete pin;
        return {};
    }
    if (own->top != pin) {
        return fail(NEAR_E_BUSY, "this thread made a later pin that is not released; release pins in reverse order");
    }
    const std::unique_ptr<Pin> owner(pin);
    own->top = pin->below_;
    if (const int error = pin->restore(); error < 0) {
        return fail_system(-error, "the kernel refused CPUs %s, the affinity from before the pin, which is freed",
                           pin->before_.text().c_str());
    }
    return {};
}

bool Pin::held_by_caller() {
    const PinThread *thread = PinThread::current();
    return thread != nullptr && thread->top != nullptr;
}

} // namespace nearpool
