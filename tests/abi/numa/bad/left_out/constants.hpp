// SPDX-License-Identifier: Apache-2.0
// A policy that no header has, and a flag that the check has no counterpart for.
#pragma once

namespace nearpool::sys {

enum Policy : int {
    policy_default = 0,
    policy_nearest = 9,
};

enum MoveFlag : int {
    move_own = 1 << 1,
    move_later = 1 << 9,
};

} // namespace nearpool::sys
