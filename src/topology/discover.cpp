// SPDX-License-Identifier: Apache-2.0
// Where a topology comes from, and how it is written for hwloc.
#include "topology/builder.hpp"
#include "topology/hwloc_facts.hpp"
#include "topology/hwloc_info.hpp"
#include "topology/limits.hpp"
#include "topology/machine_xml.hpp"
#include "topology/synthetic_check.hpp"
#include "topology/sysfs.hpp"
#include "topology/xml_check.hpp"

namespace nearpool {
namespace {

Result<Ref<const Topology>> from_files(const Ports &ports, const std::string &root, bool live) {
    Result<MachineFacts> facts = read_sysfs(ports, root, live);
    if (!facts) {
        return facts.error();
    }
    return TopologyBuilder::build(facts.take(), TopologySource::of_files(ports.files, root));
}

// What describes no node gets one from hwloc.
Result<Ref<const Topology>> from_text(Origin origin, const std::string &text, bool has_node) {
    Result<HwlocHandle> loaded = load_hwloc(origin, text, false);
    if (!loaded) {
        return loaded.error();
    }
    Result<MachineFacts> facts = read_hwloc(loaded.value().get());
    if (!facts) {
        return facts.error();
    }
    facts.value().synthetic_node = facts.value().synthetic_node || (!has_node && facts.value().nodes.size() == 1);
    if (facts.value().basis == 0) {
        facts.value().basis = origin == Origin::xml ? NEAR_BASIS_XML : NEAR_BASIS_SYNTHETIC;
    }
    return TopologyBuilder::build(facts.take(), TopologySource::of_text(origin, text));
}

Result<std::string> read_xml(FilePort &files, const std::string &path) {
    std::string text;
    const int error = files.read_parts(path, [&](const char *part, std::size_t count) {
        text.append(part, count);
        return text.size() <= most_xml_bytes;
    });
    if (error < 0) {
        return fail_system(-error, "cannot read the XML file %s", path.c_str());
    }
    if (text.size() > most_xml_bytes) {
        return fail(NEAR_E_TOPOLOGY, "%s has more than %zu bytes", path.c_str(), most_xml_bytes);
    }
    return text;
}

} // namespace

// hwloc is not asked for this machine: see sysfs.hpp.
Result<Ref<const Topology>> Topology::discover(const Ports &ports) {
    return from_files(ports, "", true);
}

Result<Ref<const Topology>> Topology::from_sysfs(const Ports &ports, const std::string &root) {
    return from_files(ports, root, false);
}

Result<Ref<const Topology>> Topology::from_xml(const Ports &ports, const std::string &path) {
    const Result<std::string> text = read_xml(ports.files, path);
    if (!text) {
        return text.error();
    }
    const Result<CheckedXml> checked = check_hwloc_xml(text.value());
    Result<Ref<const Topology>> made =
        checked ? from_text(Origin::xml, checked.value().text, checked.value().has_node) : checked.error();
    if (!made) {
        made.error().message = path + ": " + made.error().message;
    }
    return made;
}

Result<Ref<const Topology>> Topology::from_synthetic(const std::string &description) {
    const Done checked = check_synthetic(description);
    return checked ? from_text(Origin::synthetic, description, names_a_node(description)) : checked.error();
}

Result<std::string> Topology::xml() const {
    if (source_->origin() != Origin::files) {
        return export_xml(source_->origin(), source_->text(),
                          [&](hwloc_topology_t hwloc) { write_infos(hwloc, *this); });
    }
    const Result<std::string> text = machine_xml(*this);
    if (!text) {
        return text.error();
    }
    return export_xml(Origin::xml, text.value(), [&](hwloc_topology_t hwloc) {
        annotate(hwloc, *this);
        write_infos(hwloc, *this);
    });
}

} // namespace nearpool
