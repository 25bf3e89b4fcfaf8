// SPDX-License-Identifier: Apache-2.0
// NVML says of the devices what the driver says, and refuses what a device does not have.
#include "cuda/nvml_types.hpp"
#include "driver/driver.hpp"

#include <cstring>

namespace driver_tests {

namespace {

using namespace nearpool::cuda;

class Nvml : public ContextTest {
protected:
    void SetUp() override {
        ContextTest::SetUp();
        const char *named = std::getenv("NEARPOOL_NVML_LIBRARY");
        library_ = dlopen(named != nullptr && *named != 0 ? named : "libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
        if (library_ == nullptr && !IsSkipped()) {
            GTEST_SKIP() << "[nvml] " << dlerror();
        }
    }

    template <typename... Arguments> nvmlReturn_t call(const char *symbol, Arguments... arguments) {
        auto *function = reinterpret_cast<nvmlReturn_t (*)(Arguments...)>(dlsym(library_, symbol));
        return function == nullptr ? -1 : function(arguments...);
    }

    void *library_ = nullptr;
};

TEST_F(Nvml, knows_the_devices_of_the_driver) {
    nvmlDevice_t device = nullptr, same = nullptr;
    nvmlMemory_t memory{};
    char address[20] = "", uuid[80] = "";
    ASSERT_EQ(call("nvmlInit_v2"), nvml_success);
    ASSERT_EQ(CU(cuDeviceGetPCIBusId)(address, sizeof address, 0), cuda_success);
    const char *asked = address;
    ASSERT_EQ(call("nvmlDeviceGetHandleByPciBusId_v2", asked, &device), nvml_success);
    EXPECT_EQ(call("nvmlDeviceGetUUID", device, static_cast<char *>(uuid), 80U), nvml_success);
    EXPECT_EQ(std::strncmp(uuid, "GPU-", 4), 0);
    asked = uuid;
    EXPECT_EQ(call("nvmlDeviceGetHandleByUUID", asked, &same), nvml_success);
    EXPECT_EQ(same, device);
    EXPECT_EQ(call("nvmlDeviceGetMemoryInfo", device, &memory), nvml_success);
    EXPECT_GT(memory.used, 0U);
    EXPECT_LE(memory.used + memory.free, memory.total);
    asked = "GPU-00000000-0000-0000-0000-000000000000";
    EXPECT_EQ(call("nvmlDeviceGetHandleByUUID", asked, &same), 6); // not found
    EXPECT_EQ(call("nvmlShutdown"), nvml_success);
}

TEST_F(Nvml, refuses_what_the_configuration_says) {
    NEEDS_FAKE();
    ContextTest::TearDown();
    context_ = nullptr;
    nvmlDevice_t device = nullptr;
    unsigned long nodes[2] = {};
    nvmlUtilization_t utilization{};
    start(R"({"devices": [{"nvml": {"memory_affinity": 65, "utilization": 40}},
                          {"nvml": {"utilization": -1}}, {"nvml": {"present": false}}]})");
    ASSERT_EQ(call("nvmlInit_v2"), nvml_success);
    ASSERT_EQ(call("nvmlDeviceGetHandleByIndex_v2", 0U, &device), nvml_success);
    unsigned long *words = nodes;
    EXPECT_EQ(call("nvmlDeviceGetMemoryAffinity", device, 2U, words, nvml_affinity_scope_node), nvml_success);
    EXPECT_EQ(nodes[0], 0UL);
    EXPECT_EQ(nodes[1], 2UL);
    EXPECT_EQ(call("nvmlDeviceGetUtilizationRates", device, &utilization), nvml_success);
    EXPECT_EQ(utilization.gpu, 40U);
    ASSERT_EQ(call("nvmlDeviceGetHandleByIndex_v2", 1U, &device), nvml_success);
    EXPECT_EQ(call("nvmlDeviceGetMemoryAffinity", device, 2U, words, nvml_affinity_scope_node),
              nvml_error_not_supported);
    EXPECT_EQ(call("nvmlDeviceGetUtilizationRates", device, &utilization), nvml_error_not_supported);
    EXPECT_EQ(call("nvmlDeviceGetHandleByIndex_v2", 2U, &device), 2); // it does not know of the third
    EXPECT_EQ(call("nvmlShutdown"), nvml_success);
    EXPECT_EQ(call("nvmlShutdown"), 1); // not initialised
}

} // namespace

} // namespace driver_tests
