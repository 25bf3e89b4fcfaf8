// SPDX-License-Identifier: Apache-2.0
// Down the ways to page-locked memory near a GPU until one works.
#pragma once

#include "pools/pinned/ways.hpp"

namespace nearpool::pinned {

// The memory knows why each way before its own was not taken. In strict mode all its pages were seen on the device's
// node.
Result<std::unique_ptr<Memory>> make_memory(const Maker &maker, const Wish &wish, Steps &steps);

} // namespace nearpool::pinned
