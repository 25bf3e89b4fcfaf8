// SPDX-License-Identifier: Apache-2.0
#include "base/status.hpp"
#include "api/boundary.hpp"
#include "base/log.hpp"

#include <nearpool/level.h>
#include <nearpool/log.h>
#include <nearpool/version.h>

extern "C" {

uint32_t near_version(void) {
    return NEAR_VERSION_MAJOR * 1000000U + NEAR_VERSION_MINOR * 1000U + NEAR_VERSION_PATCH;
}

const char *near_status_name(near_status status) {
    return nearpool::status_name(status);
}

const char *near_status_text(near_status status) {
    return nearpool::status_text(status);
}

const char *near_level_name(int32_t level) {
    return nearpool::level_name(level);
}

const char *near_reason_name(int32_t reason) {
    return nearpool::reason_name(reason);
}

const char *near_log_level_name(int32_t level) {
    return nearpool::log_level_name(level);
}

near_status near_log_set_callback(near_log_fn callback, void *user_data, int32_t level) {
    using namespace nearpool;
    return api::guarded([&] { return api::as_done(set_log_callback(callback, user_data, level)); });
}
}
