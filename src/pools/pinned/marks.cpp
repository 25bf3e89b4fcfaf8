// SPDX-License-Identifier: Apache-2.0
#include "pools/pinned/marks.hpp"

#include <utility>

namespace nearpool::pinned {

std::optional<stream::Mark> Marks::add(stream::Mark mark) {
    for (stream::Mark &known : marks_) {
        if (known.same_stream(mark)) {
            std::swap(known, mark);
            return mark; // the one before
        }
    }
    marks_.push_back(std::move(mark));
    return std::nullopt;
}

stream::Mark::State Marks::state() noexcept {
    using State = stream::Mark::State;
    State worst = State::passed;
    for (std::size_t i = 0; i < marks_.size();) {
        const State state = marks_[i].state();
        if (state != State::passed) {
            worst = state;
            i++;
            continue;
        }
        std::swap(marks_[i], marks_.back());
        marks_.pop_back();
    }
    return worst;
}

} // namespace nearpool::pinned
