// SPDX-License-Identifier: Apache-2.0
#include "fuzz/play.hpp"

#include <algorithm>
#include <iterator>

namespace nearpool::fuzz {

// One that is held, the default stream, or one that nobody knows.
uint64_t Play::choose_lease(Bytes &input) const {
    const uint8_t choice = input.byte();
    if (choice >= 240 || leases_.empty()) {
        return choice % 2 == 0 ? STREAM_POOL_DEFAULT : UINT64_C(0x123456789abcdef) * choice;
    }
    return leases_[choice % leases_.size()];
}

void Play::ask_devices(Bytes &input) {
    device_pool *devices = world_.devices();
    const auto ordinal = static_cast<int32_t>(input.below(3));
    int32_t best = -1;
    void *context = nullptr;
    switch (input.below(4)) {
    case 0:
        check_status(device_pool_best(devices, static_cast<int32_t>(input.below(5)), input.below(3), &best, nullptr));
        break;
    case 1:
        check_status(device_pool_context(devices, ordinal, &context, nullptr));
        break;
    case 2:
        if (device_pool_push(devices, ordinal, nullptr) == NEAR_OK) {
            check_status(device_pool_pop(nullptr));
        }
        break;
    default:
        check_status(device_pool_next(devices, &best));
    }
}

void Play::acquire(Bytes & /*input*/) {
    uint64_t id = 0;
    const near_status status = stream_pool_acquire(world_.streams(), &id);
    check_status(status);
    if (status == NEAR_OK) {
        require(std::find(leases_.begin(), leases_.end(), id) == leases_.end(), "an exclusive stream has one holder");
        leases_.push_back(id);
    }
}

void Play::release(Bytes &input) {
    const uint64_t id = choose_lease(input);
    const near_status status = stream_pool_release(world_.streams(), id);
    check_status(status);
    const auto place = std::find(leases_.begin(), leases_.end(), id);
    require(place != leases_.end() || status != NEAR_OK, "what is not held is not released");
    if (status == NEAR_OK) {
        leases_.erase(place);
    }
}

void Play::use_stream(Bytes &input) {
    const uint64_t id = choose_lease(input);
    void *stream = nullptr;
    uint32_t done = 0;
    switch (input.below(4)) {
    case 0:
        check_status(stream_pool_resolve(world_.streams(), id, &stream));
        break;
    case 1:
        check_status(stream_pool_query(world_.streams(), id, &done, nullptr));
        break;
    case 2:
        check_status(stream_pool_synchronize(world_.streams(), id, input.flag() ? NEAR_FOREVER : 0, nullptr));
        break;
    default:
        check_status(stream_pool_wait_on(world_.streams(), id, world_.streams(), choose_lease(input), nullptr));
    }
}

void Play::then(Bytes &input) {
    Group *group = choose_group(input);
    Task &task = tasks_.make(group != nullptr ? *group->tally : loose_, input.flag());
    const near_task what = Tasks::as_task(task);
    const near_status status = stream_pool_then_task(world_.streams(), choose_lease(input), world_.pool(), &what,
                                                     group != nullptr ? group->handle : nullptr, nullptr);
    check_status(status);
    Tasks::accept(task, status);
}

void Play::reserve(Bytes &input) {
    const uint64_t id = choose_lease(input);
    const uint64_t bytes = input.number64();
    const near_status status = stream_pool_reserve(world_.streams(), id, bytes);
    check_status(status);
    if (status == NEAR_OK) {
        require(stream_pool_unreserve(world_.streams(), id, bytes) == NEAR_OK, "what was reserved is given back");
    }
}

// One of the driver's next calls fails.
void Play::fail_driver(Bytes &input) {
    constexpr int errors[] = {1, 2, 3, 4, 100, 201, 304, 600, 700, 719, 801, 999};
    driver_failed_ = true;
    world_.streams(); // else the world cannot be made
    world_.pool();
    driver_fails("*", 1 + input.below(8), errors[input.below(std::size(errors))]);
}

} // namespace nearpool::fuzz
