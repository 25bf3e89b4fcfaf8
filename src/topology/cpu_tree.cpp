// SPDX-License-Identifier: Apache-2.0
#include "topology/cpu_tree.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace nearpool {
namespace {

using ObjectPointer = std::unique_ptr<TreeObject>;

ObjectPointer make_object(const char *type, uint32_t index, const NumberSet &cpus) {
    auto object = std::make_unique<TreeObject>();
    object->type = type;
    object->index = index;
    object->cpus = cpus;
    return object;
}

// The CPUs of each index: of packages, caches or cores.
template <class Index> std::vector<NumberSet> groups_of(const Topology &topology, std::size_t count, Index index) {
    std::vector<std::vector<uint32_t>> groups(count);
    for (const Cpu &cpu : topology.cpus()) {
        if (index(cpu) < count) {
            groups[index(cpu)].push_back(cpu.number);
        }
    }
    std::vector<NumberSet> sets;
    sets.reserve(count);
    for (std::vector<uint32_t> &group : groups) {
        sets.emplace_back(std::move(group));
    }
    return sets;
}

void add_groups(const char *type, const std::vector<NumberSet> &groups, std::vector<ObjectPointer> &objects) {
    for (uint32_t i = 0; i < groups.size(); i++) {
        objects.push_back(make_object(type, i, groups[i]));
    }
}

std::vector<ObjectPointer> objects_of(const Topology &topology) {
    static constexpr std::array<const char *, 4> cache_types = {"", "L1Cache", "L2Cache", "L3Cache"};
    std::vector<ObjectPointer> objects;
    for (const Node &node : topology.nodes()) {
        if (!node.cpus.empty()) {
            objects.push_back(make_object("Group", node.number, node.cpus));
        }
    }
    const TopologyCounts &counts = topology.counts();
    add_groups("Package", groups_of(topology, counts.packages, [](const Cpu &cpu) { return cpu.package; }), objects);
    add_groups("Core", groups_of(topology, counts.cores, [](const Cpu &cpu) { return cpu.core; }), objects);
    const std::vector<NumberSet> caches = groups_of(topology, counts.caches, [](const Cpu &cpu) { return cpu.cache; });
    for (uint32_t i = 0; i < caches.size(); i++) {
        const CacheFacts &facts = topology.caches()[i];
        if (facts.level != 0 && facts.level < cache_types.size()) {
            objects.push_back(make_object(cache_types.at(facts.level), i, caches[i]));
            objects.back()->cache = facts;
        }
    }
    for (const Cpu &cpu : topology.cpus()) {
        objects.push_back(make_object("PU", cpu.number, NumberSet{cpu.number}));
    }
    return objects;
}

// Which of two objects with the same CPUs is the outer one: as hwloc orders them.
std::ptrdiff_t rank(const TreeObject &object) {
    static constexpr std::array<const char *, 7> order = {"Package", "Group", "L3Cache", "L2Cache",
                                                          "L1Cache", "Core",  "PU"};
    return std::find(order.begin(), order.end(), object.type) - order.begin();
}

// Takes objects from the largest to the smallest.
class Tree {
public:
    explicit Tree(const NumberSet &cpus) : root_(make_object("Machine", 0, cpus)) {
        for (const uint32_t cpu : cpus) {
            deepest_[cpu] = root_.get();
        }
    }

    // The smallest object so far that has all of these CPUs; nullptr when some object has only a part of them.
    TreeObject *around(const NumberSet &cpus) const {
        TreeObject *found = nullptr;
        for (const uint32_t cpu : cpus) {
            const auto place = deepest_.find(cpu);
            if (place == deepest_.end() || (found != nullptr && place->second != found)) {
                return nullptr;
            }
            found = place->second;
        }
        return found;
    }

    void insert(ObjectPointer object) {
        TreeObject *parent = around(object->cpus);
        const bool redundant = parent != nullptr && object->type == "Group" && parent->cpus == object->cpus;
        if (parent == nullptr || redundant) {
            return;
        }
        for (const uint32_t cpu : object->cpus) {
            deepest_[cpu] = object.get();
        }
        parent->children.push_back(std::move(object));
    }

    // hwloc wants children in the order of their first CPU.
    ObjectPointer finish() {
        sort(*root_);
        return std::move(root_);
    }

private:
    static void sort(TreeObject &object) {
        std::sort(object.children.begin(), object.children.end(),
                  [](const ObjectPointer &a, const ObjectPointer &b) { return a->cpus[0] < b->cpus[0]; });
        for (const ObjectPointer &child : object.children) {
            sort(*child);
        }
    }

    ObjectPointer root_;
    std::unordered_map<uint32_t, TreeObject *> deepest_; // by CPU
};

// The outermost object with exactly these CPUs.
TreeObject *find(TreeObject &object, const NumberSet &cpus) {
    if (object.cpus == cpus) {
        return &object;
    }
    for (const ObjectPointer &child : object.children) {
        if (child->cpus.contains_all(cpus)) {
            return find(*child, cpus);
        }
    }
    return nullptr;
}

// A node hangs at its own CPUs; a memory-only node at those of the nodes that may serve it.
NumberSet home_of(const Topology &topology, const Node &node) {
    if (!node.cpus.empty()) {
        return node.cpus;
    }
    std::vector<uint32_t> cpus;
    for (const uint32_t serving : node.served_by) {
        const NumberSet &own = topology.node(serving)->cpus;
        cpus.insert(cpus.end(), own.begin(), own.end());
    }
    return NumberSet(std::move(cpus));
}

} // namespace

std::unique_ptr<TreeObject> cpu_tree(const Topology &topology) {
    std::vector<ObjectPointer> objects = objects_of(topology);
    std::stable_sort(objects.begin(), objects.end(), [](const ObjectPointer &a, const ObjectPointer &b) {
        return a->cpus.size() != b->cpus.size() ? a->cpus.size() > b->cpus.size() : rank(*a) < rank(*b);
    });
    Tree tree(topology.cpu_numbers());
    for (ObjectPointer &object : objects) {
        tree.insert(std::move(object));
    }
    std::unique_ptr<TreeObject> root = tree.finish();
    for (const Node &node : topology.nodes()) {
        const NumberSet cpus = home_of(topology, node);
        TreeObject *home = cpus.empty() ? nullptr : find(*root, cpus);
        (home != nullptr ? home : root.get())->memory.push_back(&node);
    }
    return root;
}

} // namespace nearpool
