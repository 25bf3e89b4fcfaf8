// SPDX-License-Identifier: Apache-2.0
// The inside of a region, for the files that make, describe and change it.
#pragma once

#include "memory/fault.hpp"
#include "memory/mover.hpp"
#include "memory/region.hpp"

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

    ForkMutex mutex; // guards what follows
    std::unique_ptr<Arrangement> arrangement;
    std::size_t faulted_pages = 0; // known to be in: for where nobody may look
    bool unpinned = false;         // helpers that faulted pages in were not on their node
    bool by_caller = false;        // there were no helpers

    Site site() const { return Site{ports, *topology, crew}; }
    bool binds() const { return takes_policy(*topology, mapping); }
    std::size_t huge_bytes(const Census &census) const;
    bool may_have_huge_pages() const; // transparent ones

    // `strict`: is it as strict mode wants it?
    Enforcement judge(const Census &census, bool strict) const;
    Census look(bool sample) const;

    Done fault(int32_t how);

    // Moves what is misplaced, and binds firmly when all pages are where they should be.
    Census settle(bool strict, bool sample);
    near_placement describe(const Census &census) const;
};

} // namespace nearpool
