// SPDX-License-Identifier: Apache-2.0
// XML that somebody else wrote, before hwloc reads it. hwloc trusts such files: it follows sets that are missing, takes
// memory for whatever number is named, and prints on standard error where objects are out of order.
#pragma once

#include "base/error.hpp"

#include <string>

namespace nearpool {

struct CheckedXml {
    bool has_node = false; // else hwloc makes one for the whole machine
    std::string text;      // what hwloc is to read: as it writes itself, without what it would not understand
};

// NEAR_E_TOPOLOGY with the line, the object and what is wrong with it, unless the text is well-formed, is that of an
// hwloc 1.x or 2.x, and describes a machine that hwloc can build. Takes time and memory in proportion to the text.
Result<CheckedXml> check_hwloc_xml(const std::string &text);

} // namespace nearpool
