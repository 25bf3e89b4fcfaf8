// SPDX-License-Identifier: Apache-2.0
#include "fuzz/play.hpp"

#include <iterator>

namespace nearpool::fuzz {

void Play::step(Bytes &input) {
    static constexpr void (Play::*calls[])(Bytes &) = {
        &Play::submit,        &Play::submit_tasks, &Play::make_group,   &Play::group_submit,   &Play::group_wait,
        &Play::group_cancel,  &Play::drop_group,   &Play::parallel_for, &Play::wait_idle,      &Play::make_region,
        &Play::change_region, &Play::drop_region,  &Play::make_pinned,  &Play::request_pinned, &Play::end_request,
        &Play::use_pinned,    &Play::drop_pinned,  &Play::trim_pinned,  &Play::ask_devices,    &Play::acquire,
        &Play::release,       &Play::use_stream,   &Play::then,         &Play::reserve,        &Play::fail_driver,
        &Play::shut_down,
    };
    (this->*calls[input.below(std::size(calls))])(input);
}

void Play::finish() {
    driver_fails("*", 0, 0);
    for (near_pinned_request *request : requests_) {
        near_pinned_request_destroy(request);
    }
    for (near_pinned *pinned : pinned_) {
        near_pinned_free(pinned);
    }
    for (near_region *region : regions_) {
        near_region_destroy(region);
    }
    for (Group &group : groups_) {
        settle(group);
        numa_pool_group_destroy(group.handle);
    }
    const near_status idle = numa_pool_wait_idle(world_.pool(), NEAR_FOREVER, nullptr);
    require(idle == NEAR_OK || idle == NEAR_E_TASK, "a pool becomes idle");
    check_status(numa_pool_shutdown(world_.pool(), NEAR_FOREVER, nullptr, nullptr));
    if (driver_failed_) {
        world_.forgive();
    }
    tasks_.check(unseen_);
}

} // namespace nearpool::fuzz
