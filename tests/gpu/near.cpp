// SPDX-License-Identifier: Apache-2.0
// Work and pins near a GPU, as far as one node shows it. With several real nodes: VmGpu.
#include "gpu/support.hpp"

#include <atomic>

using namespace nearpool_gpu;

namespace {

class NearGpu : public Gpu {};

near_status count(void *runs) {
    (*static_cast<std::atomic<int> *>(runs))++;
    return NEAR_OK;
}

TEST_F(NearGpu, SubmitRunsEveryTaskOnce) {
    const Devices devices;
    const nearpool_test::Pool workers(1);
    const nearpool_test::Group group(workers);
    std::atomic<int> runs{0};
    const near_task tasks[] = {{count, nullptr, &runs}, {count, nullptr, &runs}};
    EXPECT_EQ(numa_pool_submit_near(workers, devices, 0, count, &runs), NEAR_OK);
    EXPECT_EQ(numa_pool_submit_tasks_near(workers, devices, 0, tasks, 2, group), NEAR_OK);
    EXPECT_EQ(numa_pool_group_wait(group, NEAR_FOREVER, nullptr), NEAR_OK);
    EXPECT_EQ(numa_pool_wait_idle(workers, NEAR_FOREVER, nullptr), NEAR_OK);
    EXPECT_EQ(runs, 3);
}

TEST_F(NearGpu, SubmitRefusesWhatItCannotDo) {
    const Devices devices;
    const nearpool_test::Pool workers(1);
    near_topology_options machine{};
    machine.struct_size = sizeof machine;
    machine.source = NEAR_TOPOLOGY_SYNTHETIC;
    machine.text = "numa:2 pu:1";
    near_topology *other = nullptr;
    ASSERT_EQ(near_topology_create(&machine, &other, nullptr), NEAR_OK);
    device_pool_options options = device_options();
    options.topology = other;
    const Devices elsewhere(&options);
    std::atomic<int> runs{0};
    EXPECT_EQ(numa_pool_submit_near(nullptr, devices, 0, count, &runs), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_submit_near(workers, devices, 0, nullptr, &runs), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_submit_near(workers, devices, 4095, count, &runs), NEAR_E_DEVICE);
    EXPECT_EQ(numa_pool_submit_near(workers, elsewhere, 0, count, &runs), NEAR_E_TOPOLOGY);
    const near_task task{count, nullptr, &runs};
    EXPECT_EQ(numa_pool_submit_tasks_near(nullptr, devices, 0, &task, 1, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_submit_tasks_near(workers, devices, 0, nullptr, 1, nullptr), NEAR_E_INVALID);
    EXPECT_EQ(numa_pool_submit_tasks_near(workers, devices, 0, &task, 0, nullptr), NEAR_OK);
    EXPECT_EQ(numa_pool_submit_tasks_near(workers, devices, 0, nullptr, 0, nullptr), NEAR_OK);
    EXPECT_EQ(numa_pool_submit_tasks_near(workers, devices, 4095, nullptr, 0, nullptr), NEAR_E_DEVICE);
    EXPECT_EQ(numa_pool_submit_tasks_near(workers, devices, 4095, &task, 1, nullptr), NEAR_E_DEVICE);
    EXPECT_EQ(numa_pool_shutdown(workers, NEAR_FOREVER, nullptr, nullptr), NEAR_OK);
    EXPECT_EQ(numa_pool_submit_near(workers, devices, 0, count, &runs), NEAR_E_SHUTDOWN);
    EXPECT_EQ(runs, 0);
    near_topology_release(other);
}

TEST_F(NearGpu, PinReportsWhatItAchieved) {
    const Devices devices;
    uint32_t node = 0;
    ASSERT_EQ(device_pool_node(devices, 0, &node), NEAR_OK);
    near_pin *pin = nullptr;
    Error error;
    ASSERT_EQ(near_pin_device(devices, 0, nullptr, &pin, &error), NEAR_OK) << error.message;
    near_pin_report report{};
    report.struct_size = sizeof report;
    ASSERT_EQ(near_pin_get_report(pin, &report), NEAR_OK);
    if (node == NEAR_NODE_UNKNOWN) {
        EXPECT_EQ(report.level, NEAR_LEVEL_NONE);
        EXPECT_EQ(report.reason_code, NEAR_REASON_UNKNOWN_NODE);
    } else {
        EXPECT_NE(report.node, NEAR_NODE_UNKNOWN);
    }
    EXPECT_EQ(near_pin_release(pin, &error), NEAR_OK) << error.message;
    pin = nullptr;
    EXPECT_EQ(near_pin_device(devices, 4095, nullptr, &pin, &error), NEAR_E_DEVICE);
    EXPECT_EQ(near_pin_device(devices, 0, nullptr, nullptr, &error), NEAR_E_INVALID);
    near_pin_options options{};
    options.struct_size = sizeof options;
    options.strict = 2;
    EXPECT_EQ(near_pin_device(devices, 0, &options, &pin, &error), NEAR_E_INVALID);
    EXPECT_EQ(pin, nullptr);
}

} // namespace
