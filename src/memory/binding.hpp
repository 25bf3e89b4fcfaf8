// SPDX-License-Identifier: Apache-2.0
// Telling the kernel where the pages of a range are to go.
#pragma once

#include "memory/site.hpp"
#include "memory/target.hpp"

namespace nearpool {

// What was asked of the kernel for a region, and what it answered.
struct Arrangement {
    Target target;
    std::vector<Part> parts;
    int bind_error = 0;          // errno: the kernel refused
    bool policy_unknown = false; // the kernel does not have the policy that was asked for; target.policy replaces it
    bool firm = false;           // pages can be nowhere else, as far as is known: a full node kills
    bool strict = false;         // it was asked for in strict mode
};

Arrangement arrange(const Ports &ports, const Topology &topology, const Mapping &mapping, int32_t policy,
                    const std::vector<uint32_t> &nodes);

// Whether mbind() has a say: the topology is of this machine and the backing takes policies.
bool takes_policy(const Topology &topology, const Mapping &mapping);

// Sets the policy in the form under which a node without room sends pages elsewhere. Faulting in under MPOL_BIND kills
// the process there, so that form comes only once the pages are in. Where it is refused, what was firm is firm still.
void bind_gently(const Ports &ports, const Mapping &mapping, Arrangement *arrangement);

// Sets it in the form under which pages can be nowhere else, for bind, and for split.
void bind_firmly(const Ports &ports, const Mapping &mapping, Arrangement *arrangement);

// Whether bind_firmly() does anything.
bool has_firm_form(const Target &target, bool strict);

} // namespace nearpool
