// SPDX-License-Identifier: Apache-2.0
// The caller's current context is as before after every call but push and pop, on every path; and push and pop.
#include "gpu/support.hpp"

#include <functional>
#include <thread>

using namespace nearpool_gpu;

namespace {

class Contexts : public Gpu {};
class ContextsScript : public FakeGpu {};

struct Step {
    const char *name;
    std::function<near_status()> call;
};

near_status nothing(void *) {
    return NEAR_OK;
}

// A day in the life of pools on device 1: every call that may reach the driver, whatever the ones before have answered.
class Day {
public:
    ~Day() { end(); }

    std::vector<Step> steps() {
        return {
            {"device_pool_create", [this] { return create_devices(); }},
            {"strict device_pool_create", [this] { return strict_pool(); }},
            {"device_pool_get_memory", [this] { return memory(); }},
            {"device_pool_best", [this] { return best(); }},
            {"device_pool_best by load", [this] { return best(DEVICE_POOL_BEST_LEAST_BUSY); }},
            {"device_pool_get_peers", [this] { return peers(); }},
            {"device_pool_context", [this] { return device_pool_context(devices_, 1, &context_, nullptr); }},
            {"device_pool_context_at", [this] { return device_pool_context_at(devices_, 2, &context_, nullptr); }},
            {"device_pool_get_memory with a context", [this] { return memory(); }},
            {"stream_pool_create", [this] { return create_streams(); }},
            {"stream_pool_acquire", [this] { return stream_pool_acquire(streams_, &id_); }},
            {"stream_pool_acquire again", [this] { return stream_pool_acquire(streams_, &other_); }},
            {"stream_pool_query", [this] { return stream_pool_query(streams_, id_, &done_, nullptr); }},
            {"stream_pool_synchronize",
             [this] { return stream_pool_synchronize(streams_, id_, NEAR_FOREVER, nullptr); }},
            {"stream_pool_synchronize in time",
             [this] { return stream_pool_synchronize(streams_, id_, nearpool_test::long_enough_ns, nullptr); }},
            {"stream_pool_wait_on", [this] { return stream_pool_wait_on(streams_, id_, streams_, other_, nullptr); }},
            {"stream_pool_then", [this] { return then(); }},
            {"stream_pool_get_info", [this] { return info(); }},
            {"stream_pool_release", [this] { return stream_pool_release(streams_, id_); }},
            {"stream_pool_get_info with a released one", [this] { return info(); }},
            {"stream_pool_acquire a warm one", [this] { return acquire_warm(); }},
            {"stream_pool_destroy", [this] { return end_streams(); }},
            {"device_pool_destroy", [this] { return end(); }},
        };
    }

private:
    near_status create_devices() { // one with a device less is no success here
        const near_status status = device_pool_create(nullptr, &devices_, nullptr);
        if (status != NEAR_OK || device_pool_count(devices_) == 3) {
            return status;
        }
        device_pool_destroy(std::exchange(devices_, nullptr));
        return NEAR_E_DEVICE;
    }
    near_status strict_pool() {
        device_pool_options options = device_options();
        options.strict = 1;
        options.own_contexts = 1;
        device_pool *pool = nullptr;
        const near_status status = device_pool_create(&options, &pool, nullptr);
        device_pool_destroy(pool);
        return status;
    }
    near_status memory() {
        device_pool_memory memory{};
        memory.struct_size = sizeof memory;
        return device_pool_get_memory(devices_, 1, &memory, nullptr);
    }
    near_status best(int32_t criterion = DEVICE_POOL_BEST_FREE_MEMORY) {
        int32_t ordinal = 0;
        return device_pool_best(devices_, criterion, 0, &ordinal, nullptr);
    }
    near_status peers() {
        std::size_t needed = 0;
        return device_pool_get_peers(devices_, nullptr, 0, &needed, nullptr);
    }
    near_status info() {
        stream_pool_info info{};
        info.struct_size = sizeof info;
        return stream_pool_get_info(streams_, &info);
    }
    near_status create_streams() { // NULL would be the process's own pool, which keeps its contexts
        const stream_pool_options two = stream_options(2); // so that a place that is lost is missed
        return devices_ != nullptr ? stream_pool_create(devices_, 1, &two, &streams_, nullptr) : NEAR_E_INVALID;
    }
    near_status then() {
        return driver()->stream_add_callback != nullptr
                   ? stream_pool_then(streams_, id_, workers_, nothing, nullptr, nullptr)
                   : NEAR_OK;
    }
    near_status acquire_warm() { // its continuation may still be at work
        near_status status = NEAR_E_CAPACITY;
        nearpool_test::eventually([&] {
            status = stream_pool_acquire(streams_, &id_);
            return status != NEAR_E_CAPACITY;
        });
        return status;
    }
    near_status end_streams() {
        stream_pool_destroy(std::exchange(streams_, nullptr));
        return NEAR_OK;
    }
    near_status end() {
        end_streams();
        device_pool_destroy(std::exchange(devices_, nullptr));
        return NEAR_OK;
    }

    nearpool_test::Pool workers_{1};
    device_pool *devices_ = nullptr;
    stream_pool *streams_ = nullptr;
    void *context_ = nullptr;
    uint64_t id_ = STREAM_POOL_DEFAULT;
    uint64_t other_ = STREAM_POOL_DEFAULT;
    uint32_t done_ = 0;
};

// A context on top of another one, which are nobody's of the pools that are tested.
class TwoContexts {
public:
    TwoContexts() {
        for (CUcontext &context : contexts_) {
            EXPECT_EQ(driver()->ctx_create(&context, 0, 0), cuda_success);
        }
    }
    ~TwoContexts() {
        for (const CUcontext context : {contexts_[1], contexts_[0]}) {
            EXPECT_EQ(driver()->ctx_destroy(context), cuda_success);
        }
    }

private:
    CUcontext contexts_[2]{};
};

TEST_F(ContextsScript, AreAsBeforeAfterEveryCall) {
    const TwoContexts two;
    const std::vector<CUcontext> before = context_stack();
    ASSERT_EQ(before.size(), 2U);
    Day day;
    for (const Step &step : day.steps()) {
        EXPECT_EQ(step.call(), NEAR_OK) << step.name;
        EXPECT_EQ(context_stack(), before) << step.name;
    }
}

TEST_F(ContextsScript, OfAThreadWithNoneStayNone) {
    Day day;
    for (const Step &step : day.steps()) {
        EXPECT_EQ(step.call(), NEAR_OK) << step.name;
        EXPECT_TRUE(context_stack().empty()) << step.name;
    }
}

bool gives_back(const std::string &call) {
    for (const char *symbol : {"cuDevicePrimaryCtxRelease", "cuCtxDestroy", "cuStreamDestroy", "cuEventDestroy"}) {
        if (call.find(symbol) != std::string::npos) {
            return true;
        }
    }
    return false;
}

// Whichever call of the driver fails, once: nothing is left behind, and the next day all works.
TEST_F(ContextsScript, EachDriverCallFailsOnceAndLeavesNothingBehind) {
    uint64_t calls = 0;
    {
        const uint64_t before = fake()->steps();
        Day day;
        for (const Step &step : day.steps()) {
            ASSERT_EQ(step.call(), NEAR_OK) << step.name;
        }
        calls = fake()->steps() - before;
    }
    ASSERT_GT(calls, 50U);
    uint64_t failed = 0;
    for (uint64_t n = 1; n <= calls; n++) {
        fake()->log("memory");
        fake()->log_clear();
        fake()->fail("*", n, 2, 0);
        {
            Day day;
            for (const Step &step : day.steps()) {
                if (step.call() != NEAR_OK) {
                    failed++;
                    EXPECT_EQ(step.call(), NEAR_OK) << step.name << " again, after call " << n;
                }
            }
        }
        fake()->fail("*", 0, 0, 0);
        fake()->log("");
        const std::string call = refused_call(cuda_error_out_of_memory);
        ASSERT_TRUE(context_stack().empty()) << n << ": " << call;
        ASSERT_EQ(capture_mode(), 0) << n << ": " << call;
        if (gives_back(call)) { // refused, it is the driver that keeps what we no longer want
            ASSERT_EQ(fake()->reset(devices_json(3).c_str(), 1), nullptr);
        }
        ASSERT_STREQ(fake()->held(), "") << n << ": " << call;
    }
    EXPECT_GT(failed, 20U);
    Day day;
    for (const Step &step : day.steps()) {
        EXPECT_EQ(step.call(), NEAR_OK) << step.name;
    }
}

TEST_F(Contexts, PushAndPopAreUndone) {
    const Devices pool;
    const std::vector<CUcontext> before = context_stack();
    Error error;
    ASSERT_EQ(device_pool_push(pool, 0, &error), NEAR_OK) << error.message;
    CUcontext current = nullptr;
    EXPECT_EQ(driver()->ctx_get_current(&current), cuda_success);
    EXPECT_EQ(current, pool.context(0));
    ASSERT_EQ(device_pool_push(pool, 0, &error), NEAR_OK) << "twice is fine";
    EXPECT_EQ(device_pool_pop(&error), NEAR_OK) << error.message;
    EXPECT_EQ(device_pool_pop(&error), NEAR_OK) << error.message;
    EXPECT_EQ(context_stack(), before);
    EXPECT_EQ(device_pool_pop(&error), NEAR_E_WRONG_THREAD);
    EXPECT_TRUE(error.says("device_pool_pop: this thread has pushed no context")) << error.message;
    EXPECT_EQ(device_pool_push(pool, 4095, &error), NEAR_E_DEVICE);
    EXPECT_EQ(device_pool_push(nullptr, 0, &error), NEAR_E_INVALID);
    EXPECT_EQ(context_stack(), before);
}

TEST_F(Contexts, PopNeitherTakesAnothersContextNorAnotherThreadsPush) {
    const Devices pool;
    ASSERT_EQ(device_pool_push(pool, 0, nullptr), NEAR_OK);
    std::thread([&] { EXPECT_EQ(device_pool_pop(nullptr), NEAR_E_WRONG_THREAD); }).join();
    CUcontext foreign = nullptr;
    ASSERT_EQ(driver()->ctx_create(&foreign, 0, 0), cuda_success);
    Error error;
    EXPECT_EQ(device_pool_pop(&error), NEAR_E_BUSY);
    EXPECT_TRUE(error.says("undo first what came after")) << error.message;
    EXPECT_EQ(context_stack().size(), 2U);
    EXPECT_EQ(driver()->ctx_destroy(foreign), cuda_success);
    EXPECT_EQ(device_pool_pop(&error), NEAR_OK) << error.message;
}

TEST_F(ContextsScript, APushThatFailsPushesNothing) {
    const Devices pool;
    pool.context(1);
    fake()->fail("cuCtxPushCurrent_v2", 1, 201, 0);
    Error error;
    EXPECT_EQ(device_pool_push(pool, 1, &error), NEAR_E_CUDA);
    EXPECT_TRUE(error.says("cuCtxPushCurrent: CUDA_ERROR_INVALID_CONTEXT (201)")) << error.message;
    EXPECT_EQ(device_pool_pop(&error), NEAR_E_WRONG_THREAD);
    EXPECT_TRUE(context_stack().empty());
}

} // namespace
