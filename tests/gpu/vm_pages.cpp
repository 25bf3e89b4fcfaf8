// SPDX-License-Identifier: Apache-2.0
// What the fake driver page-locks is locked in the machines of tests/vm too: their kernel does not move it.
#include "gpu/support.hpp"
#include "support/vm_machine.hpp"

#include <dlfcn.h>
#include <set>
#include <sys/syscall.h>
#include <unistd.h>

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

} // namespace
