// SPDX-License-Identifier: Apache-2.0
#include "machine/thread_policy.hpp"

#include "support.hpp"
#include "sys/constants.hpp"

#include <cerrno>

namespace nearpool::testing {
namespace {

using fakes::Call;

// A kernel that says any mode, also one with flags, or of a kernel to come.
class Says final : public PolicyPort {
public:
    Says(int mode, const NumberSet &nodes) : mode_(mode), nodes_(nodes) {}
    int bind(void *, std::size_t, int, const NumberSet &, unsigned) override { return -ENOSYS; }
    int set_thread(int, const NumberSet &) override { return -ENOSYS; }
    int get_thread(int *mode, NumberSet *nodes) override {
        *mode = mode_;
        *nodes = nodes_;
        return 0;
    }
    long move_pages(std::size_t, void *const *, const int *, int *, int) override { return -ENOSYS; }

private:
    const int mode_;
    const NumberSet nodes_;
};

std::string words_for(int mode, const NumberSet &nodes) {
    Says port(mode, nodes);
    return inherited_policy(port).value_or("nobody may ask");
}

TEST(InheritedPolicy, IsNamedWithItsNodes) {
    EXPECT_EQ(words_for(sys::policy_preferred, {3}), "preferred on nodes 3");
    EXPECT_EQ(words_for(sys::policy_bind, {0, 64}), "bind on nodes 0,64");
    EXPECT_EQ(words_for(sys::policy_interleave | 1 << 15, {0, 1, 2}), "interleave on nodes 0-2")
        << "MPOL_F_STATIC_NODES";
    EXPECT_EQ(words_for(sys::policy_preferred_many, {0, 1}), "preferred-many on nodes 0-1");
    EXPECT_EQ(words_for(sys::policy_weighted_interleave, {0, 1}), "weighted interleave on nodes 0-1");
    EXPECT_EQ(words_for(77, {1}), "another than the usual one on nodes 1");
}

TEST(InheritedPolicy, ThatIsLocalIsNone) {
    EXPECT_EQ(words_for(sys::policy_default, {}), "");
    EXPECT_EQ(words_for(sys::policy_local, {}), "");
    EXPECT_EQ(words_for(sys::policy_preferred, {}), "") << "before Linux 5.14";
}

// A container's filter refuses one or both: what can be changed is, and nothing is claimed of what cannot be known.
TEST(InheritedPolicy, IsDroppedUnseenWhereNobodyMayAsk) {
    MadeUpMachine world;
    PolicyPort &policy = world.ports().policy;
    ASSERT_EQ(policy.set_thread(sys::policy_preferred, {0}), 0);
    world.failing.fail_always(Call::policy_get_thread, EPERM);
    EXPECT_EQ(inherited_policy(policy), std::nullopt);
    EXPECT_EQ(drop_policy(policy, std::nullopt).level, NEAR_LEVEL_STRICT);
    world.failing.fail_always(Call::policy_get_thread, 0);
    EXPECT_EQ(inherited_policy(policy), "");
    world.failing.fail_always(Call::policy_set_thread, EPERM);
    EXPECT_EQ(drop_policy(policy, std::nullopt).level, NEAR_LEVEL_STRICT);
}

TEST(InheritedPolicy, IsDroppedOrTheReasonSaid) {
    MadeUpMachine world;
    PolicyPort &policy = world.ports().policy;
    ASSERT_EQ(policy.set_thread(sys::policy_preferred, {0}), 0);
    const std::optional<std::string> inherited = inherited_policy(policy);
    EXPECT_EQ(inherited, "preferred on nodes 0");
    EXPECT_EQ(drop_policy(policy, inherited).level, NEAR_LEVEL_STRICT);
    EXPECT_EQ(inherited_policy(policy), "");
    for (const auto &[error, reason] : {std::pair{EPERM, NEAR_REASON_FORBIDDEN},
                                        std::pair{ENOSYS, NEAR_REASON_FORBIDDEN}, std::pair{EIO, NEAR_REASON_SYSTEM}}) {
        world.failing.fail_always(Call::policy_set_thread, error);
        const Enforcement kept = drop_policy(policy, inherited);
        EXPECT_EQ(kept.level, NEAR_LEVEL_BEST_EFFORT);
        EXPECT_EQ(kept.reason, reason);
        EXPECT_EQ(
            kept.text.rfind("the memory policy preferred on nodes 0 was inherited, and set_mempolicy() failed: ", 0),
            0U);
    }
}

} // namespace
} // namespace nearpool::testing
