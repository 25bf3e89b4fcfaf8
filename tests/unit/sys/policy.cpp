// SPDX-License-Identifier: Apache-2.0
// What reaches the kernel: node 63 and above too (peers N2, N3, acceptance 7). The kernel itself is asked.
#include "sys/constants.hpp"
#include "sys/node_mask.hpp"
#include "sys/ports.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

using namespace nearpool;

namespace {

TEST(NodeMask, CountsOneMoreThanItsBits) { // the kernel reads maxnode - 1 bits
    EXPECT_EQ(NodeMask(NumberSet{0}).maxnode(), 65U);
    EXPECT_EQ(NodeMask(NumberSet{63}).maxnode(), 65U);
    EXPECT_EQ(NodeMask(NumberSet{64}).maxnode(), 129U);
    EXPECT_EQ(NodeMask(NumberSet{127}).maxnode(), 129U);
    EXPECT_EQ(NodeMask(NumberSet{1023}).maxnode(), 1025U);
    EXPECT_EQ(NodeMask(std::size_t{1024}).maxnode(), 1025U);
}

TEST(NodeMask, OfNothingIsNothing) {
    const NodeMask mask(NumberSet{});
    EXPECT_EQ(mask.words(), nullptr);
    EXPECT_EQ(mask.maxnode(), 0U);
    EXPECT_TRUE(mask.numbers().empty());
}

TEST(NodeMask, GivesBackItsNumbers) {
    const NumberSet nodes{0, 5, 63, 64, 69, 127, 128, 1023};
    const NodeMask mask(nodes);
    EXPECT_EQ(mask.numbers(), nodes);
    EXPECT_EQ(mask.words()[0], 1UL | 1UL << 5U | 1UL << 63U);
    EXPECT_EQ(mask.words()[1], 1UL | 1UL << 5U | 1UL << 63U);
    EXPECT_EQ(mask.words()[2], 1UL);
}

// A touched page, and one that was never touched.
class Policy : public testing::Test {
protected:
    void SetUp() override {
        const int flags = sys::map_private | sys::map_anonymous;
        ASSERT_EQ(ports_.memory.map(bytes_, sys::protect_read_write, flags, -1, 0, &pages_), 0);
        *static_cast<volatile char *>(pages_) = 1;
        online_ = nodes_in("has_memory");
        int state = 0;
        if (ports_.policy.move_pages(1, &pages_, nullptr, &state, 0) == -EPERM ||
            ports_.policy.bind(pages_, base_page_bytes(), sys::policy_default, {}, 0) == -EPERM) {
            GTEST_SKIP() << "[policy] memory policies are forbidden here";
        }
    }
    void TearDown() override { ports_.memory.unmap(pages_, bytes_); }

    static NumberSet nodes_in(const std::string &list) {
        std::string text;
        const int error = real_ports().files.read("/sys/devices/system/node/" + list, &text);
        return error == 0 ? NumberSet::parse(text).value_or(NumberSet{0}) : NumberSet{0};
    }

    // The policy of the range, as the kernel tells it, not through our port.
    NumberSet bound_to(int *mode) const {
        NodeMask mask(std::size_t{1024});
        constexpr unsigned long by_address = 2; // MPOL_F_ADDR
        const long result = ::syscall(SYS_get_mempolicy, mode, mask.words(), mask.maxnode(), pages_, by_address);
        EXPECT_EQ(result, 0) << errno;
        return mask.numbers();
    }

    const Ports &ports_ = real_ports();
    const std::size_t bytes_ = 2 * base_page_bytes();
    void *pages_ = nullptr;
    NumberSet online_;
};

// Where there is no such node the kernel refuses it: a mask cut before its bit would be an empty one, and accepted.
TEST_F(Policy, NodesFrom63OnReachTheKernelWhereTheyAreAbsent) {
    for (const uint32_t node : {63U, 64U, 127U}) {
        if (online_.contains(node)) {
            continue;
        }
        EXPECT_EQ(ports_.policy.bind(pages_, bytes_, sys::policy_preferred, {node}, 0), -EINVAL) << node;
        EXPECT_EQ(ports_.policy.set_thread(sys::policy_preferred, {node}), -EINVAL) << node;
        int state = 0;
        const int target = static_cast<int>(node);
        EXPECT_EQ(ports_.policy.move_pages(1, &pages_, &target, &state, sys::move_own), -ENODEV) << node;
    }
}

TEST_F(Policy, EveryNodeWithMemoryReachesTheKernel) { // in the machine seventy-nodes, 63, 64 and 69 too
    for (const uint32_t node : online_) {
        int mode = -1;
        ASSERT_EQ(ports_.policy.bind(pages_, bytes_, sys::policy_bind, {node}, 0), 0) << node;
        EXPECT_EQ(bound_to(&mode), NumberSet({node}));
        EXPECT_EQ(mode, sys::policy_bind);
    }
}

TEST_F(Policy, TheHighNodesOfALargeMachineReachTheKernel) {
    if (!online_.contains_all({63, 64, 69})) {
        GTEST_SKIP() << "[machine] needs nodes 63, 64 and 69";
    }
    int mode = -1;
    ASSERT_EQ(ports_.policy.bind(pages_, bytes_, sys::policy_interleave, {63, 64, 69}, 0), 0);
    EXPECT_EQ(bound_to(&mode), NumberSet({63, 64, 69}));
    EXPECT_EQ(mode, sys::policy_interleave);
    for (const int node : {63, 64, 69}) {
        int state = -1;
        ASSERT_EQ(ports_.policy.move_pages(1, &pages_, &node, &state, sys::move_own), 0);
        ASSERT_EQ(ports_.policy.move_pages(1, &pages_, nullptr, &state, 0), 0);
        EXPECT_EQ(state, node);
    }
}

TEST_F(Policy, AThreadsPolicyIsReadBackAsItWasSet) {
    std::thread([&] {
        int mode = -1;
        NumberSet nodes;
        ASSERT_EQ(ports_.policy.get_thread(&mode, &nodes), 0);
        EXPECT_EQ(mode, sys::policy_default);
        EXPECT_TRUE(nodes.empty());
        ASSERT_EQ(ports_.policy.set_thread(sys::policy_interleave, online_), 0);
        ASSERT_EQ(ports_.policy.get_thread(&mode, &nodes), 0);
        EXPECT_EQ(mode, sys::policy_interleave);
        EXPECT_EQ(nodes, online_);
    }).join();
}

TEST_F(Policy, APageHasANodeAndAnUntouchedOneHasNone) {
    std::array<void *, 2> pages{pages_, static_cast<char *>(pages_) + base_page_bytes()};
    std::array<int, 2> states{-1, -1};
    ASSERT_EQ(ports_.policy.move_pages(pages.size(), pages.data(), nullptr, states.data(), 0), 0);
    ASSERT_GE(states[0], 0);
    EXPECT_TRUE(online_.contains(static_cast<uint32_t>(states[0])));
    EXPECT_TRUE(states[1] == -ENOENT || states[1] == -EFAULT) << states[1]; // Linux 6.1 says EFAULT
}

TEST_F(Policy, WhatTheKernelRefusesIsANegativeNumber) {
    EXPECT_EQ(ports_.policy.bind(pages_, bytes_, sys::policy_bind, {}, 0), -EINVAL);
    EXPECT_EQ(ports_.policy.bind(pages_, bytes_, 99, {0}, 0), -EINVAL);
    EXPECT_EQ(ports_.policy.bind(static_cast<char *>(pages_) + 1, bytes_, sys::policy_default, {}, 0), -EINVAL);
    EXPECT_EQ(ports_.policy.set_thread(sys::policy_bind, {}), -EINVAL);
}

} // namespace
