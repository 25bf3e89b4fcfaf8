// SPDX-License-Identifier: Apache-2.0
// The inside of a region, for the files that make, describe and change it.
#pragma once

#include "memory/fault.hpp"
#include "memory/mover.hpp"
#include "memory/region.hpp"

#include <optional>

namespace nearpool {

// Why pages are not of the size asked for; NEAR_REASON_NONE: they are.
struct PagesNote {
    int32_t reason = NEAR_REASON_NONE;
    std::string text;
};

struct Region::Body {
    Body(const Ports &all_ports, Ref<const Topology> machine, Crew &helpers, const RegionSpec &asked, Mapping mapped)
        : ports(all_ports), topology(std::move(machine)), crew(helpers), spec(asked), mapping(std::move(mapped)) {}

    const Ports &ports;
    const Ref<const Topology> topology;
    Crew &crew;
    const RegionSpec spec;
    Mapping mapping;
    int32_t rung = NEAR_PAGES_DEFAULT; // reached; a transparent one may turn out to be base pages
    PagesNote note;

    Progress *progress = nullptr; // while the region is made
    std::optional<Census> first;  // what was seen then, if its pages were faulted in
    bool first_firm = false;      // and whether it was bound firmly

    ForkMutex mutex; // guards what follows
    std::unique_ptr<Arrangement> arrangement;
    std::size_t faulted_pages = 0;  // known to be in: for where nobody may look
    bool unpinned = false;          // helpers that faulted pages in were not on their node
    bool by_caller = false;         // there were no helpers
    std::optional<ForkMark> locked; // in memory, in the process that did it

    Site site() const { return Site{ports, *topology, crew}; }
    bool binds() const { return !spec.by_touch && takes_policy(*topology, mapping); }
    std::size_t huge_bytes(const Census &census) const;
    bool may_have_huge_pages() const; // transparent ones

    // Is it as the mode wants it?
    Enforcement judge(const Census &census) const;
    Census look(bool sample) const;
    bool may_sample() const { return spec.sample && !arrangement->strict; }

    bool charged() const { return mapping.takes_policy() && !mapping.pool_pages(); } // to the control groups
    std::size_t missing_bytes() const;                                               // of pages that are not in
    // What faulting all in may take: looked at only where there is not room for the whole.
    std::size_t bytes_to_come(const Ceiling::Room &room) const {
        return room.bytes < mapping.bytes() ? missing_bytes() : mapping.bytes();
    }

    // Faults all pages in, under a binding that is not firm.
    Done fault(int32_t how);

    // Loosens a firm binding before pages that may have to be faulted in again are given back.
    Done loosen();

    // Binds firmly when all pages are where they should be, and were seen there.
    void firm_if_right(const Census &census);

    // Moves what is misplaced, and binds firmly if it can.
    Census settle(bool sample);
    near_placement describe(const Census &census) const;
};

} // namespace nearpool
