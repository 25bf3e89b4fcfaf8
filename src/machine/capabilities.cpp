// SPDX-License-Identifier: Apache-2.0
#include "machine/capabilities.hpp"

#include "base/text.hpp"
#include "machine/probes.hpp"

namespace nearpool {
namespace {

// Strict mode is about pages and threads that are seen where they were sent; the rest changes what is possible, not
// whether the answer is true. NUMA balancing does not move pages that are bound.
constexpr std::array<int32_t, 3> needed_for_strict = {NEAR_CAPABILITY_MEMORY_BINDING, NEAR_CAPABILITY_PLACEMENT_QUERY,
                                                      NEAR_CAPABILITY_AFFINITY};

constexpr std::array<const char *, NEAR_CAPABILITY_COUNT> names = {"strict mode",
                                                                   "multiple nodes",
                                                                   "memory binding",
                                                                   "placement query",
                                                                   "affinity",
                                                                   "page migration",
                                                                   "memory locking",
                                                                   "huge pages of 2 MiB",
                                                                   "huge pages of 1 GiB",
                                                                   "transparent huge pages",
                                                                   "preferred-many policy",
                                                                   "weighted interleave policy",
                                                                   "NUMA balancing off",
                                                                   "all CPUs allowed",
                                                                   "all memory allowed",
                                                                   "no CPU quota",
                                                                   "no seccomp filter"};

Capability multiple_nodes(const Topology &topology) {
    const std::size_t count = topology.nodes().size();
    if (count > 1) {
        return Capability::yes(format("%zu nodes: %s", count, topology.node_numbers().text().c_str()), count);
    }
    if (!topology.doubt().empty()) {
        return Capability::no(NEAR_REASON_UNKNOWN_NODE, topology.doubt(), count);
    }
    return Capability::no(NEAR_REASON_ONE_NODE,
                          topology.synthetic_node() ? "the machine shows no NUMA node; one stands for all of it"
                                                    : "the machine has one node: everything is near",
                          count);
}

} // namespace

const char *capability_name(int32_t which) {
    return which >= 0 && which < NEAR_CAPABILITY_COUNT ? names[static_cast<std::size_t>(which)] : "unknown";
}

Capabilities Capabilities::probe(const Ports &ports, const Topology &topology) {
    Capabilities made;
    if (!topology.this_machine()) {
        for (Capability &answer : made.answers_) {
            answer = Capability::no(NEAR_REASON_NOT_THIS_MACHINE, "the topology describes another machine");
        }
        made.at(NEAR_CAPABILITY_MULTIPLE_NODES) = multiple_nodes(topology);
        made.sum_up();
        return made;
    }
    made.at(NEAR_CAPABILITY_MULTIPLE_NODES) = multiple_nodes(topology);
    made.at(NEAR_CAPABILITY_MEMORY_BINDING) = probes::memory_binding(ports, topology);
    made.at(NEAR_CAPABILITY_PLACEMENT_QUERY) = probes::placement_query(ports);
    made.at(NEAR_CAPABILITY_AFFINITY) = probes::affinity(ports, topology);
    made.at(NEAR_CAPABILITY_MIGRATION) = probes::migration(ports, topology);
    made.at(NEAR_CAPABILITY_LOCKING) = probes::locking(ports);
    made.at(NEAR_CAPABILITY_HUGE_PAGES_2M) = probes::huge_pages(ports.files, topology, 2048);
    made.at(NEAR_CAPABILITY_HUGE_PAGES_1G) = probes::huge_pages(ports.files, topology, 1048576);
    made.at(NEAR_CAPABILITY_TRANSPARENT_HUGE) = probes::transparent_huge(ports.files);
    made.at(NEAR_CAPABILITY_PREFERRED_MANY) = probes::preferred_many(ports, topology);
    made.at(NEAR_CAPABILITY_WEIGHTED_INTERLEAVE) = probes::weighted_interleave(ports, topology);
    made.at(NEAR_CAPABILITY_BALANCING_OFF) = probes::balancing_off(ports.files);
    made.at(NEAR_CAPABILITY_ALL_CPUS) = probes::all_cpus(topology);
    made.at(NEAR_CAPABILITY_ALL_MEMORY) = probes::all_memory(topology);
    made.at(NEAR_CAPABILITY_NO_QUOTA) = probes::no_quota(ports.files);
    made.at(NEAR_CAPABILITY_NO_SECCOMP) = probes::no_seccomp(ports.files);
    made.sum_up();
    return made;
}

std::vector<int32_t> Capabilities::missing() const {
    std::vector<int32_t> list;
    for (const int32_t which : needed_for_strict) {
        if (!get(which).available) {
            list.push_back(which);
        }
    }
    return list;
}

void Capabilities::sum_up() {
    const std::vector<int32_t> list = missing();
    if (list.empty()) {
        at(NEAR_CAPABILITY_STRICT) = Capability::yes("nothing is missing for strict mode");
        return;
    }
    std::string text = "missing for strict mode: ";
    for (const int32_t which : list) {
        text += std::string(which == list.front() ? "" : ", ") + capability_name(which);
    }
    at(NEAR_CAPABILITY_STRICT) = Capability::no(get(list.front()).reason, text + " (" + get(list.front()).text + ")");
}

} // namespace nearpool
