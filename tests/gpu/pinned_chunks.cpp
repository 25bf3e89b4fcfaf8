// SPDX-License-Identifier: Apache-2.0
// What is registered with the driver: whole pages, in chunks, given back the last first; and the addresses that devices
// have for it, where those are not the host's.
#include "gpu/pinned_ways.hpp"

#include <algorithm>

using namespace nearpool_gpu;
using nearpool_test::Pool;

namespace {

constexpr uint64_t offset = 1 << 20U;

class PinnedChunksScript : public FakeGpu {
protected:
    void SetUp() override {
        FakeGpu::SetUp();
        if (!IsSkipped()) {
            configure(near_node_0());
            start_log();
        }
    }
    static void start_log() {
        fake()->log("memory");
        fake()->log_clear();
    }
    static void with_other_addresses() {
        configure(near_node_0("", R"("host_pointer_offset":)" + std::to_string(offset)));
        start_log();
    }
};

// Base pages, mapped and registered for this call alone: what is registered is what was asked for.
near_pinned_options exact(std::size_t chunk_bytes = 0, int32_t method = NEAR_PINNED_TOUCHED) {
    near_pinned_options options = pinned_options(only(method), NEAR_PINNED_NO_CACHE);
    options.pages = NEAR_PAGES_BASE;
    options.chunk_bytes = chunk_bytes;
    return options;
}

uintptr_t address(const void *data) {
    return reinterpret_cast<uintptr_t>(data);
}

// The driver was given all of the range, each byte once, in chunks of so many pages, the last one what is left.
void expect_chunks(uintptr_t data, std::size_t bytes, std::size_t chunk_bytes) {
    const std::vector<RangeCall> calls = logged("cuMemHostRegister_v2");
    ASSERT_EQ(calls.size(), (bytes + chunk_bytes - 1) / chunk_bytes);
    for (std::size_t i = 0; i < calls.size(); i++) {
        EXPECT_EQ(calls[i].data, data + i * chunk_bytes) << i;
        EXPECT_EQ(calls[i].bytes, std::min(chunk_bytes, bytes - i * chunk_bytes)) << i;
    }
}

// What was registered, and is given back, the last first.
void expect_reversed(const std::vector<RangeCall> &registered) {
    const std::vector<RangeCall> back = logged("cuMemHostUnregister");
    ASSERT_EQ(back.size(), registered.size());
    for (std::size_t i = 0; i < back.size(); i++) {
        EXPECT_EQ(back[i].data, registered[registered.size() - 1 - i].data) << i;
    }
}

TEST_F(PinnedChunksScript, AreWholePagesTheLastOneShort) {
    const Devices devices;
    const Pool workers(1);
    const std::size_t chunk = 3 * mib / 2;
    Pinned pinned(workers, devices, 4 * mib, exact(chunk + page_bytes() - 1));
    expect_chunks(address(pinned.data()), 4 * mib, chunk);
    EXPECT_EQ(pinned.info().chunk_count, 3U);
    EXPECT_EQ(pinned.info().span_bytes, 4 * mib);
    pinned.fill('c');
    const std::vector<RangeCall> registered = logged("cuMemHostRegister_v2");
    pinned.free();
    expect_reversed(registered);
}

TEST_F(PinnedChunksScript, AreOneWhereNoneAreAskedFor) {
    const Devices devices;
    const Pool workers(1);
    const Pinned pinned(workers, devices, 4 * mib, exact());
    expect_chunks(address(pinned.data()), 4 * mib, 4 * mib);
    EXPECT_EQ(pinned.info().chunk_count, 1U);
}

TEST_F(PinnedChunksScript, AreAPageAtLeast) {
    const Devices devices;
    const Pool workers(1);
    const Pinned pinned(workers, devices, 5 * page_bytes(), exact(1));
    expect_chunks(address(pinned.data()), 5 * page_bytes(), page_bytes());
}

TEST_F(PinnedChunksScript, HaveThePartialLastPageInThem) {
    const Devices devices;
    const Pool workers(1);
    const std::size_t bytes = 3 * page_bytes() + 1;
    const Pinned pinned(workers, devices, bytes, exact());
    expect_chunks(address(pinned.data()), 4 * page_bytes(), 4 * page_bytes());
    EXPECT_EQ(pinned.bytes(), bytes);
    EXPECT_EQ(pinned.info().bytes, bytes);
    const near_placement placement = pinned.placement();
    EXPECT_EQ(placement.page_count, 4U);
    EXPECT_EQ(placement.present_pages, 4U);
    EXPECT_EQ(placement.page_bytes, page_bytes());
    pinned.fill('p');
}

TEST_F(PinnedChunksScript, OfWhichOneFailsAreGivenBackTheLastFirst) {
    const Devices devices;
    const Pool workers(1);
    fake()->fail("cuMemHostRegister_v2", 4, 2, 0);
    Pinned pinned;
    Error error;
    EXPECT_EQ(alloc_pinned(workers, devices, 6 * mib, exact(mib), &pinned, &error), NEAR_E_CUDA);
    EXPECT_TRUE(error.says("cuMemHostRegister: CUDA_ERROR_OUT_OF_MEMORY (2)")) << error.message;
    std::vector<RangeCall> registered = logged("cuMemHostRegister_v2");
    ASSERT_EQ(registered.size(), 4U) << "the one that failed is the last that was tried";
    registered.pop_back();
    expect_reversed(registered);
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 0U);
    EXPECT_EQ(alloc_pinned(workers, devices, 6 * mib, exact(mib), &pinned, &error), NEAR_OK) << error.message;
}

// As where the kernel or the driver locks less at once than it says.
TEST_F(PinnedChunksScript, ThatAreRefusedAreHalvedUntilTheyAreSmall) {
    const Devices devices;
    const Pool workers(1);
    for (const int code : {1, 304}) {
        fake()->log_clear();
        fake()->fail("cuMemHostRegister_v2", 1, code, 0);
        const Pinned pinned(workers, devices, 16 * mib, exact(16 * mib));
        EXPECT_EQ(pinned.info().chunk_count, 2U);
        pinned.fill('h');
        const std::vector<RangeCall> calls = logged("cuMemHostRegister_v2");
        ASSERT_EQ(calls.size(), 3U);
        EXPECT_EQ(calls[0].bytes, 16 * mib);
        EXPECT_EQ(calls[1].bytes, 8 * mib);
        EXPECT_EQ(calls[1].data, calls[0].data);
        EXPECT_EQ(calls[2].bytes, 8 * mib);
        EXPECT_EQ(calls[2].data, calls[0].data + 8 * mib);
    }
    fake()->log_clear();
    fake()->fail("cuMemHostRegister_v2", 1, 2, 1);
    Pinned none;
    Error error;
    EXPECT_EQ(alloc_pinned(workers, devices, 16 * mib, exact(16 * mib), &none, &error), NEAR_E_CUDA);
    EXPECT_EQ(logged("cuMemHostRegister_v2").size(), 4U) << "of 16, 8, 4 and 2 MiB";
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, 0U);
}

TEST_F(PinnedChunksScript, TheDriverRefusesToGiveBackOnceAreAskedForAgain) {
    const Devices devices;
    const Pool workers(1);
    Pinned pinned(workers, devices, 3 * mib, exact(mib));
    fake()->fail("cuMemHostUnregister", 2, 999, 0);
    pinned.free();
    EXPECT_EQ(logged("cuMemHostUnregister").size(), 4U);
    EXPECT_EQ(std::string(fake()->held()).find("host"), std::string::npos) << fake()->held();
}

TEST_F(PinnedChunksScript, OfHugePagesAreWholeHugePages) {
    const Devices devices;
    const Pool workers(1);
    near_pinned_options options = exact(1);
    options.pages = NEAR_PAGES_HUGE;
    const Pinned pinned(workers, devices, 8 * mib, options);
    const near_placement placement = pinned.placement();
    expect_chunks(address(pinned.data()), pinned.info().span_bytes, placement.page_bytes);
    EXPECT_EQ(pinned.info().span_bytes, placement.page_count * placement.page_bytes);
}

TEST_F(PinnedChunksScript, AreOfThePagesThatTheReportNames) {
    const Devices devices;
    const Pool workers(1);
    near_pinned_options options = exact();
    const Pinned base(workers, devices, 4 * mib, options);
    EXPECT_EQ(base.placement().pages, NEAR_PAGES_BASE);
    EXPECT_EQ(base.placement().pages_reason, NEAR_REASON_NONE);
    for (const int32_t pages : {NEAR_PAGES_DEFAULT, NEAR_PAGES_HUGE, NEAR_PAGES_2M, NEAR_PAGES_TRANSPARENT}) {
        options.pages = pages;
        const Pinned huge(workers, devices, 4 * mib, options);
        const near_placement placement = huge.placement();
        const bool reserved = placement.pages == NEAR_PAGES_2M; // the system has some
        const bool none = placement.pages == NEAR_PAGES_BASE && placement.pages_reason != NEAR_REASON_NONE;
        EXPECT_TRUE(reserved || none || placement.pages == NEAR_PAGES_TRANSPARENT) << near_pages_name(placement.pages);
        EXPECT_EQ(placement.page_bytes, reserved ? 2 * mib : page_bytes());
        if (pages != NEAR_PAGES_TRANSPARENT && !reserved) {
            EXPECT_NE(placement.pages_reason, NEAR_REASON_NONE) << near_pages_name(pages);
        }
    }
}

TEST_F(PinnedChunksScript, AddressesOfDevicesAreTheHosts) {
    const Devices devices;
    const Pool workers(1);
    const Pinned first(workers, devices, 64 * kib);
    const Pinned second(workers, devices, 64 * kib, pinned_options(), 1);
    EXPECT_EQ(first.info().device_pointer, address(first.data()));
    EXPECT_EQ(second.info().device_pointer, address(second.data()));
    EXPECT_EQ(second.info().ordinal, 1);
    EXPECT_EQ(fake()->calls("cuMemHostGetDevicePointer_v2"), 0U) << "they are known";
}

TEST_F(PinnedChunksScript, AddressesOfDevicesThatDifferAreThoseOfTheBlock) {
    with_other_addresses();
    const Devices devices;
    const Pool workers(1);
    for (const int32_t method : all_ways) {
        if (method == NEAR_PINNED_DRIVER_NODE ||
            (method == NEAR_PINNED_PLACED && !can(NEAR_CAPABILITY_MEMORY_BINDING))) {
            continue;
        }
        SCOPED_TRACE(near_pinned_method_name(method));
        const Pinned first(workers, devices, 64 * kib, pinned_options(only(method)));
        const Pinned inside(workers, devices, 64 * kib, pinned_options(only(method)));
        const Pinned others(workers, devices, 64 * kib, pinned_options(only(method)), 1);
        EXPECT_EQ(inside.data(), first.data() + 64 * kib) << "of one span";
        EXPECT_EQ(first.info().device_pointer, address(first.data()) + offset);
        EXPECT_EQ(inside.info().device_pointer, address(inside.data()) + offset);
        EXPECT_EQ(others.info().device_pointer, address(others.data()) + offset) << "in the other device's context";
        EXPECT_EQ(others.info().ordinal, 1);
    }
}

// It is mapped at one address, for the host and for the device.
TEST_F(PinnedChunksScript, OfMemoryOnANodeTheDevicesAddressIsTheHosts) {
    if (!makes_memory_on_nodes()) {
        GTEST_SKIP() << "[host-numa] this driver makes no memory on nodes";
    }
    with_other_addresses();
    const Devices devices;
    const Pool workers(1);
    const Pinned pinned(workers, devices, mib, pinned_options(only(NEAR_PINNED_DRIVER_NODE)));
    EXPECT_EQ(pinned.info().device_pointer, address(pinned.data()));
}

TEST_F(PinnedChunksScript, AreOneWhereAddressesDifferOrUnsupported) {
    with_other_addresses();
    const Devices devices;
    const Pool workers(1);
    Pinned pinned;
    Error error;
    EXPECT_EQ(alloc_pinned(workers, devices, 4 * mib, exact(4 * mib - 1), &pinned, &error), NEAR_E_UNSUPPORTED);
    EXPECT_TRUE(error.says("must be registered in chunks of") && error.says("ask for less at once")) << error.message;
    EXPECT_EQ(fake()->calls("cuMemHostRegister_v2"), 0U);
    ASSERT_EQ(alloc_pinned(workers, devices, 4 * mib, exact(4 * mib), &pinned, &error), NEAR_OK) << error.message;
    EXPECT_EQ(pinned.info().device_pointer, address(pinned.data()) + offset);
    pinned.free();
    near_pinned_options small = pinned_options(only(NEAR_PINNED_TOUCHED)); // its span would have more than a chunk
    small.pages = NEAR_PAGES_BASE;
    small.chunk_bytes = 64 * kib;
    ASSERT_EQ(alloc_pinned(workers, devices, 64 * kib, small, &pinned, &error), NEAR_OK) << error.message;
    EXPECT_EQ(pinned.info().span_bytes, 64 * kib);
}

TEST_F(PinnedChunksScript, AnAddressThatIsNoneIsAnError) {
    with_other_addresses();
    const Devices devices;
    const Pool workers(1);
    const Pinned pinned(workers, devices, mib, exact());
    near_pinned_info info{};
    info.struct_size = sizeof info;
    Error error;
    fake()->null("cuMemHostGetDevicePointer_v2", 1);
    EXPECT_EQ(near_pinned_get_info(pinned, &info, &error), NEAR_E_CUDA);
    EXPECT_TRUE(error.says("near_pinned_get_info: cuMemHostGetDevicePointer succeeded and gave no address"))
        << error.message;
    fake()->fail("cuMemHostGetDevicePointer_v2", 1, 1, 0);
    EXPECT_EQ(near_pinned_get_info(pinned, &info, &error), NEAR_E_CUDA);
    EXPECT_TRUE(error.says("cuMemHostGetDevicePointer: CUDA_ERROR_INVALID_VALUE (1)")) << error.message;
    EXPECT_EQ(info.bytes, 0U) << "nothing was written";
    EXPECT_EQ(near_pinned_get_info(pinned, &info, &error), NEAR_OK) << error.message;
}

// A driver with a mistake: it says success and gives nothing.
TEST_F(PinnedChunksScript, WhatIsGivenAsNothingIsAnErrorThatNamesTheCall) {
    const Devices devices;
    const Pool workers(1);
    Pinned pinned;
    Error error;
    fake()->null("cuMemHostAlloc", 1);
    EXPECT_EQ(alloc_pinned(workers, devices, mib, exact(0, NEAR_PINNED_DRIVER), &pinned, &error), NEAR_E_CUDA);
    EXPECT_TRUE(error.says("cuMemHostAlloc succeeded and gave no memory")) << error.message;
    EXPECT_EQ(alloc_pinned(workers, devices, mib, exact(0, NEAR_PINNED_DRIVER), &pinned, &error), NEAR_OK);
    pinned.free();
    fake()->null("cuDevicePrimaryCtxRetain", 1);
    const Devices others;
    EXPECT_EQ(alloc_pinned(workers, others, mib, exact(), &pinned, &error), NEAR_E_CUDA);
    EXPECT_TRUE(error.says("cuDevicePrimaryCtxRetain")) << error.message;
    EXPECT_EQ(alloc_pinned(workers, others, mib, exact(), &pinned, &error), NEAR_OK) << error.message;
}

TEST_F(PinnedChunksScript, MemoryOnANodeThatIsGivenAsNothingIsAWayNotTaken) {
    if (!makes_memory_on_nodes()) {
        GTEST_SKIP() << "[host-numa] this driver makes no memory on nodes";
    }
    const Devices devices;
    const Pool workers(1);
    for (const char *symbol : {"cuMemCreate", "cuMemAddressReserve", "cuMemGetAllocationGranularity"}) {
        fake()->null(symbol, 1);
        near_pinned_options options = exact(0, NEAR_PINNED_DRIVER_NODE);
        options.methods |= only(NEAR_PINNED_TOUCHED);
        const Pinned pinned(workers, devices, mib, options);
        std::string text;
        EXPECT_EQ(pinned.reason(NEAR_PINNED_DRIVER_NODE, &text), NEAR_REASON_DRIVER);
        EXPECT_NE(text.find(std::string(symbol) + " succeeded and gave no"), std::string::npos) << text;
        EXPECT_EQ(pinned.info().method, NEAR_PINNED_TOUCHED);
    }
}

} // namespace
