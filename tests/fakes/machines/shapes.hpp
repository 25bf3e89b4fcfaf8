// SPDX-License-Identifier: Apache-2.0
// Machines of many shapes, for what must hold on every one: numbers with and without holes, memory-only nodes before,
// after and between the others, nodes without memory, offline CPUs, threads, packages, kinds of memory by every source,
// and distances that are there, in part, or not at all.
#pragma once

#include "fakes/machines/grace.hpp"
#include "fakes/machines/sysfs_tree.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace nearpool::fakes {

struct Shape {
    std::string name;
    SysfsTree tree;
};

// Made from a number: the same number, the same machine.
class ShapeMaker {
public:
    explicit ShapeMaker(uint32_t seed) : random_(seed), seed_(seed) {}

    Shape make() {
        number_nodes();
        give_cpus();
        give_memory();
        give_distances();
        SysfsTree tree(nodes_);
        take_cpus_offline(tree);
        group_cpus(tree);
        name_kinds(tree);
        name_initiators(tree);
        return {"shape " + std::to_string(seed_), std::move(tree)};
    }

private:
    uint32_t pick(uint32_t count) { return static_cast<uint32_t>(random_() % count); }
    bool one_in(uint32_t count) { return pick(count) == 0; }

    void number_nodes() {
        static constexpr uint32_t counts[] = {1, 2, 3, 4, 6, 8, 9, 16, 34, 72};
        const uint32_t count = counts[seed_ % 10];
        const uint32_t gap = std::vector<uint32_t>{1, 3, 40}[pick(3)];
        for (uint32_t i = 0, number = one_in(2) ? 0 : pick(9); i < count;
             i++, number += 1 + (gap > 1 ? pick(gap) : 0)) {
            SysfsNodeFacts node;
            node.number = number;
            nodes_.push_back(node);
        }
    }

    // Memory-only nodes: none, the first, the last, every other, or all but one.
    bool is_memory_only(std::size_t place) const {
        switch (seed_ % 5) {
        case 1:
            return place == 0;
        case 2:
            return place + 1 == nodes_.size();
        case 3:
            return place % 2 == 0;
        case 4:
            return place != nodes_.size() / 2;
        default:
            return false;
        }
    }

    void give_cpus() {
        const uint32_t each = 1 + pick(4);
        uint32_t next = pick(3);
        for (std::size_t i = 0; i < nodes_.size(); i++) {
            for (uint32_t cpu = 0; cpu < each && (!is_memory_only(i) || nodes_.size() == 1); cpu++) {
                nodes_[i].cpus.push_back(next++);
            }
        }
    }

    void give_memory() {
        const bool some_without = nodes_.size() > 1 && one_in(2);
        for (SysfsNodeFacts &node : nodes_) {
            const bool without = some_without && !node.cpus.empty() && &node != nodes_.data() && one_in(3);
            node.memory_kib = without ? 0 : 1024 * (1 + pick(64));
            node.huge_2m = without ? 0 : pick(3);
        }
    }

    void give_distances() {
        const uint32_t way =
            pick(4); // none, of some nodes, a long row for all possible nodes is a matter of the reader
        for (std::size_t i = 0; i < nodes_.size() && way != 0; i++) {
            if (way == 1 && one_in(2)) {
                continue;
            }
            for (std::size_t other = 0; other < nodes_.size(); other++) {
                nodes_[i].distances.push_back(i == other ? 10 : 11 + 3 * pick(8));
            }
        }
    }

    void take_cpus_offline(SysfsTree &tree) {
        std::vector<uint32_t> online;
        for (const SysfsNodeFacts &node : nodes_) {
            for (const uint32_t cpu : node.cpus) {
                if (online.empty() || seed_ % 3 != 0 || !one_in(4)) { // one stays
                    online.push_back(cpu);
                }
            }
        }
        tree.set("/sys/devices/system/cpu/online", SysfsTree::list(online) + "\n");
    }

    // Threads in pairs, packages of several nodes, caches of a node's CPUs or of more than a package.
    void group_cpus(SysfsTree &tree) {
        std::vector<uint32_t> all;
        for (const SysfsNodeFacts &node : nodes_) {
            all.insert(all.end(), node.cpus.begin(), node.cpus.end());
        }
        const bool threads = one_in(2);
        const std::size_t of_package = one_in(2) ? 0 : 1 + pick(7); // 0: each node is one
        const uint32_t cache_way = pick(4);
        for (const SysfsNodeFacts &node : nodes_) {
            for (std::size_t i = 0; i < node.cpus.size(); i++) {
                const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(node.cpus[i]);
                if (threads) {
                    const std::size_t first = i / 2 * 2;
                    const std::vector<uint32_t> core(
                        node.cpus.begin() + static_cast<std::ptrdiff_t>(first),
                        node.cpus.begin() + static_cast<std::ptrdiff_t>(std::min(first + 2, node.cpus.size())));
                    tree.set(folder + "/topology/core_cpus_list", SysfsTree::list(core) + "\n");
                }
                if (of_package != 0) {
                    tree.set(folder + "/topology/package_cpus_list",
                             SysfsTree::list(slice(all, node.cpus[i], of_package)) + "\n");
                }
                if (cache_way != 0) {
                    tree.set(folder + "/cache/index3/level", cache_way == 3 ? "2\n" : "3\n");
                    tree.set(folder + "/cache/index3/size", "4096K\n");
                    tree.set(folder + "/cache/index3/shared_cpu_list",
                             SysfsTree::list(cache_way == 1 ? node.cpus : slice(all, node.cpus[i], 4)) + "\n");
                }
            }
        }
    }

    // The CPUs of the slice of `size` in which this one is.
    static std::vector<uint32_t> slice(const std::vector<uint32_t> &all, uint32_t cpu, std::size_t size) {
        const auto place = static_cast<std::size_t>(std::find(all.begin(), all.end(), cpu) - all.begin());
        const std::size_t first = place / size * size;
        return {all.begin() + static_cast<std::ptrdiff_t>(first),
                all.begin() + static_cast<std::ptrdiff_t>(std::min(first + size, all.size()))};
    }

    void name_kinds(SysfsTree &tree) {
        for (const SysfsNodeFacts &node : nodes_) {
            const std::string number = std::to_string(node.number);
            const std::string dax = "/sys/bus/dax/devices/dax" + number + ".0";
            switch (node.cpus.empty() ? pick(7) : 6) {
            case 0:
                tree.set("/proc/driver/nvidia/gpus/0000:" + number + ":00.0/numa_status", "Node: " + number + "\n");
                break;
            case 1:
                tree.link(dax, "../../../devices/LNXSYSTM:00/ndbus0/region0/dax" + number + ".0");
                tree.set(dax + "/target_node", number + "\n");
                break;
            case 2:
                tree.link(dax, "../../../devices/platform/root0/region0/dax_region0/dax" + number + ".0");
                tree.set(dax + "/target_node", number + "\n");
                break;
            case 3:
                tree.set("/sys/devices/virtual/memory_tiering/memory_tier" + std::to_string(one_in(2) ? 2 : 22) +
                             "/nodelist",
                         number + "\n");
                break;
            case 4:
                tree.set("/sys/devices/system/node/node" + number + "/access1/initiators/read_bandwidth",
                         std::to_string(one_in(2) ? 800000 : 10000) + "\n");
                break;
            default:
                break;
            }
        }
    }

    // With the figures of the nodes with CPUs, so that those of the others can be guessed from.
    void name_initiators(SysfsTree &tree) {
        std::vector<uint32_t> with_cpus;
        for (const SysfsNodeFacts &node : nodes_) {
            if (!node.cpus.empty()) {
                with_cpus.push_back(node.number);
            }
        }
        for (const SysfsNodeFacts &node : nodes_) {
            const std::string folder =
                "/sys/devices/system/node/node" + std::to_string(node.number) + "/access1/initiators";
            const uint32_t from =
                node.cpus.empty() ? with_cpus[pick(static_cast<uint32_t>(with_cpus.size()))] : node.number;
            if (seed_ % 2 == 0) {
                tree.link(folder + "/node" + std::to_string(from), "../../../node" + std::to_string(from));
                tree.set(folder + "/read_latency", std::to_string(80 + pick(200)) + "\n");
                if (!node.cpus.empty()) {
                    tree.set(folder + "/read_bandwidth", "100000\n");
                    tree.set(folder + "/write_bandwidth", "60000\n");
                }
            }
        }
    }

    std::mt19937 random_;
    uint32_t seed_;
    std::vector<SysfsNodeFacts> nodes_;
};

inline std::vector<Shape> all_shapes() {
    std::vector<Shape> shapes;
    for (uint32_t seed = 0; seed < 60; seed++) {
        shapes.push_back(ShapeMaker(seed).make());
    }
    shapes.push_back({"one GPU of nine nodes", gh200()});
    shapes.push_back({"four GPUs of 34 nodes", gb200()});
    return shapes;
}

} // namespace nearpool::fakes
