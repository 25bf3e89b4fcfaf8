// SPDX-License-Identifier: Apache-2.0
#include "topology/xml_check.hpp"

#include "topology/limits.hpp"
#include "topology/xml_copy.hpp"
#include "topology/xml_objects.hpp"
#include "topology/xml_parts.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <expat.h>
#include <functional>
#include <memory>
#include <utility>

namespace nearpool {
namespace {

struct ParserDestroyer {
    void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};

// Goes through a file with expat, and says at the first fault what it is.
class XmlChecker {
public:
    explicit XmlChecker(const std::string &text);

    Done run();
    CheckedXml result() { return {objects_ && objects_->has_node(), copy_.take()}; }

private:
    // What may stand within an element that is open.
    enum class Within {
        objects_of_file,
        object,
        distances,
        old_distances,
        memory_attribute,
        cpu_kind,
        numbers,
        nothing,
        anything // hwloc is not given it
    };

    static void start(void *self, const XML_Char *name, const XML_Char **attributes);
    static void end(void *self, const XML_Char *name);
    static void characters(void *self, const XML_Char *text, int length);
    static void skipped_entity(void *self, const XML_Char *name, int);
    static void document_type(void *self, const XML_Char *, const XML_Char *, const XML_Char *, int has_subset);
    void guard(const std::function<Done()> &step);

    Result<Within> open(const XmlElement &element);
    Result<Within> open_file(const XmlElement &element);
    Result<Within> open_beside(const XmlElement &element);
    Result<Within> open_in_object(const XmlElement &element);
    Result<Within> open_inner(const XmlElement &element);
    Done close(std::string_view name);
    Done take_text(std::string_view text);
    Done check_references() const;
    uint64_t line() const { return XML_GetCurrentLineNumber(parser_.get()); }

    const std::string &text_;
    std::unique_ptr<XML_ParserStruct, ParserDestroyer> parser_;
    std::vector<Within> open_;
    bool first_version_ = false;
    bool root_closed_ = false;
    std::optional<XmlObjects> objects_;
    XmlDistances distances_;
    XmlOldDistances old_distances_;
    XmlMemoryAttributes memory_attributes_;
    XmlCpuKinds cpu_kinds_;
    std::string numbers_; // of the open <indexes> or <u64values>
    XmlCopy copy_;
    Done fault_;
    std::exception_ptr thrown_; // not through expat, which is C
};

XmlChecker::XmlChecker(const std::string &text) : text_(text), parser_(XML_ParserCreate("UTF-8")) {
    if (parser_ == nullptr) {
        throw std::bad_alloc();
    }
    XML_SetUserData(parser_.get(), this);
    XML_SetElementHandler(parser_.get(), start, end);
    XML_SetCharacterDataHandler(parser_.get(), characters);
    XML_SetStartDoctypeDeclHandler(parser_.get(), document_type);
    XML_SetSkippedEntityHandler(parser_.get(), skipped_entity);
}

// Where the text begins with the mark of UTF-16, expat reads that, whatever it was told.
Done XmlChecker::run() {
    if (text_.compare(0, 2, "\xFF\xFE") == 0 || text_.compare(0, 2, "\xFE\xFF") == 0) {
        return refuse(1, "the text is in UTF-16; hwloc writes UTF-8");
    }
    const XML_Status status = XML_Parse(parser_.get(), text_.data(), static_cast<int>(text_.size()), 1);
    if (thrown_ != nullptr) {
        std::rethrow_exception(thrown_);
    }
    if (!fault_) {
        return fault_;
    }
    const XML_Error error = XML_GetErrorCode(parser_.get());
    if (status == XML_STATUS_OK) {
        return {};
    }
    if (error == XML_ERROR_NO_MEMORY) {
        throw std::bad_alloc();
    }
    return refuse(line(), "no well-formed XML: %s", XML_ErrorString(error));
}

void XmlChecker::guard(const std::function<Done()> &step) {
    if (!fault_ || thrown_ != nullptr) {
        return; // expat still ends an element that it stopped at
    }
    try {
        fault_ = step();
    } catch (...) {
        thrown_ = std::current_exception();
    }
    if (!fault_ || thrown_ != nullptr) {
        XML_StopParser(parser_.get(), XML_FALSE);
    }
}

void XmlChecker::start(void *self, const XML_Char *name, const XML_Char **attributes) {
    auto *checker = static_cast<XmlChecker *>(self);
    checker->guard([&]() -> Done {
        XmlElement element{name, {}, checker->line()};
        for (; *attributes != nullptr; attributes += 2) {
            element.attributes.push_back({attributes[0], attributes[1]});
        }
        if (Done done = checker->check_references(); !done) {
            return done;
        }
        Result<Within> within = checker->open(element);
        if (!within) {
            return within.error();
        }
        checker->open_.push_back(within.value());
        if (within.value() != Within::anything) {
            checker->copy_.open(element);
        }
        return {};
    });
}

void XmlChecker::end(void *self, const XML_Char *name) {
    auto *checker = static_cast<XmlChecker *>(self);
    checker->guard([&] { return checker->close(name); });
}

void XmlChecker::characters(void *self, const XML_Char *text, int length) {
    auto *checker = static_cast<XmlChecker *>(self);
    checker->guard([&] { return checker->take_text({text, static_cast<std::size_t>(length)}); });
}

// Entities are declared there: those of other files, and those that grow when they are put in.
void XmlChecker::document_type(void *self, const XML_Char * /*name*/, const XML_Char * /*system*/,
                               const XML_Char * /*id*/, int has_subset) {
    auto *checker = static_cast<XmlChecker *>(self);
    checker->guard([&]() -> Done {
        return has_subset == 0
                   ? Done()
                   : refuse(checker->line(), "the DOCTYPE has declarations in it, which hwloc never writes");
    });
}

Error undeclared(uint64_t line, std::string_view name) {
    return refuse(line, "the entity %s, which nothing declares", shown(name).c_str());
}

void XmlChecker::skipped_entity(void *self, const XML_Char *name, int /*is_parameter*/) {
    auto *checker = static_cast<XmlChecker *>(self);
    checker->guard([&]() -> Done { return undeclared(checker->line(), name); });
}

// expat leaves an entity out that the DTD may declare, which nobody reads; in a value it does not even say so.
Done XmlChecker::check_references() const {
    static constexpr std::array<std::string_view, 6> known = {"#", "amp;", "lt;", "gt;", "quot;", "apos;"};
    const auto begin = static_cast<std::size_t>(XML_GetCurrentByteIndex(parser_.get()));
    const auto size = static_cast<std::size_t>(XML_GetCurrentByteCount(parser_.get()));
    const std::string_view tag = std::string_view(text_).substr(begin, size);
    for (std::size_t at = tag.find('&'); at != std::string_view::npos; at = tag.find('&', at + 1)) {
        const std::string_view rest = tag.substr(at + 1);
        if (std::none_of(known.begin(), known.end(),
                         [&](std::string_view each) { return rest.substr(0, each.size()) == each; })) {
            return undeclared(line(), rest.substr(0, rest.find(';')));
        }
    }
    return {};
}

Result<XmlChecker::Within> XmlChecker::open(const XmlElement &element) {
    if (open_.empty()) {
        return open_file(element);
    }
    switch (open_.back()) {
    case Within::objects_of_file:
        return open_beside(element);
    case Within::object:
        return open_in_object(element);
    case Within::anything:
        return Within::anything;
    default:
        return open_inner(element);
    }
}

// hwloc takes a file without a version, or with one that it cannot read, for one of hwloc 1.x.
Result<XmlChecker::Within> XmlChecker::open_file(const XmlElement &element) {
    if (element.name != "topology") {
        return refuse(element.line, "<%s> is not the <topology> of an hwloc XML file", shown(element.name).c_str());
    }
    const std::string_view *version = element.find("version");
    const std::string_view text = version == nullptr ? "1.0" : *version;
    const std::size_t dot = std::min(text.find('.'), text.size());
    const std::optional<uint64_t> major = number_of(text.substr(0, dot));
    const bool has_minor = dot < text.size() && number_of(text.substr(dot + 1)).value_or(UINT64_MAX) <= UINT32_MAX;
    if (major && *major > 2) {
        return refuse(element.line,
                      "version=\"%s\": the file was written by hwloc %llu, and hwloc 2 cannot read it; "
                      "lstopo of hwloc 3 writes one that it can with --export-xml-flags v2",
                      shown(text).c_str(), static_cast<unsigned long long>(*major));
    }
    if (!major || *major == 0 || !has_minor || element.attributes.size() > (version == nullptr ? 0 : 1)) {
        return refuse(element.line, "<topology> has no version=\"2.0\" or another of hwloc 1 or 2 and nothing else");
    }
    first_version_ = *major == 1;
    objects_.emplace(first_version_);
    return Within::objects_of_file;
}

// What hwloc does not know it is not given, or it would read nothing more. hwloc 1.x's files end with the first object.
Result<XmlChecker::Within> XmlChecker::open_beside(const XmlElement &element) {
    if (!root_closed_ || element.name == "object") {
        if (root_closed_ || element.name != "object") {
            return refuse(element.line, "<topology> begins with one object, the machine, not with <%s> or more",
                          shown(element.name).c_str());
        }
        Done done = objects_->open(element);
        return done ? Result<Within>(Within::object) : done.error();
    }
    Done done;
    Within within = Within::anything;
    if (first_version_) {
        return within;
    }
    if (element.name == "distances2" || element.name == "distances2hetero") {
        done = distances_.open(element);
        within = Within::distances;
    } else if (element.name == "memattr") {
        done = memory_attributes_.open(element);
        within = Within::memory_attribute;
    } else if (element.name == "cpukind") {
        done = cpu_kinds_.open(element, objects_->complete_cpus());
        within = Within::cpu_kind;
    } else if (element.name == "support") {
        within = Within::nothing;
    }
    return done ? Result<Within>(within) : done.error();
}

Result<XmlChecker::Within> XmlChecker::open_in_object(const XmlElement &element) {
    const XmlObject &object = *objects_->innermost();
    if (element.name == "object") {
        Done done = objects_->open(element);
        return done ? Result<Within>(Within::object) : done.error();
    }
    Done done;
    Within within = Within::nothing;
    if (object.has_objects) {
        done = refuse(element.line, "<%s> after the objects within %s, where hwloc reads none",
                      shown(element.name).c_str(), object.label.c_str());
    } else if (element.name == "info") {
        done = check_info(element);
    } else if (element.name == "page_type" && (object.type == HWLOC_OBJ_NUMANODE || objects_->depth() == 1)) {
        done = check_page_type(element);
    } else if (element.name == "distances" && first_version_) {
        done = old_distances_.open(element);
        within = Within::old_distances;
    } else if (element.name == "userdata") {
        within = Within::anything;
    } else {
        done = refuse(element.line, "<%s> within %s, where hwloc knows none", shown(element.name).c_str(),
                      object.label.c_str());
    }
    return done ? Result<Within>(within) : done.error();
}

Result<XmlChecker::Within> XmlChecker::open_inner(const XmlElement &element) {
    const Within around = open_.back();
    Done done;
    Within within = Within::nothing;
    if (around == Within::distances && (element.name == "indexes" || element.name == "u64values")) {
        done = distances_.open_numbers(element);
        within = Within::numbers;
        numbers_.clear();
    } else if (around == Within::old_distances && element.name == "latency") {
        done = old_distances_.open_latency(element);
    } else if (around == Within::memory_attribute && element.name == "memattr_value") {
        done = memory_attributes_.open_value(element);
    } else if (around == Within::cpu_kind && element.name == "info") {
        done = check_info(element);
    } else {
        done = refuse(element.line, "<%s> where hwloc knows none", shown(element.name).c_str());
    }
    return done ? Result<Within>(within) : done.error();
}

Done XmlChecker::close(std::string_view name) {
    const Within closed = open_.back();
    open_.pop_back();
    if (closed == Within::anything) {
        return {};
    }
    if (closed == Within::numbers) {
        copy_.text(numbers_);
    }
    copy_.close(name);
    switch (closed) {
    case Within::object:
        root_closed_ = objects_->depth() == 1;
        return objects_->close();
    case Within::objects_of_file:
        return root_closed_ ? objects_->finish(line()) : refuse(line(), "<topology> has no object");
    case Within::distances:
        return distances_.close();
    case Within::old_distances:
        return old_distances_.close();
    case Within::numbers:
        return distances_.close_numbers(numbers_);
    default:
        return {};
    }
}

Done XmlChecker::take_text(std::string_view text) {
    if (open_.empty() || open_.back() == Within::anything) {
        return {};
    }
    if (open_.back() == Within::numbers) {
        numbers_.append(text);
        return {};
    }
    return text.find_first_not_of(" \t\r\n") == std::string_view::npos
               ? Done()
               : refuse(line(), "text between the tags: %s", shown(text).c_str());
}

} // namespace

Result<CheckedXml> check_hwloc_xml(const std::string &text) {
    if (text.size() > most_xml_bytes) {
        return fail(NEAR_E_TOPOLOGY, "the XML has %zu bytes; it may have %zu (64 MiB)", text.size(), most_xml_bytes);
    }
    if (text.empty()) {
        return fail(NEAR_E_TOPOLOGY, "the XML file is empty");
    }
    XmlChecker checker(text);
    if (const Done done = checker.run(); !done) {
        return done.error();
    }
    CheckedXml result = checker.result();
    if (result.text.size() > most_xml_bytes) {
        return fail(NEAR_E_TOPOLOGY, "the XML has %zu bytes as hwloc writes it; it may have %zu (64 MiB)",
                    result.text.size(), most_xml_bytes);
    }
    return result;
}

} // namespace nearpool
