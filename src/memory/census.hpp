// SPDX-License-Identifier: Apache-2.0
// Looking where the pages of a region are.
#pragma once

#include "memory/binding.hpp"

#include <optional>

namespace nearpool {

// How it was found out.
enum class Look {
    pages,     // page by page: move_pages()
    numa_maps, // sums per node and mapping: /proc/self/numa_maps
    one_node,  // one node has all the memory
    not_at_all
};

struct Census {
    Look look = Look::not_at_all;
    int error = 0; // errno of move_pages() where it was refused
    bool sampled = false;
    std::size_t looked = 0; // pages, of the mapping's size
    std::size_t present = 0;
    std::size_t near = 0;                  // where it is not exact: at most
    bool exact = true;                     // false: of which pages are where, only sums are known
    std::optional<std::size_t> huge_bytes; // where they were asked for
    std::map<uint32_t, std::size_t> nodes;
    std::size_t rotation = 0; // interleave: the usable node of page 0, by index; of huge pages:
    std::size_t block_rotation = 0;
};

// How pages are counted.
struct LookOptions {
    bool sample = false;
    bool blocks = false;           // some pages are transparent huge pages: interleaving goes by 2 MiB there
    std::size_t faulted_pages = 0; // pages that are known to be in, should there be no other way to tell
};

Census take_census(const Site &site, const Mapping &mapping, const Arrangement &arrangement,
                   const LookOptions &options);

// move_pages() gave no answer.
Error cannot_look(int error_number);

// How many pages were seen on each node, ascending.
Result<std::vector<near_node_pages>> pages_by_node(const Census &census);

// "960 pages on node 1, 64 on node 0"; the fullest first.
std::string where_text(const Census &census);

// The number of a page of `unit` bytes as the kernel counts when it interleaves: from address 0 for anonymous memory.
// Elsewhere it begins anywhere, and Census::rotation says where.
std::size_t interleave_index(const Mapping &mapping, std::size_t offset, std::size_t unit);

constexpr std::size_t pages_per_batch = 4096; // of one move_pages() call; whole blocks

// Pieces of a mapping to look at or to move, in pages, whole blocks each.
struct PageRange {
    std::size_t first = 0;
    std::size_t count = 0;
};
std::vector<PageRange> page_ranges(const Mapping &mapping, bool sample);

// Runs work(i) for each range: on the crew of `nodes` where there is much to do, else here. The first error.
int for_ranges(const Site &site, const std::vector<uint32_t> &nodes, const std::vector<PageRange> &ranges,
               const Crew::Work &work);

// Whether `count` pages from `states` are one block on one node.
bool one_block(const int *states, std::size_t count);

std::size_t pages_per_block(const Mapping &mapping); // 2 MiB

} // namespace nearpool
