// SPDX-License-Identifier: Apache-2.0
// affinity.h: each promise and each error of each function. Refusals by the kernel are in seccomp.cpp and in the unit
// tests of machine.
#include "contract/numa_pool_support.hpp"
#include "support/seccomp.hpp"

#include <cerrno>
#include <cstddef>
#include <sched.h>
#include <sys/syscall.h>
#include <thread>

using nearpool_test::Error;
using nearpool_test::Topology;

namespace {

using List = std::vector<uint32_t>;

List affinity() {
    size_t needed = 0;
    EXPECT_EQ(near_affinity_get(nullptr, 0, &needed, nullptr), NEAR_OK);
    List cpus(needed);
    EXPECT_EQ(near_affinity_get(cpus.data(), cpus.size(), &needed, nullptr), NEAR_OK);
    return cpus;
}

near_pin_report report_of(const near_pin *pin) {
    near_pin_report report{};
    report.struct_size = sizeof report;
    EXPECT_EQ(near_pin_get_report(pin, &report), NEAR_OK);
    return report;
}

near_pin_options strict_options() {
    return near_pin_options{sizeof(near_pin_options), 1};
}

TEST(PinCpus, PinsReportsAndPutsBack) {
    const List before = affinity();
    const near_pin_options strict = strict_options();
    for (const uint32_t cpu : before) {
        near_pin *pin = nullptr;
        Error error;
        ASSERT_EQ(near_pin_cpus(nullptr, &cpu, 1, &strict, &pin, &error), NEAR_OK) << error.message;
        EXPECT_EQ(affinity(), List{cpu});
        EXPECT_EQ(sched_getcpu(), static_cast<int>(cpu));
        const near_pin_report report = report_of(pin);
        EXPECT_EQ(report.level, NEAR_LEVEL_STRICT);
        EXPECT_EQ(report.reason_code, NEAR_REASON_NONE);
        EXPECT_EQ(report.node, NEAR_NODE_UNKNOWN);
        EXPECT_EQ(report.cpu_count, 1U);
        EXPECT_STREQ(report.reason, "");
        EXPECT_EQ(near_pin_release(pin, &error), NEAR_OK);
        EXPECT_EQ(affinity(), before);
    }
}

TEST(PinCpus, ChecksItsArgumentsInOrder) {
    Error error;
    near_pin *pin = nullptr;
    const uint32_t cpu = affinity().front();
    const uint32_t absent = 999999;
    near_pin_options options{4, 0};
    EXPECT_EQ(near_pin_cpus(nullptr, &cpu, 0, nullptr, &pin, &error), NEAR_E_EMPTY_SET);
    EXPECT_EQ(near_pin_cpus(nullptr, nullptr, 0, nullptr, &pin, &error), NEAR_E_EMPTY_SET);
    EXPECT_EQ(near_pin_cpus(nullptr, nullptr, 1, &options, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_pin_cpus(nullptr, &cpu, SIZE_MAX, &options, nullptr, &error), NEAR_E_INVALID)
        << "no array is so long";
    EXPECT_EQ(near_pin_cpus(nullptr, &cpu, 1, &options, nullptr, &error), NEAR_E_VERSION);
    EXPECT_EQ(near_pin_cpus(nullptr, &absent, 1, nullptr, nullptr, &error), NEAR_E_INVALID);
    EXPECT_STREQ(error.message, "near_pin_cpus: pin is NULL");
    options = {sizeof options, 2};
    EXPECT_EQ(near_pin_cpus(nullptr, &cpu, 1, &options, &pin, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_pin_cpus(nullptr, &absent, 1, nullptr, &pin, &error), NEAR_E_NO_CPU);
    EXPECT_TRUE(error.says("near_pin_cpus: CPU 999999 is not in this topology")) << error.message;
    EXPECT_EQ(pin, nullptr);
}

TEST(PinNode, PinsToTheNodesCpus) {
    const List before = affinity();
    const near_pin_options strict = strict_options();
    for (size_t i = 0; i < near_topology_node_count(nullptr); i++) {
        const uint32_t node = near_topology_node_at(nullptr, i);
        near_node_info info{};
        info.struct_size = sizeof info;
        ASSERT_EQ(near_topology_node_info(nullptr, node, &info), NEAR_OK);
        near_pin *pin = nullptr;
        Error error;
        const near_status status = near_pin_node(nullptr, node, &strict, &pin, &error);
        if (info.allowed_cpus == 0) {
            EXPECT_EQ(status, info.cpu_count == 0 ? NEAR_E_NO_CPU : NEAR_E_NOT_ALLOWED);
            continue;
        }
        ASSERT_EQ(status, NEAR_OK) << error.message;
        uint32_t here = 99;
        EXPECT_EQ(near_topology_current_node(nullptr, &here), NEAR_OK);
        EXPECT_EQ(here, node);
        EXPECT_EQ(report_of(pin).node, node);
        EXPECT_EQ(report_of(pin).cpu_count, info.allowed_cpus);
        EXPECT_EQ(near_pin_release(pin, &error), NEAR_OK);
        EXPECT_EQ(affinity(), before);
    }
}

TEST(PinNode, ChecksItsArgumentsInOrder) {
    Error error;
    near_pin *pin = nullptr;
    const near_pin_options options{1, 0};
    EXPECT_EQ(near_pin_node(nullptr, 999, &options, nullptr, &error), NEAR_E_VERSION);
    EXPECT_EQ(near_pin_node(nullptr, 999, nullptr, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_pin_node(nullptr, 999, nullptr, &pin, &error), NEAR_E_NO_NODE);
    EXPECT_TRUE(error.says("near_pin_node: node 999 is not in this topology (nodes ")) << error.message;
    EXPECT_EQ(near_pin_node(nullptr, NEAR_NODE_UNKNOWN, nullptr, &pin, &error), NEAR_E_NO_NODE);
    EXPECT_EQ(near_pin_nearest(nullptr, 999, &options, nullptr, &error), NEAR_E_VERSION);
    EXPECT_EQ(near_pin_nearest(nullptr, 999, nullptr, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_pin_nearest(nullptr, 999, nullptr, &pin, &error), NEAR_E_NO_NODE);
    const Topology mixed("pack:2 [numa(memory=1GB)] [numa(memory=1GB)] pu:2");
    EXPECT_EQ(near_pin_node(mixed, 1, nullptr, &pin, &error), NEAR_E_NO_CPU);
    EXPECT_TRUE(error.says("near_pin_nearest")) << error.message;
    EXPECT_EQ(pin, nullptr);
}

TEST(PinNearest, WorksForEveryNode) {
    const List before = affinity();
    const near_pin_options strict = strict_options();
    for (size_t i = 0; i < near_topology_node_count(nullptr); i++) {
        near_pin *pin = nullptr;
        Error error;
        ASSERT_EQ(near_pin_nearest(nullptr, near_topology_node_at(nullptr, i), &strict, &pin, &error), NEAR_OK)
            << error.message;
        uint32_t here = 99;
        EXPECT_EQ(near_topology_current_node(nullptr, &here), NEAR_OK);
        EXPECT_EQ(report_of(pin).node, here);
        EXPECT_EQ(near_pin_release(pin, &error), NEAR_OK);
    }
    EXPECT_EQ(affinity(), before);
}

TEST(Pin, OnAnotherMachineIsReportedAndNothingIsPinned) {
    const Topology other("numa:4 pu:64");
    const List before = affinity();
    const uint32_t cpu = 200;
    const near_pin_options strict = strict_options();
    near_pin *pin = nullptr;
    Error error;
    ASSERT_EQ(near_pin_cpus(other, &cpu, 1, nullptr, &pin, &error), NEAR_OK) << error.message;
    EXPECT_EQ(report_of(pin).level, NEAR_LEVEL_NONE);
    EXPECT_EQ(report_of(pin).reason_code, NEAR_REASON_NOT_THIS_MACHINE);
    EXPECT_STRNE(report_of(pin).reason, "");
    EXPECT_EQ(affinity(), before);
    EXPECT_EQ(near_pin_release(pin, &error), NEAR_OK);
    EXPECT_EQ(near_pin_cpus(other, &cpu, 1, &strict, &pin, &error), NEAR_E_STRICT);
    EXPECT_EQ(near_pin_node(other, 3, &strict, &pin, &error), NEAR_E_STRICT);
    EXPECT_EQ(near_pin_nearest(other, 3, &strict, &pin, &error), NEAR_E_STRICT);
    EXPECT_TRUE(error.says("another machine")) << error.message;
}

TEST(PinGetReport, ChecksItsArguments) {
    near_pin *pin = nullptr;
    const uint32_t cpu = affinity().front();
    ASSERT_EQ(near_pin_cpus(nullptr, &cpu, 1, nullptr, &pin, nullptr), NEAR_OK);
    near_pin_report report{};
    EXPECT_EQ(near_pin_get_report(nullptr, &report), NEAR_E_INVALID);
    EXPECT_EQ(near_pin_get_report(pin, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_pin_get_report(pin, &report), NEAR_E_VERSION);
    EXPECT_EQ(near_pin_release(pin, nullptr), NEAR_OK);
}

// F4: released by the thread that made it.
TEST(PinRelease, IsForTheLatestPinOfTheSameThread) {
    const List before = affinity();
    near_pin *outer = nullptr;
    near_pin *inner = nullptr;
    Error error;
    ASSERT_EQ(near_pin_cpus(nullptr, before.data(), before.size(), nullptr, &outer, &error), NEAR_OK);
    ASSERT_EQ(near_pin_cpus(nullptr, before.data(), 1, nullptr, &inner, &error), NEAR_OK);
    EXPECT_EQ(near_pin_release(outer, &error), NEAR_E_BUSY);
    EXPECT_TRUE(error.says("near_pin_release: ")) << error.message;
    std::thread([&] {
        Error theirs;
        EXPECT_EQ(near_pin_release(inner, &theirs), NEAR_E_WRONG_THREAD);
    }).join();
    EXPECT_EQ(affinity(), List{before.front()});
    EXPECT_EQ(near_pin_release(inner, &error), NEAR_OK);
    EXPECT_EQ(near_pin_release(outer, &error), NEAR_OK);
    EXPECT_EQ(near_pin_release(nullptr, &error), NEAR_OK);
    EXPECT_EQ(affinity(), before);
}

TEST(PinRelease, FreesThePinsOfAThreadThatEnded) {
    near_pin *orphan = nullptr;
    std::thread([&] {
        const uint32_t cpu = affinity().front();
        ASSERT_EQ(near_pin_cpus(nullptr, &cpu, 1, nullptr, &orphan, nullptr), NEAR_OK);
    }).join();
    const List before = affinity();
    EXPECT_EQ(near_pin_release(orphan, nullptr), NEAR_OK);
    EXPECT_EQ(affinity(), before);
}

TEST(PinRelease, InAChildOfForkPutsBackWhatWasBefore) {
    const List before = affinity();
    near_pin *pin = nullptr;
    ASSERT_EQ(near_pin_cpus(nullptr, before.data(), 1, nullptr, &pin, nullptr), NEAR_OK);
    EXPECT_EQ(nearpool_test::in_child([&] {
                  EXPECT_EQ(affinity().size(), 1U);
                  EXPECT_EQ(near_pin_release(pin, nullptr), NEAR_OK);
                  EXPECT_EQ(affinity(), before);
              }),
              0);
    EXPECT_EQ(affinity().size(), 1U);
    EXPECT_EQ(near_pin_release(pin, nullptr), NEAR_OK);
}

TEST(Affinity, IsReadAndSetForGood) {
    std::thread([] {
        const List before = affinity();
        Error error;
        ASSERT_EQ(near_affinity_set(&before.back(), 1, &error), NEAR_OK) << error.message;
        EXPECT_EQ(affinity(), List{before.back()});
        EXPECT_EQ(sched_getcpu(), static_cast<int>(before.back()));
    }).join();
}

ALONE_TEST(Affinity, ThatTheKernelRefusesIsAnErrorWithItsReason) {
    const List before = affinity();
    FORBID_OR_SKIP({SYS_sched_getaffinity, SYS_sched_setaffinity}, EPERM);
    Error error;
    size_t needed = 77;
    EXPECT_EQ(near_affinity_get(nullptr, 0, &needed, &error), NEAR_E_SYSTEM);
    EXPECT_EQ(needed, 77U);
    EXPECT_EQ(error.native_domain, NEAR_DOMAIN_ERRNO);
    EXPECT_EQ(error.native_code, EPERM);
    EXPECT_TRUE(error.says("near_affinity_get: ")) << error.message;
    error = Error();
    EXPECT_EQ(near_affinity_set(before.data(), before.size(), &error), NEAR_E_SYSTEM);
    EXPECT_EQ(error.native_code, EPERM);
    EXPECT_TRUE(error.says("near_affinity_set: ")) << error.message;
}

TEST(Affinity, ChecksItsArguments) {
    Error error;
    size_t needed = 0;
    const List before = affinity();
    const uint32_t absent = 999999;
    EXPECT_EQ(near_affinity_get(nullptr, 3, &needed, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_affinity_get(nullptr, 0, nullptr, &error), NEAR_E_INVALID);
    if (before.size() > 1) {
        List shorter(before.size() - 1);
        EXPECT_EQ(near_affinity_get(shorter.data(), shorter.size(), &needed, &error), NEAR_E_CAPACITY);
        EXPECT_EQ(needed, before.size());
    }
    EXPECT_EQ(near_affinity_set(before.data(), 0, &error), NEAR_E_EMPTY_SET);
    EXPECT_EQ(near_affinity_set(nullptr, 1, &error), NEAR_E_INVALID);
    EXPECT_EQ(near_affinity_set(before.data(), SIZE_MAX, &error), NEAR_E_INVALID) << "no array is so long";
    EXPECT_TRUE(error.says("near_affinity_set: cpus has a count of 18446744073709551615")) << error.message;
    EXPECT_EQ(near_affinity_set(&absent, 1, &error), NEAR_E_NO_CPU);
    near_pin *pin = nullptr;
    ASSERT_EQ(near_pin_cpus(nullptr, before.data(), 1, nullptr, &pin, nullptr), NEAR_OK);
    EXPECT_EQ(near_affinity_set(before.data(), 1, &error), NEAR_E_BUSY);
    EXPECT_EQ(near_pin_release(pin, nullptr), NEAR_OK);
}

} // namespace
