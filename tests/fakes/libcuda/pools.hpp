// SPDX-License-Identifier: Apache-2.0
// Memory that streams allocate and free in their order.
#pragma once

#include <string>

namespace fakes::cuda {

void drop_pools();
std::string held_pools();

} // namespace fakes::cuda
