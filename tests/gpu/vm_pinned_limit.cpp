// SPDX-License-Identifier: Apache-2.0
// Page-locked memory in a control group that lets the process have less than is asked for: what is idle goes first,
// then it is an error. In the machine four-nodes of tests/vm.
#include "contract/vm_support.hpp"
#include "gpu/vm_pinned.hpp"

#include <sys/mman.h>

using namespace nearpool_gpu;
using namespace nearpool_test;

namespace {

ALONE_TEST(VmPinnedLimit, WhatIsIdleMakesRoomBelowTheLimitOfTheGroup) {
    NEEDS_MACHINE("four-nodes");
    const OwnDriver own(vm_gpus());
    const Devices devices;
    const Pool workers(1);
    ControlGroup group;
    ASSERT_TRUE(group.set("memory.max", "110M") && group.enter());
    for (const int32_t way : all_ways) {
        {
            const Pinned first(workers, devices, 60 * mib, pinned_options(only(way)));
            ASSERT_NE(first.data(), nullptr) << near_pinned_method_name(way);
        }
        const Pinned second(workers, devices, 80 * mib, pinned_options(only(way)));
        ASSERT_NE(second.data(), nullptr) << near_pinned_method_name(way);
        std::memset(second.data(), 1, second.bytes());
        for (const uint32_t strict : {0U, 1U}) {
            near_pinned_options options = pinned_options(only(way));
            options.strict = strict;
            near_pinned *never = nullptr;
            Error error;
            EXPECT_EQ(numa_pool_alloc_pinned(workers, devices, 0, 60 * mib, &options, &never, &error), NEAR_E_NOMEM)
                << near_pinned_method_name(way) << ": " << error.message;
            EXPECT_TRUE(error.says("/memory.max")) << error.message;
        }
    }
}

// Registering faults in what is not in yet.
ALONE_TEST(VmPinnedLimit, WhatIsAdoptedAndNotInYetCountsToo) {
    NEEDS_MACHINE("four-nodes");
    const OwnDriver own(vm_gpus());
    const Devices devices;
    const Pool workers(1);
    ControlGroup group;
    ASSERT_TRUE(group.set("memory.max", "110M") && group.enter());
    constexpr std::size_t bytes = 160 * mib;
    void *data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(data, MAP_FAILED);
    Pinned pinned;
    Error error;
    EXPECT_EQ(numa_pool_adopt_pinned(workers, devices, 0, data, bytes, nullptr, pinned.out(), &error), NEAR_E_NOMEM);
    EXPECT_TRUE(error.says("/memory.max")) << error.message;
    EXPECT_EQ(numa_pool_adopt_pinned(workers, devices, 0, data, 60 * mib, nullptr, pinned.out(), &error), NEAR_OK)
        << error.message;
}

} // namespace
