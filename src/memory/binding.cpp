// SPDX-License-Identifier: Apache-2.0
#include "memory/binding.hpp"

#include "sys/constants.hpp"

#include <cerrno>

namespace nearpool {
namespace {

int bind(const Ports &ports, const Mapping &mapping, int mode, const NumberSet &nodes) {
    return ports.policy.bind(mapping.data(), mapping.bytes(), mode, nodes, 0);
}

int bind_part(const Ports &ports, const Mapping &mapping, const Part &part, int mode, uint32_t node) {
    return ports.policy.bind(mapping.data() + part.begin, part.end - part.begin, mode, NumberSet{node}, 0);
}

NumberSet set_of(const std::vector<uint32_t> &nodes) {
    return NumberSet(nodes);
}

int prefer(const Ports &ports, const Mapping &mapping, const Target &target) {
    if (target.usable.empty()) { // the caller's node is not known
        return bind(ports, mapping, sys::policy_local, NumberSet());
    }
    return bind(ports, mapping, sys::policy_preferred, NumberSet{target.usable.front()});
}

// Where the kernel has no preferred-many (before 5.15), each node is preferred for an equal part.
int prefer_in_parts(const Ports &ports, const Mapping &mapping, const Target &target) {
    Target split = target;
    split.policy = NEAR_POLICY_SPLIT;
    split.listed = split.usable;
    for (const Part &part : parts_of(split, mapping)) {
        if (const int error = bind_part(ports, mapping, part, sys::policy_preferred, part.usable); error < 0) {
            return error;
        }
    }
    return 0;
}

int prefer_many(const Ports &ports, const Mapping &mapping, const Target &target) {
    return target.usable.size() == 1 ? prefer(ports, mapping, target)
                                     : bind(ports, mapping, sys::policy_preferred_many, set_of(target.usable));
}

int bind_parts(const Ports &ports, const Mapping &mapping, const std::vector<Part> &parts, int mode) {
    for (const Part &part : parts) {
        if (const int error = bind_part(ports, mapping, part, mode, part.usable); error < 0) {
            return error;
        }
    }
    return 0;
}

// The kernel answers EINVAL to a mode that it does not know.
int replace_policy(const Ports &ports, const Mapping &mapping, Arrangement *arrangement) {
    Target &target = arrangement->target;
    arrangement->policy_unknown = true;
    if (target.policy == NEAR_POLICY_PREFERRED_MANY) {
        target.policy = NEAR_POLICY_PREFERRED;
        return prefer(ports, mapping, target);
    }
    target.policy = NEAR_POLICY_INTERLEAVE;
    target.weighted = false;
    target.weights.assign(target.usable.size(), 1);
    return bind(ports, mapping, sys::policy_interleave, set_of(target.usable));
}

int try_gently(const Ports &ports, const Mapping &mapping, const Arrangement &arrangement) {
    const Target &target = arrangement.target;
    switch (target.policy) {
    case NEAR_POLICY_BIND:
    case NEAR_POLICY_PREFERRED_MANY:
        return prefer_many(ports, mapping, target);
    case NEAR_POLICY_INTERLEAVE:
        return bind(ports, mapping, sys::policy_interleave, set_of(target.usable));
    case NEAR_POLICY_WEIGHTED_INTERLEAVE:
        return bind(ports, mapping, sys::policy_weighted_interleave, set_of(target.usable));
    case NEAR_POLICY_SPLIT:
        return bind_parts(ports, mapping, arrangement.parts, sys::policy_preferred);
    default:
        return prefer(ports, mapping, target);
    }
}

} // namespace

Arrangement arrange(const Ports &ports, const Topology &topology, const Mapping &mapping, int32_t policy,
                    const std::vector<uint32_t> &nodes) {
    Arrangement arrangement;
    arrangement.target = resolve_target(ports, topology, policy, nodes);
    arrangement.parts = parts_of(arrangement.target, mapping);
    return arrangement;
}

bool takes_policy(const Topology &topology, const Mapping &mapping) {
    return topology.this_machine() && mapping.takes_policy();
}

void bind_gently(const Ports &ports, const Mapping &mapping, Arrangement *arrangement) {
    const int32_t policy = arrangement->target.policy;
    int error = try_gently(ports, mapping, *arrangement);
    if (error == -EINVAL && policy == NEAR_POLICY_BIND && arrangement->target.usable.size() > 1) {
        error = prefer_in_parts(ports, mapping, arrangement->target);
    } else if (error == -EINVAL &&
               (policy == NEAR_POLICY_PREFERRED_MANY || policy == NEAR_POLICY_WEIGHTED_INTERLEAVE)) {
        error = replace_policy(ports, mapping, arrangement);
    }
    arrangement->bind_error = -error;
    arrangement->firm = arrangement->firm && error != 0;
}

void bind_firmly(const Ports &ports, const Mapping &mapping, Arrangement *arrangement) {
    const Target &target = arrangement->target;
    const int error = target.policy == NEAR_POLICY_BIND
                          ? bind(ports, mapping, sys::policy_bind, set_of(target.usable))
                          : bind_parts(ports, mapping, arrangement->parts, sys::policy_bind);
    arrangement->bind_error = -error;
    arrangement->firm = true;
    if (error != 0) { // some parts may be firm
        bind_gently(ports, mapping, arrangement);
        arrangement->bind_error = -error;
    }
}

bool has_firm_form(const Target &target, bool strict) {
    return target.policy == NEAR_POLICY_BIND || (target.policy == NEAR_POLICY_SPLIT && strict);
}

} // namespace nearpool
