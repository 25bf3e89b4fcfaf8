// SPDX-License-Identifier: Apache-2.0
// Machines with NVIDIA's Grace processor, whose kernel shows the memory of each GPU as eight nodes, of which all but
// the first are empty until the GPU is partitioned. After listings that users published: one CPU and one GPU (nine
// nodes), and two CPUs and four GPUs (34 nodes).
#pragma once

#include "fakes/machines/sysfs_tree.hpp"

#include <string>
#include <vector>

namespace nearpool::fakes {

inline std::string grace_gpu_folder(uint32_t gpu) {
    return "/sys/bus/pci/devices/000" + std::to_string(gpu) + ":01:00.0";
}

inline void add_grace_gpu(SysfsTree &tree, uint32_t gpu) {
    tree.set(grace_gpu_folder(gpu) + "/class", "0x030200\n");
    tree.set(grace_gpu_folder(gpu) + "/vendor", "0x10de\n");
}

// Each processor has 72 CPUs; two processors are 40 apart, a GPU is 80 from its own, and 120 from the other.
inline SysfsTree grace(uint32_t processors, uint32_t gpus_of_each) {
    constexpr uint32_t cpus_of_each = 72;
    constexpr uint32_t nodes_of_gpu = 8;
    const uint32_t gpus = processors * gpus_of_each;
    const uint32_t count = processors + gpus * nodes_of_gpu;
    const auto processor_of = [&](uint32_t node) {
        return node < processors ? node : (node - processors) / nodes_of_gpu / gpus_of_each;
    };
    std::vector<SysfsNodeFacts> nodes;
    for (uint32_t number = 0; number < count; number++) {
        SysfsNodeFacts node;
        node.number = number;
        const bool first_of_gpu = number >= processors && (number - processors) % nodes_of_gpu == 0;
        node.memory_kib = number < processors ? 480ULL << 20U : first_of_gpu ? 95ULL << 20U : 0;
        for (uint32_t cpu = 0; number < processors && cpu < cpus_of_each; cpu++) {
            node.cpus.push_back(number * cpus_of_each + cpu);
        }
        for (uint32_t other = 0; other < count; other++) {
            const bool same = processor_of(number) == processor_of(other);
            const bool both_cpus = number < processors && other < processors;
            node.distances.push_back(number == other ? 10 : both_cpus ? 40 : same ? 80 : 120);
        }
        nodes.push_back(std::move(node));
    }
    SysfsTree tree(nodes);
    for (uint32_t gpu = 0; gpu < gpus; gpu++) {
        add_grace_gpu(tree, gpu);
    }
    return tree;
}

// No file says of what kind node 1 is.
inline SysfsTree gh200() {
    return grace(1, 1);
}

// The driver names the first node of each GPU.
inline SysfsTree gb200() {
    SysfsTree tree = grace(2, 2);
    for (uint32_t gpu = 0; gpu < 4; gpu++) {
        tree.set("/proc/driver/nvidia/gpus/000" + std::to_string(gpu) + ":01:00.0/numa_status",
                 "Node:           " + std::to_string(2 + 8 * gpu) + "\nStatus:         online\n");
    }
    return tree;
}

} // namespace nearpool::fakes
