// SPDX-License-Identifier: Apache-2.0
// From what a reader found to the value that everybody else sees: one rule for every source.
#pragma once

#include "topology/facts.hpp"
#include "topology/source.hpp"

namespace nearpool {

class TopologyBuilder {
public:
    static Ref<const Topology> build(MachineFacts facts, std::unique_ptr<TopologySource> source);

private:
    TopologyBuilder(MachineFacts facts, std::unique_ptr<TopologySource> source);

    void make_cpus();
    void number_packages();
    void number_caches();
    void number_cores();
    void mark_core_kinds();
    uint32_t package_of(const NumberSet &cpus);
    void complete_nodes();
    void mark_allowed();
    void choose_default_memory();
    void find_nearest();
    Cpu *cpu(uint32_t number);
    template <class Set> void set_of(const NumberSet &group, Set set);

    MachineFacts facts_;
    Topology *made_;
    Ref<const Topology> owner_;
};

} // namespace nearpool
