// SPDX-License-Identifier: Apache-2.0
// What one idle worker has seen of another team: enough to know that a task there has waited for the steal delay,
// without a clock reading in every submit.
#pragma once

#include "pools/numa/team.hpp"

#include <optional>
#include <vector>

namespace nearpool::numa {

class Watch {
public:
    // Of a team with so many sources.
    explicit Watch(std::size_t sources) : ends_(sources) {}

    // The source whose oldest task has surely waited since the mark, when the mark is at least `delay_ns` old. Makes a
    // new mark when there is none or all that it marked has gone.
    std::optional<std::size_t> overdue(const Team &team, uint64_t now, uint64_t delay_ns);

    // When it makes sense to ask again.
    uint64_t marked_at() const { return marked_at_; }

private:
    std::optional<std::size_t> still_waiting(const Team &team) const;

    uint64_t marked_at_ = 0;
    std::vector<uint64_t> ends_; // of each source at the mark: tasks before it were there then
};

} // namespace nearpool::numa
