// SPDX-License-Identifier: Apache-2.0
#include "topology/synthetic_check.hpp"

#include "base/checked.hpp"
#include "topology/limits.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <vector>

namespace nearpool {
namespace {

constexpr std::size_t most_units = 16384; // twice what Linux can be built for; hwloc's time grows with the square
constexpr std::size_t most_objects = 4 * most_units; // of all levels: each has sets as long as there are units

struct Described {
    std::size_t units = 1;   // the product of all counts
    std::size_t objects = 1; // of each level the product down to it, and what hangs beside it
    std::size_t nodes = 0;   // of levels that are nodes, and in square brackets
};

struct Level {
    char type = 0; // its first letter; 0: it is a count alone
    std::size_t count = 0;
    std::size_t end = 0; // of it in the text
};

// Nothing where hwloc refuses the text.
std::optional<Level> level_at(const std::string &text, std::size_t begin) {
    Level level;
    if (text[begin] < '0' || text[begin] > '9') {
        level.type = text[begin];
        const std::size_t colon = text.find(':', begin);
        if (colon == std::string::npos) {
            return std::nullopt;
        }
        begin = colon + 1;
    }
    char *end = nullptr;
    level.count = std::strtoull(text.c_str() + begin, &end, 0);
    level.end = static_cast<std::size_t>(end - text.c_str());
    return level.end > begin ? std::optional(level) : std::nullopt;
}

// Of how many objects hwloc makes nodes in a description whose levels are counts alone but for the last, the processing
// units: it calls the first of them packages, the next nodes, then cores and at most four levels of caches; what are
// more than these are groups, before the nodes. One alone are nodes.
std::size_t nodes_of_untyped(const std::vector<std::size_t> &levels) {
    constexpr std::size_t most_named = 7;
    const std::size_t place = levels.size() <= 1 ? 0 : 1 + std::max(levels.size(), most_named) - most_named;
    return place < levels.size() ? levels[place] : 0;
}

// "pack:2 [numa] l3:4 pu:2", or "2 4 2". Each pair of square brackets hangs a node on each object of the level before,
// and round ones hold attributes.
Described described(const std::string &text) {
    Described made;
    std::vector<std::size_t> untyped; // units of each level that is a count alone
    bool last_is_untyped = false;
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] == ' ' || text[i] == '\n') {
            i++;
            continue;
        }
        if (text[i] == '(' || text[i] == '[') {
            const std::size_t hung = text[i] == '[' ? made.units : 0;
            made.objects = saturating_add(made.objects, hung);
            made.nodes = saturating_add(made.nodes, hung);
            i = std::min(text.find(text[i] == '[' ? ']' : ')', i), text.size() - 1) + 1;
            continue;
        }
        const std::optional<Level> level = level_at(text, i);
        if (!level) {
            break;
        }
        made.units = checked_multiply(made.units, level->count).value_or(SIZE_MAX);
        made.objects = saturating_add(made.objects, made.units);
        made.nodes = saturating_add(made.nodes, level->type == 'n' || level->type == 'N' ? made.units : 0);
        last_is_untyped = level->type == 0;
        if (last_is_untyped) {
            untyped.push_back(made.units);
        }
        i = level->end;
    }
    if (last_is_untyped) {
        untyped.pop_back();
    }
    made.nodes = made.nodes != 0 ? made.nodes : nodes_of_untyped(untyped);
    return made;
}

// The largest number in the lists of "indexes=": hwloc's sets are as long as that is large.
std::size_t largest_index(const std::string &text) {
    static const std::string word = "indexes=";
    std::size_t largest = 0;
    std::size_t end = 0;
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, end)) {
        end = std::min(text.find_first_of(") ", at), text.size());
        for (std::size_t i = at + word.size(); i < end; i++) {
            const bool begins = text[i] >= '0' && text[i] <= '9' && (text[i - 1] < '0' || text[i - 1] > '9');
            largest = begins ? std::max<std::size_t>(largest, std::strtoull(text.c_str() + i, nullptr, 0)) : largest;
        }
    }
    return largest;
}

Done check_count(const char *what, std::size_t count, std::size_t most) {
    return count <= most
               ? Done()
               : fail(NEAR_E_TOPOLOGY, "the synthetic description has %zu %s, and may have %zu", count, what, most);
}

} // namespace

Done check_synthetic(const std::string &text) {
    if (Done ok = check_count("bytes", text.size(), most_file_bytes); !ok) {
        return ok;
    }
    const Described made = described(text);
    if (Done ok = check_count("processing units", made.units, most_units); !ok) {
        return ok;
    }
    if (Done ok = check_count("nodes", made.nodes, most_nodes); !ok) {
        return ok;
    }
    if (Done ok = check_count("objects", made.objects, most_objects); !ok) {
        return ok;
    }
    const std::size_t index = largest_index(text);
    return index < node_number_limit
               ? Done()
               : fail(NEAR_E_TOPOLOGY, "the synthetic description has the index %zu, and it must be below %u", index,
                      node_number_limit);
}

bool names_a_node(const std::string &text) {
    return described(text).nodes != 0;
}

} // namespace nearpool
