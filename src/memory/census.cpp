// SPDX-License-Identifier: Apache-2.0
#include "memory/census.hpp"

#include "base/text.hpp"
#include "memory/proc_maps.hpp"
#include "memory/tally.hpp"

#include <algorithm>
#include <cerrno>

namespace nearpool {
namespace {

constexpr std::size_t pages_per_range = 65536; // given to one helper
constexpr std::size_t pages_for_crew = 131072; // from here on helpers are faster than one thread
constexpr std::size_t pages_in_sample = 65536; // a sample is not smaller than a small region

// A page that the kernel moves at this moment is in no page table. So where few of a batch are absent, they are looked
// at again, and what is really absent stays so.
void look_again(PolicyPort &policy, const std::vector<void *> &pages, std::vector<int> *states, std::size_t count) {
    constexpr std::size_t few = 64;
    constexpr int most_looks = 3;
    for (int look = 0; look < most_looks; look++) {
        std::vector<std::size_t> absent;
        for (std::size_t i = 0; i < count && absent.size() <= few; i++) {
            if ((*states)[i] == -ENOENT) {
                absent.push_back(i);
            }
        }
        if (absent.empty() || absent.size() > few) {
            return;
        }
        std::vector<void *> again;
        again.reserve(absent.size());
        for (const std::size_t i : absent) {
            again.push_back(pages[i]);
        }
        std::vector<int> found(again.size(), -ENOENT);
        if (policy.move_pages(again.size(), again.data(), nullptr, found.data(), 0) < 0) {
            return; // what was seen stands
        }
        for (std::size_t i = 0; i < absent.size(); i++) {
            (*states)[absent[i]] = found[i];
        }
    }
}

// A look at a range, in batches. 0 or -errno.
int look_at(PolicyPort &policy, const Mapping &mapping, const PageRange &range, Tally *tally) {
    std::vector<void *> pages(std::min(range.count, pages_per_batch));
    std::vector<int> states(pages.size());
    for (std::size_t done = 0; done < range.count;) {
        const std::size_t count = std::min(range.count - done, pages_per_batch);
        for (std::size_t i = 0; i < count; i++) {
            pages[i] = mapping.data() + (range.first + done + i) * mapping.page_bytes();
        }
        const long result = policy.move_pages(count, pages.data(), nullptr, states.data(), 0);
        if (result < 0) {
            return static_cast<int>(result);
        }
        look_again(policy, pages, &states, count);
        tally->add(range.first + done, states.data(), count);
        done += count;
    }
    return 0;
}

int look_by_page(const Site &site, const Mapping &mapping, const Arrangement &arrangement, const LookOptions &options,
                 Census *census) {
    const std::vector<PageRange> ranges = page_ranges(mapping, options.sample);
    std::vector<Tally> tallies(ranges.size(), Tally(mapping, arrangement, options.blocks));
    const int error = for_ranges(site, arrangement.target.usable, ranges, [&](std::size_t i) {
        return look_at(site.ports.policy, mapping, ranges[i], &tallies[i]);
    });
    if (error != 0) {
        return error;
    }
    for (std::size_t i = 1; i < tallies.size(); i++) {
        tallies.front().add(tallies[i]);
    }
    tallies.front().write(census);
    census->look = Look::pages;
    census->sampled = census->looked < mapping.page_count();
    return 0;
}

// The most pages that can be near on a node.
std::size_t share_of(const Mapping &mapping, const Arrangement &arrangement, uint32_t node) {
    const Target &target = arrangement.target;
    const bool listed = std::find(target.listed.begin(), target.listed.end(), node) != target.listed.end();
    if (!listed) {
        return 0;
    }
    if (target.policy != NEAR_POLICY_INTERLEAVE && target.policy != NEAR_POLICY_WEIGHTED_INTERLEAVE &&
        target.policy != NEAR_POLICY_SPLIT) {
        return mapping.page_count();
    }
    const std::map<uint32_t, std::size_t> needed = pages_needed(target, mapping);
    const auto found = needed.find(node);
    return found == needed.end() ? 0 : found->second;
}

// The node that all parts from `begin` to `end` are for; NEAR_NODE_UNKNOWN where they are for several.
uint32_t one_listed(const std::vector<Part> &parts, std::size_t begin, std::size_t end) {
    uint32_t node = NEAR_NODE_UNKNOWN;
    for (const Part &part : parts) {
        if (part.begin < end && part.end > begin) {
            if (node != NEAR_NODE_UNKNOWN && node != part.listed) {
                return NEAR_NODE_UNKNOWN;
            }
            node = part.listed;
        }
    }
    return node;
}

// Of the mapping's pages in one of those that the line counts.
std::size_t pages_per_unit(const NumaFacts &line, const Mapping &mapping) {
    return std::max<std::size_t>(line.page_bytes / mapping.page_bytes(), 1);
}

// Adds the pages of one line of numa_maps to the parts of a split: they have policies of their own, so each is a line,
// unless the policies were refused or neighbours are for the same node.
void add_to_parts(const std::vector<Part> &parts, std::size_t end, const NumaFacts &line, const Mapping &mapping,
                  Census *census) {
    const std::size_t begin = line.begin - reinterpret_cast<uintptr_t>(mapping.data());
    const uint32_t own = one_listed(parts, begin, end);
    for (const auto &[node, count] : line.pages) {
        census->near += own == NEAR_NODE_UNKNOWN || own == node ? count * pages_per_unit(line, mapping) : 0;
    }
    census->exact = census->exact && own != NEAR_NODE_UNKNOWN;
}

bool look_in_numa_maps(const Site &site, const Mapping &mapping, const Arrangement &arrangement, Census *census) {
    const std::optional<std::vector<NumaFacts>> ranges = numa_ranges(site.ports.files, mapping.data(), mapping.bytes());
    if (!ranges || ranges->empty()) {
        return false;
    }
    const bool split = arrangement.target.policy == NEAR_POLICY_SPLIT;
    const auto base = reinterpret_cast<uintptr_t>(mapping.data());
    Census sums = *census;
    for (auto line = ranges->begin(); line != ranges->end(); ++line) {
        for (const auto &[node, count] : line->pages) {
            sums.nodes[node] += count * pages_per_unit(*line, mapping);
        }
        if (split) {
            const auto after = std::next(line);
            const std::size_t end = after == ranges->end() ? mapping.bytes() : after->begin - base;
            add_to_parts(arrangement.parts, end, *line, mapping, &sums);
        }
    }
    for (const auto &[node, count] : sums.nodes) {
        sums.present += count;
        sums.near += split ? 0 : std::min(count, share_of(mapping, arrangement, node));
    }
    if (sums.present > mapping.page_count()) { // one mapping was made of the region and its neighbour
        return false;
    }
    // A sum does not say which pages of a cycle are where. For weighted interleave near means no more than the sum.
    sums.exact =
        sums.exact && (arrangement.target.policy != NEAR_POLICY_INTERLEAVE || arrangement.target.usable.size() <= 1);
    sums.looked = mapping.page_count();
    sums.look = Look::numa_maps;
    *census = sums;
    return true;
}

// With one node that has memory, a page that is in is there.
bool conclude_from_one_node(const Site &site, const Mapping &mapping, const Arrangement &arrangement,
                            const LookOptions &options, Census *census) {
    if (memory_node_count(site.topology) > 1 || !site.topology.doubt().empty()) {
        return false;
    }
    std::size_t bytes = 0;
    const std::vector<MapFacts> ranges = mapped_ranges(site.ports.files, mapping.data(), mapping.bytes());
    for (const MapFacts &range : ranges) {
        bytes += range.resident_bytes;
    }
    census->looked = mapping.page_count();
    census->present = ranges.empty() ? options.faulted_pages : std::min(bytes / mapping.page_bytes(), census->looked);
    for (const Node &node : site.topology.nodes()) {
        if (holds_pages(site.topology, node.number) && census->present != 0) {
            census->nodes[node.number] = census->present;
            census->near = std::min(census->present, share_of(mapping, arrangement, node.number));
        }
    }
    census->look = Look::one_node;
    return true;
}

} // namespace

Census take_census(const Site &site, const Mapping &mapping, const Arrangement &arrangement,
                   const LookOptions &options) {
    Census census;
    const int error = look_by_page(site, mapping, arrangement, options, &census);
    if (error == 0) {
        return census;
    }
    census = Census();
    census.error = -error;
    if (!look_in_numa_maps(site, mapping, arrangement, &census)) {
        conclude_from_one_node(site, mapping, arrangement, options, &census);
    }
    return census;
}

Error cannot_look(int error_number) {
    return fail_system_as(error_number == ENOMEM ? NEAR_E_NOMEM : NEAR_E_UNSUPPORTED, error_number,
                          "move_pages() is refused, and /proc/self/numa_maps is no way to do without");
}

Result<std::vector<near_node_pages>> pages_by_node(const Census &census) {
    if (census.look == Look::not_at_all) {
        return cannot_look(census.error);
    }
    std::vector<near_node_pages> nodes;
    for (const auto &[node, count] : census.nodes) {
        nodes.push_back(near_node_pages{node, 0, count});
    }
    return nodes;
}

std::string where_text(const Census &census) {
    std::vector<std::pair<std::size_t, uint32_t>> order;
    for (const auto &[node, count] : census.nodes) {
        order.emplace_back(count, node);
    }
    std::sort(order.begin(), order.end(), [](const auto &a, const auto &b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    std::string text;
    constexpr std::size_t most = 5;
    for (std::size_t i = 0; i < order.size() && i < most; i++) {
        text +=
            format("%s%zu%s on node %u", i == 0 ? "" : ", ", order[i].first, i == 0 ? " pages" : "", order[i].second);
    }
    if (order.size() > most) {
        text += format(" and others on %zu more nodes", order.size() - most);
    }
    return order.empty() ? "no page is in" : text;
}

std::size_t interleave_index(const Mapping &mapping, std::size_t offset, std::size_t unit) {
    if (mapping.shared() || mapping.pool_pages()) {
        return offset / unit;
    }
    return (reinterpret_cast<uintptr_t>(mapping.data()) + offset) / unit;
}

std::size_t pages_per_block(const Mapping &mapping) {
    return std::max<std::size_t>(large_page_bytes / mapping.page_bytes(), 1);
}

bool one_block(const int *states, std::size_t count) {
    return states[0] >= 0 && std::all_of(states, states + count, [&](int state) { return state == states[0]; });
}

std::vector<PageRange> page_ranges(const Mapping &mapping, bool sample) {
    const std::size_t pages = mapping.page_count();
    std::vector<PageRange> ranges;
    if (!sample || pages <= pages_in_sample) {
        for (std::size_t first = 0; first < pages; first += pages_per_range) {
            ranges.push_back(PageRange{first, std::min(pages_per_range, pages - first)});
        }
        return ranges;
    }
    const std::size_t block = pages_per_block(mapping);
    const std::size_t blocks = pages / block;
    const std::size_t looked = std::max<std::size_t>(pages_in_sample / block, 1);
    for (std::size_t i = 0; i < looked && i < blocks; i++) {
        ranges.push_back(PageRange{i * blocks / std::min(looked, blocks) * block, block});
    }
    return ranges;
}

int for_ranges(const Site &site, const std::vector<uint32_t> &nodes, const std::vector<PageRange> &ranges,
               const Crew::Work &work) {
    std::size_t pages = 0;
    for (const PageRange &range : ranges) {
        pages += range.count;
    }
    if (pages >= pages_for_crew && !nodes.empty()) {
        std::vector<uint32_t> helpers;
        for (std::size_t i = 0; i < ranges.size(); i++) {
            helpers.push_back(nodes[i % nodes.size()]);
        }
        return site.crew.run(site.topology, helpers, work).error;
    }
    for (std::size_t i = 0; i < ranges.size(); i++) {
        if (const int error = work(i); error != 0) {
            return error;
        }
    }
    return 0;
}

} // namespace nearpool
