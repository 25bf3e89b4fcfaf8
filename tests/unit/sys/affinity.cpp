// SPDX-License-Identifier: Apache-2.0
#include "sys/ports.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <thread>

using namespace nearpool;

namespace {

NumberSet own_cpus() {
    NumberSet cpus;
    EXPECT_EQ(real_ports().affinity.get(&cpus), 0);
    return cpus;
}

TEST(AffinityPort, PinsTheCallingThreadAndNoOther) {
    const NumberSet before = own_cpus();
    ASSERT_FALSE(before.empty());
    std::thread([&] {
        ASSERT_EQ(real_ports().affinity.set({before.back()}), 0);
        EXPECT_EQ(own_cpus(), NumberSet({before.back()}));
        uint32_t cpu = UINT32_MAX;
        uint32_t node = UINT32_MAX;
        ASSERT_EQ(real_ports().affinity.current(&cpu, &node), 0);
        EXPECT_EQ(cpu, before.back());
        EXPECT_LT(node, 1024U);
    }).join();
    EXPECT_EQ(own_cpus(), before);
}

TEST(AffinityPort, RefusesNoCpuAndCpusThatAreAbsent) {
    const NumberSet before = own_cpus();
    EXPECT_EQ(real_ports().affinity.set({}), -EINVAL);
    EXPECT_EQ(real_ports().affinity.set({100000}), -EINVAL);
    EXPECT_EQ(own_cpus(), before);
}

TEST(AffinityPort, AnAbsentCpuAmongPresentOnesIsLeftOut) {
    std::thread([] {
        const NumberSet before = own_cpus();
        ASSERT_EQ(real_ports().affinity.set(before.unite({5000})), 0);
        EXPECT_EQ(own_cpus(), before);
    }).join();
}

} // namespace
