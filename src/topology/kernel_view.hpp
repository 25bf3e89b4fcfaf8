// SPDX-License-Identifier: Apache-2.0
// What the kernel says of CPUs and nodes by other ways than /sys, which may be hidden or another machine's.
#pragma once

#include "sys/ports.hpp"
#include "topology/facts.hpp"

#include <vector>

namespace nearpool {

struct Visit {
    uint32_t cpu = 0;
    uint32_t node = 0; // as getcpu() names it there
};

struct KernelView {
    NumberSet unlisted;        // CPUs that this process may use and no node of /sys lists
    std::vector<Visit> visits; // of these; fewer where they cannot be visited
    NumberSet
        nodes; // that getcpu() names: for the CPU of the caller, and for the unlisted ones. Empty: it cannot be asked
};

// A thread of ours visits the CPUs that no node lists, if there are any.
KernelView ask_kernel(const Ports &ports, const MachineFacts &facts);

// Several nodes that have CPUs, and none that this process may use, are those of another's /sys: none is left of them.
// Else CPUs that no node lists go to the node that getcpu() names; where there is but one, to that.
void serve_the_allowed(const KernelView &kernel, MachineFacts &facts);

// Whether what the kernel says fits what /sys shows: MachineFacts::doubt.
void look_for_doubt(const KernelView &kernel, MachineFacts &facts);

} // namespace nearpool
