// SPDX-License-Identifier: Apache-2.0
// What the fake driver page-locks is where it was asked for in the machines of tests/vm, and locked there: their kernel
// does not move it.
#include "gpu/vm_support.hpp"

#include <cerrno>
#include <dlfcn.h>
#include <linux/mempolicy.h>
#include <thread>

using namespace nearpool_gpu;
using namespace nearpool_test;

namespace {

constexpr std::size_t page_bytes = 4096;
constexpr std::size_t page_count = 64;

template <class Function> Function *of_driver(const char *symbol) {
    void *library = ::dlopen(std::getenv("NEARPOOL_CUDA_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
    return reinterpret_cast<Function *>(library == nullptr ? nullptr : ::dlsym(library, symbol));
}

// Asks the kernel to move pages to a node; node -1 only asks where they are. Where they are then, or why they stay.
std::set<int> move_to(int node, void *data) {
    std::vector<void *> pages;
    for (std::size_t i = 0; i < page_count; i++) {
        pages.push_back(static_cast<char *>(data) + i * page_bytes);
    }
    const std::vector<int> nodes(page_count, node);
    std::vector<int> status(page_count, -1);
    EXPECT_GE(
        ::syscall(SYS_move_pages, 0, page_count, pages.data(), node < 0 ? nullptr : nodes.data(), status.data(), 0), 0);
    return {status.begin(), status.end()};
}

class VmGpuPages : public FakeGpu {
protected:
    void SetUp() override {
        NEEDS_MACHINE("four-nodes");
        FakeGpu::SetUp();
    }
};

TEST_F(VmGpuPages, ThatAreLockedStayWhereTheyAre) {
    auto *lock = of_driver<CUresult(void *, std::size_t, unsigned)>("cuMemHostRegister_v2");
    auto *unlock = of_driver<CUresult(void *)>("cuMemHostUnregister");
    auto *locked = of_driver<decltype(fakeCudaPinned)>("fakeCudaPinned");
    ASSERT_TRUE(lock != nullptr && unlock != nullptr && locked != nullptr);
    const uint32_t node = 2;
    near_region_options options{};
    options.struct_size = sizeof options;
    options.policy = NEAR_POLICY_BIND;
    options.nodes = &node;
    options.node_count = 1;
    options.pages = NEAR_PAGES_BASE;
    near_region *region = nullptr;
    Error error;
    ASSERT_EQ(near_region_create(nullptr, page_count * page_bytes, &options, &region, &error), NEAR_OK)
        << error.message;
    void *data = near_region_data(region);
    std::memset(data, 1, page_count * page_bytes);
    ASSERT_EQ(move_to(-1, data), std::set<int>{2});

    const Devices devices;
    const Pushed current(devices, 0);
    ASSERT_EQ(lock(data, page_count * page_bytes, 0), cuda_success);
    EXPECT_EQ(locked(), 1) << "the kernel of this machine locks no pages for the fake driver";
    move_to(3, data);
    EXPECT_EQ(move_to(-1, data), std::set<int>{2}) << "locked pages were moved";
    EXPECT_EQ(unlock(data), cuda_success);
    move_to(3, data);
    EXPECT_EQ(move_to(-1, data), std::set<int>{3}) << "pages that are no longer locked stayed";
    near_region_destroy(region);
}

// Of memory that is locked: it stays where it is.
void expect_locked_on(int node, void *data) {
    EXPECT_EQ(move_to(-1, data), std::set<int>{node});
    move_to(node == 0 ? 1 : 0, data);
    EXPECT_EQ(move_to(-1, data), std::set<int>{node}) << "locked pages were moved";
}

// What the driver allocates on this thread, with a context of its own.
void expect_allocated_on(int node, device_pool *devices) {
    const Pushed current(devices, 0);
    void *data = nullptr;
    ASSERT_EQ(driver()->mem_host_alloc(&data, page_count * page_bytes, host_alloc_portable), cuda_success);
    expect_locked_on(node, data);
    EXPECT_EQ(driver()->mem_free_host(data), cuda_success);
}

TEST_F(VmGpuPages, ThatTheDriverAllocatesAreWhereTheThreadWantsThem) {
    const Devices devices;
    for (const int node : {1, 3}) {
        std::thread([&devices, node] {
            const unsigned long mask = 1UL << static_cast<unsigned>(node);
            ASSERT_EQ(::syscall(SYS_set_mempolicy, MPOL_BIND, &mask, 8 * sizeof mask + 1), 0);
            expect_allocated_on(node, devices);
        }).join();
        std::thread([&devices, node] {
            cpu_set_t set;
            CPU_ZERO(&set);
            CPU_SET(static_cast<std::size_t>(2 * node), &set);
            ASSERT_EQ(::sched_setaffinity(0, sizeof set, &set), 0);
            expect_allocated_on(node, devices);
        }).join();
    }
}

// Memory of the host that the driver makes on a node.
class NodeMemory {
public:
    explicit NodeMemory(int node) {
        CUmemAllocationProp properties{};
        properties.type = allocation_pinned;
        properties.location = {location_host_numa, node};
        CUmemGenericAllocationHandle handle = 0;
        EXPECT_EQ(driver()->mem_create(&handle, bytes, &properties, 0), cuda_success);
        EXPECT_EQ(driver()->mem_address_reserve(&address_, bytes, 0, 0, 0), cuda_success);
        EXPECT_EQ(driver()->mem_map(address_, bytes, 0, handle, 0), cuda_success);
        EXPECT_EQ(driver()->mem_release(handle), cuda_success);
        const CUmemAccessDesc access{properties.location, access_read_write};
        EXPECT_EQ(driver()->mem_set_access(address_, bytes, &access, 1), cuda_success);
    }
    ~NodeMemory() {
        EXPECT_EQ(driver()->mem_unmap(address_, bytes), cuda_success);
        EXPECT_EQ(driver()->mem_address_free(address_, bytes), cuda_success);
    }
    NodeMemory(const NodeMemory &) = delete;
    NodeMemory &operator=(const NodeMemory &) = delete;
    void *data() const { return reinterpret_cast<void *>(address_); }

    static constexpr std::size_t bytes = std::size_t{2} << 20;

private:
    CUdeviceptr address_ = 0;
};

TEST_F(VmGpuPages, ThatTheDriverMakesOnANodeAreThere) {
    ASSERT_EQ(driver()->init(0), cuda_success);
    const unsigned long elsewhere = 1UL << 2U; // the thread's own wish does not count
    ASSERT_EQ(::syscall(SYS_set_mempolicy, MPOL_BIND, &elsewhere, 8 * sizeof elsewhere + 1), 0);
    for (const int node : {0, 1, 3}) {
        const NodeMemory memory(node);
        std::memset(memory.data(), 1, NodeMemory::bytes);
        expect_locked_on(node, memory.data());
    }
    ASSERT_EQ(::syscall(SYS_set_mempolicy, MPOL_DEFAULT, nullptr, 0), 0);
}

CUresult create_on(int node, std::size_t bytes) {
    CUmemAllocationProp properties{};
    properties.type = allocation_pinned;
    properties.location = {location_host_numa, node};
    CUmemGenericAllocationHandle handle = 0;
    return driver()->mem_create(&handle, bytes, &properties, 0);
}

TEST_F(VmGpuPages, ThatANodeHasNoRoomForAreRefused) {
    ASSERT_EQ(driver()->init(0), cuda_success);
    EXPECT_EQ(create_on(3, std::size_t{1} << 30), cuda_error_out_of_memory);
}

TEST_F(VmGpuPages, ThatTheKernelDoesNotPlaceAreRefused) {
    static constexpr CUresult cuda_error_operating_system = 304;
    ASSERT_EQ(driver()->init(0), cuda_success);
    std::thread([] {
        ASSERT_TRUE(forbid({SYS_mbind}, EPERM, Whom::this_one));
        EXPECT_EQ(create_on(1, NodeMemory::bytes), cuda_error_operating_system);
    }).join();
}

} // namespace
