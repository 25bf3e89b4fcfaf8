// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nearpool/level.h>
#include <nearpool/status.h>

#include <string>

namespace nearpool {

const char *status_name(near_status status);
bool is_status(near_status status); // one of ours
const char *status_text(near_status status);
const char *level_name(int32_t level);
const char *reason_name(int32_t reason);

// How far something was enforced, and why not further.
struct Enforcement {
    int32_t level = NEAR_LEVEL_NONE;
    int32_t reason = NEAR_REASON_NONE;
    std::string text;

    static Enforcement strict() { return {NEAR_LEVEL_STRICT, NEAR_REASON_NONE, {}}; }
    static Enforcement best_effort(int32_t reason, std::string text) {
        return {NEAR_LEVEL_BEST_EFFORT, reason, std::move(text)};
    }
    static Enforcement none(int32_t reason, std::string text) { return {NEAR_LEVEL_NONE, reason, std::move(text)}; }
};

} // namespace nearpool
