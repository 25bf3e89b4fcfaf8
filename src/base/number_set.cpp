// SPDX-License-Identifier: Apache-2.0
#include "base/number_set.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace nearpool {
namespace {

constexpr uint32_t number_limit = 1U << 20U; // no kernel numbers CPUs or nodes so high

bool parse_number(std::string_view &text, uint32_t &number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) {
        return false;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

bool parse_range(std::string_view &text, NumberRange &range) {
    if (!parse_number(text, range.first)) {
        return false;
    }
    range.last = range.first;
    if (text.empty() || text.front() != '-') {
        return true;
    }
    text.remove_prefix(1);
    return parse_number(text, range.last) && range.last >= range.first;
}

std::string_view without_end(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == '\0')) {
        text.remove_suffix(1);
    }
    return text;
}

// In ascending order, and apart.
std::vector<NumberRange> merged(std::vector<NumberRange> ranges) {
    std::sort(ranges.begin(), ranges.end(),
              [](const NumberRange &a, const NumberRange &b) { return a.first < b.first; });
    std::vector<NumberRange> result;
    for (const NumberRange &range : ranges) {
        if (!result.empty() && (range.first == 0 || range.first - 1 <= result.back().last)) {
            result.back().last = std::max(result.back().last, range.last);
        } else {
            result.push_back(range);
        }
    }
    return result;
}

// The bits of one group, the lowest of which is number `base`.
bool add_group(std::string_view group, std::size_t base, std::vector<uint32_t> &numbers) {
    uint32_t bits = 0;
    const auto [end, error] = std::from_chars(group.data(), group.data() + group.size(), bits, 16);
    if (group.size() > 8 || error != std::errc() || end != group.data() + group.size()) {
        return false;
    }
    for (uint32_t bit = 0; bits != 0; bit++, bits >>= 1U) {
        if ((bits & 1U) != 0) {
            numbers.push_back(static_cast<uint32_t>(base) + bit);
        }
    }
    return true;
}

} // namespace

std::optional<std::vector<NumberRange>> parse_ranges(std::string_view text) {
    text = without_end(text);
    std::vector<NumberRange> ranges;
    while (!text.empty()) {
        NumberRange range;
        if (!parse_range(text, range)) {
            return std::nullopt;
        }
        ranges.push_back(range);
        if (text.empty()) {
            break;
        }
        if (text.front() != ',' || text.size() == 1) {
            return std::nullopt;
        }
        text.remove_prefix(1);
    }
    return merged(std::move(ranges));
}

NumberSet::NumberSet(std::initializer_list<uint32_t> numbers) : NumberSet(std::vector<uint32_t>(numbers)) {}

NumberSet::NumberSet(std::vector<uint32_t> numbers) : numbers_(std::move(numbers)) {
    std::sort(numbers_.begin(), numbers_.end());
    numbers_.erase(std::unique(numbers_.begin(), numbers_.end()), numbers_.end());
}

std::optional<NumberSet> NumberSet::parse(std::string_view text) {
    const std::optional<std::vector<NumberRange>> ranges = parse_ranges(text);
    if (!ranges || (!ranges->empty() && ranges->back().last >= number_limit)) {
        return std::nullopt;
    }
    NumberSet result;
    for (const NumberRange &range : *ranges) {
        for (uint32_t number = range.first; number <= range.last; number++) {
            result.numbers_.push_back(number);
        }
    }
    return result;
}

std::optional<NumberSet> NumberSet::parse_bitmap(std::string_view text) {
    constexpr std::size_t bits = 32;
    text = without_end(text);
    std::vector<uint32_t> numbers;
    for (std::size_t base = 0; base < number_limit; base += bits) {
        const std::size_t comma = text.rfind(',');
        if (!add_group(comma == std::string_view::npos ? text : text.substr(comma + 1), base, numbers)) {
            return std::nullopt;
        }
        if (comma == std::string_view::npos) {
            return NumberSet(std::move(numbers));
        }
        text = text.substr(0, comma);
    }
    return std::nullopt;
}

bool NumberSet::contains(uint32_t number) const {
    return std::binary_search(numbers_.begin(), numbers_.end(), number);
}

bool NumberSet::contains_all(const NumberSet &other) const {
    return std::includes(numbers_.begin(), numbers_.end(), other.numbers_.begin(), other.numbers_.end());
}

bool NumberSet::overlaps(const NumberSet &other) const {
    for (auto one = begin(), two = other.begin(); one != end() && two != other.end();) {
        if (*one == *two) {
            return true;
        }
        if (*one < *two) {
            ++one;
        } else {
            ++two;
        }
    }
    return false;
}

void NumberSet::add(uint32_t number) {
    const auto place = std::lower_bound(numbers_.begin(), numbers_.end(), number);
    if (place == numbers_.end() || *place != number) {
        numbers_.insert(place, number);
    }
}

NumberSet NumberSet::intersect(const NumberSet &other) const {
    NumberSet result;
    std::set_intersection(begin(), end(), other.begin(), other.end(), std::back_inserter(result.numbers_));
    return result;
}

NumberSet NumberSet::unite(const NumberSet &other) const {
    NumberSet result;
    std::set_union(begin(), end(), other.begin(), other.end(), std::back_inserter(result.numbers_));
    return result;
}

NumberSet NumberSet::subtract(const NumberSet &other) const {
    NumberSet result;
    std::set_difference(begin(), end(), other.begin(), other.end(), std::back_inserter(result.numbers_));
    return result;
}

std::string NumberSet::text() const {
    if (numbers_.empty()) {
        return "none";
    }
    std::string result;
    for (std::size_t i = 0; i < numbers_.size(); i++) {
        std::size_t last = i;
        while (last + 1 < numbers_.size() && numbers_[last + 1] == numbers_[last] + 1) {
            last++;
        }
        result += (result.empty() ? "" : ",") + std::to_string(numbers_[i]);
        if (last > i) {
            result += "-" + std::to_string(numbers_[last]);
        }
        i = last;
    }
    return result;
}

} // namespace nearpool
