// SPDX-License-Identifier: Apache-2.0
// Page-locked memory is on the node of its GPU, whatever the process inherited and whatever the kernel refuses: in the
// machines of tests/vm, where move_pages() is asked. What a full node does: vm_pinned_room.cpp.
#include "gpu/vm_pinned.hpp"

#include <cerrno>
#include <sys/mman.h>

using namespace nearpool_gpu;
using namespace nearpool_test;

namespace {

constexpr unsigned long all_nodes = 0xf;

class VmPinned : public FakeGpu {
protected:
    void SetUp() override {
        NEEDS_MACHINE("four-nodes");
        FakeGpu::SetUp();
        if (!HasFatalFailure()) {
            configure(vm_gpus());
        }
    }
};

TEST_F(VmPinned, IsOnTheNodeOfItsGpu) {
    const Devices devices;
    const Pool workers(1);
    expect_all_near_by_each_way(workers, devices);
}

TEST_F(VmPinned, IsOnTheNodeOfItsGpuWhereverTheCallerIs) {
    const Devices devices;
    const Pool workers(1);
    for (const uint32_t node : {0U, 3U}) {
        near_pin *pin = nullptr;
        ASSERT_EQ(near_pin_node(nullptr, node, nullptr, &pin, nullptr), NEAR_OK);
        const Pinned pinned(workers, devices, 3 * mib);
        EXPECT_EQ(pinned.info().method, NEAR_PINNED_PLACED);
        expect_all_near(pinned, 2);
        EXPECT_EQ(near_pin_release(pin, nullptr), NEAR_OK);
    }
}

TEST_F(VmPinned, StrictlyItIsThereByEachWay) {
    const Devices devices;
    const Pool workers(1);
    for (const int32_t way : all_ways) {
        near_pinned_options options = pinned_options(only(way));
        options.strict = 1;
        const Pinned pinned(workers, devices, 3 * mib, options, 1);
        ASSERT_NE(pinned.data(), nullptr) << near_pinned_method_name(way);
        expect_all_near(pinned, 3);
    }
}

TEST_F(VmPinned, SharedMemoryIsThereToo) {
    const Devices devices;
    const Pool workers(1);
    for (const int32_t way : {NEAR_PINNED_PLACED, NEAR_PINNED_TOUCHED}) {
        const Pinned pinned(workers, devices, 3 * mib, pinned_options(only(way), NEAR_PINNED_SHARED), 1);
        ASSERT_NE(pinned.data(), nullptr);
        expect_all_near(pinned, 3);
    }
}

TEST_F(VmPinned, WhatIsAdoptedIsReportedWhereItIs) {
    const Devices devices;
    const Pool workers(1);
    constexpr std::size_t bytes = 4 * mib;
    void *data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(data, MAP_FAILED);
    const auto bind_half = [&](int half, unsigned long node) {
        const unsigned long mask = 1UL << node;
        char *begin = static_cast<char *>(data) + static_cast<std::size_t>(half) * bytes / 2;
        EXPECT_EQ(::syscall(SYS_mbind, begin, bytes / 2, MPOL_BIND, &mask, 8 * sizeof mask + 1, 0), 0);
        std::memset(begin, 1, bytes / 2);
    };
    bind_half(0, 3);
    bind_half(1, 1);
    {
        Pinned pinned;
        Error error;
        ASSERT_EQ(numa_pool_adopt_pinned(workers, devices, 1, data, bytes, nullptr, pinned.out(), &error), NEAR_OK)
            << error.message;
        const Histogram seen = pages_of(data, bytes);
        EXPECT_EQ(pages_on(seen, 3), pages_in(seen) / 2);
        expect_true_report(pinned, 3, seen);
        EXPECT_EQ(pinned.placement().reason_code, NEAR_REASON_ELSEWHERE);
    }
    EXPECT_EQ(::munmap(data, bytes), 0);
}

// A control: what the thread wants is so, for memory that nobody places.
Histogram of_own_memory() {
    constexpr std::size_t bytes = 64 * base_page;
    void *data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(data, MAP_FAILED);
    std::memset(data, 1, bytes);
    Histogram histogram = pages_of(data, bytes);
    ::munmap(data, bytes);
    return histogram;
}

ALONE_TEST(VmPinnedInherited, UnderInterleaveItIsOnTheNodeOfItsGpu) { // numactl --interleave=all
    NEEDS_MACHINE("four-nodes");
    ASSERT_TRUE(set_policy(MPOL_INTERLEAVE, all_nodes));
    ASSERT_EQ(of_own_memory(), (Histogram{{0, 16}, {1, 16}, {2, 16}, {3, 16}}));
    const OwnDriver own(vm_gpus());
    const Devices devices;
    const Pool workers(1);
    expect_all_near_by_each_way(workers, devices);
}

// The request names the GPU, so its node goes before the process's wish.
ALONE_TEST(VmPinnedInherited, UnderABindingToAnotherNodeItIsOnTheNodeOfItsGpu) { // numactl --membind=0
    NEEDS_MACHINE("four-nodes");
    ASSERT_TRUE(set_policy(MPOL_BIND, 1));
    ASSERT_EQ(of_own_memory(), (Histogram{{0, 64}}));
    const OwnDriver own(vm_gpus());
    const Devices devices;
    const Pool workers(1);
    expect_all_near_by_each_way(workers, devices);
}

// As on a GPU that registers nothing, with a driver before 12.2.
ALONE_TEST(VmPinnedInherited, WithTheDriversOwnAllocatorAloneItIsThereUnderInterleave) {
    NEEDS_MACHINE("four-nodes");
    ASSERT_TRUE(set_policy(MPOL_INTERLEAVE, all_nodes));
    const OwnDriver own(vm_gpus(R"("host_register":false)", R"("host_numa":false)"));
    const Devices devices;
    const Pool workers(1);
    for (const int32_t ordinal : {0, 1}) {
        near_pinned_options options = pinned_options();
        options.strict = static_cast<uint32_t>(ordinal);
        const Pinned pinned(workers, devices, 6 * mib, options, ordinal);
        ASSERT_NE(pinned.data(), nullptr);
        EXPECT_EQ(pinned.info().method, NEAR_PINNED_DRIVER);
        for (const int32_t way : {NEAR_PINNED_PLACED, NEAR_PINNED_DRIVER_NODE, NEAR_PINNED_TOUCHED}) {
            std::string text;
            EXPECT_EQ(pinned.reason(way, &text), NEAR_REASON_DRIVER) << near_pinned_method_name(way) << ": " << text;
            EXPECT_NE(text, "");
        }
        expect_all_near(pinned, vm_gpu_nodes[ordinal]);
    }
}

// Where memory cannot be bound, the threads of the node fault it in: it is there all the same, and locked.
void expect_touched_without_mbind(int error_number) {
    const OwnDriver own(vm_gpus());
    ASSERT_TRUE(forbid({SYS_mbind}, error_number, Whom::this_one));
    const Devices devices;
    const Pool workers(1);
    for (const uint32_t strict : {0U, 1U}) {
        for (const int32_t ordinal : {0, 1}) {
            near_pinned_options options = pinned_options();
            options.strict = strict;
            const Pinned pinned(workers, devices, 5 * mib, options, ordinal);
            ASSERT_NE(pinned.data(), nullptr);
            EXPECT_EQ(pinned.info().method, NEAR_PINNED_TOUCHED);
            std::string text;
            EXPECT_EQ(pinned.reason(NEAR_PINNED_PLACED, &text), NEAR_REASON_FORBIDDEN) << text;
            EXPECT_NE(text.find("mbind"), text.npos) << text;
            EXPECT_EQ(pinned.reason(NEAR_PINNED_DRIVER_NODE), NEAR_REASON_DRIVER);
            expect_all_near(pinned, vm_gpu_nodes[ordinal]);
        }
    }
}

ALONE_TEST(VmPinnedForbidden, WhereMbindAnswersEpermItIsFaultedInOnTheNode) {
    NEEDS_MACHINE("four-nodes");
    expect_touched_without_mbind(EPERM);
}

ALONE_TEST(VmPinnedForbidden, WhereMbindAnswersEnosysItIsFaultedInOnTheNode) {
    NEEDS_MACHINE("four-nodes");
    expect_touched_without_mbind(ENOSYS);
}

// Asks for those who may not: a worker that was there before the filter.
class Witness {
public:
    Histogram look(const Pinned &pinned) {
        Histogram histogram;
        EXPECT_EQ(submit(pool_, 0, [&] { histogram = pages_of(pinned.data(), pinned.bytes()); }), NEAR_OK);
        EXPECT_EQ(wait_idle(pool_), NEAR_OK);
        return histogram;
    }

private:
    const Pool pool_{1};
};

ALONE_TEST(VmPinnedForbidden, WhereNobodyMayLookPageByPageTheSumsSayThatAllIsNear) {
    NEEDS_MACHINE("four-nodes");
    const OwnDriver own(vm_gpus());
    Witness witness;
    ASSERT_TRUE(forbid({SYS_mbind, SYS_move_pages}, EPERM, Whom::this_one));
    const Devices devices;
    const Pool workers(1);
    const Pinned pinned(workers, devices, 5 * mib, 1);
    ASSERT_NE(pinned.data(), nullptr);
    EXPECT_EQ(pinned.info().method, NEAR_PINNED_TOUCHED);
    const Histogram seen = witness.look(pinned);
    EXPECT_EQ(seen, (Histogram{{3, 5 * mib / base_page}}));
    expect_true_report(pinned, 3, seen);
}

// The threads of the node want their memory everywhere, and nobody may tell them otherwise.
ALONE_TEST(VmPinnedForbidden, WhereNoPolicyCanBeSetInterleavedPagesAreReportedAndStrictlyRefused) {
    NEEDS_MACHINE("four-nodes");
    const OwnDriver own(vm_gpus("", R"("host_numa":false)"));
    ASSERT_TRUE(set_policy(MPOL_INTERLEAVE, all_nodes));
    ASSERT_TRUE(forbid({SYS_mbind, SYS_set_mempolicy}, EPERM, Whom::this_one));
    const Devices devices;
    const Pool workers(1);
    near_pinned_options options = pinned_options();
    options.pages = NEAR_PAGES_BASE;
    {
        const Pinned pinned(workers, devices, 4 * mib, options, 1);
        ASSERT_NE(pinned.data(), nullptr);
        const Histogram seen = pages_of(pinned.data(), pinned.bytes());
        EXPECT_EQ(seen, (Histogram{{0, 256}, {1, 256}, {2, 256}, {3, 256}}));
        expect_true_report(pinned, 3, seen);
        EXPECT_EQ(pinned.placement().reason_code, NEAR_REASON_ELSEWHERE);
    }
    options.strict = 1;
    near_pinned *never = nullptr;
    Error error;
    const uint64_t registrations = fake()->calls("cuMemHostRegister_v2");
    EXPECT_EQ(numa_pool_alloc_pinned(workers, devices, 1, 4 * mib, &options, &never, &error), NEAR_E_STRICT);
    EXPECT_TRUE(error.says("mbind") && error.says("elsewhere")) << error.message;
    EXPECT_EQ(never, nullptr);
    EXPECT_EQ(fake()->calls("cuMemHostRegister_v2"), registrations) << "they were looked at before they were locked";
}

// A container that may not use the memory of the GPU's node (docker --cpuset-mems=0).
ALONE_TEST(VmPinnedForbidden, WhereTheCpusetExcludesTheNodeItIsElsewhereAndSaysSo) {
    NEEDS_MACHINE("four-nodes");
    const std::string group = "/sys/fs/cgroup/pinned-" + std::to_string(::getpid());
    std::filesystem::create_directory(group);
    std::ofstream(group + "/cpuset.mems") << 0 << std::flush;
    std::ofstream(group + "/cgroup.procs") << ::getpid() << std::flush;
    {
        const OwnDriver own(vm_gpus());
        const Devices devices;
        const Pool workers(1);
        near_pinned_options options = pinned_options();
        {
            const Pinned pinned(workers, devices, 4 * mib, options, 1);
            ASSERT_NE(pinned.data(), nullptr);
            const Histogram seen = pages_of(pinned.data(), pinned.bytes());
            EXPECT_EQ(seen, (Histogram{{0, 1024}}));
            expect_true_report(pinned, 3, seen);
            EXPECT_EQ(pinned.placement().reason_code, NEAR_REASON_NOT_ALLOWED) << text_of(pinned.placement());
        }
        options.strict = 1;
        near_pinned *never = nullptr;
        Error error;
        EXPECT_EQ(numa_pool_alloc_pinned(workers, devices, 1, 4 * mib, &options, &never, &error), NEAR_E_STRICT)
            << error.message;
        EXPECT_EQ(never, nullptr);
    }
    std::ofstream("/sys/fs/cgroup/cgroup.procs") << ::getpid() << std::flush;
    std::filesystem::remove(group);
}

// Node 2 has memory and no CPUs; the nearest CPUs are those of node 1.
class VmPinnedCpulessNode : public FakeGpu {
protected:
    void SetUp() override {
        NEEDS_MACHINE("cpuless-node");
        FakeGpu::SetUp();
        if (!HasFatalFailure()) {
            configure("{\"devices\":[" + device_at(address_on(2)) + "]}");
        }
    }
};

TEST_F(VmPinnedCpulessNode, WhatIsPlacedIsOnTheNodeThoughNoThreadCanBe) {
    const Devices devices;
    const Pool workers(1);
    for (const int32_t way : {NEAR_PINNED_PLACED, NEAR_PINNED_DRIVER_NODE}) {
        for (const uint32_t strict : {0U, 1U}) {
            near_pinned_options options = pinned_options(only(way));
            options.strict = strict;
            const Pinned pinned(workers, devices, 5 * mib, options);
            ASSERT_NE(pinned.data(), nullptr) << near_pinned_method_name(way);
            expect_all_near(pinned, 2);
        }
    }
    const Pinned first(workers, devices, 5 * mib);
    EXPECT_EQ(first.info().method, NEAR_PINNED_PLACED);
}

TEST_F(VmPinnedCpulessNode, WhatIsFaultedInByThreadsIsWhereTheyAreAndSaysSo) {
    const Devices devices;
    const Pool workers(1);
    for (const int32_t way : {NEAR_PINNED_TOUCHED, NEAR_PINNED_DRIVER}) {
        near_pinned_options options = pinned_options(only(way));
        {
            const Pinned pinned(workers, devices, 5 * mib, options);
            ASSERT_NE(pinned.data(), nullptr) << near_pinned_method_name(way);
            const Histogram seen = pages_of(pinned.data(), pinned.bytes());
            EXPECT_EQ(seen, (Histogram{{1, 5 * mib / base_page}}));
            expect_true_report(pinned, 2, seen);
            EXPECT_EQ(pinned.placement().reason_code, NEAR_REASON_ELSEWHERE);
        }
        options.strict = 1;
        near_pinned *never = nullptr;
        Error error;
        EXPECT_EQ(numa_pool_alloc_pinned(workers, devices, 0, 5 * mib, &options, &never, &error), NEAR_E_STRICT);
        EXPECT_TRUE(error.says("elsewhere")) << error.message;
    }
}

// Node 1 has CPUs and no memory; the nearest memory is that of node 2.
class VmPinnedMemorylessNode : public FakeGpu {
protected:
    void SetUp() override {
        NEEDS_MACHINE("memoryless-node");
        FakeGpu::SetUp();
        if (!HasFatalFailure()) {
            configure("{\"devices\":[" + device_at(address_on(1)) + "]}");
        }
    }
};

TEST_F(VmPinnedMemorylessNode, MemoryIsOnTheNearestNodeThatHasSomeAndSaysSo) {
    const Devices devices;
    const Pool workers(1);
    for (const int32_t way : {NEAR_PINNED_PLACED, NEAR_PINNED_TOUCHED}) {
        const Pinned pinned(workers, devices, 5 * mib, pinned_options(only(way)));
        ASSERT_NE(pinned.data(), nullptr) << near_pinned_method_name(way);
        const Histogram seen = pages_of(pinned.data(), pinned.bytes());
        EXPECT_EQ(seen, (Histogram{{2, 5 * mib / base_page}}));
        EXPECT_EQ(pinned.info().node, 1U);
        expect_true_report(pinned, 1, seen);
        EXPECT_EQ(pinned.placement().reason_code, NEAR_REASON_NO_MEMORY) << text_of(pinned.placement());
    }
}

TEST_F(VmPinnedMemorylessNode, StrictlyThereIsNone) {
    const Devices devices;
    const Pool workers(1);
    near_pinned_options options = pinned_options();
    options.strict = 1;
    near_pinned *never = nullptr;
    Error error;
    EXPECT_EQ(numa_pool_alloc_pinned(workers, devices, 0, 5 * mib, &options, &never, &error), NEAR_E_STRICT);
    EXPECT_TRUE(error.says("node 1 has no memory")) << error.message;
    EXPECT_EQ(never, nullptr);
}

} // namespace
