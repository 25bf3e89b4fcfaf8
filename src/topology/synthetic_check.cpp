// SPDX-License-Identifier: Apache-2.0
#include "topology/synthetic_check.hpp"

#include "base/checked.hpp"
#include "topology/limits.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace nearpool {
namespace {

constexpr std::size_t most_units = 16384; // twice what Linux can be built for; hwloc's time grows with the square
constexpr std::size_t most_objects = 4 * most_units; // of all levels: each has sets as long as there are units

struct Described {
    std::size_t units = 1;   // the product of all counts
    std::size_t objects = 1; // of each level the product down to it, and what hangs beside it
    std::size_t nodes = 0;
};

// "pack:2 [numa] l3:4 pu:2": counts stand after colons, but for those in attributes, and each pair of square brackets
// hangs a node on each object of the level before.
Described described(const std::string &text) {
    Described made;
    char closing = 0; // of the brackets that one is in
    char type = 0;    // the first letter of the level's
    for (std::size_t i = 0; i < text.size(); i++) {
        if (closing != 0) {
            closing = text[i] == closing ? '\0' : closing;
        } else if (text[i] == '(') {
            closing = ')';
        } else if (text[i] == '[') {
            closing = ']';
            made.objects = saturating_add(made.objects, made.units);
            made.nodes = saturating_add(made.nodes, made.units);
        } else if (text[i] == ':') {
            const std::size_t count = std::strtoull(text.c_str() + i + 1, nullptr, 0);
            made.units = checked_multiply(made.units, count).value_or(SIZE_MAX);
            made.objects = saturating_add(made.objects, made.units);
            made.nodes = saturating_add(made.nodes, type == 'n' || type == 'N' ? made.units : 0);
        } else if (i == 0 || text[i - 1] == ' ') {
            type = text[i];
        }
    }
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

} // namespace nearpool
