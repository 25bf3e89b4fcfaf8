// SPDX-License-Identifier: Apache-2.0
// The values of one object of an hwloc XML file, each for itself.
#pragma once

#include "topology/xml_element.hpp"

#include <hwloc.h>

namespace nearpool {

// Types that hwloc knows in files alone.
std::optional<hwloc_obj_type_t> file_type(std::string_view text, bool is_root);

// hwloc 1.x wrote one type for all levels.
bool is_old_cache(std::string_view type);

// What hwloc makes of a cache's level and kind; nothing where it knows none.
std::optional<hwloc_obj_type_t> cache_type(const XmlElement &element);

// Of an attribute that check_values() has seen.
uint64_t value_or_zero(const XmlElement &element, std::string_view attribute);

Done check_values(const XmlElement &element);

} // namespace nearpool
