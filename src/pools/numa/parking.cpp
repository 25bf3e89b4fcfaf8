// SPDX-License-Identifier: Apache-2.0
#include "pools/numa/parking.hpp"

#include <climits>

namespace nearpool::numa {

bool Parking::wake_one() {
    uint64_t state = load();
    while ((state & sleeper_mask) != 0) {
        if ((state & wake_in_flight) != 0) {
            return true;
        }
        if (state_.compare_exchange_weak(state, state | wake_in_flight, std::memory_order_seq_cst)) {
            epoch_.fetch_add(1, std::memory_order_seq_cst);
            futex_.wake(&epoch_, 1);
            return true;
        }
    }
    return false;
}

void Parking::wake_all() {
    epoch_.fetch_add(1, std::memory_order_seq_cst);
    if ((load() & sleeper_mask) != 0) {
        futex_.wake(&epoch_, INT_MAX);
    }
}

} // namespace nearpool::numa
