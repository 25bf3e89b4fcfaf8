// SPDX-License-Identifier: Apache-2.0
#include "topology/builder.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace nearpool {
namespace {

constexpr uint32_t none = UINT32_MAX;

void sort_by_first(std::vector<NumberSet> &groups) {
    groups.erase(std::remove_if(groups.begin(), groups.end(), [](const NumberSet &group) { return group.empty(); }),
                 groups.end());
    std::sort(groups.begin(), groups.end(), [](const NumberSet &a, const NumberSet &b) { return a[0] < b[0]; });
}

bool is_page_size(uint64_t bytes) {
    return bytes >= 4096 && bytes <= (uint64_t{1} << 30U) && (bytes & (bytes - 1)) == 0;
}

// A group around a core: how many CPUs, and the first of them.
struct Enclosing {
    std::size_t size = 0;
    uint32_t first = 0;
};

} // namespace

TopologyBuilder::TopologyBuilder(MachineFacts facts, std::unique_ptr<TopologySource> source)
    : facts_(std::move(facts)), made_(new Topology), owner_(Ref<const Topology>::adopt(made_)) {
    made_->source_ = std::move(source);
}

Ref<const Topology> TopologyBuilder::build(MachineFacts facts, std::unique_ptr<TopologySource> source) {
    TopologyBuilder builder(std::move(facts), std::move(source));
    Topology &made = *builder.made_;
    made.this_machine_ = builder.facts_.this_machine;
    made.synthetic_node_ = builder.facts_.synthetic_node;
    made.basis_ = builder.facts_.basis;
    made.doubt_ = builder.facts_.doubt;
    made.page_bytes_ = is_page_size(builder.facts_.page_bytes) ? builder.facts_.page_bytes : 4096;
    made.nodes_ = std::move(builder.facts_.nodes);
    made.distances_ = std::move(builder.facts_.distances);
    for (Node &node : made.nodes_) { // a huge page is larger than a base page
        std::vector<near_huge_pool> &pools = node.huge_pools;
        pools.erase(std::remove_if(pools.begin(), pools.end(),
                                   [&](const near_huge_pool &pool) { return pool.page_bytes <= made.page_bytes_; }),
                    pools.end());
    }
    builder.make_cpus();
    builder.number_packages();
    builder.number_caches();
    builder.number_cores();
    builder.mark_core_kinds();
    builder.mark_allowed();
    builder.complete_nodes();
    builder.choose_default_memory();
    builder.find_nearest();
    return builder.owner_;
}

Cpu *TopologyBuilder::cpu(uint32_t number) {
    return const_cast<Cpu *>(made_->cpu(number)); // made_ is ours until it is built
}

template <class Set> void TopologyBuilder::set_of(const NumberSet &group, Set set) {
    for (const uint32_t number : group) {
        if (Cpu *const one = cpu(number); one != nullptr) {
            set(*one);
        }
    }
}

void TopologyBuilder::make_cpus() {
    for (const uint32_t number : facts_.cpus) {
        Cpu one;
        one.number = number;
        one.core = none;
        one.package = NEAR_NODE_UNKNOWN;
        one.cache = none;
        made_->cpus_.push_back(one);
    }
    std::vector<uint32_t> numbers;
    for (Node &node : made_->nodes_) {
        numbers.push_back(node.number);
        node.cpus = node.cpus.intersect(facts_.cpus);
        set_of(node.cpus, [&](Cpu &one) { one.node = node.number; });
    }
    made_->node_numbers_ = NumberSet(std::move(numbers));
    made_->cpu_numbers_ = facts_.cpus;
}

// By their first CPU.
void TopologyBuilder::number_packages() {
    sort_by_first(facts_.packages);
    for (uint32_t i = 0; i < facts_.packages.size(); i++) {
        set_of(facts_.packages[i], [&](Cpu &one) { one.package = i; });
    }
    made_->counts_.packages = static_cast<uint32_t>(facts_.packages.size());
}

// Package by package, by their first CPU. CPUs without a cache share their package, else the machine.
void TopologyBuilder::number_caches() {
    std::map<uint32_t, std::vector<uint32_t>> rest; // by package
    std::vector<bool> covered(made_->cpus_.size());
    for (const CacheGroup &group : facts_.caches) {
        set_of(group.cpus, [&](Cpu &one) { covered[static_cast<std::size_t>(&one - made_->cpus_.data())] = true; });
    }
    for (std::size_t i = 0; i < covered.size(); i++) {
        if (!covered[i]) {
            rest[made_->cpus_[i].package].push_back(made_->cpus_[i].number);
        }
    }
    for (auto &[package, cpus] : rest) {
        facts_.caches.push_back({NumberSet(std::move(cpus)), {}});
    }
    const auto order = [&](const CacheGroup &group) {
        return std::make_pair(cpu(group.cpus[0])->package, group.cpus[0]);
    };
    std::sort(facts_.caches.begin(), facts_.caches.end(),
              [&](const CacheGroup &a, const CacheGroup &b) { return order(a) < order(b); });
    for (const CacheGroup &group : facts_.caches) {
        set_of(group.cpus, [&](Cpu &one) { one.cache = static_cast<uint32_t>(made_->caches_.size()); });
        made_->caches_.push_back(group.facts);
    }
    made_->counts_.caches = static_cast<uint32_t>(made_->caches_.size());
}

// As a walk through the tree of packages, nodes and caches meets them, the larger of node and cache first.
void TopologyBuilder::number_cores() {
    std::vector<NumberSet> cores = std::move(facts_.cores);
    std::vector<bool> seen(made_->cpus_.size());
    for (const NumberSet &core : cores) {
        set_of(core, [&](Cpu &one) { seen[static_cast<std::size_t>(&one - made_->cpus_.data())] = true; });
    }
    for (std::size_t i = 0; i < seen.size(); i++) {
        if (!seen[i]) {
            cores.push_back(NumberSet{made_->cpus_[i].number});
        }
    }
    sort_by_first(cores);
    const auto order = [&](const NumberSet &core) {
        const Cpu &one = *cpu(core[0]);
        const CacheGroup &cache = facts_.caches[one.cache];
        const Node *node = made_->node(one.node);
        Enclosing outer{cache.cpus.size(), cache.cpus[0]};
        Enclosing inner = node == nullptr ? outer : Enclosing{node->cpus.size(), node->cpus[0]};
        if (inner.size > outer.size) {
            std::swap(inner, outer);
        }
        return std::make_tuple(one.package, outer.first, inner.first, core[0]);
    };
    std::sort(cores.begin(), cores.end(), [&](const NumberSet &a, const NumberSet &b) { return order(a) < order(b); });
    for (uint32_t i = 0; i < cores.size(); i++) {
        uint32_t thread = 0;
        set_of(cores[i], [&](Cpu &one) {
            one.core = i;
            one.smt = thread++;
        });
    }
    made_->counts_.cores = static_cast<uint32_t>(cores.size());
}

void TopologyBuilder::mark_core_kinds() {
    set_of(facts_.performance_cpus, [](Cpu &one) { one.core_kind = NEAR_CORE_PERFORMANCE; });
    set_of(facts_.efficient_cpus, [](Cpu &one) { one.core_kind = NEAR_CORE_EFFICIENT; });
}

void TopologyBuilder::mark_allowed() {
    made_->allowed_cpus_ = facts_.allowed_cpus.value_or(facts_.cpus).intersect(facts_.cpus);
    set_of(made_->allowed_cpus_, [](Cpu &one) { one.allowed = true; });
    const NumberSet nodes = facts_.allowed_nodes.value_or(made_->node_numbers_);
    const bool sizes_known = std::any_of(made_->nodes_.begin(), made_->nodes_.end(),
                                         [](const Node &node) { return node.memory_bytes != 0; });
    std::vector<uint32_t> allowed;
    for (Node &node : made_->nodes_) {
        node.allowed_cpus = node.cpus.intersect(made_->allowed_cpus_);
        node.has_memory = node.memory_bytes != 0 || !sizes_known;
        // Of one node that stands for all, whatever number the kernel has for it.
        node.memory_allowed = node.has_memory && (made_->synthetic_node_ || nodes.contains(node.number));
        if (node.memory_allowed) {
            allowed.push_back(node.number);
        }
    }
    made_->allowed_nodes_ = NumberSet(std::move(allowed));
}

// That of all these CPUs, where it is one.
uint32_t TopologyBuilder::package_of(const NumberSet &cpus) {
    const uint32_t package = cpus.empty() ? NEAR_NODE_UNKNOWN : cpu(cpus[0])->package;
    const bool in_one =
        std::all_of(cpus.begin(), cpus.end(), [&](uint32_t number) { return cpu(number)->package == package; });
    return in_one ? package : NEAR_NODE_UNKNOWN;
}

// A node with CPUs of its own has DRAM unless somebody says otherwise.
void TopologyBuilder::complete_nodes() {
    NumberSet with_cpus;
    for (const Node &node : made_->nodes_) {
        if (!node.cpus.empty()) {
            with_cpus.add(node.number);
        }
    }
    for (Node &node : made_->nodes_) {
        const bool own = !node.cpus.empty();
        if (node.memory.source == NEAR_KIND_SOURCE_NONE && own) {
            node.memory = {NEAR_MEMORY_DRAM, NEAR_KIND_SOURCE_CPUS};
        }
        node.initiators = node.initiators.intersect(with_cpus);
        node.near_cpus = node.near_cpus.intersect(made_->cpu_numbers_);
        std::vector<uint32_t> near;
        set_of(own ? node.cpus : node.near_cpus, [&](const Cpu &one) { near.push_back(one.node); });
        node.near_nodes = NumberSet(std::move(near)).intersect(with_cpus); // a CPU may be in none
        if (!own && node.near_nodes == with_cpus) {
            node.near_nodes = {};
        }
        node.package = package_of(own ? node.cpus : node.near_cpus);
        node.tree_package = made_->counts_.packages > 1 ? node.package : NEAR_NODE_UNKNOWN;
    }
}

void TopologyBuilder::choose_default_memory() {
    const auto take = [&](std::initializer_list<int32_t> kinds) {
        for (Node &node : made_->nodes_) {
            const bool fits = std::find(kinds.begin(), kinds.end(), node.memory.kind) != kinds.end();
            if (node.memory_allowed && fits) {
                node.memory_by_default = true;
                made_->default_memory_nodes_.push_back(node.number);
            }
        }
        return !made_->default_memory_nodes_.empty();
    };
    if (!take({NEAR_MEMORY_DRAM, NEAR_MEMORY_UNKNOWN}) && !take({NEAR_MEMORY_HBM}) && !take({NEAR_MEMORY_CXL}) &&
        !take({NEAR_MEMORY_NVM})) {
        take({NEAR_MEMORY_GPU});
    }
}

// Of a node without CPUs also the package: that of all nodes that serve it equally well.
void TopologyBuilder::find_nearest() {
    for (std::size_t i = 0; i < made_->nodes_.size(); i++) {
        Node &node = made_->nodes_[i];
        node.nearest_with_cpus = node.number;
        if (!node.cpus.empty()) {
            continue;
        }
        node.served_by = made_->serving_candidates(i);
        node.nearest_with_cpus = node.served_by.empty() ? NEAR_NODE_UNKNOWN : node.served_by.front();
        node.package = node.served_by.empty() ? NEAR_NODE_UNKNOWN : made_->node(node.served_by.front())->package;
        for (const uint32_t other : node.served_by) {
            node.package = made_->node(other)->package == node.package ? node.package : NEAR_NODE_UNKNOWN;
        }
    }
}

} // namespace nearpool
