// SPDX-License-Identifier: Apache-2.0
#include "base/checked.hpp"
#include "base/text.hpp"
#include "memory/body.hpp"
#include "sys/constants.hpp"

#include <nearpool/region_change.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <new>

namespace nearpool {
namespace {

using Body = Region::Body;

Done check_strict(const Body &body, const Census &census) {
    const Enforcement enforcement = body.judge(census);
    if (body.arrangement->strict && enforcement.level != NEAR_LEVEL_STRICT) {
        return fail(NEAR_E_STRICT, "policy %s: %s", policy_name(body.arrangement->target.policy),
                    enforcement.text.c_str());
    }
    return {};
}

Done check_present(const Mapping &mapping) {
    if (mapping.absent()) {
        return fail(NEAR_E_FORKED, "this process is a child of the one that made the region with NEAR_REGION_NO_FORK: "
                                   "its pages are not here");
    }
    return {};
}

// A new arrangement in place of that in force, which comes back unless the new one is kept.
class Exchange {
public:
    Exchange(Body *body, std::unique_ptr<Arrangement> fresh) : body_(body), old_(std::move(fresh)) {
        old_->firm = body->arrangement->firm; // until mbind() has said otherwise
        was_firm_ = old_->firm;
        std::swap(body->arrangement, old_);
    }
    Exchange(const Exchange &) = delete;
    Exchange &operator=(const Exchange &) = delete;
    ~Exchange() {
        if (old_ != nullptr) {
            put_back();
        }
    }
    void keep() { old_.reset(); }

private:
    // Firmly only if that is known to kill nobody: pages may have been moved, and some dropped.
    void put_back() {
        std::swap(body_->arrangement, old_);
        Arrangement &arrangement = *body_->arrangement;
        arrangement.firm = old_->firm;
        if (!body_->binds()) {
            return;
        }
        try {
            arrangement.bind_error = ENOMEM;
            bind_gently(body_->ports, body_->mapping, &arrangement);
            if (was_firm_) {
                body_->firm_if_right(body_->look(false));
            }
        } catch (const std::bad_alloc &) { // what is in force is not known: reported as refused
        }
    }

    Body *body_;
    std::unique_ptr<Arrangement> old_;
    bool was_firm_ = false;
};

// Binds, fills and checks the new arrangement, which is in force already.
Done carry_out(Body *body) {
    if (!body->binds()) {
        return {};
    }
    Arrangement *arrangement = body->arrangement.get();
    bind_gently(body->ports, body->mapping, arrangement);
    if (arrangement->strict && arrangement->policy_unknown) {
        return fail(NEAR_E_UNSUPPORTED, "this kernel does not know the policy");
    }
    if (arrangement->strict && !arrangement->firm) { // firm: mbind() refused, and all pages are in
        if (Done done = body->fault(NEAR_PREFAULT_ON_NODE); !done) {
            return done;
        }
    }
    return check_strict(*body, body->settle(false));
}

// RLIMIT_MEMLOCK, soft; nothing where it cannot be read or is unlimited.
std::optional<uint64_t> lock_limit(FilePort &files) {
    std::string text;
    if (files.read("/proc/self/limits", &text) < 0) {
        return std::nullopt;
    }
    const std::size_t line = text.find("Max locked memory");
    uint64_t limit = 0;
    if (line == std::string::npos || std::sscanf(text.c_str() + line, "Max locked memory %" SCNu64, &limit) != 1) {
        return std::nullopt;
    }
    return limit;
}

uint64_t locked_bytes(FilePort &files) {
    std::string text;
    uint64_t kilobytes = 0;
    if (files.read("/proc/self/status", &text) == 0) {
        const std::size_t line = text.find("VmLck:");
        if (line != std::string::npos) {
            std::sscanf(text.c_str() + line, "VmLck: %" SCNu64, &kilobytes);
        }
    }
    return kilobytes * 1024;
}

Error lock_refused(const Body &body, int error) {
    const std::optional<uint64_t> limit = lock_limit(body.ports.files);
    const bool over = limit && *limit < locked_bytes(body.ports.files) + body.mapping.bytes();
    if (error == EPERM || ((error == ENOMEM || error == EAGAIN) && over)) {
        return fail_system_as(NEAR_E_NOT_ALLOWED, error,
                              "%zu bytes cannot be locked: RLIMIT_MEMLOCK is %" PRIu64 " bytes (ulimit -l raises it)",
                              body.mapping.bytes(), limit.value_or(0));
    }
    return fail_system(error, "%zu bytes cannot be locked", body.mapping.bytes());
}

// The kernel's number; nothing: this backing cannot do it.
std::optional<int> kernel_advice(const Body &body, int32_t advice) {
    switch (advice) {
    case NEAR_ADVICE_NORMAL:
        return sys::advice_normal;
    case NEAR_ADVICE_SEQUENTIAL:
        return sys::advice_sequential;
    case NEAR_ADVICE_RANDOM:
        return sys::advice_random;
    case NEAR_ADVICE_WILL_NEED:
        return sys::advice_will_need;
    case NEAR_ADVICE_COLD:
        return sys::advice_cold;
    case NEAR_ADVICE_HUGE:
        return sys::advice_huge_page;
    case NEAR_ADVICE_NO_HUGE:
        return sys::advice_no_huge_page;
    default:
        break;
    }
    // A file's contents are not ours to drop, and a page of the pool might not be had again: touching it would kill.
    if (body.spec.backing == NEAR_BACKING_FILE || body.mapping.pool_pages()) {
        return std::nullopt;
    }
    return body.mapping.shared() ? sys::advice_remove : sys::advice_dont_need;
}

Done check_advised(const Body &body, std::size_t offset, std::size_t bytes, std::size_t *whole) {
    const std::size_t page = body.mapping.page_bytes();
    if (offset % page != 0) {
        return fail(NEAR_E_INVALID, "offset is %zu, which is no multiple of the page size, %zu", offset, page);
    }
    const std::optional<std::size_t> rounded = checked_round_up(bytes, page);
    const std::optional<std::size_t> end = rounded ? checked_add(offset, *rounded) : std::nullopt;
    if (bytes == 0 || !end || *end > body.mapping.bytes()) {
        return fail(NEAR_E_INVALID, "%zu bytes from %zu are no part of a region of %zu bytes", bytes, offset,
                    body.mapping.bytes());
    }
    *whole = *rounded;
    return {};
}

} // namespace

Done Region::prefault(int32_t how) {
    if (how != NEAR_PREFAULT_HERE && how != NEAR_PREFAULT_ON_NODE) {
        return fail(NEAR_E_INVALID, "prefault is %" PRId32 ", which is neither here nor on node", how);
    }
    if (Done here = check_present(body_->mapping); !here) {
        return here;
    }
    const std::lock_guard<ForkMutex> lock(body_->mutex);
    if (Done done = body_->fault(how); !done) {
        return done;
    }
    if (Done near = check_strict(*body_, body_->settle(body_->may_sample())); !near) {
        return near;
    }
    if (body_->by_caller && body_->arrangement->bind_error != 0) {
        return fail(NEAR_E_SYSTEM, "no helper thread could be started: the pages are in, where the caller runs");
    }
    return {};
}

Done Region::rebind(int32_t policy, const uint32_t *nodes, std::size_t node_count, uint32_t strict) {
    if (strict > 1) {
        return fail(NEAR_E_INVALID, "strict is %" PRIu32 ", and must be 0 or 1", strict);
    }
    const Result<std::vector<uint32_t>> listed = policy_nodes(*body_->topology, policy, nodes, node_count, strict != 0);
    if (!listed) {
        return listed.error();
    }
    if (strict != 0 && !body_->mapping.takes_policy()) {
        return fail(NEAR_E_UNSUPPORTED, "the page cache of a regular file takes no policy");
    }
    if (strict != 0 && !body_->topology->this_machine()) {
        return fail(NEAR_E_STRICT, "the topology describes another machine, so nothing can be placed on its nodes");
    }
    if (Done here = check_present(body_->mapping); !here) {
        return here;
    }
    const std::lock_guard<ForkMutex> lock(body_->mutex);
    auto fresh =
        std::make_unique<Arrangement>(arrange(body_->ports, *body_->topology, body_->mapping, policy, listed.value()));
    fresh->strict = strict != 0;
    Exchange exchange(body_.get(), std::move(fresh));
    Done done = carry_out(body_.get());
    if (done) {
        exchange.keep();
    }
    return done;
}

Done Region::migrate(uint32_t node, std::size_t *moved) {
    const Topology &topology = *body_->topology;
    if (topology.node(node) == nullptr) {
        return topology.no_node(node);
    }
    if (!topology.this_machine()) {
        return fail(NEAR_E_UNSUPPORTED, "the topology describes another machine");
    }
    if (!holds_pages(topology, node)) {
        return fail(NEAR_E_NOT_ALLOWED, "node %" PRIu32 " %s", node,
                    topology.node(node)->has_memory ? "is outside the cpuset" : "has no memory");
    }
    if (Done here = check_present(body_->mapping); !here) {
        return here;
    }
    const std::lock_guard<ForkMutex> lock(body_->mutex);
    Census before = body_->look(false);
    if (before.look != Look::pages) {
        return cannot_look(before.error);
    }
    if (Done loose = body_->loosen(); !loose) { // a huge page that is split may lose pages
        return loose;
    }
    const int error = move_pages_to(body_->site(), body_->mapping, {node}, false,
                                    [&](std::size_t, int, bool) { return static_cast<int>(node); });
    if (error != 0) {
        return cannot_look(-error);
    }
    Census after = body_->look(false);
    if (after.look != Look::pages) {
        return cannot_look(after.error);
    }
    body_->firm_if_right(after);
    const std::size_t there = after.nodes[node];
    const std::size_t was = before.nodes[node];
    *moved = there > was ? there - was : 0;
    if (there < before.present) {
        return fail(NEAR_E_BUSY, "%zu of %zu pages could not be moved to node %" PRIu32 " (no room, or pinned): %s",
                    before.present - there, before.present, node, where_text(after).c_str());
    }
    return {};
}

Done Region::lock(uint32_t lock) {
    if (lock > 1) {
        return fail(NEAR_E_INVALID, "lock is %" PRIu32 ", and must be 0 or 1", lock);
    }
    const Mapping &mapping = body_->mapping;
    if (Done here = check_present(mapping); !here) {
        return here;
    }
    const std::lock_guard<ForkMutex> guard(body_->mutex);
    MemoryPort &memory = body_->ports.memory;
    std::optional<Ceiling> ceiling;
    std::optional<Admission> admission; // mlock() faults in what is missing
    if (lock == 1 && body_->charged() && is_due(mapping.bytes())) {
        ceiling.emplace(body_->ports.files);
        if (!admission.emplace(*ceiling, body_->bytes_to_come(ceiling->room())).given()) {
            return ceiling->refusal()->refuses(mapping.bytes(), "locked");
        }
    }
    const int error =
        lock == 1 ? memory.lock(mapping.data(), mapping.bytes()) : memory.unlock(mapping.data(), mapping.bytes());
    if (error == 0) {
        body_->locked = lock == 1 ? std::optional<ForkMark>(ForkMark()) : std::nullopt;
        return {};
    }
    if (lock == 0) {
        return fail_system(-error, "%zu bytes cannot be unlocked", mapping.bytes());
    }
    Error why = lock_refused(*body_, -error);
    if (!body_->locked || body_->locked->forked()) { // else all of it was locked before
        memory.unlock(mapping.data(), mapping.bytes());
    }
    return why;
}

// Pages that are given back are faulted in again later, and under a firm binding a full node would kill for that.
Done Region::advise(std::size_t offset, std::size_t bytes, int32_t advice) {
    std::size_t whole = 0;
    if (Done ok = check_advised(*body_, offset, bytes, &whole); !ok) {
        return ok;
    }
    if (advice < NEAR_ADVICE_NORMAL || advice > NEAR_ADVICE_NO_HUGE) {
        return fail(NEAR_E_INVALID, "advice is %" PRId32 ", which is none of NEAR_ADVICE_*", advice);
    }
    const std::optional<int> native = kernel_advice(*body_, advice);
    if (!native) {
        return fail(NEAR_E_UNSUPPORTED, "this backing cannot give pages back: see NEAR_ADVICE_DISCARD");
    }
    if (Done here = check_present(body_->mapping); !here) {
        return here;
    }
    const std::lock_guard<ForkMutex> lock(body_->mutex);
    if (advice == NEAR_ADVICE_DISCARD) {
        if (Done loose = body_->loosen(); !loose) {
            return loose;
        }
    }
    const int error = body_->ports.memory.advise(body_->mapping.data() + offset, whole, *native);
    if (error == 0) {
        if (advice == NEAR_ADVICE_DISCARD) {
            body_->faulted_pages = 0;
        }
        return {};
    }
    const bool unknown = error == -EINVAL || error == -EBADF || error == -ENOSYS || error == -EOPNOTSUPP;
    return fail_system_as(unknown            ? NEAR_E_UNSUPPORTED
                          : error == -ENOMEM ? NEAR_E_NOMEM
                                             : NEAR_E_SYSTEM,
                          -error, "madvise() refused the advice %" PRId32 " for this backing", advice);
}

} // namespace nearpool
