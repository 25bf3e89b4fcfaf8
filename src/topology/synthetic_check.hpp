// SPDX-License-Identifier: Apache-2.0
// What is asked of a synthetic description before hwloc makes it: that it is no larger than a machine may be.
#pragma once

#include "base/error.hpp"

#include <string>

namespace nearpool {

// NEAR_E_TOPOLOGY, with limit and value. Takes time linear in the text; what is no description hwloc refuses.
Done check_synthetic(const std::string &text);

// Whether it calls a level nodes, hangs one on a level in square brackets, or leaves a level but the last to hwloc,
// which makes nodes of it. Where it does not, hwloc makes one for the whole machine.
bool names_a_node(const std::string &text);

} // namespace nearpool
