// SPDX-License-Identifier: Apache-2.0
// One bad sample for each rule: a good file with one thing changed, and what the sentence says about it.
#include "xml_check_support.hpp"

#include <ostream>

namespace nearpool::testing {
namespace {

struct Sample {
    const char *name;
    const char *from;
    const char *to;
    const char *says;
};

void PrintTo(const Sample &sample, std::ostream *out) {
    *out << sample.name;
}

std::string name_of(const ::testing::TestParamInfo<Sample> &sample) {
    return sample.param.name;
}

// Proves that the change alone is refused, with a status for it and a sentence that names line, object and value.
void expect_refused(const std::string &good, const Sample &sample) {
    EXPECT_EQ(refusal(good), "");
    const Result<CheckedXml> done = check_hwloc_xml(changed(good, sample.from, sample.to));
    ASSERT_FALSE(done) << "accepted";
    EXPECT_EQ(done.error().status, NEAR_E_TOPOLOGY);
    EXPECT_NE(done.error().message.find(sample.says), std::string::npos) << done.error().message;
    EXPECT_EQ(done.error().message.rfind("line ", 0), 0U) << done.error().message;
}

class BadXml : public ::testing::TestWithParam<Sample> {};

TEST_P(BadXml, IsRefusedWithWhatIsWrong) {
    expect_refused(machine_xml(), GetParam());
}

#define PACKAGE_0 "<object type=\"Package\" os_index=\"0\" cpuset=\"0x00000001\""
#define NODE_0 "<object type=\"NUMANode\" os_index=\"0\" cpuset=\"0x00000001\" complete_cpuset=\"0x00000001\" "
#define CPU_0_SETS                                                                                                     \
    "cpuset=\"0x00000001\" complete_cpuset=\"0x00000001\" nodeset=\"0x00000001\" complete_nodeset=\"0x00000001\""
#define PU_0 "<object type=\"PU\" os_index=\"0\""
#define PU_1 "<object type=\"PU\" os_index=\"1\" cpuset=\"0x00000002\" complete_cpuset=\"0x00000002\""

constexpr Sample files[] = {
    {"NotClosed", "</topology>", "", "line 36: no well-formed XML: no element found"},
    {"OtherRoot", "<topology version=\"2.0\">", "<root>", "line 3: <root> is not the <topology> of an hwloc XML file"},
    {"Hwloc3", "\"2.0\"", "\"3.0\"",
     "written by hwloc 3, and hwloc 2 cannot read it; lstopo of hwloc 3 writes one that "
     "it can with --export-xml-flags v2"},
    {"VersionIsNone", "\"2.0\"", "\"two\"", "<topology> has no version"},
    {"SubsetInDoctype", "\"hwloc2.dtd\">", "\"hwloc2.dtd\" [<!ENTITY a \"aa\">]>", "the DOCTYPE has declarations"},
    {"NoObject", "<object type=\"Machine\"", "<thing/><object type=\"Machine\"", "begins with one object"},
    {"TwoMachines", "  <distances2 ", "  <object type=\"Machine\"/><distances2 ", "begins with one object"},
    {"Text", "    <info", "    ours<info", "text between the tags:     ours"},
    {"EntityInAValue", "gp_index=\"5\"", "gp_index=\"5&two;\"", "the entity two, which nothing declares"},
    {"EntityBetweenTags", "    <info", "&two;    <info", "the entity two, which nothing declares"},
    {"EntityInNumbers", "0 1 </indexes>", "0 1&two; </indexes>", "the entity two, which nothing declares"},
    {"AnotherEncoding", "<?xml", "\xFF\xFE<?xml", "line 1: the text is in UTF-16"},
    {"TextFromAReference", "    <info", "&#65;    <info", "text between the tags: A"},
    {"UnknownElementInAnObject", "<info name", "<fact name", "<fact> within Machine 0"},
    {"InfoAfterObjects", "      <object type=\"Bridge\"", "      <info name=\"a\"/><object type=\"Bridge\"",
     "<info> after the objects within Package 0"},
    {"PagesOfAPackage", "      <object type=\"NUMANode\"", "      <page_type size=\"1\"/><object type=\"NUMANode\"",
     "<page_type> within Package 0"},
    {"InfoWithMore", "value=\"L &amp; inux\"", "weight=\"1\"", "<info> has the attribute weight"},
};
INSTANTIATE_TEST_SUITE_P(Files, BadXml, ::testing::ValuesIn(files), name_of);

constexpr Sample objects[] = {
    {"NoType", "type=\"PU\" ", "", "an object whose first attribute is not its type"},
    {"UnknownType", "\"L3Cache\"", "\"Quark\"", "an object of type \"Quark\""},
    {"CacheOfHwloc1", "\"L3Cache\"", "\"Cache\"", "an object of type \"Cache\""},
    {"FirstIsAPackage", "\"Machine\"", "\"Package\"", "line 4: the first object is Package 0"},
    {"CacheOfAnotherLevel", "depth=\"3\"", "depth=\"2\"", "L3Cache is of another level or kind"},
    {"CacheOfAnotherKind", "cache_type=\"0\"", "cache_type=\"2\"", "L3Cache is of another level or kind"},
    {"MiscWithSets", "\"L3Cache\"", "\"Misc\"", "Misc has a cpuset, which its type has not"},
    {"NodeInABridge", "<object type=\"PCIDev\"",
     NODE_0 "nodeset=\"0x00000001\" complete_nodeset=\"0x00000001\"/>"
            "<object type=\"PCIDev\"",
     "within Bridge, where hwloc puts none"},
    {"CoreInACpu", "gp_index=\"5\"/>", "><object type=\"Core\" " CPU_0_SETS "/></object>",
     "Core within PU 0, where hwloc"},
    {"DeviceInMemory", "<page_type size=\"4096\" count=\"2\"/>", "<object type=\"OSDev\"/>", "OSDev within NUMANode 0"},
    {"CpuWithoutNumber", PU_0, "<object type=\"PU\"", "PU without os_index"},
    {"CpuNumberIsNone", PU_0, "<object type=\"PU\" os_index=\"one\"", "os_index=\"one\" is no number"},
    {"CpuTwice", PU_1, PU_0 " cpuset=\"0x00000002\" complete_cpuset=\"0x00000002\"", "PU 0 is there twice"},
    {"NodeTwice", "<object type=\"NUMANode\" os_index=\"1\"", "<object type=\"NUMANode\" os_index=\"0\"",
     "NUMANode 0 is there twice"},
    {"CpuNumberTooLarge", PU_1, "<object type=\"PU\" os_index=\"1048576\" cpuset=\"0x2\" complete_cpuset=\"0x2\"",
     "has the number 1048576; the numbers of CPUs are below 1048576"},
    {"CpuNumberIsUnknown", PU_1, "<object type=\"PU\" os_index=\"4294967295\" cpuset=\"0x2\" complete_cpuset=\"0x2\"",
     "has the number 4294967295; the numbers of CPUs are below 1048576"},
    {"NodeNumberTooLarge", "\"NUMANode\" os_index=\"1\"", "\"NUMANode\" os_index=\"65536\"",
     "has the number 65536; the numbers of nodes are below 65536"},
    {"NodeNumberIsLocal", "\"NUMANode\" os_index=\"1\"", "\"NUMANode\" os_index=\"4294967294\"",
     "has the number 4294967294; the numbers of nodes are below 65536"},
    {"DeviceType", "osdev_type=\"1\"", "osdev_type=\"16\"", "osdev_type=\"16\" is no number from 0 to 6"},
    {"BridgeWithoutType", " bridge_type=\"0-1\"", "", "Bridge has no bridge_type"},
    {"BridgeOfLowerCaseWithoutType", "\"Bridge\" gp_index=\"6\" bridge_type=\"0-1\"", "\"bridge\" gp_index=\"6\"",
     "has no bridge_type"},
    {"BridgeType", "bridge_type=\"0-1\"", "bridge_type=\"1-0\"", "bridge_type=\"1-0\" is neither"},
    {"BridgeRange", "[00-3b]", "00-3b", "bridge_pci=\"0000:00-3b\" is no range"},
    {"PciAddress", "0000:3b:00.0", "0000:3b:20.0", "pci_busid=\"0000:3b:20.0\" is no PCI address"},
    {"LinkSpeed", "63.015385", "fast", "pci_link_speed=\"fast\" is no number"},
    {"Memory", "local_memory=\"1024\"", "local_memory=\"-1\"", "local_memory=\"-1\" is no number"},
    {"Pages", "size=\"4096\"", "size=\"4k\"", "size=\"4k\" is no number"},
    {"Identity", "gp_index=\"5\"", "gp_index=\"18446744073709551615\"",
     "gp_index=\"18446744073709551615\" is no number"},
    {"Associativity", "cache_associativity=\"-1\"", "cache_associativity=\"-2\"", "cache_associativity=\"-2\" is no"},
};
INSTANTIATE_TEST_SUITE_P(Objects, BadXml, ::testing::ValuesIn(objects), name_of);

constexpr Sample object_sets[] = {
    {"NodeWithoutCompleteNodes", NODE_0 "nodeset=\"0x00000001\" complete_nodeset=\"0x00000001\"",
     NODE_0 "nodeset=\"0x00000001\"", "line 7: NUMANode 0 has no complete_nodeset"},
    {"NodeWithoutNodes", NODE_0 "nodeset=\"0x00000001\"", NODE_0, "NUMANode 0 has no nodeset"},
    {"CpuWithoutCompleteCpus", PU_1, "<object type=\"PU\" os_index=\"1\" cpuset=\"0x00000002\"",
     "PU 1 has no complete_cpuset"},
    {"PackageWithoutCpus", PACKAGE_0, "<object type=\"Package\" os_index=\"0\"", "Package 0 has no cpuset"},
    {"NoSet", PACKAGE_0, "<object type=\"Package\" os_index=\"0\" cpuset=\"\"",
     "Package 0 has cpuset=\"\", which is no"},
    {"CutOffSet", PACKAGE_0, "<object type=\"Package\" os_index=\"0\" cpuset=\"0x1,\"",
     "cpuset=\"0x1,\", which is no set"},
    {"WordTooLong", PACKAGE_0, "<object type=\"Package\" os_index=\"0\" cpuset=\"0x100000001\"", "which is no set"},
    {"WordOfOtherDigits", PACKAGE_0, "<object type=\"Package\" os_index=\"0\" cpuset=\"-0x1\"", "which is no set"},
    {"Infinite", PACKAGE_0, "<object type=\"Package\" os_index=\"0\" cpuset=\"0xf...f\"",
     "Package 0 has an infinite cpuset"},
    {"AllowedIsNoSet", "allowed_nodeset=\"0x00000003\"", "allowed_nodeset=\"all\"",
     "has allowed_nodeset=\"all\", which"},
    {"MoreThanComplete", PACKAGE_0, "<object type=\"Package\" os_index=\"0\" cpuset=\"0x00000003\"",
     "Package 0 has a cpuset that is not within its complete_cpuset"},
    {"MoreThanAround", "<object type=\"L3Cache\" cpuset=\"0x00000001\" complete_cpuset=\"0x00000001\"",
     "<object type=\"L3Cache\" cpuset=\"0x00000001\" complete_cpuset=\"0x00000003\"",
     "L3Cache has a complete_cpuset that is not within that of Package 0 around it"},
    {"CpuOfAnotherNumber", PU_1,
     "<object type=\"PU\" os_index=\"5\" cpuset=\"0x00000002\" complete_cpuset=\"0x00000002\"",
     "PU 5 has other numbers than its own in its cpuset"},
    {"NodeOfAnotherNumber", "\"NUMANode\" os_index=\"1\"", "\"NUMANode\" os_index=\"5\"",
     "NUMANode 5 has other numbers than its own in its nodeset"},
    {"SharedCpus", "<object type=\"Package\" os_index=\"1\" cpuset=\"0x00000002\" complete_cpuset=\"0x00000002\"",
     "<object type=\"Package\" os_index=\"1\" cpuset=\"0x00000003\" complete_cpuset=\"0x00000003\"",
     "Package 1 shares CPUs of its cpuset with another object within Machine 0"},
    {"CpusWithoutObjects", PU_1, "<object type=\"Core\" cpuset=\"0x00000002\" complete_cpuset=\"0x00000002\"",
     "Core has other CPUs than the objects within it"},
};
INSTANTIATE_TEST_SUITE_P(Sets, BadXml, ::testing::ValuesIn(object_sets), name_of);

constexpr Sample beside[] = {
    {"DistancesWithoutType", "distances2 type=\"NUMANode\"", "distances2", "distances without type"},
    {"DistancesWithoutKind", "kind=\"5\"", "kind=\"0\"", "distances without kind, a number above 0"},
    {"DistancesOfTooMany", "nbobjs=\"2\"", "nbobjs=\"65536\"", "nbobjs=\"65536\" is no number from 0 to 65535"},
    {"DistancesOfOctalNumbers", ">10 21 21 10 <", ">08 21 21 10 <", "\"08\" in distances is not a number"},
    {"DistancesWithAnEmptyList", "<indexes length=\"4\">", "<indexes length=\"0\"/><indexes length=\"4\">",
     "<indexes> without length, a number above 0"},
    {"DistancesWithAListTooMany", "    <u64values length=\"12\">",
     "    <indexes length=\"0\"/><u64values length=\"12\">", "<indexes> where the distances have all of them"},
    {"DistancesOfMore", "nbobjs=\"2\"", "nbobjs=\"3\"", "of 3 objects have 2 indexes and 4 values, not 3 and 9"},
    {"DistancesOfNoType", "distances2 type=\"NUMANode\"", "distances2 type=\"Quark\"", "type=\"Quark\" is no type"},
    {"DistancesCutOff", "10 21 21 10 ", "10 21 21 1x ", "\"1x\" in distances is not a number"},
    {"DistancesOfAnotherLength", "length=\"12\"", "length=\"13\"", "12 characters of distances where length says 13"},
    {"DistancesWithoutLength", "length=\"12\"", "size=\"12\"", "<u64values> whose first attribute is not its length"},
    {"DistancesWithOthers", "<support name=\"discovery.pu\"/>",
     "<distances2 type=\"PU\" nbobjs=\"2\" kind=\"5\" indexing=\"os\"><x/></distances2>", "<x> where hwloc knows none"},
    {"MixedDistancesWithoutType", "PU:11", ":    ", "is not a type of object and a number"},
    {"AttributeWithoutFlags", " flags=\"5\"", "", "<memattr> has no flags"},
    {"ValueWithoutTarget", "target_obj_type=\"NUMANode\" ", "", "<memattr_value> has no target_obj_type"},
    {"ValueOfNoType", "target_obj_type=\"NUMANode\"", "target_obj_type=\"Quark\"",
     "target_obj_type=\"Quark\" is no type"},
    {"ValueWithoutInitiator", "initiator_cpuset=\"0x00000001\"", "", "<memattr_value> has no initiator"},
    {"ValueOfAnInfiniteInitiator", "initiator_cpuset=\"0x00000001\"", "initiator_cpuset=\"0xf...f\"",
     "is no finite set"},
    {"ValueWithMore", "value=\"100\"", "value=\"100\" weight=\"1\"", "<memattr_value> has the attribute weight"},
    {"KindWithoutCpus", "<cpukind cpuset=\"0x00000001\"", "<cpukind", "<cpukind> has no cpuset"},
    {"KindOfOtherCpus", "<cpukind cpuset=\"0x00000001\"", "<cpukind cpuset=\"0x4\"",
     "CPUs that the machine does not have"},
    {"KindOfNoEfficiency", "forced_efficiency=\"-1\"", "forced_efficiency=\"high\"",
     "forced_efficiency=\"high\" is no"},
};
INSTANTIATE_TEST_SUITE_P(Beside, BadXml, ::testing::ValuesIn(beside), name_of);

class BadOldXml : public ::testing::TestWithParam<Sample> {};

TEST_P(BadOldXml, IsRefusedWithWhatIsWrong) {
    expect_refused(old_machine_xml(), GetParam());
}

constexpr Sample old_files[] = {
    {"HalfOfTheNodes", "complete_cpuset=\"0x00000001\"/>", "complete_cpuset=\"0x00000001\" nodeset=\"0x00000001\"/>",
     "PU 0 has no complete_nodeset"},
    {"NodeWithoutNodes", NODE_0 "nodeset=\"0x00000001\" complete_nodeset=\"0x00000001\"", NODE_0,
     "NUMANode 0 has no nodeset"},
    {"CacheOfNoLevel", "depth=\"2\"", "depth=\"6\"", "a Cache of depth 6 and cache_type 0"},
    {"NodeOutOfOrder", "\"NUMANode\" os_index=\"0\" cpuset=\"0x00000001\" complete_cpuset=\"0x00000001\"",
     "\"NUMANode\" os_index=\"0\" cpuset=\"0x0\" complete_cpuset=\"0x0\"",
     "cpuset that is not within that of NUMANode 0"},
    {"ValuesMissing", "nbobjs=\"2\"", "nbobjs=\"3\"", "distances have 4 values, not 9"},
    {"ValueIsNone", "\"2.100000\"", "\"nan\"", "value=\"nan\" is no number"},
    {"BaseIsNone", "\"10.000000\"", "\"1e9\"", "latency_base=\"1e9\" is no number"},
    {"OtherInDistances", "<latency value=\"1.000000\"/>", "<delay/>", "<delay> where hwloc knows none"},
};
INSTANTIATE_TEST_SUITE_P(Files, BadOldXml, ::testing::ValuesIn(old_files), name_of);

} // namespace
} // namespace nearpool::testing
