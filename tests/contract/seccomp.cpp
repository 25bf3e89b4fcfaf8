// SPDX-License-Identifier: Apache-2.0
// Containers whose seccomp filter refuses what we ask for. Each test is a process of its own, for a filter cannot be
// taken off again; none needs privileges.
#include "support/seccomp.hpp"
#include "contract/numa_pool_support.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <sys/syscall.h>
#include <unistd.h>

using namespace nearpool_test;

namespace {

const std::vector<long> policy_calls{SYS_mbind, SYS_set_mempolicy, SYS_get_mempolicy, SYS_migrate_pages,
                                     SYS_move_pages};
const std::vector<long> affinity_calls{SYS_sched_setaffinity};

bool several_nodes() {
    return near_topology_node_count(nullptr) > 1;
}

// At most four with room, which take no more than this process may use.
std::vector<uint32_t> nodes_with_memory() {
    std::vector<uint32_t> nodes;
    for (std::size_t i = 0; i < near_topology_node_count(nullptr) && nodes.size() < 4; i++) {
        near_node_info info{};
        info.struct_size = sizeof info;
        EXPECT_EQ(near_topology_node_info(nullptr, near_topology_node_at(nullptr, i), &info), NEAR_OK);
        if (info.memory_bytes != 0 && info.memory_allowed != 0) {
            nodes.push_back(near_topology_node_at(nullptr, i));
        }
    }
    return nodes;
}

class Capabilities {
public:
    Capabilities() { EXPECT_EQ(near_capabilities_create(nullptr, &capabilities_, nullptr), NEAR_OK); }
    ~Capabilities() { near_capabilities_destroy(capabilities_); }
    Capabilities(const Capabilities &) = delete;
    Capabilities &operator=(const Capabilities &) = delete;

    near_capability get(int32_t which) const {
        near_capability capability{};
        capability.struct_size = sizeof capability;
        EXPECT_EQ(near_capabilities_get(capabilities_, which, &capability), NEAR_OK);
        return capability;
    }
    void expect_forbidden(int32_t which) const {
        const near_capability capability = get(which);
        EXPECT_EQ(capability.available, 0U) << near_capability_name(which) << ": " << capability.text;
        EXPECT_EQ(capability.reason_code, NEAR_REASON_FORBIDDEN)
            << near_capability_name(which) << ": " << near_reason_name(capability.reason_code);
        EXPECT_STRNE(capability.text, "");
    }

private:
    near_capabilities *capabilities_ = nullptr;
};

void expect_that_a_pool_runs_tasks() {
    const Pool pool(2);
    std::atomic<int> run{0};
    for (int i = 0; i < 200; i++) {
        const std::vector<uint32_t> nodes = nodes_of(pool);
        ASSERT_EQ(submit(pool, nodes[static_cast<std::size_t>(i) % nodes.size()], [&] { run++; }), NEAR_OK);
    }
    ASSERT_EQ(wait_idle(pool), NEAR_OK);
    EXPECT_EQ(run, 200);
    near_region *region = nullptr;
    Error error;
    ASSERT_EQ(numa_pool_alloc(pool, nodes_of(pool)[0], 100000, nullptr, &region, &error), NEAR_OK) << error.message;
    std::memset(near_region_data(region), 1, 100000);
    near_region_destroy(region);
}

near_region_options region_options(const uint32_t *node, int32_t policy, int32_t prefault) {
    near_region_options options{};
    options.struct_size = sizeof options;
    options.policy = policy;
    options.nodes = node;
    options.node_count = node != nullptr ? 1 : 0;
    options.prefault = prefault;
    return options;
}

// Peers N1: a region whose policy was refused was unmapped and returned. Peers N7: EPERM was one error, ENOSYS another.
void expect_usable_memory_that_says_why(uint32_t node, int32_t policy, int32_t prefault) {
    const near_region_options options = region_options(&node, policy, prefault);
    constexpr std::size_t bytes = 1 << 20;
    near_region *region = nullptr;
    Error error;
    ASSERT_EQ(near_region_create(nullptr, bytes, &options, &region, &error), NEAR_OK) << error.message;
    auto *data = static_cast<unsigned char *>(near_region_data(region));
    std::memset(data, 5, bytes);
    EXPECT_EQ(data[bytes - 1], 5);
    near_placement placement{};
    placement.struct_size = sizeof placement;
    ASSERT_EQ(near_region_placement(region, &placement, &error), NEAR_OK) << error.message;
    if (several_nodes()) {
        EXPECT_EQ(placement.level, NEAR_LEVEL_BEST_EFFORT) << placement.reason;
        EXPECT_EQ(placement.reason_code, NEAR_REASON_FORBIDDEN) << placement.reason;
        EXPECT_STRNE(placement.reason, "");
    } else { // everything is near, whatever is forbidden
        EXPECT_TRUE(placement.level == NEAR_LEVEL_STRICT || placement.reason_code == NEAR_REASON_FORBIDDEN)
            << near_level_name(placement.level) << ": " << placement.reason;
    }
    near_region_destroy(region);
}

void expect_that_strict_memory_fails() {
    for (std::size_t i = 0; i < near_topology_node_count(nullptr); i++) {
        const uint32_t node = near_topology_node_at(nullptr, i);
        near_region_options options = region_options(&node, NEAR_POLICY_BIND, NEAR_PREFAULT_ON_NODE);
        options.strict = 1;
        near_region *region = nullptr;
        Error error;
        EXPECT_EQ(near_region_create(nullptr, 1 << 20, &options, &region, &error), NEAR_E_STRICT) << "node " << node;
        EXPECT_TRUE(error.says("near_region_create: ")) << error.message;
        EXPECT_EQ(region, nullptr);
    }
}

void look_at_forbidden_policies() {
    const Capabilities capabilities;
    capabilities.expect_forbidden(NEAR_CAPABILITY_MEMORY_BINDING);
    capabilities.expect_forbidden(NEAR_CAPABILITY_PLACEMENT_QUERY);
    EXPECT_EQ(capabilities.get(NEAR_CAPABILITY_MIGRATION).available, 0U);
    EXPECT_EQ(capabilities.get(NEAR_CAPABILITY_NO_SECCOMP).available, 0U);
    expect_that_a_pool_runs_tasks();
    for (const int32_t policy : {NEAR_POLICY_BIND, NEAR_POLICY_PREFERRED, NEAR_POLICY_INTERLEAVE, NEAR_POLICY_SPLIT}) {
        for (const int32_t prefault : {NEAR_PREFAULT_HERE, NEAR_PREFAULT_ON_NODE}) {
            SCOPED_TRACE(std::string(near_policy_name(policy)) + ", " + near_prefault_name(prefault));
            expect_usable_memory_that_says_why(near_topology_node_at(nullptr, 0), policy, prefault);
        }
    }
    if (several_nodes()) {
        capabilities.expect_forbidden(NEAR_CAPABILITY_MIGRATION);
        EXPECT_EQ(capabilities.get(NEAR_CAPABILITY_STRICT).available, 0U);
        expect_that_strict_memory_fails();
    }
}

ALONE_TEST(Seccomp, PoliciesThatAnswerEpermLeaveSoftModeWorking) {
    FORBID_OR_SKIP(policy_calls, EPERM);
    look_at_forbidden_policies();
}

ALONE_TEST(Seccomp, PoliciesThatAnswerEnosysLeaveSoftModeWorking) {
    FORBID_OR_SKIP(policy_calls, ENOSYS);
    look_at_forbidden_policies();
}

near_placement placement_of(const near_region_options &options, std::vector<near_node_pages> *nodes) {
    near_region *region = nullptr;
    Error error;
    EXPECT_EQ(near_region_create(nullptr, 1 << 20, &options, &region, &error), NEAR_OK) << error.message;
    near_placement placement{};
    placement.struct_size = sizeof placement;
    std::size_t needed = 0;
    nodes->resize(2048);
    EXPECT_EQ(near_region_look(region, &placement, nodes->data(), nodes->size(), &needed, nullptr), NEAR_OK);
    nodes->resize(needed);
    near_region_destroy(region);
    return placement;
}

// Where mbind works and nobody may look, strict must not be claimed from the success of a call (peers N4).
ALONE_TEST(Seccomp, MemoryThatCannotBeLookedAtIsNotClaimedStrict) {
    FORBID_OR_SKIP({SYS_move_pages}, EPERM);
    const Capabilities capabilities;
    capabilities.expect_forbidden(NEAR_CAPABILITY_PLACEMENT_QUERY);
    const std::vector<uint32_t> nodes = nodes_with_memory();
    const bool sums = access("/proc/self/numa_maps", R_OK) == 0;
    for (const int32_t policy : {NEAR_POLICY_BIND, NEAR_POLICY_SPLIT, NEAR_POLICY_INTERLEAVE}) {
        near_region_options options = region_options(nodes.data(), policy, NEAR_PREFAULT_ON_NODE);
        options.node_count = policy == NEAR_POLICY_BIND ? 1 : nodes.size();
        options.pages = NEAR_PAGES_BASE;
        std::vector<near_node_pages> seen;
        const near_placement placement = placement_of(options, &seen);
        // A sum per mapping proves a binding and the parts of a split; one node with memory proves all.
        const bool proven = nodes.size() == 1 || (sums && policy != NEAR_POLICY_INTERLEAVE);
        EXPECT_EQ(placement.level, proven ? NEAR_LEVEL_STRICT : NEAR_LEVEL_BEST_EFFORT) << placement.reason;
        EXPECT_EQ(placement.reason_code, proven ? NEAR_REASON_NONE : NEAR_REASON_CANNOT_LOOK) << placement.reason;
        EXPECT_EQ(seen.size(), options.node_count) << near_policy_name(policy);
        options.strict = 1;
        near_region *strict = nullptr;
        EXPECT_EQ(near_region_create(nullptr, 1 << 20, &options, &strict, nullptr), proven ? NEAR_OK : NEAR_E_STRICT);
        near_region_destroy(strict);
    }
}

void expect_that_pins_say_why() {
    near_pin *pin = nullptr;
    Error error;
    const uint32_t node = near_topology_node_at(nullptr, 0);
    ASSERT_EQ(near_pin_nearest(nullptr, node, nullptr, &pin, &error), NEAR_OK) << error.message;
    near_pin_report report{};
    report.struct_size = sizeof report;
    EXPECT_EQ(near_pin_get_report(pin, &report), NEAR_OK);
    if (several_nodes()) {
        EXPECT_EQ(report.level, NEAR_LEVEL_BEST_EFFORT);
        EXPECT_EQ(report.reason_code, NEAR_REASON_FORBIDDEN) << report.reason;
        near_pin_options strict{};
        strict.struct_size = sizeof strict;
        strict.strict = 1;
        near_pin *never = nullptr;
        EXPECT_EQ(near_pin_nearest(nullptr, node, &strict, &never, &error), NEAR_E_STRICT);
        EXPECT_EQ(never, nullptr);
    }
    EXPECT_EQ(near_pin_release(pin, &error), NEAR_OK) << error.message;
}

void expect_that_workers_say_why() {
    const Pool pool(1);
    for (const uint32_t node : nodes_of(pool)) {
        const numa_pool_node_info info = node_info_of(pool, node);
        EXPECT_TRUE(info.level == NEAR_LEVEL_BEST_EFFORT || !several_nodes()) << "node " << node;
        const bool served_elsewhere = info.serving_node != node; // a reason of its own
        EXPECT_TRUE(info.reason_code == NEAR_REASON_FORBIDDEN || served_elsewhere || !several_nodes())
            << "node " << node << ": " << info.reason;
    }
    if (!several_nodes()) {
        return;
    }
    numa_pool_options options = options_for(nullptr);
    options.strict = 1;
    numa_pool *never = nullptr;
    Error error;
    const std::size_t threads = thread_names().size();
    EXPECT_EQ(numa_pool_create(&options, &never, &error), NEAR_E_STRICT);
    EXPECT_TRUE(error.says("numa_pool_create: ")) << error.message;
    EXPECT_EQ(never, nullptr);
    EXPECT_TRUE(no_more_threads_than(threads)) << "peers N28: threads were left";
}

struct Warnings {
    std::mutex mutex;
    std::vector<std::string> messages;

    static void take(int32_t level, const char *message, void *user_data) {
        auto *own = static_cast<Warnings *>(user_data);
        const std::lock_guard<std::mutex> lock(own->mutex);
        if (level == NEAR_LOG_WARN) {
            own->messages.emplace_back(message);
        }
    }
};

void look_at_forbidden_affinity() {
    Warnings warnings; // peers N32: a pin that failed was invisible
    ASSERT_EQ(near_log_set_callback(Warnings::take, &warnings, NEAR_LOG_WARN), NEAR_OK);
    near_topology_info info{};
    info.struct_size = sizeof info;
    ASSERT_EQ(near_topology_get_info(nullptr, &info), NEAR_OK);
    if (info.allowed_cpus > 1) {
        Capabilities().expect_forbidden(NEAR_CAPABILITY_AFFINITY);
        EXPECT_EQ(Capabilities().get(NEAR_CAPABILITY_STRICT).available, 0U);
    }
    expect_that_a_pool_runs_tasks();
    expect_that_pins_say_why();
    expect_that_workers_say_why();
    ASSERT_EQ(near_log_set_callback(nullptr, nullptr, NEAR_LOG_NONE), NEAR_OK);
    EXPECT_TRUE(!several_nodes() || !warnings.messages.empty()) << "nobody was warned";
}

ALONE_TEST(Seccomp, AffinityThatAnswersEpermLeavesSoftModeWorking) {
    FORBID_OR_SKIP(affinity_calls, EPERM);
    look_at_forbidden_affinity();
}

ALONE_TEST(Seccomp, AffinityThatAnswersEnosysLeavesSoftModeWorking) {
    FORBID_OR_SKIP(affinity_calls, ENOSYS);
    look_at_forbidden_affinity();
}

ALONE_TEST(Seccomp, EverythingForbiddenAtOnceLeavesSoftModeWorking) {
    FORBID_OR_SKIP(policy_calls, EPERM);
    FORBID_OR_SKIP(affinity_calls, EPERM);
    FORBID_OR_SKIP({SYS_mlock, SYS_memfd_create}, EPERM);
    expect_that_a_pool_runs_tasks();
    expect_usable_memory_that_says_why(near_topology_node_at(nullptr, 0), NEAR_POLICY_BIND, NEAR_PREFAULT_ON_NODE);
    expect_that_pins_say_why();
}

} // namespace
