// SPDX-License-Identifier: Apache-2.0
// Down the ladder: which way memory is made in, why each way before it was not taken, and what is then known of the
// memory. Each reason comes about as it does on a real machine: the driver, the device or the options are such.
#include "gpu/pinned_ways.hpp"
#include "support/mapping_flags.hpp"

using namespace nearpool_gpu;
using nearpool_test::Pool;

namespace {

class PinnedWaysScript : public FakeGpu {
protected:
    void SetUp() override {
        FakeGpu::SetUp();
        if (!IsSkipped()) {
            configure(near_node_0());
        }
    }
};

// Why the way was not taken, and what the sentence says.
void expect_missed(const Pinned &pinned, int32_t method, int32_t reason, const char *sentence) {
    std::string text;
    EXPECT_EQ(pinned.reason(method, &text), reason) << near_pinned_method_name(method) << ": " << text;
    EXPECT_NE(text.find(sentence), std::string::npos) << near_pinned_method_name(method) << ": " << text;
}

// Of its own way and those after it there is nothing to explain.
void expect_way(const Pinned &pinned, int32_t method) {
    ASSERT_NE(pinned.data(), nullptr);
    EXPECT_STREQ(near_pinned_method_name(pinned.info().method), near_pinned_method_name(method));
    for (int32_t after = method; after <= NEAR_PINNED_ADOPTED; after++) {
        expect_missed(pinned, after, NEAR_REASON_NONE, "");
    }
}

void expect_strict_on_node_0(const Pinned &pinned) {
    const near_placement placement = pinned.placement();
    EXPECT_EQ(placement.level, NEAR_LEVEL_STRICT) << placement.reason;
    EXPECT_EQ(placement.reason_code, NEAR_REASON_NONE) << placement.reason;
    EXPECT_EQ(placement.near_pages, placement.page_count);
    EXPECT_EQ(placement.policy, NEAR_POLICY_BIND);
    EXPECT_EQ(pinned.info().node, 0U);
}

TEST_F(PinnedWaysScript, EachCanBeTheOnlyOne) {
    NEEDS_BINDING();
    const Devices devices;
    const Pool workers(1);
    for (const int32_t method : all_ways) {
        SCOPED_TRACE(near_pinned_method_name(method));
        Pinned pinned;
        Error error;
        const near_status status =
            alloc_pinned(workers, devices, mib + 5, pinned_options(only(method)), &pinned, &error);
        if (method == NEAR_PINNED_DRIVER_NODE && !makes_memory_on_nodes()) {
            EXPECT_EQ(status, NEAR_E_UNSUPPORTED);
            EXPECT_TRUE(error.says("driver on node: ") && error.says("cuMem")) << error.message;
            continue;
        }
        ASSERT_EQ(status, NEAR_OK) << error.message;
        expect_way(pinned, method);
        for (int32_t before = NEAR_PINNED_PLACED; before < method; before++) {
            expect_missed(pinned, before, NEAR_REASON_NOT_ASKED, "the options leave it out");
        }
        pinned.fill('x');
        expect_strict_on_node_0(pinned);
        EXPECT_EQ(pinned.info().chunk_count, 1U);
    }
}

TEST_F(PinnedWaysScript, TheFirstOneWorksWhereMemoryCanBeBound) {
    NEEDS_BINDING();
    const Devices devices;
    const Pool workers(1);
    const Pinned pinned(workers, devices, mib);
    expect_way(pinned, NEAR_PINNED_PLACED);
    expect_strict_on_node_0(pinned);
    EXPECT_EQ(fake()->calls("cuMemCreate") + fake()->calls("cuMemHostAlloc"), 0U);
}

constexpr const char *registers_nothing = "the device registers no memory that is there already";

TEST_F(PinnedWaysScript, WhereNothingCanBeRegisteredTheDriverAllocatesOnTheNode) {
    configure(near_node_0(R"("host_register":false)"));
    if (!makes_memory_on_nodes()) {
        GTEST_SKIP() << "[host-numa] this driver makes no memory on nodes";
    }
    NEEDS_BINDING();
    const Devices devices;
    const Pool workers(1);
    const Pinned pinned(workers, devices, mib);
    expect_way(pinned, NEAR_PINNED_DRIVER_NODE);
    expect_missed(pinned, NEAR_PINNED_PLACED, NEAR_REASON_DRIVER, registers_nothing);
    expect_strict_on_node_0(pinned);
    pinned.fill('n');
    EXPECT_EQ(fake()->calls("cuMemHostRegister_v2"), 0U);
}

// Why a driver has none, by what is missing.
const char *no_node_memory() {
    if (driver()->mem_create == nullptr) {
        return "this driver has no cuMemCreate";
    }
    return makes_memory_on_nodes() ? "cuMemCreate: CUDA_ERROR_NOT_SUPPORTED (801)" : "cuMem";
}

TEST_F(PinnedWaysScript, TheDriversOwnAllocatorIsTheLast) {
    configure(near_node_0(R"("host_register":false)", R"("host_numa":false)"));
    NEEDS_BINDING();
    const Devices devices;
    const Pool workers(1);
    const Pinned pinned(workers, devices, mib);
    expect_way(pinned, NEAR_PINNED_DRIVER);
    expect_missed(pinned, NEAR_PINNED_PLACED, NEAR_REASON_DRIVER, registers_nothing);
    expect_missed(pinned, NEAR_PINNED_DRIVER_NODE, NEAR_REASON_DRIVER, no_node_memory());
    expect_missed(pinned, NEAR_PINNED_TOUCHED, NEAR_REASON_DRIVER, registers_nothing);
    expect_strict_on_node_0(pinned);
    pinned.fill('d');
}

TEST_F(PinnedWaysScript, WithoutMemoryOnNodesPagesAreTouchedThere) {
    configure(near_node_0("", R"("host_numa":false)"));
    const Devices devices;
    const Pool workers(1);
    const uint32_t methods = only(NEAR_PINNED_DRIVER_NODE) | only(NEAR_PINNED_TOUCHED) | only(NEAR_PINNED_DRIVER);
    const Pinned pinned(workers, devices, mib, pinned_options(methods));
    expect_way(pinned, NEAR_PINNED_TOUCHED);
    expect_missed(pinned, NEAR_PINNED_PLACED, NEAR_REASON_NOT_ASKED, "the options leave it out");
    expect_missed(pinned, NEAR_PINNED_DRIVER_NODE, NEAR_REASON_DRIVER, no_node_memory());
    pinned.fill('t');
}

TEST_F(PinnedWaysScript, ANodeWithoutRoomIsSaidToHaveNone) {
    if (!makes_memory_on_nodes()) {
        GTEST_SKIP() << "[host-numa] this driver makes no memory on nodes";
    }
    configure(near_node_0("", R"("full_nodes":[0])"));
    const Devices devices;
    const Pool workers(1);
    const uint32_t methods = only(NEAR_PINNED_DRIVER_NODE) | only(NEAR_PINNED_TOUCHED);
    const Pinned pinned(workers, devices, mib, pinned_options(methods));
    expect_way(pinned, NEAR_PINNED_TOUCHED);
    expect_missed(pinned, NEAR_PINNED_DRIVER_NODE, NEAR_REASON_DRIVER, "cuMemCreate: CUDA_ERROR_OUT_OF_MEMORY (2)");
}

TEST_F(PinnedWaysScript, ADriverThatNeverRegistersIsSaidToRefuse) {
    NEEDS_BINDING();
    const Devices devices;
    const Pool workers(1);
    for (const int code : {801, 800}) { // not supported, not permitted
        const std::string sentence = "(" + std::to_string(code) + ")";
        fake()->fail("cuMemHostRegister_v2", 1, code, 1);
        const uint32_t methods = only(NEAR_PINNED_PLACED) | only(NEAR_PINNED_TOUCHED) | only(NEAR_PINNED_DRIVER);
        const Pinned pinned(workers, devices, mib, pinned_options(methods, NEAR_PINNED_NO_CACHE));
        expect_way(pinned, NEAR_PINNED_DRIVER);
        expect_missed(pinned, NEAR_PINNED_PLACED, NEAR_REASON_DRIVER, ("cuMemHostRegister: CUDA_ERROR_NOT_"));
        expect_missed(pinned, NEAR_PINNED_TOUCHED, NEAR_REASON_DRIVER, sentence.c_str());
        fake()->fail("cuMemHostRegister_v2", 0, 0, 0);
    }
}

TEST_F(PinnedWaysScript, ARegistrationThatFailsWhateverTheDriverSaysLeadsToTheNextWay) {
    NEEDS_BINDING();
    const Devices devices;
    const Pool workers(1);
    const uint32_t methods = only(NEAR_PINNED_PLACED) | only(NEAR_PINNED_TOUCHED) | only(NEAR_PINNED_DRIVER);
    for (const int code : {1, 2, 304, 712, 999}) {
        const std::string sentence = "(" + std::to_string(code) + ")";
        fake()->fail("cuMemHostRegister_v2", 1, code, 1);
        const Pinned pinned(workers, devices, mib, pinned_options(methods, NEAR_PINNED_NO_CACHE));
        expect_way(pinned, NEAR_PINNED_DRIVER);
        expect_missed(pinned, NEAR_PINNED_PLACED, NEAR_REASON_DRIVER, "cuMemHostRegister: CUDA_ERROR_");
        expect_missed(pinned, NEAR_PINNED_TOUCHED, NEAR_REASON_DRIVER, sentence.c_str());
        fake()->fail("cuMemHostRegister_v2", 0, 0, 0);
    }
}

TEST_F(PinnedWaysScript, WhereEachWayFailsTheFirstErrorOfTheDriverIsTheStatusAndAllAreNamed) {
    const Devices devices;
    const Pool workers(1);
    fake()->fail("cuMemHostRegister_v2", 1, 2, 1);
    fake()->fail("cuMemHostAlloc", 1, 304, 1);
    Pinned pinned;
    Error error;
    const uint32_t methods = only(NEAR_PINNED_TOUCHED) | only(NEAR_PINNED_DRIVER);
    EXPECT_EQ(alloc_pinned(workers, devices, mib, pinned_options(methods), &pinned, &error), NEAR_E_CUDA);
    EXPECT_EQ(error.native_domain, NEAR_DOMAIN_CUDA);
    EXPECT_EQ(error.native_code, 2);
    for (const char *part : {"numa_pool_alloc_pinned: ", "touched: cuMemHostRegister: CUDA_ERROR_OUT_OF_MEMORY (2)",
                             "driver: cuMemHostAlloc: CUDA_ERROR_OPERATING_SYSTEM (304)"}) {
        EXPECT_TRUE(error.says(part)) << error.message;
    }
    EXPECT_EQ(pinned.data(), nullptr);
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 0U);
}

// What a driver makes is in core dumps as the driver wants it.
TEST_F(PinnedWaysScript, OutOfCoreDumpsIsOnlyWhatIsMappedHere) {
    const Devices devices;
    const Pool workers(1);
    const uint32_t methods = only(NEAR_PINNED_DRIVER_NODE) | only(NEAR_PINNED_TOUCHED) | only(NEAR_PINNED_DRIVER);
    const Pinned pinned(workers, devices, mib, pinned_options(methods, NEAR_PINNED_NO_DUMP));
    expect_way(pinned, NEAR_PINNED_TOUCHED);
    EXPECT_NE(nearpool_test::mapping_flags(pinned.data()).find(" dd "), std::string::npos);
    Pinned none;
    Error error;
    near_pinned_options options = pinned_options(only(NEAR_PINNED_DRIVER), NEAR_PINNED_NO_DUMP);
    EXPECT_EQ(alloc_pinned(workers, devices, mib, options, &none, &error), NEAR_E_UNSUPPORTED);
    EXPECT_TRUE(error.says("the driver's own memory may be in core dumps")) << error.message;
}

// What a lost device answers, it answers to every call.
TEST_F(PinnedWaysScript, OfALostDeviceNoOtherWayIsTried) {
    const Devices devices;
    const Pool workers(1);
    fake()->fail("cuMemHostRegister_v2", 1, 719, 1);
    Pinned pinned;
    Error error;
    const uint32_t methods = only(NEAR_PINNED_TOUCHED) | only(NEAR_PINNED_DRIVER);
    EXPECT_EQ(alloc_pinned(workers, devices, mib, pinned_options(methods), &pinned, &error), NEAR_E_CUDA);
    EXPECT_TRUE(error.says("numa_pool_alloc_pinned: cuMemHostRegister: CUDA_ERROR_LAUNCH_FAILED (719)"))
        << error.message;
    EXPECT_EQ(fake()->calls("cuMemHostAlloc"), 0U);
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 0U);
}

// Its driver faults pages in and leaves them free to move: what is bound stays, what was only touched may go.
TEST_F(PinnedWaysScript, WhatIsNotLockedIsStrictOnlyWhenBound) {
    configure(near_node_0(R"("pageable_by_host_tables":true)"));
    NEEDS_BINDING();
    const Devices devices;
    const Pool workers(1);
    expect_strict_on_node_0(Pinned(workers, devices, mib, pinned_options(only(NEAR_PINNED_PLACED))));
    const Pinned touched(workers, devices, mib, pinned_options(only(NEAR_PINNED_TOUCHED)));
    const near_placement placement = touched.placement();
    EXPECT_EQ(placement.level, NEAR_LEVEL_BEST_EFFORT);
    EXPECT_EQ(placement.reason_code, NEAR_REASON_NOT_LOCKED) << placement.reason;
    EXPECT_EQ(placement.near_pages, placement.page_count);
    near_pinned_options strict = pinned_options(only(NEAR_PINNED_TOUCHED));
    strict.strict = 1;
    Pinned pinned;
    Error error;
    EXPECT_EQ(alloc_pinned(workers, devices, mib, strict, &pinned, &error), NEAR_E_STRICT);
    EXPECT_TRUE(error.says("touched: ") && error.says("nothing binds them")) << error.message;
    strict.methods |= only(NEAR_PINNED_PLACED);
    EXPECT_EQ(alloc_pinned(workers, devices, mib, strict, &pinned, &error), NEAR_OK) << error.message;
    expect_way(pinned, NEAR_PINNED_PLACED);
}

TEST_F(PinnedWaysScript, AStrictPoolIsStrictInThisToo) {
    configure(near_node_0(R"("pageable_by_host_tables":true)"));
    NEEDS_BINDING();
    const Devices devices;
    numa_pool_options options = nearpool_test::options_for(nullptr);
    options.strict = 1;
    numa_pool *made = nullptr;
    if (numa_pool_create(&options, &made, nullptr) != NEAR_OK) {
        GTEST_SKIP() << "[affinity] there is no strict pool here";
    }
    {
        Pinned pinned;
        Error error;
        const near_pinned_options soft = pinned_options(only(NEAR_PINNED_TOUCHED));
        EXPECT_EQ(alloc_pinned(made, devices, mib, soft, &pinned, &error), NEAR_E_STRICT);
        EXPECT_TRUE(error.says("nothing binds them")) << error.message;
        ASSERT_EQ(alloc_pinned(made, devices, mib, pinned_options(), &pinned, &error), NEAR_OK) << error.message;
        expect_strict_on_node_0(pinned);
    }
    numa_pool_destroy(made);
}

TEST_F(PinnedWaysScript, NoneAtAllIsUnsupportedAndNamesEach) {
    configure(near_node_0(R"("host_register":false)", R"("host_numa":false)"));
    const Devices devices;
    const Pool workers(1);
    Pinned pinned;
    Error error;
    const uint32_t methods = only(NEAR_PINNED_PLACED) | only(NEAR_PINNED_DRIVER_NODE) | only(NEAR_PINNED_TOUCHED);
    EXPECT_EQ(alloc_pinned(workers, devices, mib, pinned_options(methods), &pinned, &error), NEAR_E_UNSUPPORTED);
    for (const char *part : {"bytes near device 0", "placed: ", "driver on node: ", "touched: "}) {
        EXPECT_TRUE(error.says(part)) << error.message;
    }
    EXPECT_FALSE(error.says("leave it out")) << "what was not asked for is no news: " << error.message;
    near_pinned_options strict = pinned_options(methods);
    strict.strict = 1;
    EXPECT_EQ(alloc_pinned(workers, devices, mib, strict, &pinned, &error), NEAR_E_STRICT);
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 0U);
}

// Pools on a machine of several nodes, of which nobody knows where the devices are: this one, or one made up.
class Unknown {
public:
    Unknown() {
        device_pool_options options = device_options();
        options.topology = topology();
        EXPECT_EQ(device_pool_create(&options, &devices_, nullptr), NEAR_OK);
    }
    Unknown(const Unknown &) = delete;
    Unknown &operator=(const Unknown &) = delete;
    ~Unknown() { device_pool_destroy(devices_); }
    static bool here() { return near_topology_node_count(nullptr) > 1; }
    const near_topology *topology() const { return here() ? nullptr : static_cast<const near_topology *>(made_up_); }
    device_pool *devices() const { return devices_; }

private:
    const nearpool_test::Topology made_up_ = nearpool_test::four_nodes();
    device_pool *devices_ = nullptr;
};

TEST_F(PinnedWaysScript, ADeviceOfUnknownNodeGetsPlainMemory) {
    configure(devices_json(1)); // on no bus that this machine has
    const Unknown unknown;
    device_pool *const devices = unknown.devices();
    const Pool workers(nearpool_test::options_for(unknown.topology()));
    for (const int32_t method : all_ways) {
        SCOPED_TRACE(near_pinned_method_name(method));
        if (method == NEAR_PINNED_PLACED && !(Unknown::here() && can(NEAR_CAPABILITY_MEMORY_BINDING))) {
            continue;
        }
        Pinned pinned;
        Error error;
        const near_status status = alloc_pinned(workers, devices, mib, pinned_options(only(method)), &pinned, &error);
        if (method == NEAR_PINNED_DRIVER_NODE) {
            EXPECT_EQ(status, NEAR_E_UNSUPPORTED);
            EXPECT_TRUE(error.says("the node of the device is not known")) << error.message;
            continue;
        }
        ASSERT_EQ(status, NEAR_OK) << error.message;
        const near_placement placement = pinned.placement();
        EXPECT_EQ(placement.level, NEAR_LEVEL_NONE);
        EXPECT_EQ(placement.reason_code, NEAR_REASON_UNKNOWN_NODE) << placement.reason;
        EXPECT_NE(std::string(placement.reason).find("the node of device 0 is not known"), std::string::npos);
        EXPECT_EQ(placement.near_pages, 0U);
        EXPECT_EQ(placement.present_pages, placement.page_count);
        EXPECT_EQ(pinned.info().node, NEAR_NODE_UNKNOWN);
        pinned.fill('u');
    }
}

TEST_F(PinnedWaysScript, StrictMemoryNeedsAKnownNode) {
    configure(devices_json(1));
    const Unknown unknown;
    device_pool *const devices = unknown.devices();
    near_pinned_options options = pinned_options();
    const Pool soft_workers(nearpool_test::options_for(unknown.topology()));
    numa_pool_options pool_options = nearpool_test::options_for(unknown.topology());
    pool_options.strict = 1;
    numa_pool *strict_pool = nullptr;
    Error error;
    const near_status strict_pools = numa_pool_create(&pool_options, &strict_pool, &error);
    EXPECT_EQ(strict_pools, strict_pool == nullptr ? NEAR_E_STRICT : NEAR_OK) << error.message;
    for (numa_pool *pool : {static_cast<numa_pool *>(soft_workers), strict_pool}) {
        if (pool == nullptr) { // of another machine there is none
            continue;
        }
        options.strict = pool == strict_pool ? 0 : 1; // the pool says it, or the options
        Pinned pinned;
        EXPECT_EQ(alloc_pinned(pool, devices, mib, options, &pinned, &error), NEAR_E_STRICT);
        EXPECT_TRUE(error.says("the node of device 0 is not known")) << error.message;
        near_pinned_request *request = nullptr;
        EXPECT_EQ(numa_pool_request_pinned(pool, devices, 0, mib, &options, &request, &error), NEAR_E_STRICT);
        EXPECT_EQ(request, nullptr);
        alignas(4096) static char page[8192];
        near_pinned_options adopt = pinned_options();
        adopt.strict = options.strict;
        EXPECT_EQ(numa_pool_adopt_pinned(pool, devices, 0, page, sizeof page, &adopt, pinned.out(), &error),
                  NEAR_E_STRICT);
        EXPECT_TRUE(error.says("the node of device 0 is not known")) << error.message;
        EXPECT_EQ(pinned_stats(pool, devices).held_bytes, 0U);
    }
    numa_pool_destroy(strict_pool);
}

TEST_F(PinnedWaysScript, OnAnotherMachinesTopologyNothingIsPlaced) {
    const nearpool_test::Topology topology = nearpool_test::four_nodes();
    device_pool_options gpus = device_options();
    gpus.topology = topology;
    const Devices devices(&gpus);
    const Pool here(1);
    Pinned pinned;
    Error error;
    EXPECT_EQ(alloc_pinned(here, devices, mib, pinned_options(), &pinned, &error), NEAR_E_TOPOLOGY);
    EXPECT_TRUE(error.says("different topologies")) << error.message;
    const Pool there(nearpool_test::options_for(topology));
    ASSERT_EQ(alloc_pinned(there, devices, mib, pinned_options(), &pinned, &error), NEAR_OK) << error.message;
    expect_missed(pinned, NEAR_PINNED_PLACED, NEAR_REASON_NOT_THIS_MACHINE, "describes another machine");
    EXPECT_EQ(pinned.placement().level, NEAR_LEVEL_NONE);
    EXPECT_EQ(pinned.placement().near_pages, 0U);
    near_pinned_options strict = pinned_options();
    strict.strict = 1;
    Pinned none;
    EXPECT_EQ(alloc_pinned(there, devices, mib, strict, &none, &error), NEAR_E_STRICT) << error.message;
}

} // namespace
