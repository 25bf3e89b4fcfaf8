// SPDX-License-Identifier: Apache-2.0
// The streams that use a block, each up to its latest mark.
#pragma once

#include "pools/pinned/block.hpp"
#include "pools/stream/mark.hpp"

#include <optional>
#include <vector>

namespace nearpool::pinned {

class Marks {
public:
    // What it replaces: the mark before of the same stream. May throw std::bad_alloc.
    std::optional<stream::Mark> add(stream::Mark mark);

    // Asks for all that have not passed; drops those that have.
    stream::Mark::State state() noexcept;

    Block *next = nullptr; // that waits

private:
    std::vector<stream::Mark> marks_;
};

} // namespace nearpool::pinned
