// SPDX-License-Identifier: Apache-2.0
// Opening the driver: what is tried, what may be missing, what each failure says, and that the next call tries again.
#include "cuda/loader.hpp"

#include "fakes/ports.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

namespace nearpool::testing {
namespace {

using namespace cuda;

CUresult answer_of_init = cuda_success;
int inits = 0;

CUresult any_call() {
    return cuda_success;
}
CUresult scripted_init(unsigned) {
    inits++;
    return answer_of_init;
}
CUresult version_of_driver(int *version) {
    *version = 12060;
    return cuda_success;
}
CUresult name_of_error(CUresult, const char **text) {
    *text = "CUDA_ERROR_NAME";
    return cuda_success;
}
CUresult resolve_by_name(const char *name, void **function, int version, uint64_t,
                         CUdriverProcAddressQueryResult *found) {
    const bool known = std::string(name) == "cuStreamDestroy" && version == 4000;
    *function = known ? reinterpret_cast<void *>(any_call) : nullptr;
    *found = known ? 0 : 1;
    return cuda_success;
}

// A dynamic linker with one driver in it, or none.
class Linker final : public LibraryPort {
public:
    void *open(const std::string &name, std::string *why) override {
        opened.push_back(name);
        *why = name + ": cannot open shared object file";
        return there ? this : nullptr;
    }
    void *symbol(void *, const char *name) override {
        asked.insert(name);
        if (missing.count(name) != 0) {
            return nullptr;
        }
        const std::string symbol = name;
        if (symbol == "cuInit") {
            return reinterpret_cast<void *>(scripted_init);
        }
        if (symbol == "cuDriverGetVersion") {
            return reinterpret_cast<void *>(version_of_driver);
        }
        if (symbol == "cuGetErrorName" || symbol == "cuGetErrorString") {
            return reinterpret_cast<void *>(name_of_error);
        }
        return symbol == "cuGetProcAddress_v2" ? reinterpret_cast<void *>(resolve_by_name)
                                               : reinterpret_cast<void *>(any_call);
    }

    bool there = true;
    std::set<std::string> missing;
    std::vector<std::string> opened;
    std::set<std::string> asked;
};

class DriverLoader : public ::testing::Test {
protected:
    void SetUp() override {
        answer_of_init = cuda_success;
        inits = 0;
        unsetenv("NEARPOOL_CUDA_LIBRARY");
        unsetenv("NEARPOOL_NVML_LIBRARY");
    }
    void TearDown() override { SetUp(); }

    Status status() {
        const Result<const Driver *> driver = loader_.driver();
        message_ = driver ? "" : driver.error().message;
        return driver ? NEAR_OK : driver.error().status;
    }
    bool says(const char *text) const { return message_.find(text) != std::string::npos; }

    Linker linker_;
    const Ports &real_ = real_ports();
    const Ports ports_{real_.memory, real_.policy, real_.affinity, real_.futex, real_.files, real_.threads, linker_};
    Loader loader_{ports_};
    std::string message_;
};

TEST_F(DriverLoader, SaysWhatTheLinkerSaysAndTriesAgain) {
    linker_.there = false;
    EXPECT_EQ(status(), NEAR_E_NO_DRIVER);
    EXPECT_TRUE(says("no GPU driver: libcuda.so.1: cannot open shared object file")) << message_;
    EXPECT_EQ(status(), NEAR_E_NO_DRIVER);
    linker_.there = true;
    EXPECT_EQ(status(), NEAR_OK) << message_;
    EXPECT_EQ(loader_.driver().value()->version, 12060);
    EXPECT_EQ(linker_.opened, (std::vector<std::string>(3, "libcuda.so.1"))) << "what was opened is kept";
}

TEST_F(DriverLoader, TakesTheLibraryThatTheEnvironmentNames) {
    setenv("NEARPOOL_CUDA_LIBRARY", "/opt/other/libcuda.so", 1);
    linker_.there = false;
    EXPECT_EQ(status(), NEAR_E_NO_DRIVER);
    EXPECT_TRUE(says("/opt/other/libcuda.so: cannot open shared object file (chosen by NEARPOOL_CUDA_LIBRARY)"))
        << message_;
    EXPECT_EQ(linker_.opened, std::vector<std::string>{"/opt/other/libcuda.so"});
}

TEST_F(DriverLoader, NamesTheEntryPointThatIsMissing) {
    linker_.missing = {"cuStreamGetCtx"};
    EXPECT_EQ(status(), NEAR_E_NO_DRIVER);
    EXPECT_TRUE(says("libcuda.so.1 has no cuStreamGetCtx")) << message_;
    linker_.missing.clear();
    EXPECT_EQ(status(), NEAR_OK) << message_;
}

TEST_F(DriverLoader, DoesWithoutWhatIsOptional) {
    linker_.missing = {"cuDeviceGetUuid_v2", "cuStreamAddCallback"};
    ASSERT_EQ(status(), NEAR_OK) << message_;
    EXPECT_EQ(loader_.driver().value()->device_get_uuid_mig, nullptr);
    EXPECT_EQ(loader_.driver().value()->stream_add_callback, nullptr);
    EXPECT_NE(loader_.driver().value()->device_get_uuid, nullptr);
}

TEST_F(DriverLoader, AsksTheDriverForWhatIsNotExported) {
    linker_.missing = {"cuStreamDestroy_v2"};
    ASSERT_EQ(status(), NEAR_OK) << message_;
    EXPECT_NE(loader_.driver().value()->stream_destroy, nullptr);
    linker_.missing = {"cuStreamDestroy_v2", "cuGetProcAddress_v2", "cuGetProcAddress"};
    Loader without(ports_);
    EXPECT_FALSE(without.driver());
}

TEST_F(DriverLoader, NeverTakesABareNameForAVersionedOne) {
    ASSERT_EQ(status(), NEAR_OK) << message_;
    for (const char *bare : {"cuCtxPushCurrent", "cuCtxPopCurrent", "cuCtxCreate", "cuCtxDestroy", "cuStreamDestroy",
                             "cuEventDestroy", "cuMemGetInfo", "cuDeviceTotalMem", "cuDevicePrimaryCtxRelease"}) {
        EXPECT_EQ(linker_.asked.count(bare), 0U) << bare;
        EXPECT_EQ(linker_.asked.count(std::string(bare) + "_v2"), 1U) << bare;
    }
}

TEST_F(DriverLoader, TellsADriverThatDoesNotWorkFromOneWithoutDevices) {
    for (const auto &[code, expected] :
         {std::pair{cuda_error_no_device, NEAR_E_NO_DEVICE}, std::pair{cuda_error_stub_library, NEAR_E_NO_DRIVER},
          std::pair{cuda_error_system_not_ready, NEAR_E_NO_DRIVER},
          std::pair{cuda_error_system_driver_mismatch, NEAR_E_NO_DRIVER}, std::pair{999, NEAR_E_CUDA}}) {
        answer_of_init = code;
        const Result<const Driver *> driver = loader_.driver();
        ASSERT_FALSE(driver);
        EXPECT_EQ(driver.error().status, expected) << code;
        EXPECT_EQ(driver.error().code, code);
        EXPECT_EQ(driver.error().domain, NEAR_DOMAIN_CUDA);
        EXPECT_NE(driver.error().message.find("cuInit: CUDA_ERROR_NAME"), std::string::npos) << driver.error().message;
    }
    answer_of_init = cuda_success;
    EXPECT_EQ(status(), NEAR_OK) << message_;
    EXPECT_EQ(inits, 6);
}

// What a driver answers in a child when somebody else has initialised it in the parent.
TEST_F(DriverLoader, ADriverThatWorksOnlyInTheParentIsForked) {
    answer_of_init = cuda_error_not_initialized;
    EXPECT_EQ(status(), NEAR_E_FORKED);
    EXPECT_TRUE(says("initialised in the parent of this process")) << message_;
}

TEST_F(DriverLoader, NvmlIsOptionalAndTriedAgain) {
    linker_.there = false;
    std::string why;
    EXPECT_EQ(loader_.nvml(&why), nullptr);
    EXPECT_EQ(why, "libnvidia-ml.so.1: cannot open shared object file");
    linker_.there = true;
    linker_.missing = {"nvmlDeviceGetMemoryInfo"};
    EXPECT_EQ(loader_.nvml(&why), nullptr);
    EXPECT_EQ(why, "libnvidia-ml.so.1 has no nvmlDeviceGetMemoryInfo");
    linker_.missing = {"nvmlDeviceGetMemoryAffinity"};
    ASSERT_NE(loader_.nvml(&why), nullptr);
    const Result<std::vector<uint32_t>> nodes = loader_.nvml(&why)->nodes(Facts(), 0);
    ASSERT_FALSE(nodes);
    EXPECT_EQ(nodes.error().status, NEAR_E_UNSUPPORTED);
}

} // namespace
} // namespace nearpool::testing
