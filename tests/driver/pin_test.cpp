// SPDX-License-Identifier: Apache-2.0
// What the fake driver page-locks is locked, and given back: the kernel counts it. Where it is, tests/gpu/vm_pages.cpp
// asks on machines with several nodes.
#include "driver/driver.hpp"

#include <fstream>
#include <sys/mman.h>

namespace driver_tests {

namespace {

constexpr std::size_t bytes = std::size_t{2} << 20;

/// What the kernel says of this process, in bytes: VmPin, RssShmem.
std::size_t bytes_of(const std::string &what) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
        if (line.rfind(what + ":", 0) == 0) {
            return std::stoul(line.substr(what.size() + 1)) * 1024;
        }
    }
    ADD_FAILURE() << "no " << what;
    return 0;
}

class Pins : public ContextTest {
protected:
    void SetUp() override {
        ContextTest::SetUp();
        NEEDS_FAKE();
        if (!control().pinned()) {
            GTEST_SKIP() << "[io-uring] the kernel locks no pages for us";
        }
        before_ = bytes_of("VmPin");
    }

    std::size_t locked() const { return bytes_of("VmPin") - before_; }

    std::size_t before_ = 0;
};

TEST_F(Pins, are_of_registered_memory_until_it_is_unregistered) {
    void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_EQ(CU(cuMemHostRegister_v2)(memory, bytes, host_register_portable), cuda_success);
    EXPECT_EQ(locked(), bytes);
    EXPECT_EQ(CU(cuMemHostUnregister)(memory), cuda_success);
    EXPECT_EQ(locked(), 0U);
    munmap(memory, bytes);
}

TEST_F(Pins, are_of_allocated_memory_until_it_is_freed) {
    void *memory = nullptr;
    ASSERT_EQ(CU(cuMemHostAlloc)(&memory, bytes, host_alloc_portable), cuda_success);
    EXPECT_EQ(locked(), bytes);
    EXPECT_EQ(CU(cuMemFreeHost)(memory), cuda_success);
    EXPECT_EQ(locked(), 0U);
}

TEST_F(Pins, are_not_made_where_the_device_uses_the_host_s_page_tables) {
    start_again(R"({"devices": [{"pageable_by_host_tables": true}]})");
    void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_EQ(CU(cuMemHostRegister_v2)(memory, bytes, host_register_portable), cuda_success);
    EXPECT_EQ(locked(), 0U);
    EXPECT_EQ(CU(cuMemHostUnregister)(memory), cuda_success);
    munmap(memory, bytes);
}

TEST_F(Pins, of_a_node_s_memory_last_as_long_as_a_handle_or_a_mapping) {
    NEEDS_MEM_CREATE();
    if (version() < 12020) {
        GTEST_SKIP() << "[cuda-12.2] memory of a host node came with it";
    }
    const std::size_t shared_before = bytes_of("RssShmem");
    CUmemAllocationProp properties{};
    properties.type = allocation_pinned;
    properties.location = {location_host_numa, 0};
    CUmemGenericAllocationHandle handle = 0;
    CUdeviceptr address = 0;
    ASSERT_EQ(CU(cuMemCreate)(&handle, bytes, &properties, 0), cuda_success);
    EXPECT_EQ(locked(), bytes);
    ASSERT_EQ(CU(cuMemAddressReserve)(&address, bytes, 0, 0, 0), cuda_success);
    ASSERT_EQ(CU(cuMemMap)(address, bytes, 0, handle, 0), cuda_success);
    EXPECT_EQ(CU(cuMemRelease)(handle), cuda_success);
    EXPECT_EQ(locked(), bytes);
    EXPECT_EQ(CU(cuMemUnmap)(address, bytes), cuda_success);
    EXPECT_EQ(locked(), 0U);
    EXPECT_LT(bytes_of("RssShmem"), shared_before + bytes / 2); // the kernel counts these in rounds
    EXPECT_EQ(CU(cuMemAddressFree)(address, bytes), cuda_success);
    EXPECT_EQ(msync(reinterpret_cast<void *>(address), bytes, MS_ASYNC), -1); // nobody's any more
}

} // namespace

} // namespace driver_tests
