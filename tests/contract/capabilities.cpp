// SPDX-License-Identifier: Apache-2.0
// capabilities.h: each promise and each error of each function.
#include "contract/numa_pool_support.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using nearpool_test::Error;
using nearpool_test::Topology;

namespace {

class Capabilities {
public:
    explicit Capabilities(const near_topology *topology = nullptr) {
        Error error;
        EXPECT_EQ(near_capabilities_create(topology, &capabilities_, &error), NEAR_OK) << error.message;
    }
    Capabilities(const Capabilities &) = delete;
    Capabilities &operator=(const Capabilities &) = delete;
    ~Capabilities() { near_capabilities_destroy(capabilities_); }
    operator const near_capabilities *() const { return capabilities_; } // NOLINT(google-explicit-constructor)

    near_capability get(int32_t which) const {
        near_capability answer{};
        answer.struct_size = sizeof answer;
        EXPECT_EQ(near_capabilities_get(capabilities_, which, &answer), NEAR_OK);
        return answer;
    }
    size_t missing() const {
        size_t needed = 0;
        EXPECT_EQ(near_capabilities_missing(capabilities_, nullptr, 0, &needed), NEAR_OK);
        return needed;
    }

private:
    near_capabilities *capabilities_ = nullptr;
};

// F2: capabilities and what strict mode needs.
TEST(CapabilitiesCreate, AnswersEveryQuestionWithASentence) {
    const Capabilities found;
    for (int32_t which = 0; which < NEAR_CAPABILITY_COUNT; which++) {
        const near_capability answer = found.get(which);
        EXPECT_NE(answer.text[0], '\0') << near_capability_name(which);
        EXPECT_LE(answer.available, 1U);
        EXPECT_EQ(answer.available == 1, answer.reason_code == NEAR_REASON_NONE) << near_capability_name(which);
        EXPECT_EQ(answer.reserved, 0U);
    }
    EXPECT_EQ(found.get(NEAR_CAPABILITY_STRICT).available == 1, found.missing() == 0);
    EXPECT_EQ(found.get(NEAR_CAPABILITY_MULTIPLE_NODES).value, near_topology_node_count(nullptr));
}

std::vector<uint32_t> affinity() {
    size_t count = 0;
    EXPECT_EQ(near_affinity_get(nullptr, 0, &count, nullptr), NEAR_OK);
    std::vector<uint32_t> cpus(count);
    EXPECT_EQ(near_affinity_get(cpus.data(), cpus.size(), &count, nullptr), NEAR_OK);
    return cpus;
}

TEST(CapabilitiesCreate, LeavesTheAffinityOfTheCallerAlone) {
    const std::vector<uint32_t> before = affinity();
    const Capabilities found;
    EXPECT_EQ(affinity(), before);
}

TEST(CapabilitiesCreate, HasNoTransparentHugePagesWhereTheProcessHasSwitchedThemOff) {
    if (Capabilities().get(NEAR_CAPABILITY_TRANSPARENT_HUGE).available == 0) {
        GTEST_SKIP() << "[thp] " << Capabilities().get(NEAR_CAPABILITY_TRANSPARENT_HUGE).text;
    }
    ASSERT_EQ(::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
    const near_capability off = Capabilities().get(NEAR_CAPABILITY_TRANSPARENT_HUGE);
    EXPECT_EQ(off.available, 0U) << off.text;
    EXPECT_EQ(off.reason_code, NEAR_REASON_NO_HUGE_PAGES) << off.text;
    ASSERT_EQ(::prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), 0);
    EXPECT_EQ(Capabilities().get(NEAR_CAPABILITY_TRANSPARENT_HUGE).available, 1U) << "a kept fact goes stale";
}

// N5: MPOL_BIND and the affinity of a thread of our own need no privilege.
TEST(CapabilitiesCreate, N5StrictModeNeedsNoPrivilege) {
    const Capabilities before;
    if (before.get(NEAR_CAPABILITY_STRICT).available == 0) {
        GTEST_SKIP() << "[numa] strict mode is not there to begin with: " << before.get(NEAR_CAPABILITY_STRICT).text;
    }
    NEEDS_THREADS_IN_A_CHILD();
    const pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) {
            _exit(2);
        }
        const Capabilities found;
        _exit(found.get(NEAR_CAPABILITY_STRICT).available == 1 && found.missing() == 0 ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST(CapabilitiesCreate, OnAnotherMachineAllOfStrictModeIsMissing) {
    const Topology other("numa:4 pu:2");
    const Capabilities found(other);
    EXPECT_EQ(found.get(NEAR_CAPABILITY_STRICT).reason_code, NEAR_REASON_NOT_THIS_MACHINE);
    EXPECT_EQ(found.get(NEAR_CAPABILITY_MULTIPLE_NODES).available, 1U);
    int32_t missing[3] = {-1, -1, -1};
    size_t needed = 0;
    ASSERT_EQ(near_capabilities_missing(found, missing, 3, &needed), NEAR_OK);
    EXPECT_EQ(needed, 3U);
    EXPECT_EQ(missing[0], NEAR_CAPABILITY_MEMORY_BINDING);
    EXPECT_EQ(missing[1], NEAR_CAPABILITY_PLACEMENT_QUERY);
    EXPECT_EQ(missing[2], NEAR_CAPABILITY_AFFINITY);
    EXPECT_EQ(near_capabilities_missing(found, missing, 2, &needed), NEAR_E_CAPACITY);
    EXPECT_EQ(needed, 3U);
}

TEST(CapabilitiesCreate, SaysWhetherPagesCanMove) {
    const Capabilities found;
    const near_capability moves = found.get(NEAR_CAPABILITY_MIGRATION);
    if (near_topology_node_count(nullptr) == 1) {
        EXPECT_EQ(moves.reason_code, NEAR_REASON_ONE_NODE);
    } else {
        EXPECT_EQ(moves.available, 1U) << moves.text;
    }
}

TEST(CapabilitiesErrors, ChecksEveryArgument) {
    Error error;
    EXPECT_EQ(near_capabilities_create(nullptr, nullptr, &error), NEAR_E_INVALID);
    EXPECT_STREQ(error.message, "near_capabilities_create: capabilities is NULL");
    near_capabilities_destroy(nullptr);
    const Capabilities found;
    near_capability answer{};
    answer.struct_size = sizeof answer;
    EXPECT_EQ(near_capabilities_get(nullptr, 0, &answer), NEAR_E_INVALID);
    EXPECT_EQ(near_capabilities_get(found, 0, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_capabilities_get(found, -1, &answer), NEAR_E_INVALID);
    EXPECT_EQ(near_capabilities_get(found, NEAR_CAPABILITY_COUNT, &answer), NEAR_E_INVALID);
    answer.struct_size = 2;
    EXPECT_EQ(near_capabilities_get(found, 0, &answer), NEAR_E_VERSION);
    size_t needed = 0;
    EXPECT_EQ(near_capabilities_missing(nullptr, nullptr, 0, &needed), NEAR_E_INVALID);
    EXPECT_EQ(near_capabilities_missing(found, nullptr, 0, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(near_capabilities_missing(found, nullptr, 1, &needed), NEAR_E_INVALID);
}

TEST(CapabilitiesErrors, NamesEveryCapability) {
    EXPECT_STREQ(near_capability_name(NEAR_CAPABILITY_STRICT), "strict mode");
    for (int32_t which = 0; which < NEAR_CAPABILITY_COUNT; which++) {
        EXPECT_STRNE(near_capability_name(which), "unknown");
    }
    EXPECT_STREQ(near_capability_name(NEAR_CAPABILITY_COUNT), "unknown");
}

} // namespace
