// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/census.hpp"

namespace nearpool {

// Counts pages by node and by whether they are near. Several can count parts of a region and be added up.
class Tally {
public:
    Tally(const Mapping &mapping, const Arrangement &arrangement, bool blocks);

    // The states of pages first … first + count, as move_pages() gives them.
    void add(std::size_t first, const int *states, std::size_t count);
    void add(const Tally &other);
    void write(Census *census) const;

private:
    // Pages of a cycle: by their place in the kernel's count and the node where they are.
    struct Cycle {
        std::vector<std::size_t> pages; // row: index modulo nodes; column: usable node
        std::size_t total = 0;
    };

    void add_page(std::size_t page, int state);
    void add_cycle(std::size_t first, const int *states, std::size_t count);
    void count_cycle(Cycle *cycle, std::size_t index, int state, std::size_t pages);
    std::size_t near_of(const Cycle &cycle, std::size_t unit, std::size_t *rotation) const;
    std::vector<std::size_t> rotations(std::size_t unit_bytes) const;
    std::size_t rotated(const Cycle &cycle, std::size_t rotation) const;
    std::size_t weighted(const Cycle &cycle, std::size_t unit) const;
    bool listed(std::size_t page, int state) const;

    const Mapping &mapping_;
    const Arrangement &arrangement_;
    const bool blocks_;
    const bool cyclic_;
    std::size_t looked_ = 0;
    std::size_t present_ = 0;
    std::size_t near_ = 0;
    std::vector<std::size_t> nodes_;  // pages by node
    std::vector<std::size_t> column_; // usable node's index by node; else the number of usable nodes
    std::vector<bool> listed_;        // by node
    Cycle small_;
    Cycle large_; // whole blocks
};

} // namespace nearpool
