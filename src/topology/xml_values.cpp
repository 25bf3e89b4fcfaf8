// SPDX-License-Identifier: Apache-2.0
#include "topology/xml_values.hpp"

#include "topology/limits.hpp"

#include <array>
#include <strings.h>

namespace nearpool {
namespace {

constexpr uint64_t most_identity = (uint64_t{1} << 48) - 1; // hwloc writes ten of them into 255 bytes

bool same_word(std::string_view text, const char *word) {
    return text.size() == std::string_view(word).size() && strncasecmp(text.data(), word, text.size()) == 0;
}

struct CacheKind {
    hwloc_obj_type_t first;
    unsigned levels;
};
constexpr std::array<CacheKind, 2> cache_kinds = {{{HWLOC_OBJ_L1CACHE, 5}, {HWLOC_OBJ_L1ICACHE, 3}}};

} // namespace

uint64_t value_or_zero(const XmlElement &element, std::string_view attribute) {
    const std::string_view *value = element.find(attribute);
    return value == nullptr ? 0 : number_of(*value).value_or(0);
}

std::optional<hwloc_obj_type_t> file_type(std::string_view text, bool is_root) {
    if (same_word(text, "System") && is_root) {
        return HWLOC_OBJ_MACHINE;
    }
    if (same_word(text, "Tile") || same_word(text, "Module")) {
        return HWLOC_OBJ_GROUP;
    }
    return std::nullopt;
}

bool is_old_cache(std::string_view type) {
    return same_word(type, "Cache");
}

std::optional<hwloc_obj_type_t> cache_type(const XmlElement &element) {
    const uint64_t level = value_or_zero(element, "depth");
    const CacheKind &kind = cache_kinds[value_or_zero(element, "cache_type") == HWLOC_OBJ_CACHE_INSTRUCTION ? 1 : 0];
    return level >= 1 && level <= kind.levels ? std::optional(static_cast<hwloc_obj_type_t>(kind.first + level - 1))
                                              : std::nullopt;
}

Done check_values(const XmlElement &element) {
    struct Rule {
        const char *attribute;
        uint64_t most;
    };
    static constexpr std::array<Rule, 11> rules = {{{"gp_index", most_identity},
                                                    {"cache_size", most_memory_bytes},
                                                    {"cache_linesize", UINT32_MAX},
                                                    {"cache_type", HWLOC_OBJ_CACHE_INSTRUCTION},
                                                    {"depth", UINT32_MAX},
                                                    {"kind", UINT32_MAX},
                                                    {"subkind", UINT32_MAX},
                                                    {"dont_merge", UINT8_MAX},
                                                    {"local_memory", most_memory_bytes},
                                                    {"osdev_type", 6},
                                                    {"os_index", UINT32_MAX}}};
    for (const Rule &rule : rules) {
        if (Done done = check_number(element, rule.attribute, rule.most); !done) {
            return done;
        }
    }
    if (const std::string_view *ways = element.find("cache_associativity"); ways != nullptr && *ways != "-1") {
        if (Done done = check_number(element, "cache_associativity", INT32_MAX); !done) {
            return done;
        }
    }
    if (Done done = check_fraction(element, "pci_link_speed", 1e6); !done) {
        return done;
    }
    return check_pci_address(element);
}

} // namespace nearpool
