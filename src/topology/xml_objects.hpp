// SPDX-License-Identifier: Apache-2.0
// The tree of objects of an hwloc XML file, checked while it is read. hwloc itself takes the sets of the objects as
// they stand there: it follows sets that are missing, prints where objects are out of order, and takes memory for the
// highest number that is named.
#pragma once

#include "topology/xml_element.hpp"
#include "topology/xml_set.hpp"

#include <array>
#include <hwloc.h>
#include <unordered_set>

namespace nearpool {

struct XmlObject {
    enum Set : std::size_t {
        cpus,
        complete_cpus,
        nodes,
        complete_nodes
    };

    hwloc_obj_type_t type = HWLOC_OBJ_MACHINE;
    std::string label; // "NUMANode 1"
    uint64_t line = 0;
    uint32_t number = HWLOC_UNKNOWN_INDEX;
    std::array<std::optional<XmlSet>, 4> sets;
    bool has_objects = false;
    bool dropped = false; // hwloc leaves it out and takes what is within as its parent's

    std::array<XmlSet, 2> below;            // the union of the objects within: their CPUs, and all that they could have
    int64_t last_first = -1;                // the lowest CPU of the last object within
    std::array<std::size_t, 2> within = {}; // how many: normal ones, others
};

class XmlObjects {
public:
    // `first_version`: written by an hwloc 1.x, where nodes have CPUs and caches within them.
    explicit XmlObjects(bool first_version) : first_version_(first_version) {}

    Done open(const XmlElement &element);
    Done close(); // the innermost
    bool has_node() const { return !node_numbers_.empty(); }
    Done finish(uint64_t line) const; // the root was closed

    const XmlObject *innermost() const { return open_.empty() ? nullptr : &open_.back(); }
    std::size_t depth() const { return open_.size(); }
    const XmlSet &complete_cpus() const { return complete_cpus_; }

private:
    Done read_type(const XmlElement &element, XmlObject &object) const;
    Done read_old_cache(const XmlElement &element, XmlObject &object) const;
    Done read_number(const XmlElement &element, XmlObject &object);
    Done read_sets(const XmlElement &element, XmlObject &object) const;
    Done check_place(const XmlObject &object) const;
    Done check_sets_there(XmlObject &object) const;
    Done check_sets(const XmlObject &object) const;
    Done check_beside(const XmlObject &object) const;
    Done count(const XmlObject &object);
    void enter(XmlObject object);
    bool counts_as_cpus(const XmlObject &object) const;
    const XmlObject *holder() const; // the innermost that hwloc keeps
    XmlObject *holder();

    bool first_version_;
    std::vector<XmlObject> open_;
    std::unordered_set<uint32_t> cpu_numbers_;
    std::unordered_set<uint32_t> node_numbers_;
    std::size_t objects_ = 0;
    bool root_has_nodes_ = false;
    bool may_use_a_cpu_ = false; // one is in its own cpuset; of what is not, hwloc keeps only the number
    bool may_use_a_node_ = false;
    XmlSet complete_cpus_; // of the root
};

} // namespace nearpool
