// SPDX-License-Identifier: Apache-2.0
// hwloc's XML of the virtual machine four-nodes (tests/vm/machines), with its PCI devices: 0000:51:00.0 is next to
// node 2.
#pragma once

namespace nearpool::fakes {

inline constexpr const char *four_nodes_xml = R"xml(<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE topology SYSTEM "hwloc2.dtd">
<topology version="2.0">
  <object type="Machine" os_index="0" cpuset="0x000000ff" complete_cpuset="0x000000ff" allowed_cpuset="0x000000ff" nodeset="0x0000000f" complete_nodeset="0x0000000f" allowed_nodeset="0x0000000f" gp_index="1">
    <object type="Package" os_index="0" cpuset="0x0000000f" complete_cpuset="0x0000000f" nodeset="0x00000003" complete_nodeset="0x00000003" gp_index="3">
      <object type="L3Cache" os_index="0" cpuset="0x00000003" complete_cpuset="0x00000003" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="7" cache_size="16777216" depth="3" cache_linesize="64" cache_associativity="16" cache_type="0">
        <object type="NUMANode" os_index="0" cpuset="0x00000003" complete_cpuset="0x00000003" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="40" local_memory="488144896">
          <page_type size="4096" count="119176"/>
          <page_type size="2097152" count="0"/>
          <page_type size="1073741824" count="0"/>
        </object>
        <object type="L2Cache" os_index="0" cpuset="0x00000001" complete_cpuset="0x00000001" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="6" cache_size="524288" depth="2" cache_linesize="64" cache_associativity="16" cache_type="0">
          <object type="L1Cache" os_index="0" cpuset="0x00000001" complete_cpuset="0x00000001" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="5" cache_size="65536" depth="1" cache_linesize="64" cache_associativity="2" cache_type="1">
            <object type="Core" os_index="0" cpuset="0x00000001" complete_cpuset="0x00000001" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="2">
              <object type="PU" os_index="0" cpuset="0x00000001" complete_cpuset="0x00000001" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="4"/>
            </object>
          </object>
        </object>
        <object type="L2Cache" os_index="1" cpuset="0x00000002" complete_cpuset="0x00000002" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="11" cache_size="524288" depth="2" cache_linesize="64" cache_associativity="16" cache_type="0">
          <object type="L1Cache" os_index="1" cpuset="0x00000002" complete_cpuset="0x00000002" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="10" cache_size="65536" depth="1" cache_linesize="64" cache_associativity="2" cache_type="1">
            <object type="Core" os_index="1" cpuset="0x00000002" complete_cpuset="0x00000002" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="8">
              <object type="PU" os_index="1" cpuset="0x00000002" complete_cpuset="0x00000002" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="9"/>
            </object>
          </object>
        </object>
      </object>
      <object type="L3Cache" os_index="2" cpuset="0x0000000c" complete_cpuset="0x0000000c" nodeset="0x00000002" complete_nodeset="0x00000002" gp_index="16" cache_size="16777216" depth="3" cache_linesize="64" cache_associativity="16" cache_type="0">
        <object type="NUMANode" os_index="1" cpuset="0x0000000c" complete_cpuset="0x0000000c" nodeset="0x00000002" complete_nodeset="0x00000002" gp_index="41" local_memory="263524352">
          <page_type size="4096" count="64337"/>
          <page_type size="2097152" count="0"/>
          <page_type size="1073741824" count="0"/>
        </object>
        <object type="L2Cache" os_index="2" cpuset="0x00000004" complete_cpuset="0x00000004" nodeset="0x00000002" complete_nodeset="0x00000002" gp_index="15" cache_size="524288" depth="2" cache_linesize="64" cache_associativity="16" cache_type="0">
          <object type="L1Cache" os_index="2" cpuset="0x00000004" complete_cpuset="0x00000004" nodeset="0x00000002" complete_nodeset="0x00000002" gp_index="14" cache_size="65536" depth="1" cache_linesize="64" cache_associativity="2" cache_type="1">
            <object type="Core" os_index="2" cpuset="0x00000004" complete_cpuset="0x00000004" nodeset="0x00000002" complete_nodeset="0x00000002" gp_index="12">
              <object type="PU" os_index="2" cpuset="0x00000004" complete_cpuset="0x00000004" nodeset="0x00000002" complete_nodeset="0x00000002" gp_index="13"/>
            </object>
          </object>
        </object>
        <object type="L2Cache" os_index="3" cpuset="0x00000008" complete_cpuset="0x00000008" nodeset="0x00000002" complete_nodeset="0x00000002" gp_index="20" cache_size="524288" depth="2" cache_linesize="64" cache_associativity="16" cache_type="0">
          <object type="L1Cache" os_index="3" cpuset="0x00000008" complete_cpuset="0x00000008" nodeset="0x00000002" complete_nodeset="0x00000002" gp_index="19" cache_size="65536" depth="1" cache_linesize="64" cache_associativity="2" cache_type="1">
            <object type="Core" os_index="3" cpuset="0x00000008" complete_cpuset="0x00000008" nodeset="0x00000002" complete_nodeset="0x00000002" gp_index="17">
              <object type="PU" os_index="3" cpuset="0x00000008" complete_cpuset="0x00000008" nodeset="0x00000002" complete_nodeset="0x00000002" gp_index="18"/>
            </object>
          </object>
        </object>
      </object>
    </object>
    <object type="Package" os_index="1" cpuset="0x000000f0" complete_cpuset="0x000000f0" nodeset="0x0000000c" complete_nodeset="0x0000000c" gp_index="22">
      <object type="L3Cache" os_index="4" cpuset="0x00000030" complete_cpuset="0x00000030" nodeset="0x00000004" complete_nodeset="0x00000004" gp_index="26" cache_size="16777216" depth="3" cache_linesize="64" cache_associativity="16" cache_type="0">
        <object type="NUMANode" os_index="2" cpuset="0x00000030" complete_cpuset="0x00000030" nodeset="0x00000004" complete_nodeset="0x00000004" gp_index="42" local_memory="263524352">
          <page_type size="4096" count="64337"/>
          <page_type size="2097152" count="0"/>
          <page_type size="1073741824" count="0"/>
        </object>
        <object type="L2Cache" os_index="4" cpuset="0x00000010" complete_cpuset="0x00000010" nodeset="0x00000004" complete_nodeset="0x00000004" gp_index="25" cache_size="524288" depth="2" cache_linesize="64" cache_associativity="16" cache_type="0">
          <object type="L1Cache" os_index="4" cpuset="0x00000010" complete_cpuset="0x00000010" nodeset="0x00000004" complete_nodeset="0x00000004" gp_index="24" cache_size="65536" depth="1" cache_linesize="64" cache_associativity="2" cache_type="1">
            <object type="Core" os_index="0" cpuset="0x00000010" complete_cpuset="0x00000010" nodeset="0x00000004" complete_nodeset="0x00000004" gp_index="21">
              <object type="PU" os_index="4" cpuset="0x00000010" complete_cpuset="0x00000010" nodeset="0x00000004" complete_nodeset="0x00000004" gp_index="23"/>
            </object>
          </object>
        </object>
        <object type="L2Cache" os_index="5" cpuset="0x00000020" complete_cpuset="0x00000020" nodeset="0x00000004" complete_nodeset="0x00000004" gp_index="30" cache_size="524288" depth="2" cache_linesize="64" cache_associativity="16" cache_type="0">
          <object type="L1Cache" os_index="5" cpuset="0x00000020" complete_cpuset="0x00000020" nodeset="0x00000004" complete_nodeset="0x00000004" gp_index="29" cache_size="65536" depth="1" cache_linesize="64" cache_associativity="2" cache_type="1">
            <object type="Core" os_index="1" cpuset="0x00000020" complete_cpuset="0x00000020" nodeset="0x00000004" complete_nodeset="0x00000004" gp_index="27">
              <object type="PU" os_index="5" cpuset="0x00000020" complete_cpuset="0x00000020" nodeset="0x00000004" complete_nodeset="0x00000004" gp_index="28"/>
            </object>
          </object>
        </object>
        <object type="Bridge" gp_index="53" bridge_type="0-1" depth="0" bridge_pci="0000:[50-51]">
          <object type="Bridge" gp_index="51" bridge_type="1-1" depth="1" bridge_pci="0000:[51-51]" pci_busid="0000:50:00.0" pci_type="0604 [1b36:000c] [1b36:0000] 00" pci_link_speed="0.250000">
            <object type="PCIDev" gp_index="50" pci_busid="0000:51:00.0" pci_type="00ff [1af4:1044] [1af4:1100] 01" pci_link_speed="0.250000">
            </object>
          </object>
        </object>
      </object>
      <object type="L3Cache" os_index="6" cpuset="0x000000c0" complete_cpuset="0x000000c0" nodeset="0x00000008" complete_nodeset="0x00000008" gp_index="35" cache_size="16777216" depth="3" cache_linesize="64" cache_associativity="16" cache_type="0">
        <object type="NUMANode" os_index="3" cpuset="0x000000c0" complete_cpuset="0x000000c0" nodeset="0x00000008" complete_nodeset="0x00000008" gp_index="43" local_memory="262266880">
          <page_type size="4096" count="64030"/>
          <page_type size="2097152" count="0"/>
          <page_type size="1073741824" count="0"/>
        </object>
        <object type="L2Cache" os_index="6" cpuset="0x00000040" complete_cpuset="0x00000040" nodeset="0x00000008" complete_nodeset="0x00000008" gp_index="34" cache_size="524288" depth="2" cache_linesize="64" cache_associativity="16" cache_type="0">
          <object type="L1Cache" os_index="6" cpuset="0x00000040" complete_cpuset="0x00000040" nodeset="0x00000008" complete_nodeset="0x00000008" gp_index="33" cache_size="65536" depth="1" cache_linesize="64" cache_associativity="2" cache_type="1">
            <object type="Core" os_index="2" cpuset="0x00000040" complete_cpuset="0x00000040" nodeset="0x00000008" complete_nodeset="0x00000008" gp_index="31">
              <object type="PU" os_index="6" cpuset="0x00000040" complete_cpuset="0x00000040" nodeset="0x00000008" complete_nodeset="0x00000008" gp_index="32"/>
            </object>
          </object>
        </object>
        <object type="L2Cache" os_index="7" cpuset="0x00000080" complete_cpuset="0x00000080" nodeset="0x00000008" complete_nodeset="0x00000008" gp_index="39" cache_size="524288" depth="2" cache_linesize="64" cache_associativity="16" cache_type="0">
          <object type="L1Cache" os_index="7" cpuset="0x00000080" complete_cpuset="0x00000080" nodeset="0x00000008" complete_nodeset="0x00000008" gp_index="38" cache_size="65536" depth="1" cache_linesize="64" cache_associativity="2" cache_type="1">
            <object type="Core" os_index="3" cpuset="0x00000080" complete_cpuset="0x00000080" nodeset="0x00000008" complete_nodeset="0x00000008" gp_index="36">
              <object type="PU" os_index="7" cpuset="0x00000080" complete_cpuset="0x00000080" nodeset="0x00000008" complete_nodeset="0x00000008" gp_index="37"/>
            </object>
          </object>
        </object>
      </object>
    </object>
    <object type="Bridge" gp_index="52" bridge_type="0-1" depth="0" bridge_pci="0000:[00-00]">
      <object type="PCIDev" gp_index="46" pci_busid="0000:00:1f.2" pci_type="0106 [8086:2922] [1af4:1100] 02" pci_link_speed="0.000000"/>
    </object>
  </object>
  <distances2 type="NUMANode" nbobjs="4" kind="5" name="NUMALatency" indexing="os">
    <indexes length="8">0 1 2 3 </indexes>
    <u64values length="30">10 12 20 22 12 10 22 20 20 22 </u64values>
    <u64values length="18">10 12 22 20 12 10 </u64values>
  </distances2>
</topology>
)xml";

} // namespace nearpool::fakes
