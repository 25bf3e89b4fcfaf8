// SPDX-License-Identifier: Apache-2.0
// Two numbers that the kernel gives to something else.
#pragma once

namespace nearpool::sys {

enum Policy : int {
    policy_default = 0,
    policy_bind = 3,
    policy_interleave = 3,
};

enum MoveFlag : int {
    move_own = 1 << 2,
};

} // namespace nearpool::sys
