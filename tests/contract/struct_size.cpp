// SPDX-License-Identifier: Apache-2.0
// Structs of an older and of a later header: what crosses the ABI with its size in front.
#include "contract/numa_pool_support.hpp"

#include <algorithm>
#include <cstddef>

using namespace nearpool_test;

namespace {

// A struct as another version of the header has it, between bytes that nobody may touch.
template <class Known> class Versioned {
public:
    explicit Versioned(uint32_t size) : bytes_(size + guard, untouched) {
        std::memcpy(bytes_.data(), &size, sizeof size);
    }
    Known *get() { return reinterpret_cast<Known *>(bytes_.data()); }
    template <class Field> Field field(std::size_t offset) const {
        Field value{};
        std::memcpy(&value, bytes_.data() + offset, sizeof value);
        return value;
    }
    bool untouched_from(std::size_t offset) const {
        return std::all_of(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), bytes_.end(),
                           [](unsigned char byte) { return byte == untouched; });
    }
    bool zero_between(std::size_t begin, std::size_t end) const {
        return std::all_of(bytes_.begin() + static_cast<std::ptrdiff_t>(begin),
                           bytes_.begin() + static_cast<std::ptrdiff_t>(end),
                           [](unsigned char byte) { return byte == 0; });
    }

private:
    static constexpr std::size_t guard = 64;
    static constexpr unsigned char untouched = 0xee;
    std::vector<unsigned char> bytes_;
};

class StructSize : public testing::Test {
protected:
    Pool pool_{1};
};

TEST_F(StructSize, AnOlderCallersCountsAreNotWrittenPastTheirEnd) {
    constexpr uint32_t size = offsetof(numa_pool_counts, run_remote);
    ASSERT_EQ(numa_pool_submit(pool_, NUMA_POOL_NODE_LOCAL, succeed, nullptr), NEAR_OK);
    ASSERT_EQ(wait_idle(pool_), NEAR_OK);
    Versioned<numa_pool_counts> counts(size);
    ASSERT_EQ(numa_pool_get_counts(pool_, NEAR_NODE_UNKNOWN, counts.get()), NEAR_OK);
    EXPECT_EQ(counts.field<uint32_t>(0), size);
    EXPECT_EQ(counts.field<uint64_t>(offsetof(numa_pool_counts, accepted)), 1U);
    EXPECT_TRUE(counts.untouched_from(size));
}

TEST_F(StructSize, ALaterCallersCountsAreZeroWhereWeKnowNothing) {
    constexpr uint32_t size = sizeof(numa_pool_counts) + 24;
    Versioned<numa_pool_counts> counts(size);
    ASSERT_EQ(numa_pool_get_counts(pool_, NEAR_NODE_UNKNOWN, counts.get()), NEAR_OK);
    EXPECT_EQ(counts.field<uint32_t>(0), size);
    EXPECT_TRUE(counts.zero_between(sizeof(numa_pool_counts), size));
    EXPECT_TRUE(counts.untouched_from(size));
}

TEST_F(StructSize, AnOlderCallersTextEndsWhereItsStructDoes) {
    constexpr uint32_t size = offsetof(numa_pool_info, reason) + 4; // a multiple of the alignment
    Versioned<numa_pool_info> info(size);
    ASSERT_EQ(numa_pool_get_info(pool_, info.get()), NEAR_OK);
    EXPECT_EQ(info.field<uint32_t>(offsetof(numa_pool_info, node_count)), nodes_of(pool_).size());
    EXPECT_TRUE(info.untouched_from(size));
}

TEST_F(StructSize, OlderOptionsAreTakenAndWhatTheyLackIsTheDefault) {
    numa_pool_options options = options_for(nullptr, 2);
    options.struct_size = offsetof(numa_pool_options, queue_capacity);
    options.queue_capacity = 1; // not part of the older struct
    const Pool pool(options);
    const std::vector<near_task> tasks(50, near_task{succeed, nullptr, nullptr});
    EXPECT_EQ(numa_pool_submit_tasks(pool, nodes_of(pool)[0], tasks.data(), tasks.size(), nullptr), NEAR_OK);
}

// A struct with 64-bit fields has a sizeof that is a multiple of 8: any other size ends inside a field.
template <class Known, class Call> void expect_no_half_field(Call &&call) {
    for (const uint32_t size : {12U, 20U, 28U}) {
        Versioned<Known> given(size);
        EXPECT_EQ(call(given.get()), NEAR_E_VERSION) << size;
        EXPECT_TRUE(given.untouched_from(sizeof size)) << size;
    }
}

TEST_F(StructSize, ThatEndsInsideAFieldIsRefused) {
    numa_pool *pool = nullptr;
    expect_no_half_field<numa_pool_options>(
        [&](const auto *options) { return numa_pool_create(options, &pool, nullptr); });
    near_topology *topology = nullptr;
    expect_no_half_field<near_topology_options>(
        [&](const auto *options) { return near_topology_create(options, &topology, nullptr); });
    near_region *region = nullptr;
    expect_no_half_field<near_region_options>(
        [&](const auto *options) { return near_region_create(nullptr, 4096, options, &region, nullptr); });
    expect_no_half_field<near_region_options>(
        [&](const auto *options) { return numa_pool_alloc(pool_, 0, 4096, options, &region, nullptr); });
    EXPECT_TRUE(pool == nullptr && topology == nullptr && region == nullptr);
    expect_no_half_field<numa_pool_counts>(
        [&](auto *counts) { return numa_pool_get_counts(pool_, NEAR_NODE_UNKNOWN, counts); });
    const Group group(pool_);
    expect_no_half_field<numa_pool_group_counts>(
        [&](auto *counts) { return numa_pool_group_get_counts(group, counts); });
    ASSERT_EQ(numa_pool_alloc(pool_, NUMA_POOL_NODE_LOCAL, 4096, nullptr, &region, nullptr), NEAR_OK);
    expect_no_half_field<near_placement>(
        [&](auto *placement) { return near_region_placement(region, placement, nullptr); });
    std::size_t needed = 0;
    expect_no_half_field<near_placement>(
        [&](auto *placement) { return near_region_look(region, placement, nullptr, 0, &needed, nullptr); });
    near_region_destroy(region);
    expect_no_half_field<near_topology_info>([](auto *info) { return near_topology_get_info(nullptr, info); });
    expect_no_half_field<near_node_info>(
        [](auto *info) { return near_topology_node_info(nullptr, near_topology_node_at(nullptr, 0), info); });
    near_capabilities *capabilities = nullptr;
    ASSERT_EQ(near_capabilities_create(nullptr, &capabilities, nullptr), NEAR_OK);
    expect_no_half_field<near_capability>([&](auto *one) { return near_capabilities_get(capabilities, 0, one); });
    near_capabilities_destroy(capabilities);
}

TEST_F(StructSize, AnErrorOfAnyLengthGetsAsMuchOfTheSentenceAsItHolds) {
    for (const uint32_t size : {20U, 64U, 512U, 600U}) {
        Versioned<near_error> error(size);
        EXPECT_EQ(numa_pool_wait_idle(nullptr, 0, error.get()), NEAR_E_INVALID);
        EXPECT_EQ(error.field<int32_t>(offsetof(near_error, status)), NEAR_E_INVALID);
        const std::string whole = "numa_pool_wait_idle: pool is NULL";
        EXPECT_EQ(std::string(error.get()->message), whole.substr(0, size - offsetof(near_error, message) - 1));
        EXPECT_TRUE(error.untouched_from(size)) << size;
    }
}

TEST_F(StructSize, AnErrorThatCannotHoldASentenceIsRefusedBeforeAnythingIsDone) {
    for (const uint32_t size : {0U, 3U, 8U, 16U, 18U, 1U << 30U}) {
        Error error;
        error.struct_size = size;
        numa_pool_group *group = nullptr;
        EXPECT_EQ(numa_pool_group_create(pool_, &group, &error), NEAR_E_VERSION) << size;
        EXPECT_EQ(group, nullptr);
        EXPECT_EQ(error.status, 0) << "it was written";
    }
}

TEST_F(StructSize, AnErrorIsNotWrittenBySuccess) {
    Error error;
    error.status = 77;
    ASSERT_EQ(numa_pool_wait_idle(pool_, 0, &error), NEAR_OK);
    EXPECT_EQ(error.status, 77);
    EXPECT_STREQ(error.message, "");
}

// There is no place for a sentence in such a struct.
TEST_F(StructSize, AnErrorWithoutItsSizeIsRefusedAndTheLogSaysWhatToSet) {
    std::string logged;
    const near_log_fn keep = [](int32_t, const char *message, void *user_data) {
        *static_cast<std::string *>(user_data) += message;
    };
    ASSERT_EQ(near_log_set_callback(keep, &logged, NEAR_LOG_WARN), NEAR_OK);
    near_error unset{};
    EXPECT_EQ(numa_pool_wait_idle(pool_, NEAR_FOREVER, &unset), NEAR_E_VERSION);
    ASSERT_EQ(near_log_set_callback(nullptr, nullptr, NEAR_LOG_NONE), NEAR_OK);
    EXPECT_EQ(logged, "numa_pool_wait_idle: near_error has struct_size 0; set it to sizeof(near_error), 512 in this "
                      "version");
}

} // namespace
