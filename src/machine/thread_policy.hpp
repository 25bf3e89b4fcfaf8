// SPDX-License-Identifier: Apache-2.0
// Where the pages go that a thread touches first: to the node of its CPU, unless it has inherited a memory policy from
// the thread that made it (numactl(8), a container's runtime, set_mempolicy(2)).
#pragma once

#include "base/status.hpp"
#include "sys/ports.hpp"

#include <optional>
#include <string>

namespace nearpool {

// The calling thread's policy, "interleave on nodes 0-3"; empty: it has none. Nothing: nobody may ask.
std::optional<std::string> inherited_policy(PolicyPort &policy);

// Makes its pages go to the node of its CPU. Not strict: that was refused, and `inherited` holds. Where nobody may ask,
// a refusal says nothing.
Enforcement drop_policy(PolicyPort &policy, const std::optional<std::string> &inherited);

} // namespace nearpool
