// SPDX-License-Identifier: Apache-2.0
// A set of CPUs or nodes as hwloc writes it: "0x00000003,,0x00000001", words of 32 bits with the highest first, where
// an empty word is zero; "0xf...f" in front says that all that follow are in it too. What hwloc reads beyond that
// (signs, blanks, words that are too long or missing at the end) it reads wrongly, or as memory that nobody wrote.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace nearpool {

class XmlSet {
public:
    // Nothing where the text is not as hwloc writes it.
    static std::optional<XmlSet> parse(std::string_view text);

    bool infinite() const { return infinite_; }
    bool empty() const { return words_.empty() && highest_ < 0 && !infinite_; }
    int64_t first() const;                       // -1: the set is empty
    int64_t highest() const { return highest_; } // -1: the set is empty
    bool is_only(uint32_t number) const { return first() == number && highest_ == number; }

    // Of finite sets whose numbers are all below cpu_number_limit.
    bool within(const XmlSet &other) const;
    bool intersects(const XmlSet &other) const;
    bool operator==(const XmlSet &other) const { return words_ == other.words_; }
    void add(const XmlSet &other);

private:
    void put(std::size_t place, uint32_t word);

    std::vector<uint32_t> words_; // the lowest first, the last not zero; empty where a number is too large
    int64_t highest_ = -1;
    bool infinite_ = false;
};

} // namespace nearpool
