// SPDX-License-Identifier: Apache-2.0
#include "memory/tally.hpp"

#include <algorithm>
#include <numeric>

namespace nearpool {
namespace {

bool cyclic_policy(const Target &target) {
    return target.policy == NEAR_POLICY_INTERLEAVE || target.policy == NEAR_POLICY_WEIGHTED_INTERLEAVE;
}

std::size_t table_size(const Target &target) {
    uint32_t most = 0;
    for (const uint32_t node : target.usable) {
        most = std::max(most, node);
    }
    for (const uint32_t node : target.listed) {
        most = std::max(most, node);
    }
    return std::size_t{most} + 1;
}

} // namespace

Tally::Tally(const Mapping &mapping, const Arrangement &arrangement, bool blocks)
    : mapping_(mapping), arrangement_(arrangement), blocks_(blocks),
      cyclic_(cyclic_policy(arrangement.target) && !arrangement.target.usable.empty()) {
    const Target &target = arrangement.target;
    column_.assign(table_size(target), target.usable.size());
    listed_.assign(column_.size(), false);
    for (std::size_t i = 0; i < target.usable.size(); i++) {
        column_[target.usable[i]] = i;
    }
    for (const uint32_t node : target.listed) {
        listed_[node] = true;
    }
    if (cyclic_) {
        small_.pages.assign(target.usable.size() * target.usable.size(), 0);
        large_.pages = small_.pages;
    }
}

bool Tally::listed(std::size_t page, int state) const {
    const auto node = static_cast<std::size_t>(state);
    if (arrangement_.target.policy != NEAR_POLICY_SPLIT) {
        return node < listed_.size() && listed_[node];
    }
    const std::size_t offset = page * mapping_.page_bytes();
    const auto after = [](std::size_t value, const Part &part) { return value < part.end; };
    const auto part = std::upper_bound(arrangement_.parts.begin(), arrangement_.parts.end(), offset, after);
    return part != arrangement_.parts.end() && part->listed == static_cast<uint32_t>(state);
}

void Tally::add_page(std::size_t page, int state) {
    looked_++;
    if (state < 0) {
        return;
    }
    const auto node = static_cast<std::size_t>(state);
    if (node >= nodes_.size()) {
        nodes_.resize(node + 1);
    }
    nodes_[node]++;
    present_++;
    near_ += !cyclic_ && listed(page, state) ? 1 : 0;
}

void Tally::count_cycle(Cycle *cycle, std::size_t index, int state, std::size_t pages) {
    if (state < 0) {
        return;
    }
    cycle->total += pages;
    const auto node = static_cast<std::size_t>(state);
    const std::size_t count = arrangement_.target.usable.size();
    if (node < column_.size() && column_[node] < count) {
        cycle->pages[index % count * count + column_[node]] += pages;
    }
}

// Where pages are huge, the kernel goes round by huge pages.
void Tally::add_cycle(std::size_t first, const int *states, std::size_t count) {
    const std::size_t block = pages_per_block(mapping_);
    for (std::size_t i = 0; i < count;) {
        const std::size_t offset = (first + i) * mapping_.page_bytes();
        if (blocks_ && (first + i) % block == 0 && count - i >= block && one_block(states + i, block)) {
            count_cycle(&large_, interleave_index(mapping_, offset, large_page_bytes), states[i], block);
            i += block;
        } else {
            count_cycle(&small_, interleave_index(mapping_, offset, mapping_.page_bytes()), states[i], 1);
            i++;
        }
    }
}

void Tally::add(std::size_t first, const int *states, std::size_t count) {
    for (std::size_t i = 0; i < count; i++) {
        add_page(first + i, states[i]);
    }
    if (cyclic_) {
        add_cycle(first, states, count);
    }
}

void Tally::add(const Tally &other) {
    looked_ += other.looked_;
    present_ += other.present_;
    near_ += other.near_;
    nodes_.resize(std::max(nodes_.size(), other.nodes_.size()));
    for (std::size_t node = 0; node < other.nodes_.size(); node++) {
        nodes_[node] += other.nodes_[node];
    }
    for (std::size_t i = 0; i < small_.pages.size(); i++) {
        small_.pages[i] += other.small_.pages[i];
        large_.pages[i] += other.large_.pages[i];
    }
    small_.total += other.small_.total;
    large_.total += other.large_.total;
}

std::size_t Tally::rotated(const Cycle &cycle, std::size_t rotation) const {
    const std::size_t count = arrangement_.target.usable.size();
    std::size_t near = 0;
    for (std::size_t row = 0; row < count; row++) {
        near += cycle.pages[row * count + (row + rotation) % count];
    }
    return near;
}

// Near as far as the node's share goes, in whole turns of the cycle.
std::size_t Tally::weighted(const Cycle &cycle, std::size_t unit) const {
    const Target &target = arrangement_.target;
    const std::size_t count = target.usable.size();
    const std::size_t sum =
        std::max<std::size_t>(std::accumulate(target.weights.begin(), target.weights.end(), std::size_t{0}), 1);
    const std::size_t turns = (cycle.total / unit + sum - 1) / sum;
    std::size_t near = 0;
    for (std::size_t column = 0; column < count; column++) {
        std::size_t pages = 0;
        for (std::size_t row = 0; row < count; row++) {
            pages += cycle.pages[row * count + column];
        }
        near += std::min(pages, turns * target.weights[column] * unit);
    }
    return near;
}

// The rotations that the kernel may use. It counts anonymous memory from address 0, and before 6.9 in 32 bits;
// elsewhere it begins anywhere.
std::vector<std::size_t> Tally::rotations(std::size_t unit_bytes) const {
    const std::size_t count = arrangement_.target.usable.size();
    if (!mapping_.shared() && !mapping_.pool_pages()) {
        const std::size_t cut_off = interleave_index(mapping_, 0, unit_bytes) >> 32U << 32U;
        return {0, (count - cut_off % count) % count};
    }
    std::vector<std::size_t> all(count);
    std::iota(all.begin(), all.end(), std::size_t{0});
    return all;
}

// The rotation that most pages follow is the one in force.
std::size_t Tally::near_of(const Cycle &cycle, std::size_t unit, std::size_t *rotation) const {
    if (arrangement_.target.weighted) {
        return weighted(cycle, unit);
    }
    std::size_t most = 0;
    *rotation = 0;
    for (const std::size_t candidate : rotations(unit * mapping_.page_bytes())) {
        if (const std::size_t near = rotated(cycle, candidate); near > most) {
            most = near;
            *rotation = candidate;
        }
    }
    return most;
}

void Tally::write(Census *census) const {
    census->looked = looked_;
    census->present = present_;
    census->near = near_;
    if (cyclic_) {
        census->near =
            near_of(small_, 1, &census->rotation) + near_of(large_, pages_per_block(mapping_), &census->block_rotation);
    }
    for (std::size_t node = 0; node < nodes_.size(); node++) {
        if (nodes_[node] != 0) {
            census->nodes[static_cast<uint32_t>(node)] = nodes_[node];
        }
    }
}

} // namespace nearpool
