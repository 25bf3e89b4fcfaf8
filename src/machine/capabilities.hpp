// SPDX-License-Identifier: Apache-2.0
// What this system can and cannot enforce, probed and not guessed (public header capabilities.h).
#pragma once

#include "base/error.hpp"
#include "base/status.hpp"
#include "sys/ports.hpp"
#include "topology/topology.hpp"

#include <nearpool/capabilities.h>

#include <array>
#include <string>
#include <vector>

namespace nearpool {

struct Capability {
    bool available = false;
    int32_t reason = NEAR_REASON_NONE;
    uint64_t value = 0;
    std::string text;

    static Capability yes(std::string text, uint64_t value = 0) {
        return {true, NEAR_REASON_NONE, value, std::move(text)};
    }
    static Capability no(int32_t reason, std::string text, uint64_t value = 0) {
        return {false, reason, value, std::move(text)};
    }
};

class Capabilities {
public:
    static Capabilities probe(const Ports &ports, const Topology &topology);

    const Capability &get(int32_t which) const { return answers_[static_cast<std::size_t>(which)]; }

    // What strict mode needs and is not there: NEAR_CAPABILITY_* in ascending order.
    std::vector<int32_t> missing() const;

private:
    Capability &at(int32_t which) { return answers_[static_cast<std::size_t>(which)]; }
    void sum_up();

    std::array<Capability, NEAR_CAPABILITY_COUNT> answers_;
};

// "unknown" for a value that is none.
const char *capability_name(int32_t which);

} // namespace nearpool
