// SPDX-License-Identifier: Apache-2.0
// What stands beside the objects of an hwloc XML file: distances, memory attributes and kinds of CPUs. hwloc gives up
// the whole file where one of these is not as it writes them, without a word.
#pragma once

#include "topology/xml_element.hpp"
#include "topology/xml_set.hpp"

namespace nearpool {

// <distances2>, <distances2hetero>: `nbobjs` numbers of objects and a matrix of as many rows and columns.
class XmlDistances {
public:
    Done open(const XmlElement &element);
    Done open_numbers(const XmlElement &element); // <indexes> or <u64values>
    Done close_numbers(const std::string &text);
    Done close() const;

private:
    Done count_numbers(std::string_view text);

    uint64_t line_ = 0;
    uint64_t objects_ = 0;
    bool typed_ = false; // each number of an object has its type before it
    uint64_t indexes_ = 0;
    uint64_t values_ = 0;
    bool in_indexes_ = false;
    uint64_t length_ = 0;       // that the open element promises
    uint64_t numbers_line_ = 0; // of the open element
};

// <distances> of hwloc 1.x: one <latency> for each pair.
class XmlOldDistances {
public:
    Done open(const XmlElement &element);
    Done open_latency(const XmlElement &element);
    Done close() const;

private:
    uint64_t line_ = 0;
    uint64_t wanted_ = 0;
    uint64_t latencies_ = 0;
};

// <memattr> and its <memattr_value>s.
class XmlMemoryAttributes {
public:
    Done open(const XmlElement &element);
    Done open_value(const XmlElement &element);

private:
    std::size_t attributes_ = 0;
    std::size_t values_ = 0; // of all attributes
    std::size_t values_of_this_ = 0;
    bool needs_initiator_ = false;
};

// <cpukind>
class XmlCpuKinds {
public:
    Done open(const XmlElement &element, const XmlSet &complete_cpus);

private:
    std::size_t kinds_ = 0;
    XmlSet cpus_; // of all of them
};

// <info> and <page_type>
Done check_info(const XmlElement &element);
Done check_page_type(const XmlElement &element);

} // namespace nearpool
