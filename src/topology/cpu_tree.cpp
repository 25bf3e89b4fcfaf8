// SPDX-License-Identifier: Apache-2.0
#include "topology/cpu_tree.hpp"

#include <algorithm>
#include <array>
#include <limits>
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

// The first CPU of each core, cache and package makes it.
std::vector<ObjectPointer> objects_of(const SysfsMachine &machine) {
    static constexpr std::array<const char *, 4> caches = {"", "L1Cache", "L2Cache", "L3Cache"};
    std::vector<ObjectPointer> objects;
    uint32_t packages = 0;
    uint32_t cores = 0;
    for (const SysfsNode &node : machine.nodes) {
        if (!node.cpus.empty()) {
            objects.push_back(make_object("Group", node.number, node.cpus));
        }
    }
    for (const SysfsCpu &cpu : machine.details) {
        if (!cpu.package.empty() && cpu.package[0] == cpu.number) {
            objects.push_back(make_object("Package", packages++, cpu.package));
        }
        if (!cpu.cache.empty() && cpu.cache[0] == cpu.number) {
            objects.push_back(make_object(caches.at(cpu.cache_level), cpu.number, cpu.cache));
            objects.back()->cache_level = cpu.cache_level;
            objects.back()->cache_bytes = cpu.cache_bytes;
        }
        if (!cpu.core.empty() && cpu.core[0] == cpu.number) {
            objects.push_back(make_object("Core", cores++, cpu.core));
        }
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
    explicit Tree(const SysfsMachine &machine) : root_(make_object("Machine", 0, machine.cpus)) {
        for (const uint32_t cpu : machine.cpus) {
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

} // namespace

std::unique_ptr<TreeObject> cpu_tree(const SysfsMachine &machine) {
    std::vector<ObjectPointer> objects = objects_of(machine);
    std::stable_sort(objects.begin(), objects.end(), [](const ObjectPointer &a, const ObjectPointer &b) {
        return a->cpus.size() != b->cpus.size() ? a->cpus.size() > b->cpus.size() : rank(*a) < rank(*b);
    });
    Tree tree(machine);
    for (ObjectPointer &object : objects) {
        tree.insert(std::move(object));
    }
    std::unique_ptr<TreeObject> root = tree.finish();
    for (const SysfsNode &node : machine.nodes) {
        const NumberSet cpus = near_cpus(machine, node);
        TreeObject *home = cpus.empty() ? nullptr : find(*root, cpus);
        (home != nullptr ? home : root.get())->memory.push_back(&node);
    }
    return root;
}

NumberSet near_cpus(const SysfsMachine &machine, const SysfsNode &node) {
    constexpr uint32_t far = std::numeric_limits<uint32_t>::max();
    NumberSet cpus = node.cpus;
    uint32_t least = far;
    for (std::size_t i = 0; i < machine.nodes.size() && node.cpus.empty(); i++) {
        const SysfsNode &other = machine.nodes[i];
        const bool initiator = std::any_of(node.initiators.begin(), node.initiators.end(),
                                           [&](const SysfsInitiator &facts) { return facts.node == other.number; });
        const uint32_t said = i < node.distances.size() ? node.distances[i] : far;
        const uint32_t distance = initiator ? 0 : said;
        if (other.cpus.empty() || distance > least || distance == far) {
            continue;
        }
        cpus = distance < least ? other.cpus : cpus.unite(other.cpus);
        least = distance;
    }
    return cpus;
}

} // namespace nearpool
