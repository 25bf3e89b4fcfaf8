// SPDX-License-Identifier: Apache-2.0
#include "topology/xml_set.hpp"

#include "topology/limits.hpp"

#include <algorithm>
#include <charconv>

namespace nearpool {
namespace {

constexpr std::size_t word_bits = 32;
constexpr std::size_t most_words = cpu_number_limit / word_bits;

// Nothing where it is no word of at most 32 bits. An empty one is zero.
std::optional<uint32_t> word_of(std::string_view text) {
    if (text.substr(0, 2) == "0x") {
        text.remove_prefix(2);
        if (text.empty()) {
            return std::nullopt;
        }
    }
    uint32_t word = 0;
    const char *end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, word, 16);
    return text.empty() || (stop == end && error == std::errc() && text.size() <= 8) ? std::optional(word)
                                                                                     : std::nullopt;
}

int64_t highest_bit(uint32_t word, std::size_t place) {
    return static_cast<int64_t>(place * word_bits) + 31 - __builtin_clz(word);
}

} // namespace

std::optional<XmlSet> XmlSet::parse(std::string_view text) {
    static constexpr std::string_view all_others = "0xf...f";
    XmlSet set;
    if (text.substr(0, all_others.size()) == all_others) {
        set.infinite_ = true;
        text.remove_prefix(all_others.size());
        if (text.empty()) {
            return set;
        }
        if (text.front() != ',') {
            return std::nullopt;
        }
        text.remove_prefix(1);
    }
    if (text.empty() || text.front() == ',' || text.back() == ',') { // hwloc 2.9 counts one word too few and aborts
        return std::nullopt;
    }
    std::size_t place = static_cast<std::size_t>(std::count(text.begin(), text.end(), ','));
    for (;;) {
        const std::size_t end = std::min(text.find(','), text.size());
        const std::optional<uint32_t> word = word_of(text.substr(0, end));
        if (!word || (*word == 0 && set.highest_ < 0 && place >= most_words)) {
            return std::nullopt;
        }
        set.put(place, *word);
        if (place == 0) {
            return set;
        }
        const std::size_t next = text.find_first_not_of(',', end); // the words between are empty
        place -= next - end;
        text.remove_prefix(next);
    }
}

void XmlSet::put(std::size_t place, uint32_t word) {
    if (word != 0 && highest_ < 0) {
        highest_ = highest_bit(word, place);
        words_.resize(place < most_words ? place + 1 : 0);
    }
    if (word != 0 && place < words_.size()) {
        words_[place] = word;
    }
}

int64_t XmlSet::first() const {
    for (std::size_t place = 0; place < words_.size(); place++) {
        if (words_[place] != 0) {
            return static_cast<int64_t>(place * word_bits) + __builtin_ctz(words_[place]);
        }
    }
    return highest_;
}

bool XmlSet::within(const XmlSet &other) const {
    if (words_.size() > other.words_.size()) {
        return false;
    }
    return std::equal(words_.begin(), words_.end(), other.words_.begin(),
                      [](uint32_t mine, uint32_t theirs) { return (mine & ~theirs) == 0; });
}

bool XmlSet::intersects(const XmlSet &other) const {
    const std::size_t both = std::min(words_.size(), other.words_.size());
    for (std::size_t place = 0; place < both; place++) {
        if ((words_[place] & other.words_[place]) != 0) {
            return true;
        }
    }
    return false;
}

void XmlSet::add(const XmlSet &other) {
    if (words_.size() < other.words_.size()) {
        words_.resize(other.words_.size());
    }
    for (std::size_t place = 0; place < other.words_.size(); place++) {
        words_[place] |= other.words_[place];
    }
    highest_ = std::max(highest_, other.highest_);
}

} // namespace nearpool
