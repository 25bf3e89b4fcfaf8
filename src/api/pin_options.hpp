// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/boundary.hpp"
#include "machine/scoped_pin.hpp"

#include <nearpool/affinity.h>

namespace nearpool::api {

// What all pins have in common: checks options and pin, makes one with make(strict), hands it out.
template <class Make> Done pin_with(const near_pin_options *options, near_pin **pin, Make &&make) {
    const Result<near_pin_options> read = read_struct(options, "near_pin_options");
    if (!read) {
        return read.error();
    }
    if (read.value().strict > 1) {
        return fail(NEAR_E_INVALID, "strict is %u; it must be 0 or 1", read.value().strict);
    }
    if (Done ok = check_pointer(pin, "pin"); !ok) {
        return ok;
    }
    Result<std::unique_ptr<Pin>> made = make(read.value().strict == 1);
    if (!made) {
        return made.error();
    }
    *pin = reinterpret_cast<near_pin *>(made.value().release());
    return {};
}

} // namespace nearpool::api
