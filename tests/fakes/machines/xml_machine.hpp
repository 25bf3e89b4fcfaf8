// SPDX-License-Identifier: Apache-2.0
// hwloc's XML of small machines: packages with CPUs that are cores, and the nodes that hang on each. Numbers are below
// 32.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace nearpool::fakes {

struct XmlNode {
    uint32_t number = 0;
    std::string subtype;          // hwloc's word for its kind of memory; empty: none
    std::string os_index;         // what stands in the file in place of the number
    uint64_t page_bytes = 4096;   // of a base page
    uint64_t bytes = 1ULL << 30U; // of memory
    std::string infos;            // elements
};

struct XmlPackage {
    std::vector<uint32_t> cpus;
    std::vector<XmlNode> nodes;
};

inline std::string mask_of(const std::vector<uint32_t> &numbers) {
    static constexpr const char *digits = "0123456789abcdef";
    uint32_t mask = 0;
    for (const uint32_t number : numbers) {
        mask |= 1U << number;
    }
    std::string text;
    for (; mask != 0; mask >>= 4U) {
        text.insert(text.begin(), digits[mask & 15U]);
    }
    return "0x" + (text.empty() ? "0" : text);
}

inline std::string xml_sets(const std::vector<uint32_t> &cpus, const std::vector<uint32_t> &nodes) {
    const std::string cpu = mask_of(cpus);
    const std::string node = mask_of(nodes);
    return " cpuset=\"" + cpu + "\" complete_cpuset=\"" + cpu + "\" nodeset=\"" + node + "\" complete_nodeset=\"" +
           node + "\"";
}

inline std::string xml_object(const std::string &type, const std::string &os_index, const std::string &attributes,
                              const std::string &inside, uint64_t identity = 0) {
    static uint32_t next = 1;
    return "<object type=\"" + type + "\" os_index=\"" + os_index + "\" gp_index=\"" +
           std::to_string(identity != 0 ? identity : next++) + "\"" + attributes + ">\n" + inside + "</object>\n";
}

inline uint64_t xml_identity(uint32_t node) {
    return (uint64_t{1} << 32U) + node;
}

inline std::string xml_of(const XmlNode &node, const std::vector<uint32_t> &cpus) {
    const std::string pages = "<page_type size=\"" + std::to_string(node.page_bytes) + "\" count=\"" +
                              std::to_string(node.bytes / node.page_bytes) + "\"/>\n";
    return xml_object("NUMANode", node.os_index.empty() ? std::to_string(node.number) : node.os_index,
                      xml_sets(cpus, {node.number}) + " local_memory=\"" + std::to_string(node.bytes) + "\"" +
                          (node.subtype.empty() ? "" : " subtype=\"" + node.subtype + "\""),
                      pages + node.infos, xml_identity(node.number));
}

// `tail` stands after the objects: distances, memory attributes, kinds of CPUs.
inline std::string xml_machine(const std::vector<XmlPackage> &packages, const std::string &tail = "") {
    std::vector<uint32_t> cpus;
    std::vector<uint32_t> nodes;
    std::string inside;
    for (std::size_t i = 0; i < packages.size(); i++) {
        std::vector<uint32_t> own;
        for (const XmlNode &node : packages[i].nodes) {
            own.push_back(node.number);
        }
        std::string parts;
        for (const XmlNode &node : packages[i].nodes) {
            parts += xml_of(node, packages[i].cpus);
        }
        for (const uint32_t cpu : packages[i].cpus) {
            const std::string sets = xml_sets({cpu}, own);
            parts += xml_object("Core", std::to_string(cpu), sets, xml_object("PU", std::to_string(cpu), sets, ""));
        }
        inside += xml_object("Package", std::to_string(i), xml_sets(packages[i].cpus, own), parts);
        cpus.insert(cpus.end(), packages[i].cpus.begin(), packages[i].cpus.end());
        nodes.insert(nodes.end(), own.begin(), own.end());
    }
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n<topology "
           "version=\"2.0\">\n" +
           xml_object("Machine", "0",
                      xml_sets(cpus, nodes) + " allowed_cpuset=\"" + mask_of(cpus) + "\" allowed_nodeset=\"" +
                          mask_of(nodes) + "\"",
                      inside) +
           tail + "</topology>\n";
}

// A matrix of distances between nodes, each followed by a space; `name` as ` name="NUMALatency"`, or empty.
inline std::string xml_distances(const std::string &name, const std::string &kind, const std::string &values,
                                 const std::string &nodes = "0 1 ") {
    return "<distances2 type=\"NUMANode\" nbobjs=\"" + std::to_string(std::count(nodes.begin(), nodes.end(), ' ')) +
           "\" kind=\"" + kind + "\"" + name + " indexing=\"os\">\n<indexes length=\"" + std::to_string(nodes.size()) +
           "\">" + nodes + "</indexes>\n<u64values length=\"" + std::to_string(values.size()) + "\">" + values +
           "</u64values>\n</distances2>\n";
}

// A figure of how the CPUs reach the memory of a node; `name` as hwloc calls it.
inline std::string xml_figure(const std::string &name, uint32_t node, const std::vector<uint32_t> &cpus,
                              uint64_t value) {
    const bool less_is_better = name.find("Latency") != std::string::npos;
    return "<memattr name=\"" + name + "\" flags=\"" + (less_is_better ? "6" : "5") +
           "\">\n<memattr_value target_obj_type=\"NUMANode\" target_obj_gp_index=\"" +
           std::to_string(xml_identity(node)) + "\" value=\"" + std::to_string(value) + "\" initiator_cpuset=\"" +
           mask_of(cpus) + "\"/>\n</memattr>\n";
}

} // namespace nearpool::fakes
