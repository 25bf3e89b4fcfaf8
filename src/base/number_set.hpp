// SPDX-License-Identifier: Apache-2.0
// A set of CPU or node numbers as the kernel gives them: sparse, without an upper limit.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearpool {

// Numbers in a row, both ends included.
struct NumberRange {
    uint32_t first = 0;
    uint32_t last = 0;
};

// The kernel's list format, of any numbers, as ranges: in ascending order, and apart. What a short text says may be
// much, so that a reader who wants little of it takes this.
std::optional<std::vector<NumberRange>> parse_ranges(std::string_view text);

class NumberSet {
public:
    NumberSet() = default;
    NumberSet(std::initializer_list<uint32_t> numbers);
    explicit NumberSet(std::vector<uint32_t> numbers); // in any order, also with repeats

    // The kernel's list format, "0-3,8", of numbers below 2^20; white space at the end is allowed, an empty text is the
    // empty set.
    static std::optional<NumberSet> parse(std::string_view text);

    // The kernel's bitmap format, "1,0000000f": groups of 32 bits in hexadecimal, the highest numbers first.
    static std::optional<NumberSet> parse_bitmap(std::string_view text);

    bool contains(uint32_t number) const;
    bool contains_all(const NumberSet &other) const;
    bool overlaps(const NumberSet &other) const;
    void add(uint32_t number);
    NumberSet intersect(const NumberSet &other) const;
    NumberSet unite(const NumberSet &other) const;
    NumberSet subtract(const NumberSet &other) const;

    bool empty() const { return numbers_.empty(); }
    std::size_t size() const { return numbers_.size(); }
    uint32_t operator[](std::size_t index) const { return numbers_[index]; }
    uint32_t back() const { return numbers_.back(); }
    auto begin() const { return numbers_.begin(); }
    auto end() const { return numbers_.end(); }
    bool operator==(const NumberSet &other) const { return numbers_ == other.numbers_; }
    bool operator!=(const NumberSet &other) const { return !(*this == other); }

    std::string text() const; // "0-3,8"; "none" for the empty set

private:
    std::vector<uint32_t> numbers_; // ascending, each once
};

} // namespace nearpool
