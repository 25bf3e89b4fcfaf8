// SPDX-License-Identifier: Apache-2.0
// Moving pages that are there to where they should be.
#pragma once

#include "memory/census.hpp"

#include <functional>

namespace nearpool {

// Where a page should go that is on `node` now; -1: it is right where it is. `block`: it is one of a block of pages on
// one node, which may be one huge page and should stay together. Called by several threads.
using Destination = std::function<int(std::size_t page, int node, bool block)>;

// Moves what can be moved to `nodes`, and gives up on a node that takes no more. 0, or -errno where moving is refused
// altogether. What came of it, a look will tell: a huge page that finds no room is split, and from Linux 6.12 on those
// of its pages that hold only zeros are then no longer in.
int move_pages_to(const Site &site, const Mapping &mapping, const std::vector<uint32_t> &nodes, bool blocks,
                  const Destination &destination);

// Moves the misplaced pages of a region and looks again, as often as it helps. 0 or -errno, as above.
int move_misplaced(const Site &site, const Mapping &mapping, const Arrangement &arrangement, const LookOptions &options,
                   Census *census);

} // namespace nearpool
