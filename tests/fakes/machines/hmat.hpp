// SPDX-License-Identifier: Apache-2.0
// hwloc's XML of the virtual machine hmat: nodes 2 and 3 have memory only, and hwloc gives them the CPUs near them.
#pragma once

namespace nearpool::fakes {

inline constexpr const char *hmat_xml = R"xml(<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE topology SYSTEM "hwloc2.dtd">
<topology version="2.0">
  <object type="Machine" os_index="0" cpuset="0x0000000f" complete_cpuset="0x0000000f" allowed_cpuset="0x0000000f" nodeset="0x0000000f" complete_nodeset="0x0000000f" allowed_nodeset="0x0000000f" gp_index="1">
    <object type="Package" os_index="0" cpuset="0x00000003" complete_cpuset="0x00000003" nodeset="0x00000005" complete_nodeset="0x00000005" gp_index="3">
      <object type="NUMANode" os_index="0" cpuset="0x00000003" complete_cpuset="0x00000003" nodeset="0x00000001" complete_nodeset="0x00000001" gp_index="22" local_memory="526700544">
        <page_type size="4096" count="128589"/>
        <page_type size="2097152" count="0"/>
        <page_type size="1073741824" count="0"/>
      </object>
      <object type="NUMANode" os_index="2" cpuset="0x00000003" complete_cpuset="0x00000003" nodeset="0x00000004" complete_nodeset="0x00000004" gp_index="24" local_memory="225509376">
        <page_type size="4096" count="55056"/>
        <page_type size="2097152" count="0"/>
        <page_type size="1073741824" count="0"/>
      </object>
      <object type="L3Cache" os_index="0" cpuset="0x00000003" complete_cpuset="0x00000003" nodeset="0x00000005" complete_nodeset="0x00000005" gp_index="7" cache_size="16777216" depth="3" cache_linesize="64" cache_associativity="16" cache_type="0">
        <object type="L2Cache" os_index="0" cpuset="0x00000001" complete_cpuset="0x00000001" nodeset="0x00000005" complete_nodeset="0x00000005" gp_index="6" cache_size="524288" depth="2" cache_linesize="64" cache_associativity="16" cache_type="0">
          <object type="L1Cache" os_index="0" cpuset="0x00000001" complete_cpuset="0x00000001" nodeset="0x00000005" complete_nodeset="0x00000005" gp_index="5" cache_size="65536" depth="1" cache_linesize="64" cache_associativity="2" cache_type="1">
            <object type="Core" os_index="0" cpuset="0x00000001" complete_cpuset="0x00000001" nodeset="0x00000005" complete_nodeset="0x00000005" gp_index="2">
              <object type="PU" os_index="0" cpuset="0x00000001" complete_cpuset="0x00000001" nodeset="0x00000005" complete_nodeset="0x00000005" gp_index="4"/>
            </object>
          </object>
        </object>
        <object type="L2Cache" os_index="1" cpuset="0x00000002" complete_cpuset="0x00000002" nodeset="0x00000005" complete_nodeset="0x00000005" gp_index="11" cache_size="524288" depth="2" cache_linesize="64" cache_associativity="16" cache_type="0">
          <object type="L1Cache" os_index="1" cpuset="0x00000002" complete_cpuset="0x00000002" nodeset="0x00000005" complete_nodeset="0x00000005" gp_index="10" cache_size="65536" depth="1" cache_linesize="64" cache_associativity="2" cache_type="1">
            <object type="Core" os_index="1" cpuset="0x00000002" complete_cpuset="0x00000002" nodeset="0x00000005" complete_nodeset="0x00000005" gp_index="8">
              <object type="PU" os_index="1" cpuset="0x00000002" complete_cpuset="0x00000002" nodeset="0x00000005" complete_nodeset="0x00000005" gp_index="9"/>
            </object>
          </object>
        </object>
      </object>
    </object>
    <object type="Package" os_index="1" cpuset="0x0000000c" complete_cpuset="0x0000000c" nodeset="0x0000000a" complete_nodeset="0x0000000a" gp_index="13">
      <object type="NUMANode" os_index="1" cpuset="0x0000000c" complete_cpuset="0x0000000c" nodeset="0x00000002" complete_nodeset="0x00000002" gp_index="23" local_memory="263524352">
        <page_type size="4096" count="64337"/>
        <page_type size="2097152" count="0"/>
        <page_type size="1073741824" count="0"/>
      </object>
      <object type="NUMANode" os_index="3" cpuset="0x0000000c" complete_cpuset="0x0000000c" nodeset="0x00000008" complete_nodeset="0x00000008" gp_index="25" local_memory="262840320">
        <page_type size="4096" count="64170"/>
        <page_type size="2097152" count="0"/>
        <page_type size="1073741824" count="0"/>
      </object>
      <object type="L3Cache" os_index="2" cpuset="0x0000000c" complete_cpuset="0x0000000c" nodeset="0x0000000a" complete_nodeset="0x0000000a" gp_index="17" cache_size="16777216" depth="3" cache_linesize="64" cache_associativity="16" cache_type="0">
        <object type="L2Cache" os_index="2" cpuset="0x00000004" complete_cpuset="0x00000004" nodeset="0x0000000a" complete_nodeset="0x0000000a" gp_index="16" cache_size="524288" depth="2" cache_linesize="64" cache_associativity="16" cache_type="0">
          <object type="L1Cache" os_index="2" cpuset="0x00000004" complete_cpuset="0x00000004" nodeset="0x0000000a" complete_nodeset="0x0000000a" gp_index="15" cache_size="65536" depth="1" cache_linesize="64" cache_associativity="2" cache_type="1">
            <object type="Core" os_index="0" cpuset="0x00000004" complete_cpuset="0x00000004" nodeset="0x0000000a" complete_nodeset="0x0000000a" gp_index="12">
              <object type="PU" os_index="2" cpuset="0x00000004" complete_cpuset="0x00000004" nodeset="0x0000000a" complete_nodeset="0x0000000a" gp_index="14"/>
            </object>
          </object>
        </object>
        <object type="L2Cache" os_index="3" cpuset="0x00000008" complete_cpuset="0x00000008" nodeset="0x0000000a" complete_nodeset="0x0000000a" gp_index="21" cache_size="524288" depth="2" cache_linesize="64" cache_associativity="16" cache_type="0">
          <object type="L1Cache" os_index="3" cpuset="0x00000008" complete_cpuset="0x00000008" nodeset="0x0000000a" complete_nodeset="0x0000000a" gp_index="20" cache_size="65536" depth="1" cache_linesize="64" cache_associativity="2" cache_type="1">
            <object type="Core" os_index="1" cpuset="0x00000008" complete_cpuset="0x00000008" nodeset="0x0000000a" complete_nodeset="0x0000000a" gp_index="18">
              <object type="PU" os_index="3" cpuset="0x00000008" complete_cpuset="0x00000008" nodeset="0x0000000a" complete_nodeset="0x0000000a" gp_index="19"/>
            </object>
          </object>
        </object>
      </object>
    </object>
  </object>
  <distances2 type="NUMANode" nbobjs="4" kind="5" name="NUMALatency" indexing="os">
    <indexes length="8">0 1 2 3 </indexes>
    <u64values length="30">10 20 14 24 20 10 24 14 14 24 </u64values>
    <u64values length="18">10 28 24 14 28 10 </u64values>
  </distances2>
  <memattr name="Bandwidth" flags="5">
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="22" value="40960" initiator_cpuset="0x00000003"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="23" value="40960" initiator_cpuset="0x0000000c"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="24" value="102400" initiator_cpuset="0x00000003"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="25" value="10240" initiator_cpuset="0x0000000c"/>
  </memattr>
  <memattr name="Latency" flags="6">
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="22" value="80" initiator_cpuset="0x00000003"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="23" value="80" initiator_cpuset="0x0000000c"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="24" value="120" initiator_cpuset="0x00000003"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="25" value="250" initiator_cpuset="0x0000000c"/>
  </memattr>
  <memattr name="ReadBandwidth" flags="5">
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="22" value="40960" initiator_cpuset="0x00000003"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="23" value="40960" initiator_cpuset="0x0000000c"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="24" value="102400" initiator_cpuset="0x00000003"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="25" value="10240" initiator_cpuset="0x0000000c"/>
  </memattr>
  <memattr name="WriteBandwidth" flags="5">
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="22" value="40960" initiator_cpuset="0x00000003"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="23" value="40960" initiator_cpuset="0x0000000c"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="24" value="102400" initiator_cpuset="0x00000003"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="25" value="10240" initiator_cpuset="0x0000000c"/>
  </memattr>
  <memattr name="ReadLatency" flags="6">
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="22" value="80" initiator_cpuset="0x00000003"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="23" value="80" initiator_cpuset="0x0000000c"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="24" value="120" initiator_cpuset="0x00000003"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="25" value="250" initiator_cpuset="0x0000000c"/>
  </memattr>
  <memattr name="WriteLatency" flags="6">
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="22" value="80" initiator_cpuset="0x00000003"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="23" value="80" initiator_cpuset="0x0000000c"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="24" value="120" initiator_cpuset="0x00000003"/>
    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="25" value="250" initiator_cpuset="0x0000000c"/>
  </memattr>
</topology>
)xml";

} // namespace nearpool::fakes
