// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/crew.hpp"

namespace nearpool {

// Where memory work is done and by whom.
struct Site {
    const Ports &ports;
    const Topology &topology;
    Crew &crew;
};

} // namespace nearpool
