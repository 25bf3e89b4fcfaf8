// SPDX-License-Identifier: Apache-2.0
#include "topology/xml_parts.hpp"

#include "topology/limits.hpp"

#include <algorithm>
#include <hwloc.h>
#include <hwloc/memattrs.h>

namespace nearpool {
namespace {

using namespace std::string_view_literals;

constexpr uint64_t most_distance_objects = 1U << 16; // their square fits in hwloc's 32 bits, less one
constexpr std::size_t most_attributes = 64;
constexpr std::size_t most_values = 65536; // of all attributes; hwloc looks through those of one for each
constexpr std::size_t most_values_of_one = 16384;
constexpr std::size_t most_kinds = 256;
constexpr double most_latency = 1e6; // hwloc makes an int of their product
constexpr double most_latency_base = 1e3;

bool is_type(std::string_view text) {
    hwloc_obj_type_t type = HWLOC_OBJ_MACHINE;
    return hwloc_type_sscanf(std::string(text).c_str(), &type, nullptr, 0) == 0;
}

Done check_type(const XmlElement &element, std::string_view attribute) {
    const std::string_view *type = element.find(attribute);
    if (type != nullptr && !is_type(*type)) {
        return refuse(element.line, "%s=\"%s\" is no type of object", shown(attribute).c_str(), shown(*type).c_str());
    }
    return {};
}

// hwloc refuses others there.
Done check_names(const XmlElement &element, std::initializer_list<std::string_view> known,
                 std::initializer_list<std::string_view> needed) {
    for (const XmlAttribute &attribute : element.attributes) {
        if (std::find(known.begin(), known.end(), attribute.name) == known.end()) {
            return refuse(element.line, "<%s> has the attribute %s, which hwloc does not know there",
                          shown(element.name).c_str(), shown(attribute.name).c_str());
        }
    }
    for (const std::string_view name : needed) {
        if (element.find(name) == nullptr) {
            return refuse(element.line, "<%s> has no %s", shown(element.name).c_str(), shown(name).c_str());
        }
    }
    return {};
}

Result<XmlSet> read_cpus(const XmlElement &element, std::string_view attribute) {
    const std::string_view text = *element.find(attribute);
    std::optional<XmlSet> set = XmlSet::parse(text);
    if (!set || set->infinite()) {
        return refuse(element.line, "<%s> has %s=\"%s\", which is no finite set like 0x00000003,0x00000001",
                      shown(element.name).c_str(), shown(attribute).c_str(), shown(text).c_str());
    }
    if (set->highest() >= cpu_number_limit) {
        return refuse(element.line, "<%s> names CPU %lld in its %s; the numbers of CPUs are below %u",
                      shown(element.name).c_str(), static_cast<long long>(set->highest()), shown(attribute).c_str(),
                      cpu_number_limit);
    }
    return *std::move(set);
}

// "3" of "Core:3"; nothing where no type stands before it.
std::string_view after_type(std::string_view word) {
    const std::size_t colon = std::min(word.find(':'), word.size());
    return is_type(word.substr(0, colon)) ? word.substr(std::min(colon + 1, word.size())) : std::string_view();
}

} // namespace

Done XmlDistances::open(const XmlElement &element) {
    *this = XmlDistances();
    line_ = element.line;
    typed_ = element.name == "distances2hetero";
    for (const std::string_view name : {"nbobjs", "kind"}) {
        const std::string_view *text = element.find(name);
        if (text == nullptr || number_of(*text).value_or(0) == 0) {
            return refuse(line_, "distances without %s, a number above 0", shown(name).c_str());
        }
    }
    for (const std::string_view name : {"type", "indexing"}) {
        if (!typed_ && element.find(name) == nullptr) {
            return refuse(line_, "distances without %s", shown(name).c_str());
        }
    }
    if (Done done = check_number(element, "kind", UINT32_MAX); !done) {
        return done;
    }
    if (Done done = check_number(element, "nbobjs", most_distance_objects - 1); !done) {
        return done;
    }
    objects_ = number_of(*element.find("nbobjs")).value_or(0);
    return check_type(element, "type");
}

Done XmlDistances::open_numbers(const XmlElement &element) {
    in_indexes_ = element.name == "indexes";
    numbers_line_ = element.line;
    if (element.attributes.empty() || element.attributes.front().name != "length") {
        return refuse(element.line, "<%s> whose first attribute is not its length", shown(element.name).c_str());
    }
    if (in_indexes_ ? indexes_ == objects_ : values_ == objects_ * objects_) {
        return refuse(element.line, "<%s> where the distances have all of them", shown(element.name).c_str());
    }
    length_ = number_of(element.attributes.front().value).value_or(0);
    if (length_ == 0) {
        return refuse(element.line, "<%s> without length, a number above 0", shown(element.name).c_str());
    }
    return check_number(element, "length", INT32_MAX);
}

// "10 20 " or, with types, "NUMANode:3 Core:7 ".
Done XmlDistances::count_numbers(std::string_view text) {
    const bool typed = typed_ && in_indexes_;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(' ', begin), text.size());
        const std::string_view word = text.substr(begin, end - begin);
        const std::string_view digits = typed ? after_type(word) : word;
        const bool octal = digits.size() > 1 && digits.front() == '0'; // to hwloc
        if (!number_of(digits) || octal) {
            return refuse(numbers_line_, "\"%s\" in distances is not %s", shown(word).c_str(),
                          typed ? "a type of object and a number, like Core:7" : "a number");
        }
        (in_indexes_ ? indexes_ : values_)++;
        begin = end + 1;
    }
    return {};
}

Done XmlDistances::close_numbers(const std::string &text) {
    if (text.size() != length_) {
        return refuse(numbers_line_, "%zu characters of distances where length says %llu", text.size(),
                      static_cast<unsigned long long>(length_));
    }
    return count_numbers(text);
}

Done XmlDistances::close() const {
    if (indexes_ != objects_ || values_ != objects_ * objects_) {
        return refuse(line_, "distances of %llu objects have %llu indexes and %llu values, not %llu and %llu",
                      static_cast<unsigned long long>(objects_), static_cast<unsigned long long>(indexes_),
                      static_cast<unsigned long long>(values_), static_cast<unsigned long long>(objects_),
                      static_cast<unsigned long long>(objects_) * objects_);
    }
    return {};
}

Done XmlOldDistances::open(const XmlElement &element) {
    *this = XmlOldDistances();
    line_ = element.line;
    const auto names = {"nbobjs"sv, "relative_depth"sv, "latency_base"sv};
    if (Done done = check_names(element, names, names); !done) {
        return done;
    }
    if (Done done = check_number(element, "nbobjs", most_distance_objects - 1); !done) {
        return done;
    }
    if (Done done = check_number(element, "relative_depth", UINT32_MAX); !done) {
        return done;
    }
    if (Done done = check_fraction(element, "latency_base", most_latency_base); !done) {
        return done;
    }
    const uint64_t objects = number_of(*element.find("nbobjs")).value_or(0);
    wanted_ = objects * objects;
    return {};
}

Done XmlOldDistances::open_latency(const XmlElement &element) {
    latencies_++;
    if (element.attributes.size() != 1 || element.attributes.front().name != "value") {
        return refuse(element.line, "<latency> needs one attribute, value");
    }
    return check_fraction(element, "value", most_latency);
}

Done XmlOldDistances::close() const {
    if (latencies_ != wanted_) {
        return refuse(line_, "distances have %llu values, not %llu", static_cast<unsigned long long>(latencies_),
                      static_cast<unsigned long long>(wanted_));
    }
    return {};
}

Done XmlMemoryAttributes::open(const XmlElement &element) {
    if (++attributes_ > most_attributes) {
        return refuse(element.line, "more than %zu memory attributes", most_attributes);
    }
    if (Done done = check_names(element, {"name", "flags"}, {"name", "flags"}); !done) {
        return done;
    }
    values_of_this_ = 0;
    const uint64_t flags = number_of(*element.find("flags")).value_or(0);
    needs_initiator_ = (flags & HWLOC_MEMATTR_FLAG_NEED_INITIATOR) != 0;
    return check_number(element, "flags", UINT32_MAX);
}

Done XmlMemoryAttributes::open_value(const XmlElement &element) {
    if (++values_ > most_values || ++values_of_this_ > most_values_of_one) {
        return refuse(element.line, "more values of memory attributes than %zu, or than %zu of one", most_values,
                      most_values_of_one);
    }
    if (Done done = check_names(element,
                                {"target_obj_type", "target_obj_gp_index", "value", "initiator_cpuset",
                                 "initiator_obj_type", "initiator_obj_gp_index"},
                                {"target_obj_type", "target_obj_gp_index", "value"});
        !done) {
        return done;
    }
    for (const char *number : {"target_obj_gp_index", "value", "initiator_obj_gp_index"}) {
        if (Done done = check_number(element, number, UINT64_MAX); !done) {
            return done;
        }
    }
    for (const char *type : {"target_obj_type", "initiator_obj_type"}) {
        if (Done done = check_type(element, type); !done) {
            return done;
        }
    }
    if (element.find("initiator_cpuset") != nullptr) {
        const Result<XmlSet> initiator = read_cpus(element, "initiator_cpuset");
        return initiator ? Done() : Done(initiator.error());
    }
    const bool named =
        element.find("initiator_obj_type") != nullptr && element.find("initiator_obj_gp_index") != nullptr;
    return !needs_initiator_ || named ? Done()
                                      : refuse(element.line, "<memattr_value> has no initiator, and its attribute has");
}

Done XmlCpuKinds::open(const XmlElement &element, const XmlSet &complete_cpus) {
    if (++kinds_ > most_kinds) {
        return refuse(element.line, "more than %zu kinds of CPUs", most_kinds);
    }
    if (Done done = check_names(element, {"cpuset", "forced_efficiency"}, {"cpuset"}); !done) {
        return done;
    }
    if (const std::string_view *efficiency = element.find("forced_efficiency");
        efficiency != nullptr && *efficiency != "-1") {
        if (Done done = check_number(element, "forced_efficiency", INT32_MAX); !done) {
            return done;
        }
    }
    const Result<XmlSet> cpus = read_cpus(element, "cpuset");
    if (!cpus) {
        return cpus.error();
    }
    if (!cpus.value().within(complete_cpus) || cpus.value().intersects(cpus_)) {
        return refuse(element.line, "a kind of CPUs with CPUs that the machine does not have, or that have a kind");
    }
    cpus_.add(cpus.value());
    return {};
}

Done check_info(const XmlElement &element) {
    return check_names(element, {"name", "value"}, {});
}

Done check_page_type(const XmlElement &element) {
    if (Done done = check_names(element, {"size", "count"}, {}); !done) {
        return done;
    }
    if (Done done = check_number(element, "size", most_memory_bytes); !done) {
        return done;
    }
    return check_number(element, "count", most_memory_bytes);
}

} // namespace nearpool
