// SPDX-License-Identifier: Apache-2.0
// Memory that runs out. The test programs replace operator new, also for the library in them or beside them.
#pragma once

#include <nearpool/status.h>

#include <gtest/gtest.h>

#include <cstdint>

namespace nearpool_test {

// So many more allocations of the calling thread succeed, and then none; UINT64_MAX: all. What the limit was.
uint64_t limit_allocations(uint64_t count);

// Calls with memory for no allocation, then for one, until there is enough. The number of times that there was not.
template <class Call> uint64_t call_until_memory_suffices(Call &&call) {
    for (uint64_t enough = 0; enough < 10000; enough++) {
        limit_allocations(enough);
        const near_status status = call();
        limit_allocations(UINT64_MAX);
        if (status == NEAR_OK) {
            return enough;
        }
        EXPECT_EQ(status, NEAR_E_NOMEM) << near_status_name(status) << " with memory for " << enough;
    }
    ADD_FAILURE() << "there is never enough memory";
    return 0;
}

} // namespace nearpool_test
