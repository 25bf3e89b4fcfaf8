// SPDX-License-Identifier: Apache-2.0
// Memory of the caller's that is page-locked where it is, and page-locked memory that another mapping shares.
#include "gpu/pinned_ways.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/mman.h>
#include <unistd.h>

using namespace nearpool_gpu;
using nearpool_test::Pool;

namespace {

// On a device that registers memory.
class PinnedAdopt : public Gpu {
protected:
    void SetUp() override {
        Gpu::SetUp();
        int registers = 0;
        if (!IsSkipped() &&
            (driver()->device_get_attribute(&registers, attribute_host_register_supported, 0) != cuda_success ||
             registers == 0)) {
            GTEST_SKIP() << "[host-register] this device registers no memory";
        }
    }
};
// In a process of its own, which another test starts.
class DISABLED_PinnedAdopt : public PinnedAdopt {}; // NOLINT(readability-identifier-naming)
constexpr const char *shared_descriptor = "NEARPOOL_TEST_SHARED_DESCRIPTOR";

class PinnedAdoptScript : public FakeGpu {
protected:
    void SetUp() override {
        FakeGpu::SetUp();
        if (!IsSkipped()) {
            configure(near_node_0());
            fake()->log("memory");
            fake()->log_clear();
        }
    }
};

// Pages that nothing else is in.
class Pages {
public:
    explicit Pages(std::size_t count, int descriptor = -1)
        : bytes_(count * page_bytes()),
          data_(static_cast<char *>(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                                           descriptor < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, descriptor, 0))) {
        EXPECT_NE(data_, MAP_FAILED);
    }
    ~Pages() { EXPECT_EQ(::munmap(data_, bytes_), 0); }
    Pages(const Pages &) = delete;
    Pages &operator=(const Pages &) = delete;
    char *data() const { return data_; }
    std::size_t bytes() const { return bytes_; }

private:
    const std::size_t bytes_;
    char *const data_;
};

near_status adopt(numa_pool *pool, device_pool *devices, void *data, std::size_t bytes, Pinned *pinned,
                  near_error *error = nullptr, std::size_t chunk_bytes = 0) {
    near_pinned_options options = pinned_options();
    options.chunk_bytes = chunk_bytes;
    return numa_pool_adopt_pinned(pool, devices, 0, data, bytes, &options, pinned->out(), error);
}

std::size_t pages_of(const char *data, std::size_t bytes) {
    return (reinterpret_cast<uintptr_t>(data) % page_bytes() + bytes + page_bytes() - 1) / page_bytes();
}

// It is what the caller has, where he has it, with what was in it.
void expect_adopted(numa_pool *pool, device_pool *devices, char *data, std::size_t bytes) {
    std::memset(data, 'a', bytes);
    Pinned pinned;
    Error error;
    ASSERT_EQ(adopt(pool, devices, data, bytes, &pinned, &error), NEAR_OK) << error.message;
    EXPECT_EQ(pinned.data(), data);
    EXPECT_EQ(pinned.bytes(), bytes);
    const near_pinned_info info = pinned.info();
    EXPECT_EQ(info.method, NEAR_PINNED_ADOPTED);
    EXPECT_EQ(info.span_bytes, bytes);
    EXPECT_EQ(info.chunk_count, 1U);
    EXPECT_EQ(info.ordinal, 0);
    const near_placement placement = pinned.placement();
    EXPECT_EQ(placement.page_count, pages_of(data, bytes));
    EXPECT_EQ(placement.present_pages, placement.page_count);
    for (const int32_t method : all_ways) {
        EXPECT_EQ(pinned.reason(method), NEAR_REASON_NONE) << "no way was tried";
    }
    const near_pinned_stats stats = pinned_stats(pool, devices);
    EXPECT_EQ(stats.live_bytes, bytes);
    EXPECT_EQ(stats.idle_bytes, 0U);
    pinned.free();
    EXPECT_EQ(pinned_stats(pool, devices).held_bytes, 0U) << "unlocked at once";
    EXPECT_EQ(std::count(data, data + bytes, 'a'), static_cast<std::ptrdiff_t>(bytes)) << "and still the caller's";
}

TEST_F(PinnedAdopt, TakesHeapStackAndMappedMemory) {
    const Devices devices;
    const Pool workers(1);
    const Pages mapped(17);
    expect_adopted(workers, devices, mapped.data(), mapped.bytes());
    expect_adopted(workers, devices, mapped.data() + 100, 3 * page_bytes()); // unaligned at both ends
    expect_adopted(workers, devices, mapped.data() + page_bytes() - 1, 2);
    expect_adopted(workers, devices, mapped.data() + 7, 1);
    const auto heap = std::make_unique<char[]>(10 * page_bytes() + 3);
    expect_adopted(workers, devices, heap.get(), 10 * page_bytes() + 3);
    char stack[20000];
    expect_adopted(workers, devices, stack, sizeof stack);
}

TEST_F(PinnedAdoptScript, SaysWhereThePagesAre) {
    const Devices devices;
    const Pool workers(1);
    const Pages mapped(8);
    std::memset(mapped.data(), 1, mapped.bytes());
    Pinned pinned;
    Error error;
    ASSERT_EQ(adopt(workers, devices, mapped.data() + 5, 5 * page_bytes(), &pinned, &error), NEAR_OK) << error.message;
    const auto [placement, nodes] = pinned.look();
    EXPECT_EQ(placement.page_count, 6U);
    EXPECT_EQ(placement.page_bytes, page_bytes());
    std::size_t pages = 0;
    for (const near_node_pages &on : nodes) {
        pages += on.page_count;
    }
    EXPECT_EQ(pages, 6U);
    if (nodes.size() == 1 && nodes[0].node == 0) {
        EXPECT_EQ(placement.level, NEAR_LEVEL_STRICT) << placement.reason;
        EXPECT_EQ(placement.near_pages, 6U);
    } else {
        EXPECT_EQ(placement.reason_code, NEAR_REASON_ELSEWHERE) << placement.reason;
    }
}

// Two registrations of one page are one too many.
TEST_F(PinnedAdoptScript, CutsBetweenPagesAlsoWhereTheFirstByteIsInsideOne) {
    const Devices devices;
    const Pool workers(1);
    const Pages mapped(12);
    char *const data = mapped.data() + 100;
    const std::size_t bytes = 10 * page_bytes();
    Pinned pinned;
    Error error;
    ASSERT_EQ(adopt(workers, devices, data, bytes, &pinned, &error, 4 * page_bytes()), NEAR_OK) << error.message;
    EXPECT_EQ(pinned.info().chunk_count, 3U);
    const std::vector<RangeCall> registered = logged("cuMemHostRegister_v2");
    ASSERT_EQ(registered.size(), 3U);
    uintptr_t next = reinterpret_cast<uintptr_t>(data);
    for (const RangeCall &call : registered) {
        EXPECT_EQ(call.data, next);
        EXPECT_TRUE(call.data == reinterpret_cast<uintptr_t>(data) || call.data % page_bytes() == 0);
        next += call.bytes;
    }
    EXPECT_EQ(next, reinterpret_cast<uintptr_t>(data) + bytes);
    pinned.free();
    const std::vector<RangeCall> back = logged("cuMemHostUnregister");
    ASSERT_EQ(back.size(), 3U);
    EXPECT_EQ(back[0].data, registered[2].data);
    EXPECT_EQ(back[2].data, registered[0].data);
}

TEST_F(PinnedAdoptScript, OfWhatCannotBeRegisteredIsGivenBack) {
    const Devices devices;
    const Pool workers(1);
    const Pages mapped(8);
    Pinned pinned;
    Error error;
    fake()->fail("cuMemHostRegister_v2", 3, 2, 0);
    EXPECT_EQ(adopt(workers, devices, mapped.data(), mapped.bytes(), &pinned, &error, 2 * page_bytes()), NEAR_E_CUDA);
    EXPECT_TRUE(error.says("numa_pool_adopt_pinned: cuMemHostRegister: CUDA_ERROR_OUT_OF_MEMORY (2)")) << error.message;
    EXPECT_EQ(logged("cuMemHostUnregister").size(), 2U);
    EXPECT_EQ(adopt(workers, devices, mapped.data(), mapped.bytes(), &pinned, &error), NEAR_OK) << error.message;
}

TEST_F(PinnedAdoptScript, APageTwiceIsRefusedByTheDriver) {
    const Devices devices;
    const Pool workers(1);
    const Pages mapped(4);
    Pinned first;
    Pinned second;
    Error error;
    ASSERT_EQ(adopt(workers, devices, mapped.data(), page_bytes() + 1, &first, &error), NEAR_OK) << error.message;
    for (const std::size_t begin : {std::size_t{0}, page_bytes(), 2 * page_bytes() - 1}) {
        EXPECT_EQ(adopt(workers, devices, mapped.data() + begin, 5, &second, &error), NEAR_E_CUDA) << begin;
        EXPECT_TRUE(error.says("cuMemHostRegister: CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED (712)")) << error.message;
        EXPECT_EQ(second.data(), nullptr);
    }
    EXPECT_EQ(adopt(workers, devices, mapped.data() + 2 * page_bytes(), 5, &second, &error), NEAR_OK) << error.message;
    first.free();
    EXPECT_EQ(adopt(workers, devices, mapped.data(), 5, &first, &error), NEAR_OK) << error.message;
}

TEST_F(PinnedAdoptScript, WhatNobodyMayTouchIsRefusedByTheDriver) {
    const Devices devices;
    const Pool workers(1);
    const Pages mapped(4);
    ASSERT_EQ(::mprotect(mapped.data() + 2 * page_bytes(), page_bytes(), PROT_NONE), 0);
    Pinned pinned;
    Error error;
    EXPECT_EQ(adopt(workers, devices, mapped.data(), mapped.bytes(), &pinned, &error), NEAR_E_CUDA);
    EXPECT_TRUE(error.says("cuMemHostRegister")) << error.message;
}

TEST_F(PinnedAdoptScript, IsUnsupportedWhereTheDeviceRegistersNothing) {
    configure(near_node_0(R"("host_register":false)"));
    const Devices devices;
    const Pool workers(1);
    const Pages mapped(1);
    Pinned pinned;
    Error error;
    EXPECT_EQ(adopt(workers, devices, mapped.data(), mapped.bytes(), &pinned, &error), NEAR_E_UNSUPPORTED);
    EXPECT_TRUE(error.says("device 0 registers no memory that is there already")) << error.message;
}

TEST_F(PinnedAdoptScript, WhereAddressesDifferOneRegistrationIsAll) {
    configure(near_node_0("", R"("host_pointer_offset":65536)"));
    const Devices devices;
    const Pool workers(1);
    const Pages mapped(4);
    Pinned pinned;
    Error error;
    EXPECT_EQ(adopt(workers, devices, mapped.data(), mapped.bytes(), &pinned, &error, 3 * page_bytes()),
              NEAR_E_UNSUPPORTED);
    EXPECT_EQ(adopt(workers, devices, mapped.data() + 1, 2 * page_bytes(), &pinned, &error, 2 * page_bytes()),
              NEAR_E_UNSUPPORTED)
        << "two pages' length in three pages are two registrations";
    ASSERT_EQ(adopt(workers, devices, mapped.data() + 9, 2 * page_bytes(), &pinned, &error, 3 * page_bytes()), NEAR_OK)
        << error.message;
    EXPECT_EQ(pinned.info().device_pointer, reinterpret_cast<uintptr_t>(mapped.data()) + 9 + 65536);
}

TEST_F(PinnedAdopt, HasNoStreamsAndNoDescriptor) {
    const Devices devices;
    const Pool workers(1);
    const Streams streams(devices);
    const Pages mapped(2);
    Pinned pinned;
    Error error;
    ASSERT_EQ(adopt(workers, devices, mapped.data(), mapped.bytes(), &pinned, &error), NEAR_OK) << error.message;
    EXPECT_EQ(near_pinned_used_on(pinned, streams, STREAM_POOL_DEFAULT), NEAR_E_UNSUPPORTED);
    EXPECT_EQ(near_pinned_free_after(pinned, streams, STREAM_POOL_DEFAULT), NEAR_E_UNSUPPORTED);
    int32_t descriptor = 77;
    EXPECT_EQ(near_pinned_descriptor(pinned, &descriptor), NEAR_E_UNSUPPORTED);
    EXPECT_EQ(descriptor, 77);
}

TEST_F(PinnedAdopt, TheSameBytesAreInEachMappingOfASharedOne) {
    const Devices devices;
    const Pool workers(1);
    Pinned shared;
    Error error;
    ASSERT_EQ(
        alloc_pinned(workers, devices, 5 * page_bytes() + 1, pinned_options(0, NEAR_PINNED_SHARED), &shared, &error),
        NEAR_OK)
        << error.message;
    int32_t descriptor = -1;
    ASSERT_EQ(near_pinned_descriptor(shared, &descriptor), NEAR_OK);
    EXPECT_NE(::fcntl(descriptor, F_GETFD) & FD_CLOEXEC, 0);
    {
        const Pages second(6, descriptor);
        shared.fill('1');
        EXPECT_EQ(std::count(second.data(), second.data() + shared.bytes(), '1'),
                  static_cast<std::ptrdiff_t>(shared.bytes()));
        Pinned adopted;
        ASSERT_EQ(adopt(workers, devices, second.data(), second.bytes(), &adopted, &error), NEAR_OK) << error.message;
        adopted.fill('2');
        EXPECT_EQ(shared.data()[0], '2');
        EXPECT_EQ(shared.data()[shared.bytes() - 1], '2');
    }
    const int mine = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    shared.free();
    EXPECT_EQ(::fcntl(descriptor, F_GETFD), -1) << "closed with the memory";
    const Pages after(5, mine);
    EXPECT_EQ(after.data()[0], '2') << "what was duplicated keeps it";
    ::close(mine);
}

TEST_F(PinnedAdopt, AnotherProcessLocksTheSamePagesOfASharedOne) {
    const Devices devices;
    const Pool workers(1);
    const Pinned shared(workers, devices, 5 * page_bytes(), pinned_options(0, NEAR_PINNED_SHARED));
    shared.fill('1');
    int32_t descriptor = -1;
    ASSERT_EQ(near_pinned_descriptor(shared, &descriptor), NEAR_OK);
    const int inherited = ::dup(descriptor); // without close-on-exec
    ::setenv(shared_descriptor, std::to_string(inherited).c_str(), 1);
    const nearpool_test::Alone other("DISABLED_PinnedAdopt.PagesOfAnotherProcess");
    ::unsetenv(shared_descriptor);
    ::close(inherited);
    EXPECT_EQ(other.status(), 0) << other.output();
    EXPECT_EQ(shared.data()[0], '3');
    EXPECT_EQ(shared.data()[shared.bytes() - 1], '4');
}

TEST_F(DISABLED_PinnedAdopt, PagesOfAnotherProcess) {
    const char *descriptor = std::getenv(shared_descriptor);
    ASSERT_NE(descriptor, nullptr);
    const Devices devices;
    const Pool workers(1);
    const Pages mapped(5, std::atoi(descriptor));
    EXPECT_EQ(std::count(mapped.data(), mapped.data() + mapped.bytes(), '1'),
              static_cast<std::ptrdiff_t>(mapped.bytes()));
    Pinned pinned;
    Error error;
    ASSERT_EQ(adopt(workers, devices, mapped.data(), mapped.bytes(), &pinned, &error), NEAR_OK) << error.message;
    EXPECT_EQ(pinned.placement().present_pages, 5U);
    pinned.data()[0] = '3';
    pinned.data()[pinned.bytes() - 1] = '4';
}

TEST_F(PinnedAdoptScript, SharedMemoryIsNeverFromTheCacheNorInIt) {
    const Devices devices;
    const Pool workers(1);
    { const Pinned fills(workers, devices, mib); }
    const uint64_t idle = pinned_stats(workers, devices).idle_bytes;
    EXPECT_GE(idle, mib);
    const uint64_t registrations = fake()->calls("cuMemHostRegister_v2");
    {
        const Pinned shared(workers, devices, mib, pinned_options(0, NEAR_PINNED_SHARED));
        const Pinned other(workers, devices, mib, pinned_options(0, NEAR_PINNED_SHARED));
        EXPECT_EQ(fake()->calls("cuMemHostRegister_v2"), registrations + 2);
        EXPECT_EQ(shared.info().span_bytes % page_bytes(), 0U);
        EXPECT_EQ(pinned_stats(workers, devices).idle_bytes, idle);
    }
    EXPECT_EQ(pinned_stats(workers, devices).held_bytes, idle);
    EXPECT_EQ(pinned_stats(workers, devices).hits, 0U);
}

TEST_F(PinnedAdoptScript, TheDriversOwnMemoryCannotBeShared) {
    const Devices devices;
    const Pool workers(1);
    for (const int32_t method : {NEAR_PINNED_DRIVER_NODE, NEAR_PINNED_DRIVER}) {
        Pinned pinned;
        Error error;
        EXPECT_EQ(
            alloc_pinned(workers, devices, mib, pinned_options(only(method), NEAR_PINNED_SHARED), &pinned, &error),
            NEAR_E_UNSUPPORTED);
        EXPECT_TRUE(error.says("the driver's own memory has no descriptor")) << error.message;
    }
    const Pinned pinned(workers, devices, mib);
    int32_t descriptor = 77;
    EXPECT_EQ(near_pinned_descriptor(pinned, &descriptor), NEAR_E_UNSUPPORTED);
    EXPECT_EQ(descriptor, 77);
    EXPECT_EQ(fake()->calls("cuMemCreate") + fake()->calls("cuMemHostAlloc"), 0U) << "none was tried";
}

} // namespace
