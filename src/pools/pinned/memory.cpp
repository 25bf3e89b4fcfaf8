// SPDX-License-Identifier: Apache-2.0
#include "pools/pinned/memory.hpp"

#include "base/text.hpp"

namespace nearpool::pinned {

Result<int32_t> Memory::descriptor() const {
    return fail(NEAR_E_UNSUPPORTED, "the memory was not asked for with NEAR_PINNED_SHARED, and has no descriptor");
}

void Memory::settle(const Site &site) {
    census_ = look_at(site, range_, node(), false);
    proven_ = verdict(site.topology, census_).level == NEAR_LEVEL_STRICT;
}

// Locking moves some pages (ZONE_MOVABLE, CMA): samples show it.
void Memory::settle(const Site &site, const Census &before) {
    const Census now = look_at(site, range_, node(), true);
    const bool same = now.look != Look::pages || (now.near == now.looked && before.near == before.looked);
    census_ = same ? before : look_at(site, range_, node(), false);
    proven_ = verdict(site.topology, census_).level == NEAR_LEVEL_STRICT;
}

std::size_t Memory::pages_in(const char *data, std::size_t bytes) const {
    const std::size_t before = reinterpret_cast<uintptr_t>(data) % range_.page_bytes;
    return (before + bytes + range_.page_bytes - 1) / range_.page_bytes;
}

// Pages of a part: where nobody may look, what was seen of all of it holds for each part only when all was near.
Census Memory::look(const Site &site, const char *data, std::size_t bytes) const {
    Range part = range_;
    part.data = const_cast<char *>(data); // it is only looked at
    part.bytes = bytes;
    Census census = look_at(site, part, node(), false);
    if (census.look == Look::pages || (data == range_.data && bytes == range_.bytes)) {
        return census.look == Look::pages ? census : census_;
    }
    census.look = Look::not_at_all;
    if (census_.exact && census_.looked != 0 && census_.near == census_.looked) {
        census.look = census_.look;
        census.looked = census.present = census.near = pages_in(data, bytes);
        census.nodes = {{node(), census.near}};
    }
    return census;
}

Enforcement Memory::verdict(const Topology &topology, const Census &census) const {
    if (!gpu_.node_known) {
        return Enforcement::none(NEAR_REASON_UNKNOWN_NODE,
                                 format("the node of device %d is not known; the pages: %s",
                                        gpu_.device->facts().ordinal, where_text(census).c_str()));
    }
    if (!topology.this_machine()) {
        return Enforcement::none(NEAR_REASON_NOT_THIS_MACHINE,
                                 "the topology describes another machine, so nothing was placed");
    }
    if (limit_.reason != NEAR_REASON_NONE) {
        return limit_;
    }
    if (census.look == Look::not_at_all || census.present == 0) {
        return Enforcement::best_effort(NEAR_REASON_CANNOT_LOOK, "the kernel does not say where these pages are");
    }
    if (census.near < census.present) {
        return Enforcement::best_effort(NEAR_REASON_ELSEWHERE,
                                        format("%zu of %zu pages are elsewhere: %s", census.present - census.near,
                                               census.looked, where_text(census).c_str()));
    }
    if (census.present < census.looked) {
        return Enforcement::best_effort(NEAR_REASON_CANNOT_LOOK, format("of %zu pages the kernel does not say where "
                                                                        "%zu are",
                                                                        census.looked, census.looked - census.present));
    }
    if (!gpu_.locks && !bound_) {
        return Enforcement::best_effort(NEAR_REASON_NOT_LOCKED, "all pages are near now; this device's driver does not "
                                                                "lock them, and nothing binds them");
    }
    return topology.doubt().empty() ? Enforcement::strict()
                                    : Enforcement::best_effort(NEAR_REASON_UNKNOWN_NODE, topology.doubt());
}

near_placement Memory::describe(const Topology &topology, const Census &census, const char *data,
                                std::size_t bytes) const {
    const Enforcement enforcement = verdict(topology, census);
    near_placement placement{};
    placement.struct_size = sizeof(placement);
    placement.level = enforcement.level;
    placement.reason_code = enforcement.reason;
    placement.policy = NEAR_POLICY_BIND;
    placement.pages = pages_;
    placement.pages_reason = pages_reason_;
    placement.page_bytes = range_.page_bytes;
    placement.page_count = pages_in(data, bytes);
    placement.looked_at_pages = census.look == Look::not_at_all ? 0 : census.looked;
    placement.present_pages = census.present;
    placement.near_pages = gpu_.node_known && topology.this_machine() ? census.near : 0;
    const bool from_pool = pages_ == NEAR_PAGES_2M || pages_ == NEAR_PAGES_1G;
    placement.huge_bytes = from_pool ? placement.page_count * placement.page_bytes : 0;
    copy_text(placement.reason, enforcement.text);
    return placement;
}

} // namespace nearpool::pinned
