// SPDX-License-Identifier: Apache-2.0
// What must hold of every machine that the library accepts, whatever it was read from.
#pragma once

#include "fakes/fake_files.hpp"
#include "topology/topology.hpp"

namespace nearpool::fuzz {

// Asks everything that a topology answers; `files` are those it was read from.
void examine(const Topology &topology, fakes::FakeFiles &files);

// The real world with these files in place of its own.
inline Ports ports_with(FilePort &files) {
    const Ports &real = real_ports();
    return {real.memory, real.policy, real.affinity, real.futex, files, real.threads, real.libraries};
}

} // namespace nearpool::fuzz
