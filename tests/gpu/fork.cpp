// SPDX-License-Identifier: Apache-2.0
// A child of a process that uses GPUs: the driver works only in the parent, so every call says NEAR_E_FORKED, objects
// can be destroyed, and the parent goes on.
#include "gpu/support.hpp"

using namespace nearpool_gpu;
using nearpool_test::in_child;

namespace {

class GpuFork : public Gpu {};

near_status nothing(void *) {
    return NEAR_OK;
}

void expect_forked(device_pool *devices) {
    Error error;
    int32_t ordinal = 0;
    void *context = nullptr;
    std::size_t needed = 0;
    device_pool *pool = nullptr;
    device_pool_memory memory{};
    memory.struct_size = sizeof memory;
    EXPECT_EQ(device_pool_next(devices, &ordinal), NEAR_E_FORKED);
    EXPECT_EQ(device_pool_context(devices, 0, &context, &error), NEAR_E_FORKED);
    EXPECT_EQ(device_pool_context_at(devices, 0, &context, &error), NEAR_E_FORKED);
    EXPECT_EQ(device_pool_push(devices, 0, &error), NEAR_E_FORKED);
    EXPECT_EQ(device_pool_get_memory(devices, 0, &memory, &error), NEAR_E_FORKED);
    EXPECT_EQ(device_pool_best(devices, 0, 0, &ordinal, &error), NEAR_E_FORKED);
    EXPECT_EQ(device_pool_get_peers(devices, nullptr, 0, &needed, &error), NEAR_E_FORKED);
    EXPECT_EQ(device_pool_create(nullptr, &pool, &error), NEAR_E_FORKED);
    EXPECT_TRUE(error.says("initialised in the parent of this process")) << error.message;
    EXPECT_EQ(pool, nullptr);
    EXPECT_GE(device_pool_count(devices), 1U) << "what is known stays so";
    device_pool_facts facts{};
    facts.struct_size = sizeof facts;
    EXPECT_EQ(device_pool_get_facts(devices, 0, &facts), NEAR_OK);
}

void expect_forked(stream_pool *streams, uint64_t id) {
    Error error;
    uint64_t other = 0;
    void *stream = nullptr;
    uint32_t done = 0;
    stream_pool_info info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(stream_pool_acquire(streams, &other), NEAR_E_FORKED);
    EXPECT_EQ(stream_pool_release(streams, id), NEAR_E_FORKED);
    EXPECT_EQ(stream_pool_resolve(streams, id, &stream), NEAR_E_FORKED);
    EXPECT_EQ(stream_pool_adopt(streams, &info, &other, &error), NEAR_E_FORKED);
    EXPECT_EQ(stream_pool_get_info(streams, &info), NEAR_E_FORKED);
    EXPECT_EQ(stream_pool_query(streams, id, &done, &error), NEAR_E_FORKED);
    EXPECT_EQ(stream_pool_synchronize(streams, id, 0, &error), NEAR_E_FORKED);
    EXPECT_EQ(stream_pool_wait_on(streams, id, streams, id, &error), NEAR_E_FORKED);
    EXPECT_EQ(stream_pool_then(streams, id, nullptr, nothing, nullptr, &error), NEAR_E_FORKED);
    EXPECT_EQ(stream_pool_reserve(streams, id, 1), NEAR_E_FORKED);
    EXPECT_EQ(stream_pool_unreserve(streams, id, 0), NEAR_E_FORKED);
}

TEST_F(GpuFork, EveryCallInTheChildSaysSoAndTheParentGoesOn) {
    Devices devices;
    Streams streams(devices);
    const uint64_t id = streams.acquire();
    ASSERT_EQ(device_pool_push(devices, 0, nullptr), NEAR_OK);
    EXPECT_EQ(in_child([&] {
                  Error error;
                  expect_forked(devices);
                  expect_forked(streams, id);
                  stream_pool *pool = nullptr;
                  EXPECT_EQ(stream_pool_create(devices, 0, nullptr, &pool, &error), NEAR_E_FORKED);
                  EXPECT_EQ(device_pool_pop(&error), NEAR_E_FORKED);
                  EXPECT_EQ(device_pool_pop(&error), NEAR_E_WRONG_THREAD) << "the push is forgotten";
                  near_pin *pin = nullptr;
                  EXPECT_EQ(near_pin_device(devices, 0, nullptr, &pin, &error), NEAR_E_FORKED);
                  streams.destroy();
                  devices.destroy();
              }),
              0);
    EXPECT_EQ(device_pool_pop(nullptr), NEAR_OK);
    EXPECT_NE(streams.at(id), nullptr);
    EXPECT_EQ(stream_pool_release(streams, id), NEAR_OK);
    EXPECT_NE(streams.acquire(), id);
}

} // namespace
