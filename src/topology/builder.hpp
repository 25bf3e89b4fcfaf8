// SPDX-License-Identifier: Apache-2.0
// From hwloc's tree, corrected by the kernel's own account where there is one, to the value that everybody else sees.
#pragma once

#include "topology/source.hpp"
#include "topology/sysfs.hpp"
#include "topology/topology.hpp"

#include <optional>

namespace nearpool {

struct BuilderInput {
    std::unique_ptr<TopologySource> source;
    const SysfsMachine *sysfs = nullptr; // the kernel's account of the same machine; nullptr: only hwloc knows it
    SysfsAllowed allowed;                // what is not here comes from hwloc
    bool this_machine = false;
    bool synthetic_node = false;
};

class TopologyBuilder {
public:
    static Result<Ref<const Topology>> build(BuilderInput input);

private:
    explicit TopologyBuilder(BuilderInput input);

    void read_nodes();
    Node read_node(hwloc_obj_t object) const;
    void correct_node(Node &node) const;
    void give_cpus_to_nodes();
    void read_cpus();
    Cpu read_cpu(hwloc_obj_t unit) const;
    void count_groups();
    void mark_allowed();
    void find_packages();
    void read_links();
    void read_hwloc_distances();
    void read_sysfs_distances();
    void read_hwloc_memory_attributes();
    Link *link(uint32_t from, uint32_t to);
    const SysfsNode *sysfs_node(uint32_t number) const;

    BuilderInput input_;
    hwloc_topology_t hwloc_;
    std::vector<hwloc_obj_t> objects_; // of the nodes, in their order
    Topology *made_;
    Ref<const Topology> owner_;
};

} // namespace nearpool
