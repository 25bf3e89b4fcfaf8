// SPDX-License-Identifier: Apache-2.0
#include "topology/kernel_view.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace nearpool {
namespace {

NumberSet allowed_of(const MachineFacts &facts) {
    return facts.allowed_cpus.value_or(facts.cpus).intersect(facts.cpus);
}

NumberSet unlisted_of(const MachineFacts &facts) {
    std::vector<uint32_t> listed;
    for (const Node &node : facts.nodes) {
        listed.insert(listed.end(), node.cpus.begin(), node.cpus.end());
    }
    return allowed_of(facts).subtract(NumberSet(std::move(listed)));
}

struct Tour {
    const Ports &ports;
    KernelView &view;
};

void *go_round(void *argument) {
    const Tour &tour = *static_cast<Tour *>(argument);
    for (const uint32_t wanted : tour.view.unlisted) { // some ten microseconds each
        uint32_t cpu = 0;
        uint32_t node = 0;
        const bool asked = tour.ports.affinity.set({wanted}) == 0 && tour.ports.affinity.current(&cpu, &node) == 0;
        if (asked && cpu == wanted) { // there are sandboxes that take an affinity and do nothing with it
            tour.view.visits.push_back({wanted, node});
        }
    }
    return nullptr;
}

} // namespace

KernelView ask_kernel(const Ports &ports, const MachineFacts &facts) {
    KernelView view;
    view.unlisted = unlisted_of(facts);
    uint32_t cpu = 0;
    uint32_t node = 0;
    if (ports.affinity.current(&cpu, &node) != 0) {
        return view;
    }
    Tour tour{ports, view};
    pthread_t thread{};
    if (!view.unlisted.empty() && ports.threads.start(&thread, go_round, &tour) == 0) {
        ports.threads.join(thread);
    }
    std::vector<uint32_t> nodes = {node};
    for (const Visit &visit : view.visits) {
        nodes.push_back(visit.node);
    }
    view.nodes = NumberSet(std::move(nodes));
    return view;
}

void serve_the_allowed(const KernelView &kernel, MachineFacts &facts) {
    if (kernel.unlisted.empty()) {
        return;
    }
    if (facts.nodes.size() > 1 && facts.nodes_list_cpus && kernel.unlisted == allowed_of(facts)) {
        if ((facts.basis & NEAR_BASIS_AFFINITY) != 0) { // then the other CPUs were known from these nodes alone
            facts.cpus = kernel.unlisted;
        }
        facts.nodes.clear();
        facts.distances.clear();
        return;
    }
    std::map<uint32_t, std::vector<uint32_t>> found; // by node
    for (const Visit &visit : kernel.visits) {
        found[visit.node].push_back(visit.cpu);
    }
    for (auto &[number, cpus] : found) {
        if (Node *const node = facts.node(number); node != nullptr) {
            node->cpus = node->cpus.unite(NumberSet(std::move(cpus)));
            facts.basis |= NEAR_BASIS_GETCPU;
        }
    }
    if (facts.nodes.size() == 1) {
        facts.nodes[0].cpus = facts.nodes[0].cpus.unite(kernel.unlisted);
    }
}

void look_for_doubt(const KernelView &kernel, MachineFacts &facts) {
    const NumberSet shown = facts.node_numbers();
    const std::string shows =
        facts.synthetic_node ? std::string("/sys shows no nodes") : "/sys shows nodes " + shown.text();
    const bool all_visited = kernel.visits.size() == kernel.unlisted.size() && !kernel.nodes.empty();
    if (facts.allowed_nodes && !shown.contains_all(*facts.allowed_nodes)) {
        facts.doubt = format("%s, and the kernel lets this process have memory of nodes %s (Mems_allowed)",
                             shows.c_str(), facts.allowed_nodes->text().c_str());
    } else if (!shown.contains_all(kernel.nodes)) {
        facts.doubt = format("%s, and getcpu() says nodes %s", shows.c_str(), kernel.nodes.text().c_str());
    } else if (facts.synthetic_node && (!all_visited || !facts.allowed_nodes)) {
        facts.doubt = format("%s, and %s cannot be asked whether there are more than one", shows.c_str(),
                             all_visited ? "Mems_allowed" : "getcpu()");
    } else if (!kernel.unlisted.empty() && !all_visited) {
        facts.doubt = format("%s, none lists CPUs %s, which this process may use, and getcpu() cannot be asked of each",
                             shows.c_str(), kernel.unlisted.text().c_str());
    }
    // What is longer could not be copied to a caller's near_topology_info, nor read back from XML.
    facts.doubt.resize(std::min(facts.doubt.size(), sizeof near_topology_info::doubt - 1));
    if (facts.synthetic_node && facts.doubt.empty()) {
        facts.basis |= NEAR_BASIS_MEMS_ALLOWED | NEAR_BASIS_GETCPU;
    }
}

} // namespace nearpool
