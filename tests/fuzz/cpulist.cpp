// SPDX-License-Identifier: Apache-2.0
// Lists of CPUs and nodes: what is parsed is written in the kernel's form, which reads back as the same set.
#include "fuzz/harness.hpp"

#include "base/number_set.hpp"

namespace nearpool::fuzz {

void cpulist(const uint8_t *data, std::size_t size) {
    Bytes input(data, size);
    const std::optional<NumberSet> set = NumberSet::parse(input.rest());
    if (!set || set->empty()) {
        return;
    }
    const std::string text = set->text();
    std::optional<NumberSet> again = NumberSet::parse(text);
    require(again.has_value(), "the text of a set is a list: " + text);
    if (planted()) {
        again->add(set->back() + 1);
    }
    require(*again == *set, "the text of a set is the same set: " + text);
    require(again->text() == text, "a set has one text: " + text);
    require(set->contains(set->back()) && set->contains_all(*again), "a set has its numbers");
    require(set->intersect(*again) == *set && set->unite(*again) == *set, "a set with itself is itself");
}

} // namespace nearpool::fuzz
