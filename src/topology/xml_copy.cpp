// SPDX-License-Identifier: Apache-2.0
#include "topology/xml_copy.hpp"

#include <utility>

namespace nearpool {
namespace {

constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz_";

// As hwloc's reader knows them.
std::string_view reference_to(char character) {
    switch (character) {
    case '\n':
        return "&#10;";
    case '\r':
        return "&#13;";
    case '\t':
        return "&#9;";
    case '"':
        return "&quot;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    default:
        return {};
    }
}

void write_value(std::string &written, std::string_view value) {
    for (const char character : value) {
        const std::string_view reference = reference_to(character);
        reference.empty() ? written.push_back(character) : void(written.append(reference));
    }
}

} // namespace

// Attributes with other names than hwloc's are left out: it would not read those behind.
void XmlCopy::open(const XmlElement &element) {
    end_tag();
    written_.append("<").append(element.name);
    for (const XmlAttribute &attribute : element.attributes) {
        if (attribute.name.find_first_not_of(letters) == std::string_view::npos) {
            written_.append(" ").append(attribute.name).append("=\"");
            write_value(written_, attribute.value);
            written_.append("\"");
        }
    }
    in_tag_ = true;
}

void XmlCopy::text(std::string_view text) {
    end_tag();
    written_.append(text);
}

// hwloc wants what may not have anything within closed at once.
void XmlCopy::close(std::string_view name) {
    if (std::exchange(in_tag_, false)) {
        written_.append("/>\n");
    } else {
        written_.append("</").append(name).append(">\n");
    }
}

void XmlCopy::end_tag() {
    if (std::exchange(in_tag_, false)) {
        written_.append(">");
    }
}

} // namespace nearpool
