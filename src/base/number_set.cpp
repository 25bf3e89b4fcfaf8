// SPDX-License-Identifier: Apache-2.0
#include "base/number_set.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace nearpool {
namespace {

constexpr uint32_t highest_number = 1U << 20; // no kernel numbers CPUs or nodes beyond this

bool parse_number(std::string_view &text, uint32_t &number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || number > highest_number) {
        return false;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

bool parse_range(std::string_view &text, std::vector<uint32_t> &numbers) {
    uint32_t first = 0;
    if (!parse_number(text, first)) {
        return false;
    }
    uint32_t last = first;
    if (!text.empty() && text.front() == '-') {
        text.remove_prefix(1);
        if (!parse_number(text, last) || last < first) {
            return false;
        }
    }
    for (uint32_t number = first; number <= last; number++) {
        numbers.push_back(number);
    }
    return true;
}

} // namespace

NumberSet::NumberSet(std::initializer_list<uint32_t> numbers) : NumberSet(std::vector<uint32_t>(numbers)) {}

NumberSet::NumberSet(std::vector<uint32_t> numbers) : numbers_(std::move(numbers)) {
    std::sort(numbers_.begin(), numbers_.end());
    numbers_.erase(std::unique(numbers_.begin(), numbers_.end()), numbers_.end());
}

std::optional<NumberSet> NumberSet::parse(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == '\0')) {
        text.remove_suffix(1);
    }
    std::vector<uint32_t> numbers;
    while (!text.empty()) {
        if (!parse_range(text, numbers)) {
            return std::nullopt;
        }
        if (text.empty()) {
            break;
        }
        if (text.front() != ',' || text.size() == 1) {
            return std::nullopt;
        }
        text.remove_prefix(1);
    }
    return NumberSet(std::move(numbers));
}

bool NumberSet::contains(uint32_t number) const {
    return std::binary_search(numbers_.begin(), numbers_.end(), number);
}

bool NumberSet::contains_all(const NumberSet &other) const {
    return std::includes(numbers_.begin(), numbers_.end(), other.numbers_.begin(), other.numbers_.end());
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
