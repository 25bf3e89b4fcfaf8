// SPDX-License-Identifier: Apache-2.0
// What becomes of the memory policy that workers inherit from the thread that starts them.
#include "contract/numa_pool_support.hpp"
#include "contract/region_support.hpp"

#include <atomic>
#include <sys/syscall.h>
#include <unistd.h>

using namespace nearpool_test;

namespace {

// The memory policy of a thread while this lives.
class ThreadPolicy {
public:
    explicit ThreadPolicy(uint32_t node) {
        std::vector<unsigned long> mask(node / (8 * sizeof(unsigned long)) + 1);
        mask.back() = 1UL << (node % (8 * sizeof(unsigned long)));
        set_ = ::syscall(SYS_set_mempolicy, 1 /* preferred */, mask.data(),
                         8 * sizeof(unsigned long) * mask.size() + 1) == 0;
    }
    ThreadPolicy(const ThreadPolicy &) = delete;
    ThreadPolicy &operator=(const ThreadPolicy &) = delete;
    ~ThreadPolicy() { ::syscall(SYS_set_mempolicy, 0, nullptr, 0); }
    bool is_set() const { return set_; }
    static int mode_here() {
        int mode = -1;
        EXPECT_EQ(::syscall(SYS_get_mempolicy, &mode, nullptr, 0, nullptr, 0), 0);
        return mode;
    }

private:
    bool set_ = false;
};

TEST(PoolPolicy, WorkersDoWithoutTheMemoryPolicyOfWhoStartsThemUnlessAskedOtherwise) {
    const uint32_t node = nearpool_region_test::nodes_with_room().back();
    const ThreadPolicy outside(node);
    if (!outside.is_set()) {
        GTEST_SKIP() << "[set_mempolicy] " << std::strerror(errno);
    }
    const std::string said = "preferred on nodes " + std::to_string(node);
    for (const int32_t policy : {NUMA_POOL_MEMORY_LOCAL, NUMA_POOL_MEMORY_INHERIT}) {
        numa_pool_options options = options_for(nullptr, 1);
        options.memory_policy = policy;
        const Pool pool(options);
        std::atomic<int> mode{-1};
        ASSERT_EQ(submit(pool, NUMA_POOL_NODE_LOCAL, [&] { mode = ThreadPolicy::mode_here(); }), NEAR_OK);
        ASSERT_EQ(wait_idle(pool), NEAR_OK);
        EXPECT_EQ(mode, policy == NUMA_POOL_MEMORY_LOCAL ? 0 : 1);
        EXPECT_EQ(info_of(pool).memory_policy, policy);
        EXPECT_EQ(info_of(pool).inherited_policy, said);
    }
    EXPECT_EQ(ThreadPolicy::mode_here(), 1) << "the caller's own stays";
}

// What tasks touch first is on their node.
TEST(PoolPolicy, UnderTheMemoryPolicyOfAnotherNodeTasksTouchTheirOwn) {
    const std::vector<uint32_t> nodes = nearpool_region_test::nodes_with_room();
    if (nodes.size() < 2) {
        GTEST_SKIP() << "[numa] needs two nodes with free memory";
    }
    const ThreadPolicy outside(nodes[0]);
    if (!outside.is_set()) {
        GTEST_SKIP() << "[set_mempolicy] " << std::strerror(errno);
    }
    const Pool pool(options_for(nullptr, 1, NUMA_POOL_STEAL_LOCAL));
    for (const uint32_t node : nodes) {
        if (node_info_of(pool, node).serving_node != node) {
            continue;
        }
        const nearpool_region_test::MappedPage page;
        ASSERT_EQ(submit(pool, node, [&] { *page.data() = 1; }), NEAR_OK);
        ASSERT_EQ(wait_idle(pool), NEAR_OK);
        EXPECT_EQ(nearpool_region_test::node_of(page.data()), static_cast<int>(node));
    }
}

TEST(PoolPolicy, HasNoInheritedPolicyWhereThereIsNone) {
    const Pool pool(1);
    EXPECT_STREQ(info_of(pool).inherited_policy, "");
    EXPECT_STREQ(numa_pool_memory_policy_name(NUMA_POOL_MEMORY_LOCAL), "local");
    EXPECT_STREQ(numa_pool_memory_policy_name(NUMA_POOL_MEMORY_INHERIT), "inherit");
    EXPECT_STREQ(numa_pool_memory_policy_name(2), "unknown");
    numa_pool_options options = options_for(nullptr, 1);
    for (const int32_t policy : {-1, 2}) {
        options.memory_policy = policy;
        Error error;
        numa_pool *none = nullptr;
        EXPECT_EQ(numa_pool_create(&options, &none, &error), NEAR_E_INVALID);
        EXPECT_TRUE(error.says("memory policy")) << error.message;
    }
}

} // namespace
