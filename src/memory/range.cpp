// SPDX-License-Identifier: Apache-2.0
#include "memory/range.hpp"

namespace nearpool {

Census look_at(const Site &site, const Range &range, uint32_t node, bool sample) {
    const auto begin = reinterpret_cast<uintptr_t>(range.data);
    const std::size_t before = begin % range.page_bytes;
    const std::size_t pages = (before + range.bytes + range.page_bytes - 1) / range.page_bytes;
    const Mapping mapping =
        Mapping::of_others(site.ports, range.data - before, pages * range.page_bytes, range.page_bytes);
    Arrangement arrangement;
    arrangement.target.policy = NEAR_POLICY_BIND;
    if (node != NEAR_NODE_UNKNOWN) {
        arrangement.target.listed = {node};
        arrangement.target.usable = {node};
    }
    LookOptions options;
    options.sample = sample;
    options.faulted_pages = pages;
    return take_census(site, mapping, arrangement, options);
}

} // namespace nearpool
