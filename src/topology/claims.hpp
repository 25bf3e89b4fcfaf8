// SPDX-License-Identifier: Apache-2.0
// Numbers split into groups that do not overlap, from lists that may: only one list of each group is read, and lists
// that contradict each other (they name CPUs that are offline, or were read while CPUs came and went) cost no number
// its group.
#pragma once

#include "base/number_set.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace nearpool {

// A list claims those of its numbers that none has claimed before. Takes time linear in numbers and ranges (union-find
// with path halving: Tarjan and van Leeuwen, "Worst-case analysis of set union algorithms", 1984).
class Claims {
public:
    explicit Claims(const NumberSet &numbers) : numbers_(numbers), next_(numbers.size() + 1) {
        std::iota(next_.begin(), next_.end(), std::size_t{0});
    }

    bool is_free(std::size_t place) { return free_from(place) == place; }

    // What is free of `ranges`, and the number at `place`, which must be free.
    NumberSet claim(std::size_t place, const std::vector<NumberRange> &ranges) {
        std::vector<uint32_t> group;
        take(place, group);
        return add_free(std::move(group), ranges);
    }
    NumberSet claim(const std::vector<NumberRange> &ranges) { return add_free({}, ranges); }

private:
    NumberSet add_free(std::vector<uint32_t> group, const std::vector<NumberRange> &ranges) {
        for (const NumberRange &range : ranges) {
            const auto begin = std::lower_bound(numbers_.begin(), numbers_.end(), range.first);
            for (std::size_t i = free_from(static_cast<std::size_t>(begin - numbers_.begin()));
                 i < numbers_.size() && numbers_[i] <= range.last; i = free_from(i)) {
                take(i, group);
            }
        }
        return NumberSet(std::move(group));
    }

    void take(std::size_t place, std::vector<uint32_t> &group) {
        group.push_back(numbers_[place]);
        next_[place] = place + 1;
    }

    // The first place from here on that is free; the end is.
    std::size_t free_from(std::size_t place) {
        while (next_[place] != place) {
            next_[place] = next_[next_[place]];
            place = next_[place];
        }
        return place;
    }

    const NumberSet &numbers_;
    std::vector<std::size_t> next_;
};

} // namespace nearpool
