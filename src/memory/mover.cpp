// SPDX-License-Identifier: Apache-2.0
#include "memory/mover.hpp"

#include "memory/room.hpp"
#include "sys/constants.hpp"

#include <algorithm>
#include <cerrno>
#include <numeric>

namespace nearpool {
namespace {

constexpr int batches_without_luck = 4; // pages may be pinned; a full node is known by ENOMEM
constexpr std::size_t most_attempts = 8;

// What is known of the nodes that pages are moved to, by all threads that move.
class Receivers {
public:
    Receivers(const Site &site, const Mapping &mapping, const std::vector<uint32_t> &nodes)
        : nodes_(std::size_t{site.topology.node_numbers().back()} + 1) {
        for (const auto &[node, bytes] : room_of(site.ports.files, nodes)) {
            const std::size_t pages = mapping.pool_pages() ? SIZE_MAX : bytes / mapping.page_bytes();
            nodes_[node].room = static_cast<int64_t>(std::min<std::size_t>(pages, INT64_MAX));
        }
    }

    // Whether one more page may be sent to the node.
    bool takes(int node) {
        Receiver &receiver = nodes_[static_cast<std::size_t>(node)];
        return receiver.failures.load(std::memory_order_relaxed) < batches_without_luck &&
               receiver.room.fetch_sub(1, std::memory_order_relaxed) > 0;
    }
    void note(int node, bool moved, bool full) {
        std::atomic<int> &failures = nodes_[static_cast<std::size_t>(node)].failures;
        if (moved) {
            failures.store(0, std::memory_order_relaxed);
        } else {
            failures.fetch_add(full ? batches_without_luck : 1, std::memory_order_relaxed);
        }
    }

private:
    struct Receiver {
        std::atomic<int> failures{0};
        std::atomic<int64_t> room{0}; // pages
    };
    std::vector<Receiver> nodes_;
};

using Wanted = std::map<int, std::vector<void *>>; // pages by where they should be

bool fatal(long error) {
    return error == -EPERM || error == -ENOSYS || error == -EACCES || error == -ENODEV || error == -EINVAL;
}

// The kernel stops at the first group of pages that it cannot move, so each node has a call of its own.
int move_batch(PolicyPort &policy, const Wanted &wanted, Receivers *receivers) {
    for (const auto &[node, pages] : wanted) {
        const std::vector<int> nodes(pages.size(), node);
        std::vector<int> states(pages.size(), -EBUSY);
        const long result = policy.move_pages(pages.size(), pages.data(), nodes.data(), states.data(), sys::move_own);
        if (fatal(result)) {
            return static_cast<int>(result);
        }
        if (result == 0) {
            receivers->note(node, true, false);
            continue;
        }
        const long looked = policy.move_pages(pages.size(), pages.data(), nullptr, states.data(), 0);
        if (looked < 0) {
            return static_cast<int>(looked);
        }
        const bool moved = std::find(states.begin(), states.end(), node) != states.end();
        receivers->note(node, moved, result == -ENOMEM);
    }
    return 0;
}

class RangeMover {
public:
    RangeMover(const Site &site, const Mapping &mapping, bool blocks, const Destination &destination,
               Receivers *receivers)
        : site_(site), mapping_(mapping), blocks_(blocks), destination_(destination), receivers_(receivers),
          pages_(pages_per_batch), states_(pages_per_batch) {}

    int move(const PageRange &range) {
        for (std::size_t done = 0; done < range.count; done += pages_per_batch) {
            const std::size_t count = std::min(range.count - done, pages_per_batch);
            for (std::size_t i = 0; i < count; i++) {
                pages_[i] = mapping_.data() + (range.first + done + i) * mapping_.page_bytes();
            }
            const long result = site_.ports.policy.move_pages(count, pages_.data(), nullptr, states_.data(), 0);
            if (result < 0) {
                return static_cast<int>(result);
            }
            if (const int error = move_batch(site_.ports.policy, wanted(range.first + done, count), receivers_);
                error != 0) {
                return error;
            }
        }
        return 0;
    }

private:
    Wanted wanted(std::size_t first, std::size_t count) {
        Wanted result;
        const std::size_t block = pages_per_block(mapping_);
        for (std::size_t i = 0; i < count;) {
            const bool whole =
                blocks_ && (first + i) % block == 0 && count - i >= block && one_block(states_.data() + i, block);
            const std::size_t end = i + (whole ? block : 1);
            for (; i < end; i++) {
                const int node = states_[i] < 0 ? -1 : destination_(first + i, states_[i], whole);
                if (node >= 0 && node != states_[i] && receivers_->takes(node)) {
                    result[node].push_back(pages_[i]);
                }
            }
        }
        return result;
    }

    const Site &site_;
    const Mapping &mapping_;
    const bool blocks_;
    const Destination &destination_;
    Receivers *receivers_;
    std::vector<void *> pages_;
    std::vector<int> states_;
};

bool lists(const Target &target, int node) {
    return std::find(target.listed.begin(), target.listed.end(), static_cast<uint32_t>(node)) != target.listed.end();
}

// Pages that a weighted cycle has too many of go to the nodes that have too few.
class Balance {
public:
    Balance(const Target &target, const Census &census) : nodes_(target.usable) {
        const std::size_t cycle =
            std::max(std::accumulate(target.weights.begin(), target.weights.end(), std::size_t{0}), std::size_t{1});
        for (std::size_t i = 0; i < nodes_.size(); i++) {
            const auto found = census.nodes.find(nodes_[i]);
            const std::size_t has = found == census.nodes.end() ? 0 : found->second;
            const std::size_t share = (census.present * target.weights[i] + cycle - 1) / cycle;
            over_.push_back(has > share ? has - share : 0);
            under_.push_back(share > has ? share - has : 0);
        }
    }

    int destination(int node) {
        const std::lock_guard<std::mutex> lock(mutex_);
        const auto here = std::find(nodes_.begin(), nodes_.end(), static_cast<uint32_t>(node));
        if (here != nodes_.end()) {
            std::size_t &over = over_[static_cast<std::size_t>(here - nodes_.begin())];
            if (over == 0) {
                return -1;
            }
            over--;
        }
        for (std::size_t i = 0; i < nodes_.size(); i++) {
            if (under_[i] != 0) {
                under_[i]--;
                return static_cast<int>(nodes_[i]);
            }
        }
        return -1;
    }

private:
    std::mutex mutex_;
    std::vector<uint32_t> nodes_;
    std::vector<std::size_t> over_;
    std::vector<std::size_t> under_;
};

// Where a page of the region should be. Of several nodes that would do, attempt after attempt tries the next.
int right_node(const Mapping &mapping, const Arrangement &arrangement, const Census &census, std::size_t attempt,
               std::size_t page, int node, bool block) {
    const Target &target = arrangement.target;
    const std::size_t offset = page * mapping.page_bytes();
    const std::size_t count = target.usable.size();
    if (target.policy == NEAR_POLICY_INTERLEAVE) {
        const std::size_t index = block ? interleave_index(mapping, offset, large_page_bytes) + census.block_rotation
                                        : interleave_index(mapping, offset, mapping.page_bytes()) + census.rotation;
        return static_cast<int>(target.usable[index % count]);
    }
    if (target.policy == NEAR_POLICY_SPLIT) {
        for (const Part &part : arrangement.parts) {
            if (offset < part.end) {
                return static_cast<int>(part.usable);
            }
        }
    }
    return lists(target, node) ? -1
                               : static_cast<int>(target.usable[(page / pages_per_block(mapping) + attempt) % count]);
}

int move_once(const Site &site, const Mapping &mapping, const Arrangement &arrangement, const Census &census,
              std::size_t attempt, bool blocks) {
    if (arrangement.target.weighted) {
        Balance balance(arrangement.target, census);
        return move_pages_to(site, mapping, arrangement.target.usable, false,
                             [&](std::size_t, int node, bool) { return balance.destination(node); });
    }
    return move_pages_to(site, mapping, arrangement.target.usable, blocks, [&](std::size_t page, int node, bool block) {
        return right_node(mapping, arrangement, census, attempt, page, node, block);
    });
}

} // namespace

int move_pages_to(const Site &site, const Mapping &mapping, const std::vector<uint32_t> &nodes, bool blocks,
                  const Destination &destination) {
    Receivers receivers(site, mapping, nodes);
    const std::vector<PageRange> ranges = page_ranges(mapping, false);
    return for_ranges(site, nodes, ranges, [&](std::size_t i) {
        return RangeMover(site, mapping, blocks, destination, &receivers).move(ranges[i]);
    });
}

int move_misplaced(const Site &site, const Mapping &mapping, const Arrangement &arrangement, const LookOptions &options,
                   Census *census) {
    if (arrangement.target.usable.empty()) {
        return 0;
    }
    // Only where several nodes would do for a page is there another to try.
    const int32_t policy = arrangement.target.policy;
    const bool any_of_several = policy == NEAR_POLICY_BIND || policy == NEAR_POLICY_PREFERRED_MANY;
    const std::size_t attempts = any_of_several ? std::min(arrangement.target.usable.size(), most_attempts) : 2;
    std::size_t before = SIZE_MAX;
    for (std::size_t attempt = 0; attempt < attempts && census->near < census->present; attempt++) {
        if (census->look != Look::pages || (!any_of_several && census->near == before)) {
            return 0;
        }
        before = census->near;
        const int error = move_once(site, mapping, arrangement, *census, attempt, options.blocks);
        if (error != 0) {
            return error;
        }
        *census = take_census(site, mapping, arrangement, options);
    }
    return 0;
}

} // namespace nearpool
