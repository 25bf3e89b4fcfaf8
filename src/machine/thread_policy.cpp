// SPDX-License-Identifier: Apache-2.0
#include "machine/thread_policy.hpp"

#include "base/text.hpp"
#include "sys/constants.hpp"

#include <cerrno>
#include <system_error>

namespace nearpool {
namespace {

constexpr int mode_mask = 0xff; // the flags of a mode are above (set_mempolicy(2))

const char *mode_name(int mode) {
    switch (mode) {
    case sys::policy_preferred:
        return "preferred";
    case sys::policy_bind:
        return "bind";
    case sys::policy_interleave:
        return "interleave";
    case sys::policy_preferred_many:
        return "preferred-many";
    case sys::policy_weighted_interleave:
        return "weighted interleave";
    default:
        return "another than the usual one";
    }
}

} // namespace

// Kernels before 5.14 call the local policy preferred, without a node.
std::optional<std::string> inherited_policy(PolicyPort &policy) {
    int mode = sys::policy_default;
    NumberSet nodes;
    if (policy.get_thread(&mode, &nodes) < 0) {
        return std::nullopt;
    }
    mode &= mode_mask;
    const bool local = mode == sys::policy_local || (mode == sys::policy_preferred && nodes.empty());
    if (mode == sys::policy_default || local) {
        return "";
    }
    return format("%s on nodes %s", mode_name(mode), nodes.text().c_str());
}

// What nobody may ask nobody may change, as a rule (a container's seccomp filter): then nothing is claimed of it.
Enforcement drop_policy(PolicyPort &policy, const std::optional<std::string> &inherited) {
    if (inherited && inherited->empty()) {
        return Enforcement::strict();
    }
    const int error = -policy.set_thread(sys::policy_default, NumberSet());
    if (error == 0 || !inherited) {
        return Enforcement::strict();
    }
    return Enforcement::best_effort(error == EPERM || error == ENOSYS ? NEAR_REASON_FORBIDDEN : NEAR_REASON_SYSTEM,
                                    format("the memory policy %s was inherited, and set_mempolicy() failed: %s",
                                           inherited->c_str(), std::system_category().message(error).c_str()));
}

} // namespace nearpool
