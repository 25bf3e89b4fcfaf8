// SPDX-License-Identifier: Apache-2.0
// What was checked, written as hwloc itself writes it. hwloc's own small reader takes much that other writers of XML
// put into files for the end of what it reads: comments, character references, single quotes, line ends with a carriage
// return, blanks in end tags.
#pragma once

#include "topology/xml_element.hpp"

namespace nearpool {

class XmlCopy {
public:
    void open(const XmlElement &element);
    void text(std::string_view text);
    void close(std::string_view name);
    std::string take() { return std::move(written_); }

private:
    void end_tag();

    std::string written_;
    bool in_tag_ = false; // the last start tag is not ended yet: nothing stands within its element so far
};

} // namespace nearpool
