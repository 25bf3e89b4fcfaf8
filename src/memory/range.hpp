// SPDX-License-Identifier: Apache-2.0
// Looking at memory whose pages are in and stay where they are.
#pragma once

#include "memory/census.hpp"

namespace nearpool {

// What was seen when a region had been made with its pages in.
struct Settled {
    near_placement placement{};
    Census census;
    bool firm = false; // bound so that pages can be nowhere else
};

// A range that somebody else has mapped.
struct Range {
    char *data = nullptr;
    std::size_t bytes = 0;
    std::size_t page_bytes = 0; // that it is looked at in
};

// Looks at the pages that the range touches. Near means: on `node`. `sample`: of many, only some.
Census look_at(const Site &site, const Range &range, uint32_t node, bool sample);

} // namespace nearpool
