// SPDX-License-Identifier: Apache-2.0
#include "driver/driver.hpp"

#include <cstring>
#include <sys/wait.h>
#include <unistd.h>

namespace driver_tests {

namespace {

using Init = DriverTest;

TEST_F(Init, nothing_works_before_cuInit_and_the_version_does) {
    NEEDS_FAKE();
    control().reset(environment());
    int count = 0;
    EXPECT_EQ(CU(cuDeviceGetCount)(&count), cuda_error_not_initialized);
    CUcontext context = nullptr;
    EXPECT_EQ(CU(cuCtxGetCurrent)(&context), cuda_error_not_initialized);
    EXPECT_GE(version(), 11080);
    EXPECT_EQ(CU(cuInit)(1), cuda_error_invalid_value);
    EXPECT_EQ(CU(cuInit)(0), cuda_success);
    EXPECT_EQ(CU(cuDeviceGetCount)(&count), cuda_success);
    EXPECT_GE(count, 1);
}

TEST_F(Init, can_be_called_again) {
    EXPECT_EQ(CU(cuInit)(0), cuda_success);
}

TEST_F(Init, a_forked_child_is_not_initialised) {
    const pid_t child = fork();
    if (child == 0) {
        int count = 0;
        _exit(CU(cuDeviceGetCount)(&count));
    }
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), cuda_error_not_initialized);
}

TEST_F(Init, a_stub_a_machine_without_devices_and_a_driver_that_goes_say_so) {
    NEEDS_FAKE();
    int count = 0;
    control().reset(R"({"mode": "stub"})");
    EXPECT_EQ(CU(cuInit)(0), cuda_error_stub_library);
    control().reset(R"({"mode": "no-device"})");
    EXPECT_EQ(CU(cuInit)(0), cuda_error_no_device);
    EXPECT_EQ(CU(cuDeviceGetCount)(&count), cuda_error_not_initialized);
    control().reset("");
    EXPECT_EQ(CU(cuInit)(0), cuda_success);
    control().teardown();
    EXPECT_EQ(CU(cuDeviceGetCount)(&count), cuda_error_deinitialized);
    EXPECT_EQ(CU(cuInit)(0), cuda_error_deinitialized);
    EXPECT_GE(version(), 11080);
}

TEST_F(Init, errors_have_names) {
    const char *text = nullptr;
    EXPECT_EQ(CU(cuGetErrorName)(cuda_error_not_ready, &text), cuda_success);
    EXPECT_STREQ(text, "CUDA_ERROR_NOT_READY");
    EXPECT_EQ(CU(cuGetErrorString)(cuda_error_invalid_value, &text), cuda_success);
    EXPECT_NE(std::strlen(text), 0U);
    EXPECT_EQ(CU(cuGetErrorName)(12345, &text), cuda_error_invalid_value);
    EXPECT_EQ(text, nullptr);
}

struct Found {
    CUresult result = -1;
    void *function = nullptr;
    int status = -1;
};

Found proc_address(const char *name, int at, uint64_t flags = 0) {
    Found found;
    if (has("cuGetProcAddress_v2")) {
        found.result = CU(cuGetProcAddress_v2)(name, &found.function, at, flags, &found.status);
    } else {
        found.result = CU(cuGetProcAddress)(name, &found.function, at, flags);
    }
    return found;
}

void *symbol(const char *name) {
    return reinterpret_cast<void *>(control().find<void()>(name));
}

TEST_F(Init, proc_address_gives_the_newest_interface_that_a_program_knows) {
    if (!has("cuGetProcAddress_v2")) {
        GTEST_SKIP() << "[cuda-12] cuGetProcAddress_v2 came with 12.0";
    }
    EXPECT_EQ(proc_address("cuCtxCreate", 12000).function, symbol("cuCtxCreate_v3"));
    EXPECT_EQ(proc_address("cuCtxCreate", 11000).function, symbol("cuCtxCreate_v2"));
    EXPECT_EQ(proc_address("cuStreamDestroy", 12000).function, symbol("cuStreamDestroy_v2"));
    const Found old = proc_address("cuStreamGetId", 11080);
    EXPECT_EQ(old.result, cuda_success);
    EXPECT_EQ(old.function, nullptr);
    EXPECT_EQ(old.status, 2); // the version is not sufficient
    const Found unknown = proc_address("cuNoSuchFunction", 12000);
    EXPECT_EQ(unknown.result, cuda_success);
    EXPECT_EQ(unknown.function, nullptr);
    EXPECT_EQ(unknown.status, 1); // the symbol is not found
    EXPECT_EQ(proc_address("cuInit", version() + 10).result, cuda_error_invalid_value);
    if (version() >= 13000) {
        EXPECT_EQ(proc_address("cuCtxCreate", 13000).function, symbol("cuCtxCreate_v4"));
    }
}

TEST_F(Init, proc_address_gives_twins_where_asked_to) {
    constexpr uint64_t legacy = 1, per_thread = 2;
    EXPECT_EQ(proc_address("cuStreamQuery", 11080, per_thread).function, symbol("cuStreamQuery_ptsz"));
    EXPECT_EQ(proc_address("cuStreamQuery", 11080, legacy).function, symbol("cuStreamQuery"));
    EXPECT_EQ(proc_address("cuMemcpyHtoD", 11080, per_thread).function, symbol("cuMemcpyHtoD_v2_ptds"));
    EXPECT_EQ(proc_address("cuInit", 11080, per_thread).function, symbol("cuInit"));
}

TEST_F(Init, a_version_has_the_functions_of_its_time) {
    NEEDS_FAKE();
    if (version() < 12000) {
        EXPECT_FALSE(has("cuGetProcAddress_v2"));
        EXPECT_FALSE(has("cuStreamGetId"));
    } else {
        EXPECT_TRUE(has("cuStreamGetId"));
    }
    EXPECT_TRUE(version() < 13000 || has("cuCtxCreate_v4"));
}

TEST_F(Init, a_call_newer_than_the_configured_driver_is_refused) {
    NEEDS_FAKE();
    if (!has("cuStreamGetId")) {
        GTEST_SKIP() << "[cuda-12] this variant has no newer function";
    }
    start(R"({"version": 11080})");
    unsigned long long id = 0;
    EXPECT_EQ(CU(cuStreamGetId)(nullptr, &id), cuda_error_call_requires_newer_driver);
}

using InitDeathTest = DriverTest;

TEST_F(InitDeathTest, a_bare_legacy_name_aborts) {
    NEEDS_FAKE();
    EXPECT_DEATH(control().find<void()>("cuCtxCreate")(), "cuCtxCreate is the interface of an old CUDA version");
    EXPECT_DEATH(control().find<void()>("cuMemAlloc")(), "cuMemAlloc is the interface");
}

TEST_F(InitDeathTest, a_mistake_in_the_configuration_aborts) {
    NEEDS_FAKE();
    EXPECT_DEATH(control().reset(R"({"divices": []})"), "divices: no such field");
    EXPECT_DEATH(control().reset(R"({"devices": [{"nmae": "x"}]})"), R"(devices\[0\]\.nmae: no such field)");
    EXPECT_DEATH(control().reset(R"({"version": "12"})"), "version: has the wrong type");
    EXPECT_DEATH(control().reset(R"({"mode": "odd"})"), "mode: is normal");
    EXPECT_DEATH(control().reset(R"({"fail": [{"symbol": "cuInit"}]})"), "either an error or null");
    EXPECT_DEATH(control().reset(R"({"fail": [{"symbol": "cuInit", "error": 2, "null": true}]})"), "or null");
    EXPECT_DEATH(control().reset("{"), "is no JSON");
    EXPECT_DEATH(control().reset("/no/such/file"), "cannot be read");
}

TEST_F(InitDeathTest, a_leak_makes_the_program_fail) {
    NEEDS_FAKE();
    const auto leak = [] {
        CUcontext context = nullptr;
        CU(cuDevicePrimaryCtxRetain)(&context, 0);
        std::exit(0);
    };
    EXPECT_EXIT(leak(), testing::ExitedWithCode(0), ""); // a child of fork is told nothing by its copy
    testing::GTEST_FLAG(death_test_style) = "threadsafe";
    EXPECT_EXIT(leak(), testing::ExitedWithCode(97), "primary context of device 0, retained 1 times");
    testing::GTEST_FLAG(death_test_style) = "fast";
}

} // namespace

} // namespace driver_tests
