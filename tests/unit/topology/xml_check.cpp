// SPDX-License-Identifier: Apache-2.0
// What the check of XML from outside lets through, and its limits. The rules have a sample each in
// xml_check_samples.cpp.
#include "support.hpp"
#include "xml_check_support.hpp"

#include "base/text.hpp"
#include "topology/limits.hpp"
#include "topology/xml_objects.hpp"
#include "topology/xml_set.hpp"

#include "fakes/machines/four_nodes.hpp"
#include "fakes/machines/hmat.hpp"
#include "fakes/machines/memoryless_node.hpp"
#include "support/vm_machine.hpp"

namespace nearpool::testing {
namespace {

// Only `number`, as hwloc writes it.
std::string set_of(uint32_t number) {
    return format("0x%08x", 1U << (number % 32)) + std::string(number / 32 == 0 ? 0 : number / 32 - 1, ',') +
           (number / 32 == 0 ? "" : ",0x0");
}

// As the first `count` numbers.
std::string first_of(uint32_t count) {
    std::string text = count % 32 == 0 ? "" : format("0x%08x,", (1U << (count % 32)) - 1);
    for (uint32_t word = 0; word < count / 32; word++) {
        text += "0xffffffff,";
    }
    text.pop_back();
    return text;
}

std::string flat_machine(uint32_t nodes) {
    std::string text = "<topology version=\"2.0\">\n<object type=\"Machine\" " + sets("0x1", first_of(nodes)) + ">\n";
    for (uint32_t node = 0; node < nodes; node++) {
        text += format("<object type=\"NUMANode\" os_index=\"%u\" ", node) + sets("0x1", set_of(node)) + "/>\n";
    }
    return text + "<object type=\"PU\" os_index=\"0\" " + sets("0x1", first_of(nodes)) + "/>\n</object>\n</topology>\n";
}

// Proves that nothing of what hwloc itself writes is refused, and that it loads as before.
TEST(XmlCheck, WhatHwlocWritesPasses) {
    for (const char *text : {fakes::four_nodes_xml, fakes::hmat_xml, fakes::memoryless_node_xml}) {
        EXPECT_EQ(refusal(text), "");
    }
    for (const char *description : {"pu:1", "pack:2 [numa] die:2 l3:1 core:2 pu:2", "[numa] pack:2 [numa] pu:2",
                                    "group:2 group:2 numa:1 l2:1 l1:1 pu:1", "numa:80 pu:1"}) {
        Result<std::string> written = synthetic(description)->xml();
        ASSERT_TRUE(written) << written.error().message;
        EXPECT_EQ(refusal(written.value()), "") << description;
    }
    EXPECT_EQ(xml(machine_xml())->link(0, 1).distance, 21U);
}

// Proves that files of hwloc 1.x stay readable, also where they have no nodes.
TEST(XmlCheck, FilesOfHwloc1Pass) {
    const auto topology = xml(old_machine_xml());
    EXPECT_EQ(topology->node(1)->memory_bytes, 2048U);
    EXPECT_EQ(cpus_of(*topology, 1).text(), "1");
    const std::string alone = "<topology>\n<object type=\"System\" cpuset=\"0x3\" complete_cpuset=\"0x3\">\n"
                              "<object type=\"Misc\" name=\"A\"/>\n"
                              "<object type=\"Group\" cpuset=\"0x3\">\n"
                              "<object type=\"PU\" os_index=\"0\" cpuset=\"0x1\" complete_cpuset=\"0x1\"/>\n"
                              "<object type=\"PU\" os_index=\"1\" cpuset=\"0x2\" complete_cpuset=\"0x2\"/>\n"
                              "</object>\n</object>\n</topology>\n";
    EXPECT_EQ(xml(alone)->cpus().size(), 2U);
    EXPECT_TRUE(xml(alone)->synthetic_node());
    EXPECT_FALSE(topology->synthetic_node());
}

// Proves that how a file was written is no reason to refuse it: hwloc's own reader, and so the library, would read none
// of these as they are.
TEST(XmlCheck, WhatOtherWritersOfXmlWriteIsReadTheSame) {
    const std::string good = machine_xml();
    std::string crlf = good;
    for (std::size_t at = crlf.find('\n'); at != std::string::npos; at = crlf.find('\n', at + 2)) {
        crlf.insert(at, "\r");
    }
    const std::string others[] = {
        crlf,
        "\xEF\xBB\xBF" + good,
        changed(good, ".dtd\">\n", ".dtd\"><!-- ours\n -->"),
        changed(good, "    <info", "    <!-- ours -->&#13;&#32;<![CDATA[ ]]><?ours?><info"),
        changed(good, "os_index=\"1\"", "\r\nos_index\t=\n'1'"),
        changed(good, "&amp;", "&#x26;"),
        changed(good, "gp_index=\"5\"", "xml:space=\"preserve\" Gp=\"6\" gp_index=\"5\""),
        changed(good, "gp_index=\"5\"/>", "gp_index=\"5\"></object \n>"),
        changed(good, "0 1 </indexes>", "0&#32;1<!-- --> </indexes >"),
        changed(good, "<info name=\"OSName\"",
                "<userdata length=\"7\" ours=\"1\">a<b/>&lt;</userdata><info name=\"OSName\""),
        changed(good, "  <support", "  <weather><rain/>wet</weather><support"),
    };
    const std::string json = xml(good)->json();
    EXPECT_NE(json.find("21"), std::string::npos) << json;
    for (const std::string &other : others) {
        EXPECT_EQ(xml(other)->json(), json) << other;
    }
}

// Proves that values reach hwloc as they are in the file.
TEST(XmlCheck, ReferencesInValuesAreKept) {
    const std::string value = "a&#10;b&#13;c&#9;d&quot;e&lt;f&gt;g&amp;h&#233;";
    const Result<CheckedXml> done = check_hwloc_xml(changed(machine_xml(), "L &amp; inux", value));
    ASSERT_TRUE(done);
    EXPECT_NE(done.value().text.find("value=\"" + changed(value, "&#233;", "\xC3\xA9") + "\""), std::string::npos);
    const Result<CheckedXml> again = check_hwloc_xml(done.value().text);
    ASSERT_TRUE(again);
    EXPECT_EQ(again.value().text, done.value().text);
}

// Proves that what hwloc ignores is no reason to refuse a file.
TEST(XmlCheck, WhatHwlocIgnoresPasses) {
    const std::string good = machine_xml();
    EXPECT_EQ(refusal(changed(good, "gp_index=\"5\"", "gp_index=\"5\" mood=\"good\"")), "");
    EXPECT_EQ(refusal(changed(good, "</topology>\n", "</topology>\n<!-- ours -->\n")), "");
    EXPECT_EQ(refusal(changed(good, "[10de:2330]", "none")), "");
    EXPECT_EQ(refusal(changed(good, "0000:3b:00.0", "10000:3b:00.0")), "");
}

// hwloc prints where objects are out of order, and where there is no node.
TEST(XmlCheck, WhatHwlocWouldPrintAboutIsRefused) {
    const std::string two = "<topology version=\"2.0\">\n<object type=\"Machine\" " + sets("0x3", "0x1") + ">\n%s%s" +
                            "<object type=\"PU\" os_index=\"%d\" " + sets("%s", "0x1") + "/>\n" +
                            "<object type=\"PU\" os_index=\"%d\" " + sets("%s", "0x1") + "/>\n</object>\n</topology>\n";
    const auto machine = [&](bool node, int first) {
        std::string text =
            changed(two, "%s%s", node ? "<object type=\"NUMANode\" os_index=\"0\" " + sets("0x3", "0x1") + "/>" : "");
        for (const int cpu : {first, 1 - first}) {
            text = changed(text, "%d", std::to_string(cpu));
            text = changed(changed(text, "%s", set_of(cpu)), "%s", set_of(cpu));
        }
        return text;
    };
    EXPECT_EQ(refusal(machine(true, 0)), "");
    EXPECT_EQ(refusal(machine(true, 1)), "line 4: PU 0 comes after objects of Machine with higher CPUs or none");
    EXPECT_EQ(refusal(machine(false, 0)), "line 6: the machine has no NUMANode");
    EXPECT_EQ(refusal("<topology version=\"2.0\">\n<object type=\"Machine\" " + sets("0x0", "0x0") + "/>\n</topology>"),
              "line 3: the machine has no PU");
}

TEST(XmlCheck, NoTextAndTooMuchTextAreRefused) {
    EXPECT_EQ(refusal(""), "the XML file is empty");
    EXPECT_EQ(refusal(std::string(most_xml_bytes + 1, ' ')),
              "the XML has 67108865 bytes; it may have 67108864 (64 MiB)");
    const std::string grows = changed(machine_xml(), "\"OSName\"", "'" + std::string(most_xml_bytes / 6, '"') + "'");
    EXPECT_NE(refusal(grows).find(" bytes as hwloc writes it; it may have 67108864 (64 MiB)"), std::string::npos);
}

TEST(XmlCheck, MoreNodesThanTheLimitAreRefused) {
    EXPECT_EQ(refusal(flat_machine(most_nodes)), "");
    EXPECT_EQ(refusal(flat_machine(most_nodes + 1)),
              "line 4099: NUMANode 4096 is the 4097th of its type; there may be 4096");
}

// More CPUs than that do not fit in a file of 64 MiB in hwloc's notation, so the objects are given one by one.
TEST(XmlCheck, MoreCpusThanTheLimitAreRefused) {
    SKIP_IN_A_VM();
    const auto open = [](XmlObjects &objects, const std::string &type, const std::string &number,
                         const std::string &cpus) {
        return objects.open(
            {"object", {{"type", type}, {"os_index", number}, {"cpuset", cpus}, {"complete_cpuset", cpus}}, 1});
    };
    XmlObjects objects(true);
    ASSERT_TRUE(open(objects, "Machine", "0", first_of(most_cpus + 32)));
    for (uint32_t cpu = 0; cpu < most_cpus; cpu++) {
        ASSERT_TRUE(open(objects, "PU", std::to_string(cpu), set_of(cpu)));
        ASSERT_TRUE(objects.close());
    }
    const Done refused = open(objects, "PU", "65536", set_of(65536));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message, "line 1: PU 65536 is the 65537th of its type; there may be 65536");
}

TEST(XmlCheck, ObjectsWithinEachOtherWithoutEndAreRefused) {
    std::string text = "<topology version=\"2.0\">\n<object type=\"Machine\" " + sets("0x1", "0x1") + ">\n";
    for (int depth = 1; depth <= 128; depth++) {
        text += "<object type=\"Group\" " + sets("0x1", "0x1") + ">\n";
    }
    EXPECT_EQ(refusal(text), "line 130: Group is within 128 others; there may be 127");
}

TEST(XmlSet, ReadsHwlocsNotation) {
    const auto mixed = XmlSet::parse("0x00000001,,0x80000001");
    ASSERT_TRUE(mixed);
    EXPECT_EQ(mixed->first(), 0);
    EXPECT_EQ(mixed->highest(), 64);
    EXPECT_TRUE(XmlSet::parse(set_of(70))->is_only(70));
    EXPECT_TRUE(XmlSet::parse("0x0")->empty());
    EXPECT_TRUE(XmlSet::parse("0xf...f,0x1")->infinite());
    EXPECT_TRUE(XmlSet::parse("0x3")->within(*mixed) == false && XmlSet::parse("0x1")->within(*mixed));
    EXPECT_TRUE(XmlSet::parse("0x80000000")->intersects(*mixed));
    EXPECT_EQ(XmlSet::parse("0x1" + std::string(40000, ',') + "0x0")->highest(), 40000 * 32);
    for (const char *text : {"", ",", "0x1,", ",0x1", "0xf...f,,0x1", "0x", "x", "1 ", " 1", "+1", "0x100000000",
                             "0xf...", "0xf...f,", "0xf...f0"}) {
        EXPECT_FALSE(XmlSet::parse(text)) << text;
    }
}

} // namespace
} // namespace nearpool::testing
