// SPDX-License-Identifier: Apache-2.0
// Moving pages that are there to where they should be.
#pragma once

#include "memory/census.hpp"

#include <functional>

namespace nearpool {

// Where a page should go that is on `node` now; -1: it is right where it is. `block`: it is one of a block of pages on
// one node, which may be one huge page and should stay together. Called by several threads.
using Destination = std::function<int(std::size_t page, int node, bool block)>;

// Moves what can be moved, and gives up on a node that takes none. 0, or -errno where moving is refused altogether.
// What came of it, a look will tell.
int move_pages_to(const Site &site, const Mapping &mapping, const Target &target, bool blocks,
                  const Destination &destination);

// Moves the misplaced pages of a region and looks again, as often as it helps. 0 or -errno, as above.
int move_misplaced(const Site &site, const Mapping &mapping, const Arrangement &arrangement,
                   const LookOptions &options, Census *census);

} // namespace nearpool
