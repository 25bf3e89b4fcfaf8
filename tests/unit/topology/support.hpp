// SPDX-License-Identifier: Apache-2.0
// What the tests of this folder share.
#pragma once

#include "topology/topology.hpp"

#include "fakes/machines/sysfs_tree.hpp"
#include "fakes/ports.hpp"

#include <gtest/gtest.h>

namespace nearpool::testing {

// The topology, or a failed test and a machine of one CPU.
inline Ref<const Topology> taken(Result<Ref<const Topology>> result) {
    if (!result) {
        ADD_FAILURE() << result.error().message;
        return Topology::from_synthetic("numa:1 pu:1").take();
    }
    return result.take();
}

inline Ref<const Topology> synthetic(const std::string &description) {
    return taken(Topology::from_synthetic(description));
}

// Not to be asked for PCI devices: its files are gone.
inline Ref<const Topology> sysfs(const fakes::SysfsTree &tree) {
    fakes::FakeFiles files;
    tree.fill(files);
    const Ports &real = real_ports();
    return taken(Topology::from_sysfs(
        {real.memory, real.policy, real.affinity, real.futex, files, real.threads, real.libraries}, ""));
}

inline Ref<const Topology> xml(const std::string &text) {
    const fakes::TemporaryFolder folder;
    return taken(Topology::from_xml(real_ports(), folder.write("machine.xml", text)));
}

inline NumberSet cpus_of(const Topology &topology, uint32_t node) {
    const Node *found = topology.node(node);
    return found == nullptr ? NumberSet() : found->cpus;
}

} // namespace nearpool::testing
