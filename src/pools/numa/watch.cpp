// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/watch.hpp"

namespace nearpool::numa {

std::optional<std::size_t> Watch::overdue(const Team &team, uint64_t now, uint64_t delay_ns) {
    const std::optional<std::size_t> source = still_waiting(team);
    if (source) {
        return now - marked_at_ >= delay_ns ? source : std::nullopt;
    }
    marked_at_ = now;
    for (std::size_t i = 0; i < ends_.size(); i++) {
        ends_[i] = team.end(i);
    }
    return std::nullopt;
}

std::optional<std::size_t> Watch::still_waiting(const Team &team) const {
    for (std::size_t i = 0; i < ends_.size(); i++) {
        if (team.oldest(i) < ends_[i] && team.oldest(i) < team.end(i)) {
            return i;
        }
    }
    return std::nullopt;
}

} // namespace nearpool::numa
