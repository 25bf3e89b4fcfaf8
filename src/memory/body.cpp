// SPDX-License-Identifier: Apache-2.0
#include "memory/body.hpp"

#include "base/log.hpp"
#include "base/text.hpp"
#include "memory/proc_maps.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace nearpool {
namespace {

bool forbidden(int error_number) {
    return error_number == EPERM || error_number == ENOSYS;
}

std::string errno_text(int error_number) {
    return std::system_category().message(error_number);
}

Enforcement refused(int error_number, const Census &census) {
    const int32_t reason = forbidden(error_number) ? NEAR_REASON_FORBIDDEN : NEAR_REASON_SYSTEM;
    const char *hint = error_number == EPERM ? ", as a container's seccomp filter does" : "";
    return Enforcement::best_effort(reason, format("mbind() was refused (%s%s); %zu of %zu pages are near",
                                                   errno_text(error_number).c_str(), hint, census.near, census.looked));
}

Enforcement replaced(const Target &target) {
    const char *asked = target.policy == NEAR_POLICY_PREFERRED ? "preferred-many" : "weighted interleave";
    return Enforcement::best_effort(NEAR_REASON_KERNEL, format("this kernel does not know the policy %s: %s is used",
                                                               asked, policy_name(target.policy)));
}

// What the look itself says.
Enforcement seen(const Census &census) {
    if (census.look == Look::not_at_all) {
        return Enforcement::best_effort(NEAR_REASON_CANNOT_LOOK,
                                        format("move_pages() was refused (%s) and /proc/self/numa_maps cannot be read",
                                               errno_text(census.error).c_str()));
    }
    if (census.near < census.present) {
        return Enforcement::best_effort(NEAR_REASON_ELSEWHERE,
                                        format("%zu of %zu pages are elsewhere: %s", census.present - census.near,
                                               census.looked, where_text(census).c_str()));
    }
    if (census.present < census.looked) {
        return Enforcement::best_effort(NEAR_REASON_NOT_FAULTED, format("%zu of %zu pages are not faulted in",
                                                                        census.looked - census.present, census.looked));
    }
    if (!census.exact) {
        return Enforcement::best_effort(NEAR_REASON_CANNOT_LOOK,
                                        format("move_pages() was refused (%s), and /proc/self/numa_maps has sums only",
                                               errno_text(census.error).c_str()));
    }
    if (census.sampled) {
        return Enforcement::best_effort(NEAR_REASON_SAMPLED,
                                        format("%zu pages were looked at, and all are near", census.looked));
    }
    return Enforcement::strict();
}

void add_helpers(bool unpinned, bool by_caller, Enforcement *enforcement) {
    if (by_caller) {
        enforcement->text += "; no helper thread could be started, so the caller faulted pages in";
    } else if (unpinned) {
        enforcement->text += "; the threads that faulted pages in could not be pinned";
    }
}

} // namespace

bool Region::Body::may_have_huge_pages() const {
    return rung != NEAR_PAGES_BASE && !mapping.pool_pages() && mapping.takes_policy() &&
           mapping.bytes() >= large_page_bytes;
}

std::size_t Region::Body::huge_bytes(const Census &census) const {
    if (mapping.pool_pages()) {
        return census.present * mapping.page_bytes();
    }
    if (census.huge_bytes) {
        return *census.huge_bytes;
    }
    std::size_t bytes = 0;
    if (may_have_huge_pages() && !(census.look == Look::pages && census.present == 0)) {
        for (const MapFacts &range : mapped_ranges(ports.files, mapping.data(), mapping.bytes())) {
            bytes += range.huge_bytes;
        }
    }
    return bytes;
}

Census Region::Body::look(bool sample) const {
    Census census;
    if (mapping.absent()) { // what is at its addresses in this process is not the region
        census.look = Look::pages;
        census.looked = mapping.page_count();
        return census;
    }
    const int32_t policy = arrangement->target.policy;
    const bool cyclic = policy == NEAR_POLICY_INTERLEAVE || policy == NEAR_POLICY_WEIGHTED_INTERLEAVE;
    std::optional<std::size_t> huge;
    if (cyclic && may_have_huge_pages()) {
        huge = huge_bytes(census);
    }
    LookOptions options;
    options.sample = sample;
    options.blocks = huge.value_or(0) != 0;
    options.faulted_pages = faulted_pages;
    census = take_census(site(), mapping, *arrangement, options);
    census.huge_bytes = huge; // to ask the kernel once
    return census;
}

// A binding that was refused proves nothing for later, so the level stays best effort; where one node has all the
// memory, strict mode has no need of it.
Enforcement Region::Body::judge(const Census &census) const {
    if (!topology->this_machine()) {
        return Enforcement::none(NEAR_REASON_NOT_THIS_MACHINE,
                                 "the topology describes another machine, so nothing was bound");
    }
    if (!mapping.takes_policy()) {
        return Enforcement::none(NEAR_REASON_FILE, "the page cache of a regular file takes no policy");
    }
    if (arrangement->target.limit.reason != NEAR_REASON_NONE) {
        return arrangement->target.limit;
    }
    if (arrangement->bind_error != 0 && !(arrangement->strict && memory_node_count(*topology) <= 1)) {
        Enforcement enforcement = refused(arrangement->bind_error, census);
        add_helpers(unpinned, by_caller, &enforcement);
        return enforcement;
    }
    return arrangement->policy_unknown ? replaced(arrangement->target) : seen(census);
}

// Where nobody may look, what was faulted in once is in.
std::size_t Region::Body::missing_bytes() const {
    const Census census = look(false);
    const std::size_t present = census.look == Look::not_at_all ? faulted_pages : census.present;
    return mapping.bytes() - std::min(mapping.bytes(), present * mapping.page_bytes());
}

Done Region::Body::fault(int32_t how) {
    if (Done loose = loosen(); !loose) {
        return loose;
    }
    std::optional<Ceiling> ceiling;
    std::optional<Admission> whole; // what is in takes no more, which a step could not tell
    if (charged() && is_due(mapping.bytes())) {
        ceiling.emplace(ports.files);
        const Ceiling::Room room = ceiling->room();
        if (room.bytes < mapping.bytes() && !whole.emplace(*ceiling, missing_bytes()).given()) {
            return ceiling->refusal()->refuses(mapping.bytes(), "faulted in");
        }
    }
    const bool blocks = rung != NEAR_PAGES_BASE && may_have_huge_pages();
    Ceiling *const steps = ceiling && !whole ? &*ceiling : nullptr;
    const CrewOutcome outcome =
        fault_in(site(), mapping, *arrangement, how == NEAR_PREFAULT_HERE, blocks, progress, steps);
    unpinned = outcome.unpinned;
    by_caller = outcome.by_caller;
    if (by_caller) {
        log(NEAR_LOG_WARN, "no helper thread could be started: the calling thread faults a region in");
    }
    if (steps != nullptr && steps->refusal()) {
        return steps->refusal()->refuses(mapping.bytes(), "faulted in");
    }
    if (outcome.error != 0) {
        const int error = -outcome.error;
        const bool full = error == ENOMEM || error == EFAULT; // what would be SIGBUS is EFAULT here
        return fail_system_as(full ? NEAR_E_NOMEM : NEAR_E_SYSTEM, error, "%zu bytes cannot be faulted in",
                              mapping.bytes());
    }
    faulted_pages = mapping.page_count();
    return {};
}

// Pages of the pool are bound firmly from the beginning: they are never given back.
Done Region::Body::loosen() {
    if (!arrangement->firm || mapping.pool_pages()) {
        return {};
    }
    bind_gently(ports, mapping, arrangement.get());
    if (arrangement->firm) {
        return fail_system(arrangement->bind_error,
                           "the binding cannot be loosened (mbind), and under it a page that is "
                           "faulted in kills the process where there is no room");
    }
    return {};
}

void Region::Body::firm_if_right(const Census &census) {
    const bool all = census.exact && !census.sampled && census.looked != 0;
    if (all && census.near == census.looked && arrangement->bind_error == 0 && !arrangement->firm &&
        has_firm_form(arrangement->target, arrangement->strict)) {
        bind_firmly(ports, mapping, arrangement.get());
    }
}

Census Region::Body::settle(bool sample) {
    Census census = look(sample);
    if (!binds()) {
        return census;
    }
    // A binding that could not be loosened stays firm: moving may drop pages.
    const bool may_move = !arrangement->firm || mapping.pool_pages();
    if (may_move && census.look == Look::pages && census.near < census.present) {
        LookOptions options;
        options.sample = sample;
        options.blocks = may_have_huge_pages() && huge_bytes(census) != 0;
        move_misplaced(site(), mapping, *arrangement, options,
                       &census); // refused: the census still says where they are
        if (census.present < census.looked && faulted_pages == mapping.page_count()) {
            static_cast<void>(fault(NEAR_PREFAULT_ON_NODE)); // what moving has split and dropped
            census = look(sample);
        }
    }
    firm_if_right(census);
    if (census.near < census.present && !arrangement->strict) { // strict mode fails, and says so
        log(NEAR_LOG_WARN, "region of %zu bytes at %p, policy %s: %zu of %zu pages are elsewhere: %s", spec.bytes,
            static_cast<void *>(mapping.data()), policy_name(arrangement->target.policy), census.present - census.near,
            census.looked, where_text(census).c_str());
    }
    return census;
}

namespace {

void describe_pages(const Region::Body &body, const Census &census, near_placement *placement) {
    placement->pages_reason = body.note.reason;
    if (body.mapping.pool_pages()) {
        placement->pages = body.mapping.page_bytes() == giant_page_bytes ? NEAR_PAGES_1G : NEAR_PAGES_2M;
        return;
    }
    const bool huge = placement->huge_bytes != 0;
    placement->pages = huge ? NEAR_PAGES_TRANSPARENT : NEAR_PAGES_BASE;
    if (body.rung != NEAR_PAGES_TRANSPARENT || huge) {
        return;
    }
    if (census.present == 0 && body.may_have_huge_pages()) {
        placement->pages = NEAR_PAGES_TRANSPARENT;
    }
    if (placement->pages_reason == NEAR_REASON_NONE) {
        placement->pages_reason =
            placement->pages == NEAR_PAGES_BASE ? NEAR_REASON_NO_HUGE_PAGES : NEAR_REASON_NOT_FAULTED;
    }
}

} // namespace

near_placement Region::Body::describe(const Census &census) const {
    const Enforcement enforcement = judge(census);
    near_placement placement{};
    placement.struct_size = sizeof(placement);
    placement.level = enforcement.level;
    placement.reason_code = enforcement.reason;
    placement.policy = arrangement->target.policy;
    placement.page_bytes = mapping.page_bytes();
    placement.page_count = mapping.page_count();
    placement.looked_at_pages = census.look == Look::not_at_all ? 0 : census.looked;
    placement.present_pages = census.present;
    placement.near_pages = topology->this_machine() ? census.near : 0;
    placement.huge_bytes = huge_bytes(census);
    describe_pages(*this, census, &placement);
    copy_text(placement.reason, enforcement.text);
    return placement;
}

} // namespace nearpool
