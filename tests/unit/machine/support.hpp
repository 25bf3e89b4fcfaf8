// SPDX-License-Identifier: Apache-2.0
// A machine that is not there, seen as the machine that runs the test: four nodes, numbers with holes, one without
// CPUs, one without memory.
#pragma once

#include "topology/topology.hpp"

#include "fakes/machines/sysfs_tree.hpp"
#include "fakes/ports.hpp"

#include <gtest/gtest.h>

namespace nearpool::testing {

class MadeUpMachine {
public:
    explicit MadeUpMachine(fakes::SysfsTree tree = tree_of_four())
        : machine({{0, {0, 1}}, {2, {}}, {5, {1030, 1031}}, {8, {4, 5}, 0}}), failing(machine.ports()) {
        tree.fill(machine.files());
        machine.files().set("/proc/self/cgroup", "0::/\n");
        machine.files().set("/proc/self/mountinfo", "");
        machine.files().set("/proc/sys/kernel/numa_balancing", "0\n");
        machine.files().set("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
        machine.files().set("/sys/kernel/mm/transparent_hugepage/defrag", "always defer [madvise] never\n");
    }

    static fakes::SysfsTree tree_of_four() {
        return fakes::SysfsTree({{0, {0, 1}, 1U << 20, {10, 30, 21, 21}, 0},
                                 {2, {}, 1U << 20, {30, 10, 17, 30}, 4},
                                 {5, {1030, 1031}, 1U << 20, {21, 17, 10, 21}, 3},
                                 {8, {4, 5}, 0, {21, 30, 21, 10}, 0}});
    }

    // The same with its nodes hidden, of which the kernel tells.
    static fakes::SysfsTree with_hidden_nodes() {
        fakes::SysfsTree tree = tree_of_four();
        tree.allow("0-1,4-5,1030-1031", "0,2,5");
        tree.remove_folder("/sys/devices/system/node");
        return tree;
    }

    const Ports &ports() const { return failing.ports(); }

    // As it is now; call again after a change of what is allowed.
    const Topology &topology() {
        Result<Ref<const Topology>> found = Topology::discover(machine.ports());
        EXPECT_TRUE(found) << found.error().message;
        topology_ = found.take();
        return *topology_;
    }

    void allow(const NumberSet &cpus) { machine.nodes().allow_cpus(cpus); }

    fakes::FakeMachine machine;
    fakes::FailingPorts failing;

private:
    Ref<const Topology> topology_;
};

} // namespace nearpool::testing
