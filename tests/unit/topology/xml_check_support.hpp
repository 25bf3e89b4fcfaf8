// SPDX-License-Identifier: Apache-2.0
// Small XML files of hwloc, valid and with one thing changed.
#pragma once

#include "topology/xml_check.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nearpool::testing {

inline std::string sets(const std::string &cpus, const std::string &nodes) {
    return "cpuset=\"" + cpus + "\" complete_cpuset=\"" + cpus + "\" nodeset=\"" + nodes + "\" complete_nodeset=\"" +
           nodes + "\"";
}

// Two nodes with a CPU and a cache each, a GPU and a network interface, and all that hwloc writes beside the objects.
inline std::string machine_xml() {
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
           "<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
           "<topology version=\"2.0\">\n"
           "  <object type=\"Machine\" os_index=\"0\" " +
           sets("0x00000003", "0x00000003") +
           " allowed_cpuset=\"0xf...f\" allowed_nodeset=\"0x00000003\" gp_index=\"1\">\n"
           "    <info name=\"OSName\" value=\"L &amp; inux\"/>\n"
           "    <object type=\"Package\" os_index=\"0\" " +
           sets("0x00000001", "0x00000001") +
           " gp_index=\"2\">\n"
           "      <object type=\"NUMANode\" os_index=\"0\" " +
           sets("0x00000001", "0x00000001") +
           " gp_index=\"3\" local_memory=\"1024\"><page_type size=\"4096\" count=\"2\"/></object>\n"
           "      <object type=\"L3Cache\" " +
           sets("0x00000001", "0x00000001") +
           " gp_index=\"4\" cache_size=\"64\" depth=\"3\" cache_linesize=\"64\" cache_associativity=\"-1\" "
           "cache_type=\"0\">\n"
           "        <object type=\"PU\" os_index=\"0\" " +
           sets("0x00000001", "0x00000001") +
           " gp_index=\"5\"/>\n"
           "      </object>\n"
           "      <object type=\"Bridge\" gp_index=\"6\" bridge_type=\"0-1\" depth=\"0\" bridge_pci=\"0000:[00-3b]\">\n"
           "        <object type=\"PCIDev\" gp_index=\"7\" pci_busid=\"0000:3b:00.0\" pci_type=\"0302 [10de:2330] "
           "[10de:16c1] a1\" pci_link_speed=\"63.015385\">\n"
           "          <object type=\"OSDev\" gp_index=\"8\" name=\"card0\" osdev_type=\"1\"/>\n"
           "        </object>\n"
           "      </object>\n"
           "    </object>\n"
           "    <object type=\"Package\" os_index=\"1\" " +
           sets("0x00000002", "0x00000002") +
           " gp_index=\"9\">\n"
           "      <object type=\"NUMANode\" os_index=\"1\" " +
           sets("0x00000002", "0x00000002") +
           " gp_index=\"10\" local_memory=\"2048\"/>\n"
           "      <object type=\"PU\" os_index=\"1\" " +
           sets("0x00000002", "0x00000002") +
           " gp_index=\"11\"/>\n"
           "    </object>\n"
           "  </object>\n"
           "  <distances2 type=\"NUMANode\" nbobjs=\"2\" kind=\"5\" name=\"NUMALatency\" indexing=\"os\">\n"
           "    <indexes length=\"4\">0 1 </indexes>\n"
           "    <u64values length=\"12\">10 21 21 10 </u64values>\n"
           "  </distances2>\n"
           "  <distances2hetero nbobjs=\"2\" kind=\"9\" name=\"Ours\">\n"
           "    <indexes length=\"15\">Package:2 PU:11</indexes>\n"
           "    <u64values length=\"7\">0 1 1 0</u64values>\n"
           "  </distances2hetero>\n"
           "  <support name=\"discovery.pu\"/>\n"
           "  <memattr name=\"Bandwidth\" flags=\"5\">\n"
           "    <memattr_value target_obj_type=\"NUMANode\" target_obj_gp_index=\"3\" value=\"100\" "
           "initiator_cpuset=\"0x00000001\"/>\n"
           "  </memattr>\n"
           "  <cpukind cpuset=\"0x00000001\" forced_efficiency=\"-1\"><info name=\"CoreType\" value=\"P\"/></cpukind>\n"
           "</topology>\n";
}

// The same of hwloc 1.x: what is near a node is within it, and distances are factors.
inline std::string old_machine_xml() {
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
           "<!DOCTYPE topology SYSTEM \"hwloc.dtd\">\n"
           "<topology>\n"
           "  <object type=\"Machine\" os_index=\"0\" " +
           sets("0x00000003", "0x00000003") +
           ">\n"
           "    <distances nbobjs=\"2\" relative_depth=\"1\" latency_base=\"10.000000\">\n"
           "      <latency value=\"1.000000\"/><latency value=\"2.100000\"/>\n"
           "      <latency value=\"2.100000\"/><latency value=\"1.000000\"/>\n"
           "    </distances>\n"
           "    <object type=\"NUMANode\" os_index=\"0\" " +
           sets("0x00000001", "0x00000001") +
           " local_memory=\"1024\">\n"
           "      <object type=\"Socket\" os_index=\"0\" " +
           sets("0x00000001", "0x00000001") +
           ">\n"
           "        <object type=\"Cache\" " +
           sets("0x00000001", "0x00000001") +
           " cache_size=\"64\" depth=\"2\" cache_linesize=\"64\">\n"
           "          <object type=\"PU\" os_index=\"0\" cpuset=\"0x00000001\" complete_cpuset=\"0x00000001\"/>\n"
           "        </object>\n"
           "      </object>\n"
           "    </object>\n"
           "    <object type=\"NUMANode\" os_index=\"1\" " +
           sets("0x00000002", "0x00000002") +
           " local_memory=\"2048\">\n"
           "      <object type=\"PU\" os_index=\"1\" " +
           sets("0x00000002", "0x00000002") +
           "/>\n"
           "    </object>\n"
           "  </object>\n"
           "</topology>\n";
}

// `text` with the first `from` made `to`; a failed test where there is none.
inline std::string changed(std::string text, const std::string &from, const std::string &to) {
    const std::size_t place = text.find(from);
    if (place == std::string::npos) {
        ADD_FAILURE() << "no " << from << " in the sample";
        return text;
    }
    return text.replace(place, from.size(), to);
}

inline std::string refusal(const std::string &text) {
    const Result<CheckedXml> done = check_hwloc_xml(text);
    return done ? "" : done.error().message;
}

} // namespace nearpool::testing
