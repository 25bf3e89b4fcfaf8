// SPDX-License-Identifier: Apache-2.0
// Making pools of GPUs, going through them, and their contexts.
#include "gpu/support.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <thread>

using namespace nearpool_gpu;

namespace {

near_status create_with(const std::vector<int32_t> &ordinals, Error &error, bool strict = false) {
    device_pool_options options = device_options();
    static const int32_t somewhere = 0;
    options.ordinals = ordinals.empty() ? &somewhere : ordinals.data();
    options.ordinal_count = ordinals.size();
    options.strict = strict ? 1 : 0;
    device_pool *pool = nullptr;
    const near_status status = device_pool_create(&options, &pool, &error);
    EXPECT_EQ(pool != nullptr, status == NEAR_OK);
    device_pool_destroy(pool);
    return status;
}

std::vector<int32_t> ordinals_of(device_pool *pool) {
    std::vector<int32_t> ordinals(device_pool_count(pool), -1);
    for (std::size_t i = 0; i < ordinals.size(); i++) {
        EXPECT_EQ(device_pool_at(pool, i, &ordinals[i]), NEAR_OK);
    }
    return ordinals;
}

bool active(int32_t ordinal) {
    unsigned flags = 0;
    int is_active = -1;
    EXPECT_EQ(driver()->primary_ctx_get_state(ordinal, &flags, &is_active), cuda_success);
    return is_active == 1;
}

class DevicePool : public Gpu {};
class DevicePoolScript : public FakeGpu {};

TEST_F(DevicePool, HasEveryDeviceByOrdinalAndTouchesNoContext) {
    int count = 0;
    ASSERT_EQ(driver()->device_get_count(&count), cuda_success);
    std::vector<bool> before;
    for (int32_t i = 0; i < count; i++) {
        before.push_back(active(i));
    }
    const Devices pool;
    const std::vector<int32_t> ordinals = ordinals_of(pool);
    ASSERT_EQ(ordinals.size(), static_cast<std::size_t>(count));
    for (int32_t i = 0; i < count; i++) {
        EXPECT_EQ(ordinals[static_cast<std::size_t>(i)], i);
        EXPECT_EQ(active(i), before[static_cast<std::size_t>(i)]);
    }
    int32_t ordinal = 7;
    EXPECT_EQ(device_pool_at(pool, ordinals.size(), &ordinal), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_at(nullptr, 0, &ordinal), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_at(pool, 0, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(ordinal, 7);
    EXPECT_EQ(device_pool_count(nullptr), 0U);
}

TEST_F(DevicePool, ContextIsThePrimaryOneThatTheDriverGivesOthers) {
    Devices pool;
    const CUcontext ours = pool.context(0);
    CUcontext theirs = nullptr;
    ASSERT_EQ(driver()->primary_ctx_retain(&theirs, 0), cuda_success);
    EXPECT_EQ(ours, theirs);
    void *by_index = nullptr;
    EXPECT_EQ(device_pool_context_at(pool, 0, &by_index, nullptr), NEAR_OK);
    EXPECT_EQ(by_index, ours);
    EXPECT_EQ(driver()->primary_ctx_release(0), cuda_success);
    EXPECT_TRUE(active(0));
}

TEST_F(DevicePool, AContextThatIsNotThereHasItsOwnError) {
    const Devices pool;
    Error error;
    void *context = &error;
    const auto count = static_cast<int32_t>(device_pool_count(pool));
    EXPECT_EQ(device_pool_context(pool, count, &context, &error), NEAR_E_DEVICE);
    EXPECT_TRUE(error.says("device_pool_context: device ") && error.says("is not in this pool")) << error.message;
    EXPECT_EQ(device_pool_context(pool, -1, &context, &error), NEAR_E_DEVICE);
    EXPECT_EQ(device_pool_context_at(pool, device_pool_count(pool), &context, &error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("device_pool_context_at: index is ")) << error.message;
    EXPECT_EQ(context, &error);
    EXPECT_EQ(device_pool_context(pool, 0, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_context(nullptr, 0, &context, &error), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_context_at(pool, 0, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_context_at(nullptr, 0, &context, &error), NEAR_E_INVALID);
}

TEST_F(DevicePool, BadListsAreRefused) {
    Error error;
    EXPECT_EQ(create_with({}, error), NEAR_E_EMPTY_SET);
    EXPECT_TRUE(error.says("ordinals is empty; pass NULL")) << error.message;
    EXPECT_EQ(create_with({0, 0}, error), NEAR_E_INVALID);
    EXPECT_TRUE(error.says("device 0 is listed twice")) << error.message;
    EXPECT_EQ(create_with({4095}, error), NEAR_E_DEVICE);
    EXPECT_EQ(create_with({4095}, error, true), NEAR_E_DEVICE);
    EXPECT_TRUE(error.says("there is no device 4095; the driver has ")) << error.message;
    EXPECT_EQ(create_with({0, -1}, error), NEAR_E_DEVICE);
    device_pool_options options = device_options();
    device_pool *pool = nullptr;
    options.ordinal_count = 1;
    EXPECT_EQ(device_pool_create(&options, &pool, &error), NEAR_E_INVALID);
    options = device_options();
    options.strict = 2;
    EXPECT_EQ(device_pool_create(&options, &pool, &error), NEAR_E_INVALID);
    options = device_options();
    options.own_contexts = 2;
    EXPECT_EQ(device_pool_create(&options, &pool, &error), NEAR_E_INVALID);
    options = device_options();
    options.reserved = 1;
    EXPECT_EQ(device_pool_create(&options, &pool, &error), NEAR_E_INVALID);
    options = device_options();
    options.struct_size = 3;
    EXPECT_EQ(device_pool_create(&options, &pool, &error), NEAR_E_VERSION);
    EXPECT_EQ(device_pool_create(nullptr, nullptr, &error), NEAR_E_INVALID);
    EXPECT_EQ(pool, nullptr);
}

TEST_F(DevicePool, DefaultIsTheSameForEverybodyAndNotDestroyed) {
    device_pool *one = nullptr;
    device_pool *two = nullptr;
    Error error;
    ASSERT_EQ(device_pool_default(&one, &error), NEAR_OK) << error.message;
    device_pool_destroy(one);
    ASSERT_EQ(device_pool_default(&two, &error), NEAR_OK) << error.message;
    EXPECT_EQ(one, two);
    EXPECT_GE(device_pool_count(two), 1U);
    EXPECT_EQ(device_pool_default(nullptr, &error), NEAR_E_INVALID);
}

TEST_F(DevicePoolScript, KeepsTheOrderOfAList) {
    const Devices pool(std::vector<int32_t>{2, 0});
    EXPECT_EQ(ordinals_of(pool), (std::vector<int32_t>{2, 0}));
    Error error;
    void *context = nullptr;
    EXPECT_EQ(device_pool_context(pool, 1, &context, &error), NEAR_E_DEVICE);
    EXPECT_TRUE(error.says("device 1 is not in this pool (devices 2,0)")) << error.message;
}

TEST_F(DevicePoolScript, PciAddressesAreWrittenAsTheKernelNamesThem) {
    configure(R"({"devices":[{"pci": "0000:A1:00.0"}, {"pci": "0000:A2:00.0", "domain_width": 8},
                             {"pci": "000F:A3:00.0", "domain_width": 8}]})");
    const Devices pool;
    const char *expected[] = {"0000:a1:00.0", "0000:a2:00.0", "000f:a3:00.0"};
    for (int32_t ordinal = 0; ordinal < 3; ordinal++) {
        device_pool_facts facts{};
        facts.struct_size = sizeof facts;
        ASSERT_EQ(device_pool_get_facts(pool, ordinal, &facts), NEAR_OK);
        EXPECT_STREQ(facts.pci_address, expected[ordinal]);
    }
}

TEST_F(DevicePoolScript, GoesRoundFromTheFirstCall) {
    const Devices pool;
    for (const int32_t expected : {0, 1, 2, 0, 1, 2, 0}) {
        int32_t ordinal = -1;
        EXPECT_EQ(device_pool_next(pool, &ordinal), NEAR_OK);
        EXPECT_EQ(ordinal, expected);
    }
    const Devices reversed(std::vector<int32_t>{2, 1});
    for (const int32_t expected : {2, 1, 2}) {
        int32_t ordinal = -1;
        EXPECT_EQ(device_pool_next(reversed, &ordinal), NEAR_OK);
        EXPECT_EQ(ordinal, expected);
    }
    int32_t ordinal = 0;
    EXPECT_EQ(device_pool_next(nullptr, &ordinal), NEAR_E_INVALID);
    EXPECT_EQ(device_pool_next(pool, nullptr), NEAR_E_INVALID);
}

TEST_F(DevicePoolScript, GivesEveryDeviceItsExactShareUnderFourThreads) {
    const Devices pool;
    constexpr int rounds = 3 * 1000;
    std::vector<std::map<int32_t, int>> shares(4);
    std::vector<std::thread> threads;
    for (auto &share : shares) {
        threads.emplace_back([&] {
            for (int i = 0; i < rounds; i++) {
                int32_t ordinal = -1;
                EXPECT_EQ(device_pool_next(pool, &ordinal), NEAR_OK);
                share[ordinal]++;
            }
        });
    }
    std::map<int32_t, int> sum;
    for (std::size_t i = 0; i < threads.size(); i++) {
        threads[i].join();
        for (const auto &[ordinal, count] : shares[i]) {
            sum[ordinal] += count;
        }
    }
    EXPECT_EQ(sum, (std::map<int32_t, int>{{0, 4000}, {1, 4000}, {2, 4000}}));
}

TEST_F(DevicePoolScript, OwnContextsAreNotThePrimaryOnes) {
    device_pool_options options = device_options();
    options.own_contexts = 1;
    Devices pool(&options);
    const CUcontext own = pool.context(1);
    EXPECT_FALSE(active(1));
    EXPECT_TRUE(context_stack().empty());
    CUcontext primary = nullptr;
    ASSERT_EQ(driver()->primary_ctx_retain(&primary, 1), cuda_success);
    EXPECT_NE(own, primary);
    EXPECT_EQ(driver()->primary_ctx_release(1), cuda_success);
}

TEST_F(DevicePoolScript, ADeviceThatCannotBeUsedIsLeftOutAndSaysWhy) {
    configure(R"({"devices":[{}, {"compute_mode": 2}, {}]})");
    const Devices pool;
    EXPECT_EQ(ordinals_of(pool), (std::vector<int32_t>{0, 2}));
    device_pool_skipped skipped{};
    skipped.struct_size = sizeof skipped;
    std::size_t count = 0;
    ASSERT_EQ(device_pool_get_skipped(pool, 0, &skipped, &count), NEAR_OK);
    EXPECT_EQ(count, 1U);
    EXPECT_EQ(skipped.ordinal, 1);
    EXPECT_EQ(skipped.status, NEAR_E_DEVICE);
    EXPECT_NE(std::strstr(skipped.reason, "prohibited"), nullptr) << skipped.reason;
    count = 0;
    EXPECT_EQ(device_pool_get_skipped(pool, 1, &skipped, &count), NEAR_E_INVALID);
    EXPECT_EQ(count, 1U);
    EXPECT_EQ(device_pool_get_skipped(pool, 7, nullptr, &count), NEAR_OK);
    EXPECT_EQ(device_pool_get_skipped(nullptr, 0, &skipped, &count), NEAR_E_INVALID);
    skipped.struct_size = 2;
    EXPECT_EQ(device_pool_get_skipped(pool, 0, &skipped, nullptr), NEAR_E_VERSION);
    Error error;
    EXPECT_EQ(create_with({0, 1}, error, true), NEAR_E_DEVICE);
    EXPECT_TRUE(error.says("device 1: its compute mode is")) << error.message;
    EXPECT_EQ(create_with({1}, error), NEAR_E_NO_DEVICE);
    EXPECT_TRUE(error.says("no device can be used; device 1: ")) << error.message;
}

TEST_F(DevicePoolScript, StrictMakesTheContextsAtOnceOrKeepsNothing) {
    device_pool_options options = device_options();
    options.strict = 1;
    {
        const Devices pool(&options);
        EXPECT_TRUE(active(0) && active(1) && active(2));
    }
    EXPECT_FALSE(active(0) || active(1) || active(2));
    fake()->fail("cuDevicePrimaryCtxRetain", 3, 2, 0);
    device_pool *pool = nullptr;
    Error error;
    EXPECT_EQ(device_pool_create(&options, &pool, &error), NEAR_E_CUDA);
    EXPECT_TRUE(error.says("device 2: cuDevicePrimaryCtxRetain: CUDA_ERROR_OUT_OF_MEMORY (2)")) << error.message;
    EXPECT_EQ(error.native_domain, NEAR_DOMAIN_CUDA);
    EXPECT_EQ(error.native_code, 2);
    EXPECT_FALSE(active(0) || active(1) || active(2));
}

TEST_F(DevicePoolScript, AContextThatFailsLaterIsTriedAgain) {
    Devices pool;
    fake()->fail("cuDevicePrimaryCtxRetain", 1, 2, 0);
    void *context = nullptr;
    Error error;
    EXPECT_EQ(device_pool_context(pool, 0, &context, &error), NEAR_E_CUDA);
    EXPECT_EQ(context, nullptr);
    EXPECT_NE(pool.context(0), nullptr);
}

TEST_F(DevicePoolScript, NoDeviceAndAStubLibraryHaveTheirOwnErrors) {
    device_pool *pool = nullptr;
    Error error;
    configure(R"({"mode": "no-device"})");
    EXPECT_EQ(device_pool_create(nullptr, &pool, &error), NEAR_E_NO_DEVICE) << error.message;
    configure(R"({"mode": "stub"})");
    EXPECT_EQ(device_pool_create(nullptr, &pool, &error), NEAR_E_NO_DRIVER) << error.message;
    EXPECT_TRUE(error.says("CUDA_ERROR_STUB_LIBRARY")) << error.message;
    EXPECT_EQ(pool, nullptr);
    EXPECT_EQ(create_with({0, 0}, error), NEAR_E_INVALID) << "arguments come first";
    configure(devices_json(1));
    fake()->fail("cuInit", 1, 999, 0);
    EXPECT_EQ(device_pool_create(nullptr, &pool, &error), NEAR_E_CUDA);
    EXPECT_TRUE(error.says("cuInit: CUDA_ERROR_UNKNOWN (999)")) << error.message;
    EXPECT_EQ(device_pool_create(nullptr, &pool, &error), NEAR_OK) << error.message;
    device_pool_destroy(pool);
}

// Runs on its own, on a driver that lacks something.
TEST(DriverWithoutASymbol, IsNoDriver) {
    const char *missing = nullptr;
#define NEARPOOL_CUDA(member, symbol, name, version, need, parameters)                                                 \
    if (driver() != nullptr && driver()->member == nullptr && std::string(#need) == "required") {                      \
        missing = #symbol;                                                                                             \
    }
#include "cuda/entry_points.inc"
#undef NEARPOOL_CUDA
    if (missing == nullptr) {
        GTEST_SKIP() << "[missing-symbol] this driver has all that is needed";
    }
    device_pool *pool = nullptr;
    Error error;
    EXPECT_EQ(device_pool_create(nullptr, &pool, &error), NEAR_E_NO_DRIVER);
    EXPECT_TRUE(error.says((std::string(" has no ") + missing).c_str())) << error.message;
    EXPECT_EQ(pool, nullptr);
}

} // namespace
