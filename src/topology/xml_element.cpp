// SPDX-License-Identifier: Apache-2.0
#include "topology/xml_element.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdarg>

namespace nearpool {
namespace {

// Takes text apart from its begin on.
class Scanner {
public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    bool done() const { return rest_.empty(); }

    bool take(std::string_view expected) {
        const bool is_there = rest_.substr(0, expected.size()) == expected;
        rest_.remove_prefix(is_there ? expected.size() : 0);
        return is_there;
    }

    bool take_hexadecimal(uint32_t most) {
        uint32_t number = 0;
        const auto [stop, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number, 16);
        rest_.remove_prefix(static_cast<std::size_t>(stop - rest_.data()));
        return error == std::errc() && number <= most;
    }

private:
    std::string_view rest_;
};

// "0000:3b:00.0"
bool is_pci_address(std::string_view text) {
    Scanner scanner(text);
    return scanner.take_hexadecimal(UINT32_MAX) && scanner.take(":") && scanner.take_hexadecimal(0xff) &&
           scanner.take(":") && scanner.take_hexadecimal(0x1f) && scanner.take(".") && scanner.take_hexadecimal(7) &&
           scanner.done();
}

// "0000:[3b-3f]"
bool is_pci_range(std::string_view text) {
    Scanner scanner(text);
    return scanner.take_hexadecimal(UINT32_MAX) && scanner.take(":[") && scanner.take_hexadecimal(0xff) &&
           scanner.take("-") && scanner.take_hexadecimal(0xff) && scanner.take("]") && scanner.done();
}

} // namespace

const std::string_view *XmlElement::find(std::string_view attribute) const {
    const auto place = std::find_if(attributes.begin(), attributes.end(),
                                    [&](const XmlAttribute &each) { return each.name == attribute; });
    return place == attributes.end() ? nullptr : &place->value;
}

Error refuse(uint64_t line, const char *format, ...) {
    va_list list;
    va_start(list, format);
    const std::string sentence = format_list(format, list);
    va_end(list);
    return fail(NEAR_E_TOPOLOGY, "line %llu: %s", static_cast<unsigned long long>(line), sentence.c_str());
}

std::string shown(std::string_view value) {
    static constexpr std::size_t most_shown = 60;
    return value.size() <= most_shown ? std::string(value) : std::string(value.substr(0, most_shown)) + "...";
}

std::optional<uint64_t> number_of(std::string_view text) {
    uint64_t number = 0;
    const char *end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

Done check_number(const XmlElement &element, std::string_view attribute, uint64_t most) {
    const std::string_view *value = element.find(attribute);
    const std::optional<uint64_t> number = value == nullptr ? 0 : number_of(*value);
    if (number && *number <= most) {
        return {};
    }
    return refuse(element.line, "%s=\"%s\" is no number from 0 to %llu", shown(attribute).c_str(),
                  shown(*value).c_str(), static_cast<unsigned long long>(most));
}

Done check_fraction(const XmlElement &element, std::string_view attribute, double most) {
    const std::string_view *value = element.find(attribute);
    if (value == nullptr) {
        return {};
    }
    double number = -1;
    const char *end = value->data() + value->size();
    const auto [stop, error] = std::from_chars(value->data(), end, number);
    if (error == std::errc() && stop == end && number >= 0 && number <= most) {
        return {};
    }
    return refuse(element.line, "%s=\"%s\" is no number from 0 to %g", shown(attribute).c_str(), shown(*value).c_str(),
                  most);
}

Done check_pci_address(const XmlElement &element) {
    const std::string_view *address = element.find("pci_busid");
    if (address != nullptr && !is_pci_address(*address)) {
        return refuse(element.line, "pci_busid=\"%s\" is no PCI address like 0000:3b:00.0", shown(*address).c_str());
    }
    const std::string_view *range = element.find("bridge_pci");
    if (range != nullptr && !is_pci_range(*range)) {
        return refuse(element.line, "bridge_pci=\"%s\" is no range of PCI buses like 0000:[3b-3f]",
                      shown(*range).c_str());
    }
    const std::string_view *type = element.find("bridge_type");
    if (type != nullptr && *type != "0-1" && *type != "1-1") {
        return refuse(element.line, "bridge_type=\"%s\" is neither 0-1 (host to PCI) nor 1-1 (PCI to PCI)",
                      shown(*type).c_str());
    }
    return {};
}

} // namespace nearpool
