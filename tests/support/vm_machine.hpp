// SPDX-License-Identifier: Apache-2.0
// For tests that run inside the machines of tests/vm alone, or outside of them alone.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <sched.h>
#include <string>

// In a virtual machine, where all is slow, what is made up proves nothing more than on its host.
#define SKIP_IN_A_VM()                                                                                                 \
    if (!nearpool_test::machine().empty()) {                                                                           \
        GTEST_SKIP() << "[host] runs on the host of the virtual machine";                                              \
    }                                                                                                                  \
    static_cast<void>(0)

#define NEEDS_A_MACHINE()                                                                                              \
    if (nearpool_test::machine().empty()) {                                                                            \
        GTEST_SKIP() << "[vm] runs in a machine of tests/vm";                                                          \
    }                                                                                                                  \
    static_cast<void>(0)

#define NEEDS_MACHINE(name)                                                                                            \
    NEEDS_A_MACHINE();                                                                                                 \
    if (nearpool_test::machine() != (name)) {                                                                          \
        GTEST_SKIP() << "[machine] runs in " << (name);                                                                \
    }                                                                                                                  \
    static_cast<void>(0)

namespace nearpool_test {

inline std::string machine() {
    const char *name = std::getenv("NEARPOOL_VM_MACHINE");
    return name != nullptr ? name : "";
}

struct Place {
    unsigned cpu = UINT32_MAX;
    unsigned node = UINT32_MAX;
};

inline Place here() { // the kernel's word, not the pool's
    Place place;
    EXPECT_EQ(::getcpu(&place.cpu, &place.node), 0);
    return place;
}

} // namespace nearpool_test
