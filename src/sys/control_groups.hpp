// SPDX-License-Identifier: Apache-2.0
// Where the limits of this process stand that others have set: control groups, version 2 and 1 (cgroups(7)).
#pragma once

#include "sys/ports.hpp"

#include <string>
#include <vector>

namespace nearpool {

struct ControlGroup {
    bool version_2 = false;
    std::string folder;
};

// Those that bound this process by a controller, "cpu", from its own up to the root that it can see. Each limit counts.
std::vector<ControlGroup> control_groups(FilePort &files, const char *controller);

} // namespace nearpool
