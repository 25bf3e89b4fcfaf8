// SPDX-License-Identifier: Apache-2.0
// What devices are, which one is best, and who reaches whom.
#include "gpu/support.hpp"

#include <map>

using namespace nearpool_gpu;

namespace {

device_pool_facts facts_of(device_pool *pool, int32_t ordinal) {
    device_pool_facts facts{};
    facts.struct_size = sizeof facts;
    EXPECT_EQ(device_pool_get_facts(pool, ordinal, &facts), NEAR_OK);
    return facts;
}

device_pool_memory memory_of(device_pool *pool, int32_t ordinal) {
    device_pool_memory memory{};
    memory.struct_size = sizeof memory;
    Error error;
    EXPECT_EQ(device_pool_get_memory(pool, ordinal, &memory, &error), NEAR_OK) << error.message;
    return memory;
}

int32_t best(device_pool *pool, int32_t criterion, uint32_t node = NEAR_NODE_UNKNOWN) {
    int32_t ordinal = -1;
    Error error;
    EXPECT_EQ(device_pool_best(pool, criterion, node, &ordinal, &error), NEAR_OK) << error.message;
    return ordinal;
}

std::string described(device_pool *pool) {
    std::size_t needed = 0;
    Error error;
    EXPECT_EQ(device_pool_describe(pool, nullptr, 0, &needed, &error), NEAR_OK) << error.message;
    std::string text(needed, 'x');
    EXPECT_EQ(device_pool_describe(pool, text.data(), text.size() - 1, &needed, &error), NEAR_E_CAPACITY);
    EXPECT_EQ(device_pool_describe(pool, text.data(), text.size(), &needed, &error), NEAR_OK) << error.message;
    return text.c_str();
}

class DeviceQuery : public Gpu {};
class DeviceQueryScript : public FakeGpu {
protected:
    // No test here may have made a context.
    static uint64_t contexts_made() {
        return fake()->calls("cuDevicePrimaryCtxRetain") + fake()->calls("cuCtxCreate_v2");
    }
};

TEST_F(DeviceQuery, FactsAreTheDriversOwn) {
    const Devices pool;
    for (std::size_t i = 0; i < device_pool_count(pool); i++) {
        const auto ordinal = static_cast<int32_t>(i);
        const device_pool_facts facts = facts_of(pool, ordinal);
        std::size_t bytes = 0;
        int major = 0;
        char name[256] = "";
        EXPECT_EQ(driver()->device_total_mem(&bytes, ordinal), cuda_success);
        EXPECT_EQ(driver()->device_get_attribute(&major, attribute_compute_capability_major, ordinal), cuda_success);
        EXPECT_EQ(driver()->device_get_name(name, sizeof name, ordinal), cuda_success);
        EXPECT_EQ(facts.ordinal, ordinal);
        EXPECT_EQ(facts.total_bytes, bytes);
        EXPECT_EQ(facts.capability_major, static_cast<uint32_t>(major));
        EXPECT_STREQ(facts.name, name);
        EXPECT_EQ(std::strlen(facts.uuid_text), std::strlen("GPU-") + 36) << facts.uuid_text;
        EXPECT_EQ(std::string(facts.pci_address).find_first_of("ABCDEF"), std::string::npos) << facts.pci_address;
        uint32_t node = 0;
        EXPECT_EQ(device_pool_node(pool, ordinal, &node), NEAR_OK);
        EXPECT_EQ(node, facts.node);
        EXPECT_EQ(node == NEAR_NODE_UNKNOWN, facts.node_source == NEAR_NODE_SOURCE_NONE);
        EXPECT_NE(described(pool).find(facts.uuid_text), std::string::npos) << described(pool);
    }
}

TEST_F(DeviceQuery, BadParametersAreRefused) {
    const Devices pool;
    const auto absent = static_cast<int32_t>(device_pool_count(pool));
    device_pool_facts facts{};
    facts.struct_size = sizeof facts;
    EXPECT_EQ(device_pool_get_facts(nullptr, 0, &facts), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_get_facts(pool, 0, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_get_facts(pool, absent, &facts), NEAR_E_DEVICE);
    facts.struct_size = 5;
    EXPECT_EQ(device_pool_get_facts(pool, 0, &facts), NEAR_E_VERSION);
    uint32_t node = 77;
    EXPECT_EQ(device_pool_node(nullptr, 0, &node), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_node(pool, 0, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_node(pool, absent, &node), NEAR_E_DEVICE);
    EXPECT_EQ(node, 77U);
    device_pool_memory memory{};
    Error error;
    EXPECT_EQ(device_pool_get_memory(pool, 0, &memory, &error), NEAR_E_VERSION);
    memory.struct_size = sizeof memory;
    EXPECT_EQ(device_pool_get_memory(pool, absent, &memory, &error), NEAR_E_DEVICE);
    EXPECT_EQ(device_pool_get_memory(nullptr, 0, &memory, &error), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_get_memory(pool, 0, nullptr, &error), NEAR_E_INVALID);
    int32_t ordinal = 77;
    EXPECT_EQ(device_pool_best(pool, 4, 0, &ordinal, &error), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_best(pool, -1, 0, &ordinal, &error), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_best(pool, 0, 0, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_best(nullptr, 0, 0, &ordinal, &error), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_best(pool, DEVICE_POOL_BEST_NEAREST, 4000, &ordinal, &error), NEAR_E_NO_NODE);
    EXPECT_EQ(ordinal, 77);
    std::size_t needed = 0;
    uint32_t bits = 0;
    EXPECT_EQ(device_pool_get_peers(pool, nullptr, 1, &needed, &error), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_get_peers(pool, &bits, 1, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_get_peers(nullptr, &bits, 1, &needed, &error), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_describe(nullptr, nullptr, 0, &needed, &error), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_describe(pool, nullptr, 0, nullptr, &error), NEAR_E_INVALID);
}

TEST_F(DeviceQuery, MemoryIsWhatTheContextSays) {
    Devices pool;
    pool.context(0);
    std::size_t free = 0;
    std::size_t total = 0;
    const device_pool_memory memory = memory_of(pool, 0);
    {
        const Pushed pushed(pool, 0);
        EXPECT_EQ(driver()->mem_get_info(&free, &total), cuda_success);
    }
    EXPECT_EQ(memory.total_bytes, total);
    if (fake() != nullptr) { // others may use a real one meanwhile
        EXPECT_EQ(memory.free_bytes, free);
    }
    EXPECT_GT(memory.free_bytes, 0U);
    EXPECT_EQ(memory.reserved_bytes, 0U);
}

TEST_F(DeviceQuery, PeersAreARowForEachDeviceAndNoneForItself) {
    const Devices pool;
    const std::size_t count = device_pool_count(pool);
    std::size_t needed = 0;
    Error error;
    ASSERT_EQ(device_pool_get_peers(pool, nullptr, 0, &needed, &error), NEAR_OK) << error.message;
    ASSERT_EQ(needed, count * count);
    std::vector<uint32_t> peers(needed, 99);
    if (needed > 1) {
        EXPECT_EQ(device_pool_get_peers(pool, peers.data(), needed - 1, &needed, &error), NEAR_E_CAPACITY);
    }
    ASSERT_EQ(device_pool_get_peers(pool, peers.data(), needed, &needed, &error), NEAR_OK) << error.message;
    for (std::size_t i = 0; i < count; i++) {
        EXPECT_EQ(peers[i * count + i], 0U);
    }
}

TEST_F(DeviceQueryScript, PeersAreAsTheDriverSays) {
    configure(R"({"devices":[{},{}], "peers": [[{}, {"access": true, "atomics": true}],
                                               [{"access": true, "atomics": false}, {}]]})");
    const Devices pool(std::vector<int32_t>{1, 0});
    std::vector<uint32_t> peers(4, 99);
    std::size_t needed = 0;
    ASSERT_EQ(device_pool_get_peers(pool, peers.data(), 4, &needed, nullptr), NEAR_OK);
    EXPECT_EQ(peers[1], static_cast<uint32_t>(DEVICE_POOL_PEER_ACCESS | DEVICE_POOL_PEER_ARRAYS));
    EXPECT_EQ(peers[2],
              static_cast<uint32_t>(DEVICE_POOL_PEER_ACCESS | DEVICE_POOL_PEER_ATOMICS | DEVICE_POOL_PEER_ARRAYS));
    fake()->fail("cuDeviceGetP2PAttribute", 2, 1, 0);
    Error error;
    EXPECT_EQ(device_pool_get_peers(pool, peers.data(), 4, &needed, &error), NEAR_E_CUDA);
    EXPECT_TRUE(error.says("cuDeviceGetP2PAttribute: CUDA_ERROR_INVALID_VALUE (1)")) << error.message;
}

TEST_F(DeviceQueryScript, AMigInstanceHasItsOwnUuid) {
    if (driver()->device_get_uuid_mig == nullptr) {
        GTEST_SKIP() << "[mig] this driver does not know of instances";
    }
    configure(R"({"devices":[{"mig": "MIG-00112233-4455-6677-8899-aabbccddeeff"}, {}]})");
    const Devices pool;
    EXPECT_EQ(facts_of(pool, 0).mig, 1U);
    EXPECT_STREQ(facts_of(pool, 0).uuid_text, "MIG-00112233-4455-6677-8899-aabbccddeeff");
    EXPECT_EQ(facts_of(pool, 1).mig, 0U);
    EXPECT_EQ(std::string(facts_of(pool, 1).uuid_text).substr(0, 4), "GPU-");
}

TEST_F(DeviceQueryScript, BestByTotalMemoryIsTheFirstOfTheGreatest) {
    configure(
        R"({"devices":[{"memory_bytes": 1073741824}, {"memory_bytes": 4294967296}, {"memory_bytes": 4294967296}]})");
    const Devices pool;
    EXPECT_EQ(best(pool, DEVICE_POOL_BEST_TOTAL_MEMORY), 1);
    const Devices reversed(std::vector<int32_t>{2, 1, 0});
    EXPECT_EQ(best(reversed, DEVICE_POOL_BEST_TOTAL_MEMORY), 2);
    EXPECT_EQ(contexts_made(), 0U);
}

TEST_F(DeviceQueryScript, BestByFreeMemoryIsLessWhatIsReservedHere) {
    configure(R"({"devices":[{"memory_bytes": 8589934592}, {"memory_bytes": 8589934592}]})");
    const Devices pool;
    EXPECT_EQ(best(pool, DEVICE_POOL_BEST_FREE_MEMORY), 0);
    EXPECT_EQ(contexts_made(), 0U) << "none may be made just to ask";
    stream_pool_options options = stream_options();
    options.budget_bytes = UINT64_C(1) << 40;
    const Streams one(pool, options, 0);
    const Streams two(pool, options, 1);
    const uint64_t id = one.acquire();
    EXPECT_EQ(stream_pool_reserve(one, id, 1 << 20), NEAR_OK);
    EXPECT_EQ(memory_of(pool, 0).reserved_bytes, UINT64_C(1) << 20);
    EXPECT_EQ(best(pool, DEVICE_POOL_BEST_FREE_MEMORY), 1);
    EXPECT_EQ(stream_pool_release(one, id), NEAR_OK);
    EXPECT_EQ(memory_of(pool, 0).reserved_bytes, 0U);
    EXPECT_EQ(best(pool, DEVICE_POOL_BEST_FREE_MEMORY), 0);
    const uint64_t greedy = two.acquire();
    EXPECT_EQ(stream_pool_reserve(two, greedy, UINT64_C(1) << 40), NEAR_OK) << "more than there is";
    EXPECT_EQ(best(pool, DEVICE_POOL_BEST_FREE_MEMORY), 0);
}

TEST_F(DeviceQueryScript, FreeMemoryIsAskedOfNvmlThenOfAContextThatOthersMade) {
    configure(R"({"devices":[{"nvml": {"present": false}}, {}]})");
    const Devices pool;
    Error error;
    int32_t ordinal = -1;
    EXPECT_EQ(device_pool_best(pool, DEVICE_POOL_BEST_FREE_MEMORY, 0, &ordinal, &error), NEAR_E_UNSUPPORTED);
    EXPECT_TRUE(error.says("the free memory of device 0 is not known")) << error.message;
    EXPECT_EQ(ordinal, -1);
    EXPECT_EQ(contexts_made(), 0U);
    CUcontext context = nullptr;
    ASSERT_EQ(driver()->primary_ctx_retain(&context, 0), cuda_success);
    EXPECT_GE(best(pool, DEVICE_POOL_BEST_FREE_MEMORY), 0);
    EXPECT_EQ(driver()->primary_ctx_release(0), cuda_success);
    EXPECT_EQ(device_pool_best(pool, DEVICE_POOL_BEST_FREE_MEMORY, 0, &ordinal, &error), NEAR_E_UNSUPPORTED)
        << "nothing may be kept of it";
}

TEST_F(DeviceQueryScript, LeastBusyCountsLeasesThenReservationsThenUtilization) {
    configure(
        R"({"devices":[{"nvml": {"utilization": 70}}, {"nvml": {"utilization": 20}}, {"nvml": {"utilization": 20}}]})");
    const Devices pool;
    EXPECT_EQ(best(pool, DEVICE_POOL_BEST_LEAST_BUSY), 1);
    EXPECT_EQ(contexts_made(), 0U);
    const Streams one(pool, stream_options(), 1);
    const Streams two(pool, stream_options(), 2);
    const uint64_t first = one.acquire();
    EXPECT_EQ(best(pool, DEVICE_POOL_BEST_LEAST_BUSY), 2);
    const uint64_t second = two.acquire();
    EXPECT_EQ(best(pool, DEVICE_POOL_BEST_LEAST_BUSY), 0);
    const Streams zero(pool, stream_options(), 0);
    const uint64_t third = zero.acquire();
    EXPECT_EQ(stream_pool_reserve(one, first, 1), NEAR_OK);
    EXPECT_EQ(stream_pool_reserve(zero, third, 1), NEAR_OK);
    EXPECT_EQ(best(pool, DEVICE_POOL_BEST_LEAST_BUSY), 2);
    EXPECT_EQ(stream_pool_release(one, first), NEAR_OK);
    EXPECT_EQ(stream_pool_release(two, second), NEAR_OK);
    EXPECT_EQ(best(pool, DEVICE_POOL_BEST_LEAST_BUSY), 1);
    EXPECT_EQ(stream_pool_release(zero, third), NEAR_OK);
}

TEST_F(DeviceQueryScript, AUtilizationThatIsNotKnownIsNoLowOne) {
    configure(R"({"devices":[{"nvml": {"utilization": 10}}, {"nvml": {"present": false}}]})");
    const Devices pool;
    EXPECT_EQ(best(pool, DEVICE_POOL_BEST_LEAST_BUSY), 0);
}

} // namespace
