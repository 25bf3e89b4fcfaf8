// SPDX-License-Identifier: Apache-2.0
// One start tag of an XML file, and what its values have to be.
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearpool {

struct XmlAttribute {
    std::string_view name;
    std::string_view value;
};

struct XmlElement {
    std::string_view name;
    std::vector<XmlAttribute> attributes;
    uint64_t line = 0;

    const std::string_view *find(std::string_view attribute) const;
};

// A refusal: where in the file, what stands there, what has to be.
[[gnu::format(printf, 2, 3)]] Error refuse(uint64_t line, const char *format, ...);

// A value of the file for a sentence: not longer than people read.
std::string shown(std::string_view value);

// Digits and nothing else.
std::optional<uint64_t> number_of(std::string_view text);

// Whether the attribute, where it is there, is a number of at most `most`.
Done check_number(const XmlElement &element, std::string_view attribute, uint64_t most);

// Whether it is the decimal fraction that hwloc writes, from 0 to `most`.
Done check_fraction(const XmlElement &element, std::string_view attribute, double most);

// Whether the attributes say where a PCI device or bridge is, where they are there.
Done check_pci_address(const XmlElement &element);

} // namespace nearpool
