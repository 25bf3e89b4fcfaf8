// SPDX-License-Identifier: Apache-2.0
// Calls that the fake driver holds until a test lets them go.
#include "driver/driver.hpp"
#include "support/limits.hpp"

#include <atomic>
#include <sys/mman.h>

namespace driver_tests {

namespace {

void wait_until_waiting(const char *symbol, uint64_t count) {
    EXPECT_TRUE(nearpool_test::eventually([&] { return control().gate_waiting(symbol) == count; }));
}

class Gates : public ContextTest {
protected:
    static constexpr std::size_t page = 4096;
    static constexpr const char *symbol = "cuMemHostRegister_v2";

    void SetUp() override {
        ContextTest::SetUp();
        memory_ = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    void TearDown() override {
        ContextTest::TearDown();
        munmap(memory_, 2 * page);
    }
    void *page_at(std::size_t index) const { return static_cast<char *>(memory_) + index * page; }

    /// On a thread of its own, which waits at the gate.
    std::thread register_page(std::size_t index, std::atomic<CUresult> &result) {
        return std::thread([this, index, &result] {
            EXPECT_EQ(CU(cuCtxPushCurrent_v2)(context_), cuda_success);
            result = CU(cuMemHostRegister_v2)(page_at(index), page, host_register_portable);
        });
    }

    void *memory_ = nullptr;
};

TEST_F(Gates, hold_calls_of_a_symbol_before_they_do_anything) {
    NEEDS_FAKE();
    std::atomic<CUresult> first{-1}, second{-1};
    EXPECT_EQ(control().gate_waiting(symbol), 0U);
    control().gate(symbol, true);
    std::thread one = register_page(0, first), other = register_page(1, second);
    wait_until_waiting(symbol, 2);
    EXPECT_EQ(control().held().find("registered memory"), std::string::npos);
    void *allocated = nullptr;
    EXPECT_EQ(CU(cuMemHostAlloc)(&allocated, page, 0), cuda_success); // has a gate of its own
    EXPECT_EQ(CU(cuMemFreeHost)(allocated), cuda_success);
    EXPECT_EQ(first, -1);
    control().gate(symbol, true); // closed once more: who waited goes on
    one.join();
    other.join();
    EXPECT_EQ(first, cuda_success);
    EXPECT_EQ(second, cuda_success);
    EXPECT_EQ(CU(cuMemHostUnregister)(page_at(0)), cuda_success);
    std::thread later = register_page(0, first);
    wait_until_waiting(symbol, 1); // and who comes later waits
    control().gate(symbol, false);
    later.join();
    EXPECT_EQ(control().gate_waiting(symbol), 0U);
    EXPECT_EQ(CU(cuMemHostUnregister)(page_at(0)), cuda_success);
    EXPECT_EQ(CU(cuMemHostUnregister)(page_at(1)), cuda_success);
}

TEST_F(Gates, let_a_scripted_failure_wait_too) {
    NEEDS_FAKE();
    std::atomic<CUresult> result{-1};
    control().gate(symbol, true);
    control().fail(symbol, 1, cuda_error_out_of_memory);
    std::thread caller = register_page(0, result);
    wait_until_waiting(symbol, 1);
    EXPECT_EQ(result, -1);
    control().gate(symbol, false);
    caller.join();
    EXPECT_EQ(result, cuda_error_out_of_memory);
}

TEST_F(Gates, are_opened_by_a_reset_and_what_waited_does_nothing) {
    NEEDS_FAKE();
    std::atomic<CUresult> result{-1};
    control().gate(symbol, true);
    std::thread caller = register_page(0, result);
    wait_until_waiting(symbol, 1);
    EXPECT_EQ(control().reset(nullptr, true), "");
    caller.join();
    EXPECT_EQ(result, cuda_error_deinitialized);
    EXPECT_EQ(control().held(), "");
    context_ = nullptr;
    ASSERT_EQ(CU(cuInit)(0), cuda_success);
    ASSERT_EQ(CU(cuDevicePrimaryCtxRetain)(&context_, 0), cuda_success);
    ASSERT_EQ(CU(cuCtxPushCurrent_v2)(context_), cuda_success);
    EXPECT_EQ(CU(cuMemHostRegister_v2)(page_at(0), page, 0), cuda_success);
    EXPECT_EQ(CU(cuMemHostUnregister)(page_at(0)), cuda_success);
}

} // namespace

} // namespace driver_tests
