// SPDX-License-Identifier: Apache-2.0
#include "topology/xml_objects.hpp"

#include "topology/limits.hpp"
#include "topology/xml_values.hpp"

#include <algorithm>

namespace nearpool {
namespace {

constexpr std::size_t most_depth = 128;        // hwloc goes down by recursion
constexpr std::size_t most_objects = 1U << 20; // of all types
constexpr std::size_t most_others = 16384;     // memory, I/O and Misc objects within one: hwloc walks them for each

constexpr std::array<const char *, 4> set_names = {"cpuset", "complete_cpuset", "nodeset", "complete_nodeset"};

bool is_cpu_set(std::size_t set) {
    return set == XmlObject::cpus || set == XmlObject::complete_cpus;
}

uint64_t limit_of(std::size_t set) {
    return is_cpu_set(set) ? cpu_number_limit : node_number_limit;
}

bool is_normal(const XmlObject &object) {
    return hwloc_obj_type_is_normal(object.type) != 0;
}

bool is_memory(const XmlObject &object) {
    return hwloc_obj_type_is_memory(object.type) != 0;
}

bool is_io(const XmlObject &object) {
    return hwloc_obj_type_is_io(object.type) != 0;
}

Result<XmlSet> read_set(const XmlElement &element, std::string_view label, const XmlAttribute &attribute,
                        uint64_t limit) {
    std::optional<XmlSet> set = XmlSet::parse(attribute.value);
    const std::string name(attribute.name);
    if (!set) {
        return refuse(element.line, "%.*s has %s=\"%s\", which is no set like 0x00000003,0x00000001",
                      static_cast<int>(label.size()), label.data(), name.c_str(), shown(attribute.value).c_str());
    }
    if (set->highest() >= static_cast<int64_t>(limit)) {
        return refuse(element.line, "%.*s has the number %lld in its %s; the numbers are below %llu",
                      static_cast<int>(label.size()), label.data(), static_cast<long long>(set->highest()),
                      name.c_str(), static_cast<unsigned long long>(limit));
    }
    return *std::move(set);
}

} // namespace

const XmlObject *XmlObjects::holder() const {
    const auto place = std::find_if(open_.rbegin(), open_.rend(), [](const XmlObject &each) { return !each.dropped; });
    return place == open_.rend() ? nullptr : &*place;
}

bool XmlObjects::counts_as_cpus(const XmlObject &object) const {
    return is_normal(object) || (first_version_ && object.type == HWLOC_OBJ_NUMANODE);
}

XmlObject *XmlObjects::holder() {
    return const_cast<XmlObject *>(static_cast<const XmlObjects *>(this)->holder()); // NOLINT: ours, not const
}

// As hwloc tells them, so that both mean the same type by a name.
Done XmlObjects::read_type(const XmlElement &element, XmlObject &object) const {
    if (element.attributes.empty() || element.attributes.front().name != "type") {
        return refuse(element.line, "an object whose first attribute is not its type");
    }
    const std::string text(element.attributes.front().value);
    object.label = shown(text);
    if (const std::string_view *number = element.find("os_index")) {
        object.label += " " + shown(*number);
    }
    if (hwloc_type_sscanf(text.c_str(), &object.type, nullptr, 0) == 0) {
        return {};
    }
    if (first_version_ && is_old_cache(text)) {
        return read_old_cache(element, object);
    }
    if (const std::optional<hwloc_obj_type_t> type = file_type(text, open_.empty())) {
        object.type = *type;
        return {};
    }
    return refuse(element.line, "an object of type \"%s\", which hwloc does not know here", shown(text).c_str());
}

Done XmlObjects::read_old_cache(const XmlElement &element, XmlObject &object) const {
    const std::optional<hwloc_obj_type_t> type = cache_type(element);
    if (!type) {
        return refuse(element.line,
                      "a Cache of depth %llu and cache_type %llu; hwloc knows 1 to 5, for instructions "
                      "(cache_type 2) 1 to 3",
                      static_cast<unsigned long long>(value_or_zero(element, "depth")),
                      static_cast<unsigned long long>(value_or_zero(element, "cache_type")));
    }
    object.type = *type;
    return {};
}

Done XmlObjects::read_number(const XmlElement &element, XmlObject &object) {
    const std::string_view *text = element.find("os_index");
    const bool is_cpu = object.type == HWLOC_OBJ_PU;
    if (text != nullptr) {
        object.number = static_cast<uint32_t>(number_of(*text).value_or(HWLOC_UNKNOWN_INDEX));
    }
    if (!is_cpu && object.type != HWLOC_OBJ_NUMANODE) {
        return {};
    }
    if (text == nullptr) {
        return refuse(element.line, "%s without os_index, its number", object.label.c_str());
    }
    const uint32_t limit = is_cpu ? cpu_number_limit : node_number_limit;
    if (object.number >= limit) {
        return refuse(element.line, "%s has the number %u; the numbers of %s are below %u", object.label.c_str(),
                      object.number, is_cpu ? "CPUs" : "nodes", limit);
    }
    std::unordered_set<uint32_t> &seen = is_cpu ? cpu_numbers_ : node_numbers_;
    const std::size_t most = is_cpu ? most_cpus : most_nodes;
    if (!seen.insert(object.number).second) {
        return refuse(element.line, "%s is there twice", object.label.c_str());
    }
    if (seen.size() > most) {
        return refuse(element.line, "%s is the %zuth of its type; there may be %zu", object.label.c_str(), seen.size(),
                      most);
    }
    return {};
}

Done XmlObjects::read_sets(const XmlElement &element, XmlObject &object) const {
    for (const XmlAttribute &attribute : element.attributes) {
        const auto place = std::find(set_names.begin(), set_names.end(), attribute.name);
        const std::size_t set = static_cast<std::size_t>(place - set_names.begin());
        const bool allowed_cpus = open_.empty() && attribute.name == "allowed_cpuset";
        const bool allowed_nodes = open_.empty() && attribute.name == "allowed_nodeset";
        if (place == set_names.end() && !allowed_cpus && !allowed_nodes) {
            continue;
        }
        const bool of_cpus = allowed_cpus || (!allowed_nodes && is_cpu_set(set));
        Result<XmlSet> read =
            read_set(element, object.label, attribute, limit_of(of_cpus ? XmlObject::cpus : XmlObject::nodes));
        if (!read) {
            return read.error();
        }
        if (place == set_names.end()) {
            continue; // what is allowed may be infinite: hwloc cuts it down to what is there
        }
        if (read.value().infinite()) {
            return refuse(element.line, "%s has an infinite %s", object.label.c_str(), set_names[set]);
        }
        object.sets[set] = read.take();
    }
    return {};
}

Done XmlObjects::check_place(const XmlObject &object) const {
    const XmlObject *parent = holder();
    if (parent == nullptr) {
        const bool old_root =
            first_version_ && object.type != HWLOC_OBJ_PU && (is_normal(object) || object.type == HWLOC_OBJ_NUMANODE);
        return object.type == HWLOC_OBJ_MACHINE || old_root
                   ? Done()
                   : refuse(object.line, "the first object is %s, not the Machine", object.label.c_str());
    }
    const bool in_cpus = is_normal(*parent) && parent->type != HWLOC_OBJ_PU;
    const bool in_old_node = first_version_ && parent->type == HWLOC_OBJ_NUMANODE;
    const bool in_memory = is_memory(*parent) && parent->type != HWLOC_OBJ_NUMANODE;
    bool fits = object.type == HWLOC_OBJ_MISC;
    if (is_normal(object)) {
        fits = in_cpus || in_old_node;
    } else if (is_memory(object)) {
        fits = is_normal(*parent) ? in_cpus || !first_version_ : in_memory || in_old_node;
    } else if (is_io(object)) {
        fits = is_normal(*parent) || is_io(*parent) || in_old_node;
    }
    return fits ? Done()
                : refuse(object.line, "%s within %s, where hwloc puts none", object.label.c_str(),
                         parent->label.c_str());
}

// hwloc 1.x wrote groups of I/O without all sets, and nodes only where there was more than one.
Done XmlObjects::check_sets_there(XmlObject &object) const {
    const bool needs_sets = is_normal(object) || is_memory(object);
    const bool without_nodes = first_version_ && object.type != HWLOC_OBJ_NUMANODE && !object.sets[XmlObject::nodes] &&
                               !object.sets[XmlObject::complete_nodes];
    for (std::size_t set = 0; set < object.sets.size(); set++) {
        const bool has = object.sets[set].has_value();
        const bool may_lack = !is_cpu_set(set) && without_nodes;
        const bool right = needs_sets ? has || may_lack : !has;
        if (!right && first_version_ && object.type == HWLOC_OBJ_GROUP && !open_.empty()) {
            object.dropped = true;
        } else if (!right) {
            return refuse(object.line, needs_sets ? "%s has no %s" : "%s has a %s, which its type has not",
                          object.label.c_str(), set_names[set]);
        }
    }
    return {};
}

Done XmlObjects::check_sets(const XmlObject &object) const {
    const XmlObject *parent = holder();
    for (std::size_t set = 0; set < object.sets.size(); set++) {
        const std::optional<XmlSet> &mine = object.sets[set];
        const std::size_t whole = set | 1U; // the complete one
        if (!mine) {
            continue;
        }
        if (!mine->within(*object.sets[whole])) {
            return refuse(object.line, "%s has a %s that is not within its %s", object.label.c_str(), set_names[set],
                          set_names[whole]);
        }
        if (parent != nullptr && !parent->sets[set]) {
            return refuse(object.line, "%s has a %s, and %s around it has none", object.label.c_str(), set_names[set],
                          parent->label.c_str());
        }
        const bool in_old_node =
            parent != nullptr && parent->type == HWLOC_OBJ_NUMANODE; // what is in one may know more
        if (parent != nullptr && !mine->within(*parent->sets[set]) && (is_cpu_set(set) || !in_old_node)) {
            return refuse(object.line, "%s has a %s that is not within that of %s around it", object.label.c_str(),
                          set_names[set], parent->label.c_str());
        }
        const bool alone =
            object.type == HWLOC_OBJ_PU ? is_cpu_set(set) : object.type == HWLOC_OBJ_NUMANODE && !is_cpu_set(set);
        const bool may_be_empty = set != whole; // it is there, and may not be used
        if (alone && !mine->is_only(object.number) && !(may_be_empty && mine->empty())) {
            return refuse(object.line, "%s has other numbers than its own in its %s", object.label.c_str(),
                          set_names[set]);
        }
    }
    return {};
}

// Beside each other, CPU objects have no CPU in common and come in the order of their lowest.
Done XmlObjects::check_beside(const XmlObject &object) const {
    const XmlObject *parent = holder();
    if (parent == nullptr || !counts_as_cpus(object)) {
        return {};
    }
    for (const std::size_t set : {XmlObject::cpus, XmlObject::complete_cpus}) {
        if (object.sets[set]->intersects(parent->below[set])) {
            return refuse(object.line, "%s shares CPUs of its %s with another object within %s", object.label.c_str(),
                          set_names[set], parent->label.c_str());
        }
    }
    const int64_t first = object.sets[XmlObject::complete_cpus]->first();
    if (first >= 0 && (first < parent->last_first || parent->last_first == INT64_MAX)) {
        return refuse(object.line, "%s comes after objects of %s with higher CPUs or none", object.label.c_str(),
                      parent->label.c_str());
    }
    return {};
}

Done XmlObjects::count(const XmlObject &object) {
    const std::size_t kind = is_normal(object) ? 0 : 1;
    const std::size_t most = kind == 0 ? most_cpus : most_others;
    if (++objects_ > most_objects) {
        return refuse(object.line, "%s is the %zuth object; there may be %zu", object.label.c_str(), objects_,
                      most_objects);
    }
    if (open_.size() >= most_depth) {
        return refuse(object.line, "%s is within %zu others; there may be %zu", object.label.c_str(), open_.size(),
                      most_depth - 1);
    }
    XmlObject *parent = holder();
    if (parent != nullptr && ++parent->within[kind] > most) {
        return refuse(object.line, "%s is the %zuth object within %s; there may be %zu", object.label.c_str(),
                      parent->within[kind], parent->label.c_str(), most);
    }
    return {};
}

void XmlObjects::enter(XmlObject object) {
    if (!open_.empty()) {
        open_.back().has_objects = true;
    } else {
        root_has_nodes_ = object.sets[XmlObject::complete_nodes] && !object.sets[XmlObject::complete_nodes]->empty();
        complete_cpus_ = *object.sets[XmlObject::complete_cpus];
    }
    XmlObject *parent = holder();
    if (parent != nullptr && counts_as_cpus(object) && !object.dropped) {
        for (const std::size_t set : {XmlObject::cpus, XmlObject::complete_cpus}) {
            parent->below[set].add(*object.sets[set]);
        }
        const int64_t first = object.sets[XmlObject::complete_cpus]->first();
        parent->last_first = first < 0 ? INT64_MAX : first;
    }
    const auto in_own = [&](hwloc_obj_type_t type, std::size_t set) {
        return object.type == type && object.sets[set] && !object.sets[set]->empty();
    };
    may_use_a_cpu_ = may_use_a_cpu_ || in_own(HWLOC_OBJ_PU, XmlObject::cpus);
    may_use_a_node_ = may_use_a_node_ || in_own(HWLOC_OBJ_NUMANODE, XmlObject::nodes);
    open_.push_back(std::move(object));
}

Done XmlObjects::open(const XmlElement &element) {
    XmlObject object;
    object.line = element.line;
    if (Done done = check_values(element); !done) {
        return done;
    }
    if (Done done = read_type(element, object); !done) {
        return done;
    }
    if (hwloc_obj_type_is_cache(object.type) != 0 && cache_type(element) != object.type) {
        return refuse(object.line, "%s is of another level or kind than its depth and cache_type say",
                      object.label.c_str());
    }
    if (object.type == HWLOC_OBJ_BRIDGE && element.find("bridge_type") == nullptr) {
        return refuse(object.line, "%s has no bridge_type", object.label.c_str()); // hwloc would write an unknown one
    }
    if (Done done = read_sets(element, object); !done) {
        return done;
    }
    if (first_version_ && object.type == HWLOC_OBJ_MISC && object.sets[XmlObject::cpus]) {
        object.type = HWLOC_OBJ_GROUP; // as hwloc 1.x wrote them
    }
    if (Done done = check_sets_there(object); !done) {
        return done;
    }
    if (Done done = check_place(object); !done) {
        return done;
    }
    if (Done done = read_number(element, object); !done) {
        return done;
    }
    if (Done done = object.dropped ? Done() : check_sets(object); !done) {
        return done;
    }
    if (Done done = object.dropped ? Done() : check_beside(object); !done) {
        return done;
    }
    if (Done done = count(object); !done) {
        return done;
    }
    enter(std::move(object));
    return {};
}

Done XmlObjects::close() {
    const XmlObject object = std::move(open_.back());
    open_.pop_back();
    const bool has_cpus = counts_as_cpus(object) && object.type != HWLOC_OBJ_PU && !object.dropped;
    if (has_cpus && !(*object.sets[XmlObject::cpus] == object.below[XmlObject::cpus])) {
        return refuse(object.line, "%s has other CPUs than the objects within it", object.label.c_str());
    }
    return {};
}

Done XmlObjects::finish(uint64_t line) const {
    if (cpu_numbers_.empty()) {
        return refuse(line, "the machine has no PU");
    }
    if (node_numbers_.empty() && (root_has_nodes_ || !first_version_)) {
        return refuse(line, "the machine has no NUMANode");
    }
    if (!may_use_a_cpu_ || (!may_use_a_node_ && !node_numbers_.empty())) {
        return refuse(line, "no %s of the machine is in its own %s", may_use_a_cpu_ ? "NUMANode" : "PU",
                      may_use_a_cpu_ ? "nodeset" : "cpuset");
    }
    return {};
}

} // namespace nearpool
